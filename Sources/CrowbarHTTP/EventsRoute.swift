import CrowbarCore
import HTTPTypes
import HummingbirdCore
import JSONBytes
import NIOCore

/// `GET /api/events`: a page of the log as NDJSON.
struct EventsRoute: Sendable {
    let log: any EventLog
    let access: ReadAccess

    /// - Parameter reader: Who reads; nil for a caller without a token.
    func respond(_ query: Query, _ reader: Credential?) async throws -> Response {
        try query.refuseUnknown(knowing: ["after", "limit", "type", "channel"])
        let filter = try EventFilter(query)
        let limit = try Self.limit(query)
        let start = try await Self.position(after: query["after"], log)
        // The page ends at the head as it is now, so that it ends at all however fast the log grows.
        let end = try await log.head()?.position ?? 0
        var pages = PageReader(log: log, filter: filter, left: limit, at: start, end: end)
        // The first lines are read before the head leaves, so that a log that cannot be read is a 503.
        let first = try await pages.next()
        let (begun, access) = (pages, access)
        return Response(
            status: .ok, headers: [.contentType: "application/x-ndjson"],
            body: ResponseBody { writer in
                var (pages, reader) = (begun, reader)
                var lines = first
                while let chunk = lines {
                    if let ended = await access.end(of: &reader) {
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
        guard let limit = Int(text), (1...APIConfiguration.Limit.maxPage).contains(limit) else {
            throw APIFailure(
                .invalidCommand, "'limit' must be a whole number from 1 to \(APIConfiguration.Limit.maxPage)",
                field: "limit")
        }
        return limit
    }

    /// The position behind which reading starts: that of an event, or 0 for the beginning.
    static func position(after eventId: String?, _ log: any EventLog) async throws -> Int64 {
        guard let eventId else { return 0 }
        guard Identifier.isEvent(eventId), let position = try await log.position(of: eventId) else {
            throw APIFailure(
                .eventNotFound, "the log has no event '\(eventId.prefix(Identifier.maxLength))'", field: "after")
        }
        return position
    }
}

/// Reads a long page in parts, so that memory stays flat.
private struct PageReader: Sendable {
    let log: any EventLog
    let filter: EventFilter
    var left: Int
    var at: Int64
    let end: Int64

    /// The next lines, maybe none of them wanted, or nil at the end.
    mutating func next() async throws -> ByteBuffer? {
        guard left > 0, at < end else { return nil }
        let page = try await log.read(
            after: at, limit: APIConfiguration.Limit.chunkEntries, maxBytes: APIConfiguration.Limit.chunk)
        if page.entries.isEmpty { return nil }
        var lines = ByteBuffer()
        lines.reserveCapacity(page.bytes.count + page.entries.count * 40)
        for entry in page.entries where left > 0 && entry.position <= end {
            at = entry.position
            guard filter.accepts(entry, of: page) else { continue }
            EventLine.append(entry, of: page, to: &lines)
            lines.writeInteger(UInt8(0x0A))
            left -= 1
        }
        if let last = page.entries.last, last.position > end { at = end }
        return lines
    }
}
