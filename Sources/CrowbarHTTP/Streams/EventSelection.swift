import CrowbarCore
import NIOCore

/// Which events one stream gets, and up to where it has got them: rights, memberships and filter together. Each event
/// of the log passes it once, in order, first in pages and then in batches.
struct EventSelection: Sendable {
    private var access: Access
    private var own: OwnEvents?
    private let filter: EventFilter
    /// The last position that was read.
    private(set) var position: Int64
    /// Whether little or nothing of the log was behind it when it was read last.
    private(set) var isAtHead: Bool

    init(_ access: Access, own: OwnEvents?, _ filter: EventFilter, after position: Int64) {
        (self.access, self.own, self.filter, self.position) = (access, own, filter, position)
        isAtHead = position >= access.head
    }

    /// Reads the next page of the log; nil where it ends. The lines can be empty.
    mutating func read(
        _ log: ReadableLog, _ turns: CatchUpTurns, limit: Int = APIConfiguration.Limit.chunkEntries
    ) async throws -> ByteBuffer? {
        let (position, before) = (position, access)
        let (page, access) = try await turns.run {
            var access = before
            let page = try await log.next(
                after: position, limit: limit, maxBytes: APIConfiguration.Limit.chunk, for: &access)
            return (page, access)
        }
        guard let through = page.through else {
            isAtHead = true
            return nil
        }
        (self.access, self.position) = (access, through)
        isAtHead = log.isNearHead(through)
        var lines = ByteBuffer()
        for entry in page.entries {
            if own?.follow(entry, of: page.page) == false { continue }
            if filter.accepts(entry, of: page.page) { EventLine.appendServerSent(entry, of: page.page, to: &lines) }
        }
        return lines
    }

    /// Gives the frames of a batch that the stream gets, without those that it has.
    mutating func select(_ batch: EventBatch, _ body: (EventBatch.Frame) -> Void) {
        guard batch.page.through > position else { return }
        batch.page.select(after: position, for: &access, own: &own, where: filter.accepts, body)
        position = batch.page.through
    }

    /// Whether the stream has everything before a batch.
    func isNext(_ batch: EventBatch) -> Bool { batch.after <= position }
}
