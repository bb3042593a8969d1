import CrowbarCore
import HTTPTypes
import HummingbirdCore
import JSONBytes
import NIOCore
import ServiceLifecycle
import Synchronization

/// `GET /api/events/stream`: follows the log by server-sent events (WHATWG HTML, section 9.2).
final class EventStreamRoute: Sendable {
    private let log: ReadableLog
    private let readers: ReaderAuthenticator
    private let now: @Sendable () -> Int64
    private let recheck: Int64
    private let shares: Mutex<StreamShares>
    private let limits: StreamShares.Limits

    /// - Parameters:
    ///   - recheck: Milliseconds after which a reader's token is looked up again.
    ///   - limits: How many streams there may be.
    init(
        log: ReadableLog, readers: ReaderAuthenticator, now: @escaping @Sendable () -> Int64, recheck: Int64,
        limits: StreamShares.Limits
    ) {
        self.log = log
        self.readers = readers
        self.now = now
        self.recheck = recheck
        self.limits = limits
        shares = Mutex(StreamShares(limits))
    }

    /// - Parameters:
    ///   - reader: Who reads.
    ///   - access: What they may read.
    ///   - channel: The connection, with which the stream ends.
    ///   - address: Where the call comes from.
    func respond(
        _ request: Request, _ query: Query, _ reader: AuthenticatedReader, _ access: Access, on channel: any Channel,
        address: String
    ) async throws -> Response {
        try query.refuseUnknown(knowing: ["after", "type", "channel", ReaderAuthenticator.all])
        let filter = try EventFilter(query)
        // A client that reconnects repeats its first address; where it really stands is in the header.
        let resume = request.headers[.lastEventID] ?? query["after"]
        let start: Int64
        if let resume {
            start = try await EventsRoute.position(after: resume, log)
        } else {
            start = access.head
        }
        let place = try Place(self, user: reader.credential?.principal.userId, address: address)
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
            body: ResponseBody { [self] writer in
                // Whoever does not read the body gives the place up too: it lives as long as this closure.
                defer { place.keep() }
                try await follow(after: start, filter, reader, access, channel.closeFuture, &writer)
                try await writer.finish(nil)
            })
    }

    private func follow(
        after start: Int64, _ filter: EventFilter, _ reader: AuthenticatedReader, _ access: Access,
        _ closed: EventLoopFuture<Void>, _ writer: inout any ResponseBodyWriter
    ) async throws {
        // Growth and heartbeats wake the one loop below; what they mean it finds out by itself.
        let (bell, ring) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let token = log.growth.subscribe { ring.yield() }
        defer { log.growth.cancel(token) }
        closed.whenComplete { _ in ring.finish() }
        ring.yield()
        async let _: Void = Self.beat(ring, every: recheck, until: reader.credential?.expires, now)
        var (at, quiet, reader, access) = (start, now(), reader, access)
        var opening: ByteBuffer? = ByteBuffer(string: ": following\n\n")
        try await withGracefulShutdownHandler {
            for await _ in bell {
                if let chunk = opening.take() { try await writer.write(chunk) }
                repeat {
                    if let ended = await readers.end(of: &reader) { return try await writer.write(Self.end(ended)) }
                } while try await send(filter, &access, &at, &quiet, &writer)
                if now() - quiet >= APIConfiguration.Limit.heartbeatSeconds * 1_000 - 2 * recheck {
                    try await writer.write(ByteBuffer(string: ": alive\n\n"))
                    quiet = now()
                }
            }
        } onGracefulShutdown: {
            ring.finish()
        }
    }

    /// Sends the next part of the log.
    /// - Returns: Whether there was one.
    private func send(
        _ filter: EventFilter, _ access: inout Access, _ at: inout Int64, _ quiet: inout Int64,
        _ writer: inout any ResponseBodyWriter
    ) async throws -> Bool {
        guard var lines = try await next(filter, &access, &at) else { return false }
        // In small writes, so that a slow reader is seen to proceed, and little waits in memory for one that does not.
        while let part = lines.readSlice(length: min(lines.readableBytes, APIConfiguration.Limit.write)),
            part.readableBytes > 0
        {
            try await writer.write(part)
            quiet = now()
        }
        return true
    }

    /// The last event of a stream that the server ends. It has no id: a client that comes back goes on from its last
    /// event.
    private static func end(_ why: CommandError) -> ByteBuffer {
        var json = JSONWriter(capacity: 112)
        APIFailure.write(why, to: &json)
        return ByteBuffer(bytes: Array("event: end\ndata: ".utf8) + json.bytes + Array("\n\n".utf8))
    }

    /// Rings until the stream is over, and exactly when its reader's token is.
    private static func beat(
        _ ring: AsyncStream<Void>.Continuation, every interval: Int64, until expires: Int64?,
        _ now: @Sendable () -> Int64
    ) async {
        while true {
            var wait = interval
            if let left = expires.map({ $0 - now() }), left > 0 { wait = min(wait, left) }
            do {
                try await Task.sleep(for: .milliseconds(wait))
            } catch {
                return
            }
            if case .terminated = ring.yield() { return }
        }
    }

    /// The next lines behind a position, maybe none of them wanted, or nil where the log ends.
    private func next(
        _ filter: EventFilter, _ access: inout Access, _ at: inout Int64
    ) async throws -> ByteBuffer? {
        let page = try await log.next(
            after: at, limit: APIConfiguration.Limit.chunkEntries, maxBytes: APIConfiguration.Limit.chunk, for: &access)
        guard let through = page.through else { return nil }
        var lines = ByteBuffer()
        for entry in page.entries where filter.accepts(entry, of: page.page) {
            EventLine.appendServerSent(entry, of: page.page, to: &lines)
        }
        at = through
        return lines
    }

    private func refusal(_ full: StreamShares.Full, user: String?, address: String) -> APIFailure {
        var failure =
            switch full {
            case .all:
                APIFailure(
                    .unavailable,
                    "\(limits.all) event streams are open, the most that this server serves; try again later")
            case .anonymous:
                APIFailure(
                    .unavailable,
                    "\(limits.anonymous) event streams without a token are open, the most that this server serves; use "
                        + "a token, or try again later")
            case .user:
                APIFailure(
                    .rateLimited,
                    "'\(user ?? "")' has \(limits.user) event streams open, the most for one user; close one")
            case .address:
                APIFailure(
                    .rateLimited,
                    "\(limits.address) event streams from \(address) are open, the most for one address; close one. "
                        + "Behind a proxy, name it in [http] trusted_proxies")
            }
        failure.headers[.retryAfter] = "\(APIConfiguration.Limit.streamRetrySeconds)"
        return failure
    }

    /// A place among the streams, given back when nobody holds it any more.
    private final class Place: Sendable {
        private let route: EventStreamRoute
        private let user: String?
        private let address: String

        init(_ route: EventStreamRoute, user: String?, address: String) throws(APIFailure) {
            let key = IPAddress.limitKey(of: address)
            if let full = route.shares.withLock({ $0.take(user: user, address: key) }) {
                throw route.refusal(full, user: user, address: address)
            }
            self.route = route
            self.user = user
            self.address = key
        }

        /// Does nothing but be called last, so that the place is held until then.
        func keep() {}

        deinit { route.shares.withLock { [user, address] in $0.give(user: user, address: address) } }
    }
}
