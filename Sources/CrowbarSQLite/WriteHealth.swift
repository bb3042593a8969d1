import CrowbarCore
import Synchronization

/// Whether the last write to the log went well, and when the next look is due where it did not: a pure value.
struct WriteHealth {
    /// Between two tries while writes fail, in milliseconds: each is a write to the disk, and anybody may ask.
    static let interval: Int64 = 250

    /// Why the last write failed; nil where it went well.
    private(set) var failure: LogError?
    private var tried: Int64?

    /// Something was stored.
    mutating func succeeded() {
        failure = nil
        tried = nil
    }

    /// Nothing could be stored.
    /// - Parameter failure: Why; nil for what has nothing to do with the log.
    mutating func failed(_ failure: LogError?) { self.failure = failure ?? self.failure }

    /// Whether a write is to be tried now, to see whether the reason is gone. It counts as begun.
    /// - Parameter now: Monotonic milliseconds.
    mutating func beginProbe(now: Int64) -> Bool {
        guard failure != nil else { return false }
        if let tried, now - tried < Self.interval { return false }
        tried = now
        return true
    }
}

/// A ``WriteHealth`` for several threads.
final class SharedWriteHealth: Sendable {
    private let health = Mutex(WriteHealth())

    var failure: LogError? { health.withLock { $0.failure } }

    func succeeded() { health.withLock { $0.succeeded() } }

    func failed(_ error: any Error) { health.withLock { $0.failed(error as? LogError) } }

    func beginProbe(now: Int64) -> Bool { health.withLock { $0.beginProbe(now: now) } }
}

extension LogError {
    /// Whether a file could not grow beyond what the process may write.
    var isFileSizeLimit: Bool {
        if case .unwritable(StorageCause.fileSizeLimit.callersReason, _) = self { true } else { false }
    }

    /// Why the log cannot be written.
    /// - Parameter path: Its file.
    init(_ cause: StorageCause, path: String) {
        self = .unwritable(reason: cause.callersReason, detail: "\(path): \(cause)")
    }
}
