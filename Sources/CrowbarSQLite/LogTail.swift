import CrowbarCore
import Synchronization

/// The last append, kept in memory for readers that follow the head: they need neither a thread nor a transaction.
final class LogTail: Sendable {
    /// The largest append that is kept, in bytes of JSON.
    static let limit = 64 << 10

    private struct Append {
        var after: Int64
        var head: Int64
        /// Nil where it was too large.
        var page: LogPage?
    }

    private let last = Mutex<Append?>(nil)

    /// Takes the place of the append before.
    /// - Parameters:
    ///   - page: What was appended; at least one entry.
    ///   - position: The head before it.
    func replace(_ page: LogPage, after position: Int64) {
        guard let head = page.entries.last?.position else { return }
        let kept = page.bytes.count <= Self.limit ? page : nil
        last.withLock { $0 = Append(after: position, head: head, page: kept) }
    }

    /// Gives no append from memory until the next one: readers read the log.
    func forget() { last.withLock { $0?.page = nil } }

    /// As ``EventLog/recent(after:)``.
    func page(after position: Int64) -> LogPage? {
        last.withLock { last in
            guard let last else { return nil }
            if position == last.head { return LogPage() }
            return position == last.after ? last.page : nil
        }
    }
}
