import Logging
import Synchronization

/// Logs what callers can cause at will, at most once a minute for each kind, with how often it happened in between.
final class SparseLog: Sendable {
    /// Milliseconds between two lines of a kind.
    static let interval: Int64 = 60_000

    /// What is logged.
    enum Kind: Hashable, Sendable {
        case connectionsFull, idleClosed, slowBody, slowReader, wrongTokens, wrongHost, cutOff, metrics
    }

    private let logger: Logger
    private let now: @Sendable () -> Int64
    private let kinds = Mutex<[Kind: (next: Int64, left: Int)]>([:])

    init(_ logger: Logger, now: @escaping @Sendable () -> Int64) {
        self.logger = logger
        self.now = now
    }

    /// Logs a line, or counts it.
    func warn(_ kind: Kind, _ text: @autoclosure () -> String) {
        let now = now()
        let left = kinds.withLock { kinds -> Int? in
            if let known = kinds[kind], now < known.next, known.next - now <= Self.interval {
                kinds[kind] = (known.next, known.left + 1)
                return nil
            }
            defer { kinds[kind] = (now + Self.interval, 0) }
            return kinds[kind]?.left ?? 0
        }
        guard let left else { return }
        logger.warning("\(text())\(left > 0 ? " (and \(left) more times since the last such line)" : "")")
    }
}
