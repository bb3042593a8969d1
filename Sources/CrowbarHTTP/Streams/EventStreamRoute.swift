import CrowbarCore
import HTTPTypes
import HummingbirdCore
import NIOCore
import Synchronization

/// `GET /api/events/stream`: follows the log by server-sent events (WHATWG HTML, section 9.2).
final class EventStreamRoute: Sendable {
    /// The parameter that asks for what concerns the caller.
    private static let mine = "mine"

    private let shared: EventStream.Shared
    private let rights: ReadAccess
    private let limiter: RateLimiter
    private let shares: Mutex<StreamShares>
    private let limits: StreamShares.Limits

    /// - Parameter limits: How many streams there may be.
    init(
        _ shared: EventStream.Shared, rights: ReadAccess, limiter: RateLimiter, limits: StreamShares.Limits
    ) {
        self.shared = shared
        self.rights = rights
        self.limiter = limiter
        self.limits = limits
        shares = Mutex(StreamShares(limits))
    }

    /// - Parameters:
    ///   - channel: The connection, with which the stream ends.
    ///   - address: Where the call comes from.
    func respond(
        _ request: Request, _ query: Query, path: Substring, on channel: any Channel, address: () -> String
    ) async throws -> Response {
        try query.refuseUnknown(knowing: ["after", "type", "channel", Self.mine, ReaderAuthenticator.all])
        let isMine = try Self.isMine(query)
        if isMine, query[ReaderAuthenticator.all] == "true" {
            throw APIFailure(
                .invalidCommand, "'\(Self.mine)' and '\(ReaderAuthenticator.all)' exclude each other", field: Self.mine)
        }
        let reader = try await shared.readers.reader(
            request.headers, query, isPublic: !isMine, address: address)
        try limiter.admit(.events, reader, address: address)
        let filter = try EventFilter(query)
        try await shared.readers.note(reader, path, address: address)
        let (access, own) = try await access(of: reader, isMine: isMine)
        // A client that reconnects repeats its first address; where it really stands is in the header.
        let last = request.headers[.lastEventID]
        let resume = last ?? query["after"]
        let start =
            resume == nil
            ? access.head
            : try await EventsRoute.position(after: resume, shared.log, field: last == nil ? "after" : "Last-Event-ID")
        let address = address()
        let place = try Place(self, user: reader.credential?.principal.userId, address: address)
        let stream = EventStream(
            shared: shared, channel: channel, address: address,
            opening: try await opening(own, after: resume, at: start, access), marksOf: own?.userId, filter: filter)
        let selection = EventSelection(access, own: own, filter, after: start)
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
            body: ResponseBody { [metrics = shared.metrics] writer in
                metrics?.streamBegins()
                defer { metrics?.streamEnded() }
                // Whoever does not read the body gives the place up too: it lives as long as this closure.
                defer { place.keep() }
                try await stream.run(reader, selection, &writer)
                try await writer.finish(nil)
            })
    }

    private static func isMine(_ query: Query) throws(APIFailure) -> Bool {
        switch query[mine] {
        case nil, "false": return false
        case "true": return true
        default: throw APIFailure(.invalidCommand, "'\(mine)' is true or false", field: mine)
        }
    }

    private var ownStreams: OwnStreamOpening {
        OwnStreamOpening(log: shared.log, rights: rights, turns: shared.turns)
    }

    private func access(of reader: AuthenticatedReader, isMine: Bool) async throws -> (Access, OwnEvents?) {
        guard isMine else { return (try await rights.access(for: reader.reader), nil) }
        switch reader.reader {
        case .user(let user): return try await ownStreams.access(of: user)
        case .all: throw APIFailure(.forbidden, "'\(Self.mine)' is about a user: call with that user's token")
        case .anonymous: throw APIFailure(.unauthorized, "'\(Self.mine)' needs a user's token")
        }
    }

    /// The first bytes of a stream.
    private func opening(
        _ own: OwnEvents?, after resume: String?, at start: Int64, _ access: Access
    ) async throws -> ByteBuffer {
        guard let own else { return StreamFrame.following }
        var after = resume
        // The head itself can be an event that the caller may not read, whose id says too much.
        if after == nil { after = try await ownStreams.lastReadable(for: access) }
        return StreamFrame.hello(after: after, user: own.userId, behind: max(0, access.head - start))
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
