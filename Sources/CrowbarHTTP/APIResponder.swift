import CrowbarCore
import HTTPTypes
import HummingbirdCore
import JSONBytes
import Logging
import NIOCore

/// Finds the answer to a request. One for each listener.
final class APIResponder: Sendable {
    private let configuration: APIConfiguration
    private let authenticator: Authenticator
    private let commands: CommandsRoute
    private let events: EventsRoute
    private let stream: EventStreamRoute
    private let admin: AdminRoutes
    private let hooks: HookRoute

    init(_ configuration: APIConfiguration, door: Door) {
        self.configuration = configuration
        let bodies = BodyReader()
        authenticator = Authenticator(configuration, door: door)
        commands = CommandsRoute(ingest: configuration.ingest, bodies: bodies, door: door)
        events = EventsRoute(log: configuration.log)
        stream = EventStreamRoute(log: configuration.log, now: configuration.now)
        hooks = HookRoute(configuration, bodies: bodies)
        admin = AdminRoutes(
            listings: configuration.listings, plugins: configuration.plugins, bodies: bodies, door: door)
    }

    /// Answers a request; every refusal becomes its JSON.
    func respond(to request: Request, address: () -> String) async -> Response {
        do {
            return try await route(request, address: address)
        } catch let failure as APIFailure {
            return failure.response
        } catch let error as CommandError {
            return APIFailure(error).response
        } catch let error as LogError {
            configuration.logger.error("the log cannot be read", metadata: ["error": "\(error)"])
            return APIFailure(.unavailable, "the log cannot be read now; try again in a second").response
        } catch {
            configuration.logger.error("a request failed", metadata: ["error": "\(error)"])
            return APIFailure(.unavailable, "the server could not do this now; its log says why").response
        }
    }

    private func route(_ request: Request, address: () -> String) async throws -> Response {
        let target = request.head.path ?? "/"
        let path = target.prefix { $0 != "?" }
        func query() throws(APIFailure) -> Query { try Query(target[path.endIndex...].dropFirst()) }
        switch path {
        case "/api/commands":
            try Self.expect(.post, request, path)
            return try await commands.respond(
                request, try await authenticator.principal(request.headers, address: address))
        case "/api/events":
            try Self.expect(.get, request, path)
            try await authorizeReading(request, address)
            return try await events.respond(try query())
        case "/api/events/stream":
            try Self.expect(.get, request, path)
            try await authorizeReading(request, address)
            return try await stream.respond(request, try query())
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
            if path.hasPrefix(HookRoute.prefix) { return try await hooks.respond(request, path, address: address) }
            guard path.hasPrefix("/api/admin/") else { throw Self.unknown(path) }
            let principal = try await authenticator.principal(request.headers, address: address)
            guard principal.isAdmin else {
                throw APIFailure(.forbidden, "only an admin's token opens \(path.prefix(64))")
            }
            return try await admin.respond(request, path, query)
        }
    }

    private func authorizeReading(_ request: Request, _ address: () -> String) async throws {
        if configuration.anonymousRead, request.headers[.authorization] == nil { return }
        let principal = try await authenticator.principal(request.headers, address: address)
        guard principal.scopes.contains(.read) else {
            throw APIFailure(.forbidden, "the token does not allow reading; make one with the scope 'read'")
        }
    }

    static func expect(_ method: HTTPRequest.Method, _ request: Request, _ path: Substring) throws(APIFailure) {
        guard request.method == method else { throw APIFailure.methodNotAllowed(String(path), allowed: method) }
    }

    static func unknown(_ path: Substring) -> APIFailure {
        APIFailure(.notFound, "there is nothing at \(path.prefix(128))")
    }
}
