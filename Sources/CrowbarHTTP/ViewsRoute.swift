import CrowbarCore
import CrowbarViews
import HTTPTypes
import HummingbirdCore
import Synchronization

/// `GET /views/NAME.json`: what is computed from the log (docs/api.md, "Views").
final class ViewsRoute: Sendable {
    private let views: Views
    private let markers: ReadMarkers?
    private let log: ReadableLog
    private let rights: ReadAccess
    private let readers: ReaderAuthenticator
    private let limiter: RateLimiter
    private let now: @Sendable () -> Int64
    private let searches = Mutex(SearchShares())
    private let held = HeldAnswers()

    init(
        _ views: Views, markers: ReadMarkers?, log: ReadableLog, rights: ReadAccess, readers: ReaderAuthenticator,
        limiter: RateLimiter, now: @escaping @Sendable () -> Int64
    ) {
        self.views = views
        self.markers = markers
        self.log = log
        self.rights = rights
        self.readers = readers
        self.limiter = limiter
        self.now = now
    }

    /// Answers a request for a view.
    func respond(
        _ request: Request, _ path: Substring, _ view: ViewPath, _ query: Query, address: () -> String
    ) async throws -> Response {
        try APIResponder.expect(.get, request, path)
        try query.refuseUnknown(knowing: view.parameters)
        var reader = try await readers.reader(
            request.headers, query, isPublic: view.isPublic, address: address)
        try limiter.admit(.view, reader, address: address)
        try await readers.note(reader, path, address: address)
        let parameters = ViewParameters(query: query, log: log)
        // What is wrong with the question is said before anything is waited for or looked up.
        let question = try await parameters.question(view)
        let holder = holder(of: reader, address)
        // A caller that reads nothing of what it asked for makes the server compute nothing more.
        _ = try held.take(APIConfiguration.Limit.uncountedAnswer, for: holder)
        if try await wait(view, parameters), let ended = await readers.end(of: &reader) { throw APIFailure(ended) }
        // Before the rights, which know the log's head: a marker past that is none of this log.
        let read = question == .unread ? try await ownMarkers(of: reader.reader) : nil
        // The rights of now: a wait can be long.
        let access = try await rights.access(for: reader.reader)
        let caller =
            view.isSameForEverybody
            ? EntityTag.everybody : EntityTag.caller(access, revision: read?.revision ?? 0)
        let known = request.headers[values: .ifNoneMatch]
        let answer = try await answer(question, view, access, read) { version, changed in
            EntityTag.isNamed("\"\(version)-\(changed)-\(caller)\"", by: known)
        }
        let place = view.hasNoPosition ? EntityTag.digest(answer.body) : "\(answer.changed)"
        return try response(answer, "\"\(answer.version)-\(place)-\(caller)\"", known, access, for: holder)
    }

    /// Whose share an answer is part of; nil on the command line's socket.
    private func holder(of reader: AuthenticatedReader, _ address: () -> String) -> String? {
        if readers.door.isCommandLine { return nil }
        return HeldAnswers.holder(user: reader.credential?.principal.userId, address: address)
    }

    // MARK: Waiting

    /// Waits until the view has applied the event that the caller names.
    /// - Returns: Whether there was something to wait for.
    private func wait(_ view: ViewPath, _ parameters: ViewParameters) async throws -> Bool {
        guard let (position, time) = try await parameters.least() else { return false }
        if await views.wait(for: view.view, position: position, timeout: time) { return true }
        throw await behind(view.view, "has not applied the event of 'min' yet")
    }

    private func behind(_ view: ViewName, _ what: String) async -> APIFailure {
        var failure = APIFailure(.viewBehind, "the view '\(view.rawValue)' \(what); try again in a second")
        failure.progress = await views.progress(of: view) ?? 0
        return failure
    }

    // MARK: Answers

    private func ownMarkers(of reader: Reader) async throws -> UserMarkers {
        guard case .user(let user) = reader else {
            throw APIFailure(.forbidden, "what is unread is a user's own: call with that user's token")
        }
        return try await markers?.markers(of: user) ?? UserMarkers()
    }

    private func answer(
        _ question: ViewQuestion, _ view: ViewPath, _ access: Access, _ read: UserMarkers?,
        isKnown: @Sendable @escaping (_ version: Int, _ changed: Int64) -> Bool
    ) async throws -> ViewAnswer {
        do {
            var reader = try views.reader()
            reader.isKnown = isKnown
            switch question {
            case .allChannels: return try await reader.channels(for: access)
            case .allUsers(let after, let limit, let isBridged):
                return try await reader.users(after: after, limit: limit, isBridged: isBridged, for: access)
            case .channel(let id, let after, let limit):
                return try await reader.channel(id, after: after, limit: limit, for: access)
            case .messages(let id, let place, let limit):
                return try await reader.messages(id, place, limit: limit, for: access)
            case .allMessages(let limit): return try await reader.allMessages(limit: limit, for: access)
            case .search(let query, let filter, let limit):
                return try await search(reader, query, filter, limit, access)
            case .unread: return try await reader.unread(markers: read?.channels ?? [:], for: access)
            }
        } catch let refusal as ViewRefusal {
            switch refusal {
            case .notOpen: throw await behind(view.view, "is not open yet")
            case .searchesFull:
                throw APIFailure(
                    .rateLimited, "too many searches wait for their turn on this server; try again in a second")
            case .notBuilt(let missing): throw await behind(missing, "is being built")
            case .channelNotFound:
                throw CommandError.channelNotFound(
                    String((question.channel ?? "").prefix(Identifier.maxChannelLength)))
            }
        }
    }

    private func search(
        _ reader: ViewReader, _ query: SearchQuery, _ filter: SearchFilter, _ limit: Int, _ access: Access
    ) async throws -> ViewAnswer {
        // Who reads everything is an admin or the operator; they share one place.
        let user = access.userId ?? ""
        switch searches.withLock({ $0.take(user, now: now()) }) {
        case nil: break
        case .rate:
            throw APIFailure(
                .rateLimited,
                "this user searches more than \(APIConfiguration.Limit.searchesPerSecond) times a second; try again "
                    + "in a second")
        case .running:
            throw APIFailure(
                .rateLimited,
                "\(APIConfiguration.Limit.searchesAtOnce) searches of this user are running, the most for one; wait "
                    + "for their answers")
        }
        defer { searches.withLock { $0.give(user) } }
        return try await reader.search(query, filter, limit: limit, for: access, clock: views.clock)
    }

    private func response(
        _ answer: ViewAnswer, _ tag: String, _ known: [String], _ access: Access, for holder: String?
    ) throws -> Response {
        var headers: HTTPFields = [
            .eTag: tag, .vary: "Authorization, Origin",
            .cacheControl: access.reader == .anonymous ? "public, no-cache" : "private, no-cache",
        ]
        if !answer.resume.isEmpty { headers[.crowbarAfter] = answer.resume }
        guard !answer.isKnown, !EntityTag.isNamed(tag, by: known) else {
            // Without a length: that of this answer is not the one of the view (RFC 9110, section 8.6).
            var response = Response(status: .notModified, headers: headers)
            response.headers[.contentLength] = nil
            return response
        }
        guard answer.body.count > APIConfiguration.Limit.uncountedAnswer else {
            return .json(answer.body, headers: headers)
        }
        let share = try held.take(answer.body.count, for: holder)
        headers[.contentType] = "application/json"
        return Response(status: .ok, headers: headers, body: ResponseBody(json: answer.body, holding: share))
    }
}

extension HTTPField.Name {
    /// `Crowbar-After`: the event behind which a stream goes on where a view ended.
    static let crowbarAfter = HTTPField.Name("Crowbar-After") ?? .range
}
