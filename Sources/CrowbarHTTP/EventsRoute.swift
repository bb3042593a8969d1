import CrowbarCore
import HTTPTypes
import HummingbirdCore
import JSONBytes
import NIOCore

/// `GET /api/events`: a page of the log as NDJSON.
struct EventsRoute: Sendable {
    let log: ReadableLog
    let rights: ReadAccess
    let readers: ReaderAuthenticator
    /// A call can look at the whole log for few events, so it reads each part in its turn.
    let turns: CatchUpTurns
    /// Events that a call looks at, at most.
    let scan: Int

    /// The parameters of a call.
    static let parameters = ["after", "limit", "type", "channel", ReaderAuthenticator.all]

    /// - Parameters:
    ///   - reader: Who reads.
    ///   - access: What they may read.
    ///   - channel: The connection. Once it is closed nothing more is read.
    func respond(
        _ query: Query, _ reader: AuthenticatedReader, _ access: Access, on channel: any Channel
    ) async throws -> Response {
        let filter = try EventFilter(query)
        let limit = try Self.limit(query)
        let start = try await Self.position(after: query["after"], log)
        // The page ends at the head as it is now, so that it ends at all however fast the log grows.
        var pages = PageReader(
            log: log, filter: filter, rights: rights, turns: turns, access: access, left: limit, scan: scan, at: start,
            end: access.head)
        // The first lines are read before the head leaves, so that a log that cannot be read is a 503.
        let first = try await pages.next()
        let (begun, readers) = (pages, readers)
        return Response(
            status: .ok, headers: [.contentType: "application/x-ndjson"],
            body: ResponseBody { writer in
                var (pages, reader) = (begun, reader)
                var lines = first
                while let chunk = lines {
                    // A part without wanted events writes nothing, so no write fails.
                    guard channel.isActive else { throw ChannelError.ioOnClosedChannel }
                    if let ended = await readers.end(of: &reader) {
                        var json = JSONWriter(capacity: 112)
                        APIFailure.write(ended, to: &json)
                        try await writer.write(ByteBuffer(bytes: json.bytes + [0x0A]))
                        break
                    }
                    if chunk.readableBytes > 0 { try await writer.write(chunk) }
                    lines = try await pages.next()
                }
                try await writer.finish(nil)
            })
    }

    private static func limit(_ query: Query) throws(APIFailure) -> Int {
        guard let text = query["limit"] else { return APIConfiguration.Limit.page }
        guard let limit = Query.wholeNumber(text), (1...APIConfiguration.Limit.maxPage).contains(limit) else {
            throw APIFailure(
                .invalidCommand, "'limit' must be a whole number from 1 to \(APIConfiguration.Limit.maxPage)",
                field: "limit")
        }
        return limit
    }

    /// The position behind which reading starts: that of an event, or 0 for the beginning.
    /// - Parameter field: Where the caller gave the event's id.
    static func position(
        after eventId: String?, _ log: ReadableLog, field: String = "after"
    ) async throws -> Int64 {
        guard let eventId else { return 0 }
        guard Identifier.isEvent(eventId), let position = try await log.position(of: eventId) else {
            throw APIFailure(
                .eventNotFound, "the log has no event '\(eventId.prefix(Identifier.maxLength))'", field: field)
        }
        return position
    }
}

/// Reads a long page in parts, so that memory stays flat.
private struct PageReader: Sendable {
    let log: ReadableLog
    let filter: EventFilter
    let rights: ReadAccess
    let turns: CatchUpTurns
    var access: Access
    /// Events that are still wanted.
    var left: Int
    /// Events that may still be looked at.
    var scan: Int
    var at: Int64
    let end: Int64
    private var hasBegun = false
    /// The last event that the reader may read, wanted or not; 0 for none yet.
    private var lastReadable: Int64 = 0

    init(
        log: ReadableLog, filter: EventFilter, rights: ReadAccess, turns: CatchUpTurns, access: Access, left: Int,
        scan: Int, at: Int64, end: Int64
    ) {
        (self.log, self.filter, self.rights, self.turns, self.access) = (log, filter, rights, turns, access)
        (self.left, self.scan, self.at, self.end) = (left, scan, at, end)
    }

    /// The next lines, maybe none of them wanted, or nil at the end.
    mutating func next() async throws -> ByteBuffer? {
        guard left > 0, at < end else { return nil }
        // A client may take long to read a long page; each part is given by the rights of its moment.
        if hasBegun { access = try await rights.access(for: access.reader) }
        hasBegun = true
        let page = try await turns.run { [log, at, access] in
            try await log.page(
                after: at, limit: APIConfiguration.Limit.chunkEntries, maxBytes: APIConfiguration.Limit.chunk,
                for: access)
        }
        guard let through = page.through else { return nil }
        scan -= page.page.entries.count
        var lines = ByteBuffer()
        lines.reserveCapacity(page.page.bytes.count + page.entries.count * 40)
        for entry in page.entries where left > 0 && entry.position <= end {
            lastReadable = entry.position
            guard filter.accepts(entry, of: page.page) else { continue }
            EventLine.append(entry, of: page.page, to: &lines)
            lines.writeInteger(UInt8(0x0A))
            left -= 1
        }
        at = min(through, end)
        try await stop(&lines)
        return lines
    }

    /// Ends a call that has looked at many events, with a line that says where the next call goes on. Where the reader
    /// may read none of them it goes on: the id of an event is told to its readers only.
    private mutating func stop(_ lines: inout ByteBuffer) async throws {
        guard scan <= 0, left > 0, at < end, lastReadable > 0,
            let last = try await log.eventId(at: lastReadable, for: access)
        else { return }
        var json = JSONWriter(capacity: 64)
        json.beginObject()
        json.member("more", last)
        json.endObject()
        lines.writeBytes(json.bytes + [0x0A])
        at = end
    }
}
