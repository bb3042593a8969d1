import CrowbarCore
import CrowbarMetrics
import HTTPTypes
import HummingbirdCore
import JSONBytes
import Logging
import NIOCore
import OpenID

/// Finds the answer to a request. One for each listener.
final class APIResponder: Sendable {
    private let configuration: APIConfiguration
    private let door: Door
    private let authenticator: Authenticator
    private let commands: CommandsRoute
    private let events: EventsRoute
    private let stream: EventStreamRoute
    private let admin: AdminRoutes
    private let hooks: HookRoute
    private let views: ViewsRoute?
    private let reads: ReadRoute?
    private let page: PageRoute?
    private let readers: ReaderAuthenticator
    private let audit: AuditWriter?
    private let limiter: RateLimiter
    private let rights: ReadAccess
    private let bodies: BodyReader
    private let hosts: HostRule?
    private let cors: CORSRule
    private let openID: OpenIDRoute?
    private let accounts: AccountRoutes?
    private let log: SparseLog

    /// - Parameter broadcaster: What event streams follow.
    init(
        _ configuration: APIConfiguration, door: Door, rules: ListenerRules, log: SparseLog,
        broadcaster: EventBroadcaster
    ) {
        self.configuration = configuration
        self.door = door
        self.log = log
        hosts = rules.hosts
        cors = rules.cors
        bodies = BodyReader()
        page = door.isCommandLine ? nil : PageRoute.shared
        let recheck = rules.times.recheck
        let audit = configuration.audit.map { [configuration] in
            AuditWriter(log: $0, logger: configuration.logger, now: configuration.now)
        }
        self.audit = audit
        authenticator = Authenticator(configuration, door: door, recheck: recheck, log: log)
        readers = ReaderAuthenticator(
            authenticator: authenticator, door: door, isAnonymousAllowed: configuration.anonymousRead,
            logger: configuration.logger, audit: audit)
        limiter = RateLimiter(rates: configuration.rates, now: configuration.now)
        rights = ReadAccess(configuration.log)
        let readable = ReadableLog(configuration.log)
        commands = CommandsRoute(
            ingest: configuration.ingest, bodies: bodies, door: door, authenticator: authenticator, limiter: limiter,
            openID: configuration.openID)
        let turns = CatchUpTurns()
        events = EventsRoute(log: readable, rights: rights, readers: readers, turns: turns, scan: rules.scan)
        stream = EventStreamRoute(
            EventStream.Shared(
                log: readable, readers: readers, broadcaster: broadcaster, turns: turns, sparseLog: log,
                metrics: door.isCommandLine ? nil : configuration.counters,
                now: configuration.now, times: rules.times),
            rights: rights, limiter: limiter, limits: .init(door, connections: rules.connections))
        let (readers, rights, limiter) = (readers, rights, limiter)
        views = configuration.views.map {
            ViewsRoute(
                $0, markers: configuration.markers, log: readable, rights: rights, readers: readers,
                limiter: limiter, now: configuration.now)
        }
        let (bodies, authenticator) = (bodies, authenticator)
        reads = configuration.markers.map {
            ReadRoute(markers: $0, bodies: bodies, authenticator: authenticator, now: configuration.now)
        }
        openID = configuration.openID.map { OpenIDRoute($0, bodies: bodies, log: log, now: configuration.now) }
        accounts = configuration.accounts.map {
            AccountRoutes(
                accounts: $0, openID: configuration.openID, isAnonymousAllowed: configuration.anonymousRead,
                bodies: bodies, authenticator: authenticator, limiter: limiter)
        }
        hooks = HookRoute(configuration, bodies: bodies, recheck: recheck, log: log)
        admin = AdminRoutes(
            listings: configuration.listings, plugins: configuration.plugins, views: configuration.views,
            bodies: bodies, door: door, administration: configuration.administration, audit: configuration.audit,
            console: configuration.console)
    }

    /// What answers short commands without a task; nil on the command line's socket, whose callers have no tokens.
    /// - Parameter date: Makes the header `Date`.
    func shortCommands(_ date: DateLine) -> ShortCommands? {
        if door.isCommandLine { return nil }
        return ShortCommands(
            ingest: configuration.ingest, door: door, authenticator: authenticator, limiter: limiter, hosts: hosts,
            date: date, metrics: configuration.counters, now: configuration.now)
    }

    /// Answers a request; every refusal becomes its JSON.
    func respond(to request: Request, on channel: any Channel, address: () -> String) async -> Response {
        let start = MonotonicClock.nanoseconds()
        var number = RouteTable.none
        let response = await answer(request, channel, &number, address: address)
        if !door.isCommandLine {
            configuration.counters.note(
                route: number, status: response.status.code, nanoseconds: MonotonicClock.nanoseconds() - start)
        }
        return response
    }

    /// - Parameter number: Gets the number of the route among ``RouteTable/labels``.
    private func answer(
        _ request: Request, _ channel: any Channel, _ number: inout Int, address: () -> String
    ) async -> Response {
        func refuse(_ failure: APIFailure) -> Response {
            if !door.isCommandLine { configuration.counters.noteRefusal(failure.error.code) }
            return failure.response
        }
        do {
            return try await route(request, channel, &number, address: address)
        } catch let failure as APIFailure {
            return refuse(failure)
        } catch let error as CommandError {
            return refuse(APIFailure(error))
        } catch let failure as ActionFailure {
            configuration.logger.error("\(failure.detail)")
            return refuse(APIFailure(failure.answer))
        } catch let error as LogError {
            configuration.logger.error("the log cannot be read", metadata: ["error": "\(error)"])
            return refuse(APIFailure(.unavailable, "the log cannot be read now; try again in a second"))
        } catch let error as BodyReader.BodyBroken {
            // Callers do so at will, and it is no fault of the server.
            configuration.logger.debug("a body did not come through", metadata: ["error": "\(error.cause)"])
            return refuse(APIFailure(.malformed, "the body did not come through; send the request again"))
        } catch {
            configuration.logger.error("a request failed", metadata: ["error": "\(error)"])
            return refuse(APIFailure(.unavailable, "the server could not do this now; its log says why"))
        }
    }

    private func route(
        _ request: Request, _ channel: any Channel, _ number: inout Int, address: () -> String
    ) async throws -> Response {
        let target = request.head.path ?? "/"
        let path = target.prefix { $0 != "?" }
        func query() throws(APIFailure) -> Query { try Query(target[path.endIndex...].dropFirst()) }
        // Load balancers ask for an address, and learn nothing but that it is alive.
        if path != "/healthz", path != "/readyz" { try checkHost(request, address) }
        if let response = cors.preflight(request.method, request.headers) { return response }
        if path.hasPrefix("/api/") || path.hasPrefix("/views/") {
            try TokenInQuery.refuse(target[path.endIndex...].dropFirst())
        }
        // Files, not calls of the API: the route table does not list them.
        if let response = try page?.respond(request, path) {
            number = RouteTable.page
            return response
        }
        if !door.isCommandLine { try RouteTable.check(request.method, path, number: &number) }
        switch path {
        case OpenAPIRoute.path:
            try Self.expect(.get, request, path)
            return OpenAPIRoute.respond(request)
        case MetricsRoute.path:
            try Self.expect(.get, request, path)
            try query().refuseUnknown(knowing: [])
            return try await respondWithMetrics(request, address: address)
        case "/api/commands":
            try Self.expect(.post, request, path)
            return try await commands.respond(
                request, try await authenticator.credential(request.headers, address: address))
        case "/api/events":
            try Self.expect(.get, request, path)
            let query = try query()
            try query.refuseUnknown(knowing: EventsRoute.parameters)
            let reader = try await readers.reader(request.headers, query, address: address)
            try limiter.admit(.events, reader, address: address)
            try await readers.note(reader, path, address: address)
            return try await events.respond(
                query, reader, try await rights.access(for: reader.reader), on: channel)
        case "/api/events/stream":
            try Self.expect(.get, request, path)
            return try await stream.respond(request, try query(), path: path, on: channel, address: address)
        case OpenIDRoute.path:
            try Self.expect(.post, request, path)
            try query().refuseUnknown(knowing: [])
            guard let openID else {
                throw APIFailure(
                    .notFound, "this server has no OpenID provider; an operator can name one in [auth.oidc]")
            }
            try PageForm.refuse(request)
            return try await openID.respond(request, address: address())
        case ReadRoute.path:
            guard let reads else { throw Self.unknown(path) }
            try Self.expect(.post, request, path)
            return try await reads.respond(
                request, try await authenticator.credential(request.headers, address: address))
        case "/healthz":
            try Self.expect(.get, request, path)
            return .json(Array(#"{"status":"alive"}"#.utf8))
        case "/readyz":
            try Self.expect(.get, request, path)
            // Ready is: the log answers and can be written, and this was reached.
            do {
                try await configuration.log.requireWritable()
                _ = try await configuration.log.head()
            } catch let error as LogError {
                return APIFailure(.unavailable, "not ready: \(error.callersReason)").response
            }
            return .json(Array(#"{"status":"ready"}"#.utf8))
        default:
            if let views, let view = try ViewPath(path) {
                return try await views.respond(request, path, view, try query(), address: address)
            }
            if path.hasPrefix(HookRoute.prefix) { return try await hooks.respond(request, path, address: address) }
            if let accounts, !door.isCommandLine, AccountRoutes.handles(path) {
                try PageForm.refuse(request)
                return try await accounts.respond(request, path, try query(), address: address)
            }
            guard path.hasPrefix("/api/admin/") else { throw Self.unknown(path) }
            return try await respondToAdmin(request, path, query, address: address)
        }
    }

    private func respondWithMetrics(_ request: Request, address: () -> String) async throws -> Response {
        let scopes = try await authenticator.credential(request.headers, address: address).principal.scopes
        // Loopback is no credential: behind a proxy everybody comes from there.
        guard scopes.contains(.metrics) || scopes.contains(.admin) else {
            throw APIFailure(
                .forbidden,
                "the token does not allow metrics; an admin makes one with 'crowbar token USER --scope metrics'"
            )
        }
        guard let metrics = configuration.metrics else {
            throw APIFailure(.notFound, "this server has no metrics")
        }
        return MetricsRoute.response(try await metrics())
    }

    private func respondToAdmin(
        _ request: Request, _ path: Substring, _ query: () throws -> Query, address: () -> String
    ) async throws -> Response {
        var (request, credential) = (request, try await authenticator.credential(request.headers, address: address))
        let isAboutAccounts = AdminRoutes.isAboutAccounts(path)
        func authorize() throws(APIFailure) {
            guard credential.principal.isAdmin else {
                throw APIFailure(.forbidden, "only an admin's token opens \(path.prefix(64))")
            }
            if isAboutAccounts, !door.isCommandLine { _ = try credential.requireSession() }
        }
        try authorize()
        // The body may take long to come, and the caller's rights may end meanwhile.
        let limit = APIConfiguration.Limit.adminBody
        let body = try await bodies.read(request, upTo: limit, tooLarge: "at most \(limit) bytes")
        request.body = RequestBody(buffer: ByteBuffer(bytes: body.bytes))
        if request.method == .get {
            try await authenticator.refresh(&credential)
        } else {
            try await authenticator.verify(&credential)
        }
        try authorize()
        // Whatever changes accounts, tokens of before are looked up again.
        defer { if isAboutAccounts, request.method != .get { authenticator.forgetAll() } }
        let (caller, pathText, from) = (credential, String(path), address())
        let parameters = Result { try query() }
        let access: @Sendable () async throws -> Access = { [readers, rights] in
            let reader = try readers.reader(caller, try parameters.get())
            try await readers.note(reader, pathText[...]) { from }
            return try await rights.access(for: reader.reader)
        }
        let user = credential.principal.userId
        // What only lists is not noted, but for a look at everything, which `access` notes.
        guard request.method != .get, let audit else {
            return try await admin.respond(request, path, query, user: user, access)
        }
        let call = AuditedCall(request.method, path, body: body.bytes)
        let line = try await audit.begin(
            user: door.isCommandLine ? AuditLine.commandLine : user,
            address: door.isCommandLine ? AuditLine.local : from, action: call.action, target: call.target)
        return try await AuditedCall.noting(line, in: audit.log, logger: configuration.logger) {
            try await admin.respond(request, path, query, user: user, access)
        }
    }

    private func checkHost(_ request: Request, _ address: () -> String) throws(APIFailure) {
        guard let hosts else { return }
        switch hosts.verdict(request.head.authority, isRepeated: request.headers[.host] != nil) {
        case .allowed: return
        case .malformed(let reason): throw APIFailure(.malformed, reason)
        case .misdirected(let name):
            log.warn(.wrongHost, "a request from \(address()) for the host '\(name)' was refused; see [http] hosts")
            throw APIFailure(.misdirected, "this server is not known as '\(name)'; if it is, add it to [http] hosts")
        }
    }

    static func expect(_ method: HTTPRequest.Method, _ request: Request, _ path: Substring) throws(APIFailure) {
        guard request.method == method else { throw APIFailure.methodNotAllowed(String(path), allowed: [method]) }
    }

    static func unknown(_ path: Substring) -> APIFailure {
        let hint = ViewPath.isWithoutSuffix(path) ? "; views end in .json: \(path.prefix(128)).json" : ""
        return APIFailure(.notFound, "there is nothing at \(path.prefix(128))\(hint)")
    }
}
