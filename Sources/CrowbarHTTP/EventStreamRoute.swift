import CrowbarCore
import HTTPTypes
import HummingbirdCore
import NIOCore
import ServiceLifecycle
import Synchronization

/// `GET /api/events/stream`: follows the log by server-sent events (WHATWG HTML, section 9.2).
final class EventStreamRoute: Sendable {
    private let log: any EventLog
    private let now: @Sendable () -> Int64
    private let followers = Mutex(0)

    init(log: any EventLog, now: @escaping @Sendable () -> Int64) {
        self.log = log
        self.now = now
    }

    func respond(_ request: Request, _ query: Query) async throws -> Response {
        try query.refuseUnknown(knowing: ["after", "type", "channel"])
        let filter = try EventFilter(query)
        // A client that reconnects repeats its first address; where it really stands is in the header.
        let resume = request.headers[.lastEventID] ?? query["after"]
        let start: Int64
        if let resume {
            start = try await EventsRoute.position(after: resume, log)
        } else {
            start = try await log.head()?.position ?? 0
        }
        let seat = Seat(self)
        guard seat.isTaken else {
            throw APIFailure(.unavailable, "too many follow the log; try again later")
        }
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
            body: ResponseBody { [log, now] writer in
                // Whoever does not read the body gives the seat up too: it lives as long as this closure.
                defer { seat.keep() }
                try await Self.follow(log, after: start, filter, now, &writer)
                try await writer.finish(nil)
            })
    }

    private static func follow(
        _ log: any EventLog, after start: Int64, _ filter: EventFilter, _ now: @escaping @Sendable () -> Int64,
        _ writer: inout any ResponseBodyWriter
    ) async throws {
        // Growth and heartbeats wake the one loop below; what they mean it finds out by itself.
        let (bell, ring) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let token = log.growth.subscribe { ring.yield() }
        defer { log.growth.cancel(token) }
        ring.yield()
        async let _: Void = beat(ring)
        var (at, quiet) = (start, now())
        var opening: ByteBuffer? = ByteBuffer(string: ": following\n\n")
        try await withGracefulShutdownHandler {
            for await _ in bell {
                if let chunk = opening.take() { try await writer.write(chunk) }
                while let chunk = try await next(log, filter, &at) {
                    guard chunk.readableBytes > 0 else { continue }
                    try await writer.write(chunk)
                    quiet = now()
                }
                if now() - quiet >= (APIConfiguration.Limit.heartbeatSeconds - beatSeconds) * 1_000 {
                    try await writer.write(ByteBuffer(string: ": alive\n\n"))
                    quiet = now()
                }
            }
        } onGracefulShutdown: {
            ring.finish()
        }
    }

    /// Seconds between two looks at how long a stream has been silent.
    private static let beatSeconds = APIConfiguration.Limit.heartbeatSeconds / 3

    /// Rings until the stream is over.
    private static func beat(_ ring: AsyncStream<Void>.Continuation) async {
        while true {
            do {
                try await Task.sleep(for: .seconds(beatSeconds))
            } catch {
                return
            }
            if case .terminated = ring.yield() { return }
        }
    }

    /// The next lines behind a position, maybe none of them wanted, or nil where the log ends.
    private static func next(
        _ log: any EventLog, _ filter: EventFilter, _ at: inout Int64
    ) async throws -> ByteBuffer? {
        let page = try await log.read(
            after: at, limit: APIConfiguration.Limit.chunkEntries, maxBytes: APIConfiguration.Limit.chunk)
        guard let last = page.entries.last else { return nil }
        var lines = ByteBuffer()
        for entry in page.entries where filter.accepts(entry, of: page) {
            EventLine.appendServerSent(entry, of: page, to: &lines)
        }
        at = last.position
        return lines
    }

    /// A place among the followers, given back when nobody holds it any more.
    private final class Seat: Sendable {
        let isTaken: Bool
        private let route: EventStreamRoute

        init(_ route: EventStreamRoute) {
            self.route = route
            isTaken = route.followers.withLock { followers in
                guard followers < APIConfiguration.Limit.streams else { return false }
                followers += 1
                return true
            }
        }

        /// Does nothing but be called last, so that the seat is held until then.
        func keep() {}

        deinit { if isTaken { route.followers.withLock { $0 -= 1 } } }
    }
}
