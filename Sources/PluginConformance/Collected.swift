import Synchronization

/// A value that tasks of a scenario fill.
final class Collected<Value: Sendable>: Sendable {
    private let stored: Mutex<Value>

    init(_ value: Value) { stored = Mutex(value) }

    var value: Value { stored.withLock { $0 } }

    func change(_ body: @Sendable (inout Value) -> Void) { stored.withLock { body(&$0) } }

    /// Sets a flag once.
    /// - Returns: Whether it was not set before.
    func set() -> Bool where Value == Bool {
        stored.withLock { flag in
            defer { flag = true }
            return !flag
        }
    }

    /// Counts down.
    /// - Returns: Whether it has just reached 0.
    func countDown() -> Bool where Value == Int {
        stored.withLock { count in
            count -= 1
            return count == 0
        }
    }
}
