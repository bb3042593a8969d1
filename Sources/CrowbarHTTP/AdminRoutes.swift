import CrowbarCore
import CrowbarViews
import HTTPTypes
import HummingbirdCore
import JSONBytes
import NIOCore
import OpenSSL

/// `/api/admin/…`: what the command line's listings and account verbs ask of a running server.
struct AdminRoutes: Sendable {
    /// A body here is a handful of names, in bytes.
    private static let maxBody = 4 << 10

    let listings: APIConfiguration.Listings
    let plugins: PluginActions?
    let views: Views?
    let bodies: BodyReader
    let door: Door
    /// What admins do to accounts over TCP.
    private let administration: AdminActions?
    let audit: (any AuditLog)?
    let console: ConsoleActions?

    private let repeats = RepeatedRequests()

    init(
        listings: APIConfiguration.Listings, plugins: PluginActions?, views: Views?, bodies: BodyReader, door: Door,
        administration: AdminActions?, audit: (any AuditLog)?, console: ConsoleActions?
    ) {
        self.listings = listings
        self.plugins = plugins
        self.views = views
        self.bodies = bodies
        self.door = door
        self.administration = administration
        self.audit = audit
        self.console = console
    }

    /// Whether a path is about accounts: who may call, and what admins did. Over TCP only admins' sessions open it.
    static func isAboutAccounts(_ path: Substring) -> Bool {
        let subject = path.split(separator: "/").dropFirst(2).first
        return ["users", "invites", "tokens", "hooks", "audit"].contains(subject)
    }

    /// Answers a request of an admin. The command line's changes carry a key, under which they are made once.
    /// - Parameters:
    ///   - user: Who calls; empty for the command line.
    ///   - access: What the caller may read.
    func respond(
        _ request: Request, _ path: Substring, _ query: () throws -> Query, user: String,
        _ access: @escaping @Sendable () async throws -> Access
    ) async throws -> Response {
        guard door.isCommandLine, request.method != .get, let key = request.headers[.idempotencyKey] else {
            return try await route(request, path, query, user, access)
        }
        let (request, hash) = try await hashed(request)
        return try await repeats.respond(key: key, request: hash) {
            try await route(request, path, query, user, access)
        }
    }

    /// A request whose body is in memory, with a hash of its method, path, query and body.
    private func hashed(_ request: Request) async throws -> (request: Request, hash: [UInt8]) {
        var request = request
        var body = ByteBuffer()
        do {
            for try await chunk in request.body { body.writeImmutableBuffer(chunk) }
        } catch {
            throw BodyReader.BodyBroken(cause: error)
        }
        request.body = RequestBody(buffer: body)
        var hash = SHA256()
        // Neither method nor path holds a line feed.
        hash.update("\(request.method)\n\(request.head.path ?? "")\n".utf8)
        hash.update(body.readableBytesView)
        return (request, hash.digest())
    }

    private func route(
        _ request: Request, _ path: Substring, _ query: () throws -> Query, _ user: String,
        _ access: @escaping @Sendable () async throws -> Access
    ) async throws -> Response {
        let parts = path.split(separator: "/").dropFirst(2).map { $0 }
        if let console {
            let routes = ConsoleRoutes(actions: console, bodies: bodies)
            if let response = try await routes.respond(request, path, parts, query) { return response }
        }
        switch (parts.first, parts.count) {
        case ("plugins", 1):
            try APIResponder.expect(.get, request, path)
            try query().refuseUnknown(knowing: [])
            return .polled(try await listings.plugins(), for: request)
        case ("plugins", 2...3):
            guard let plugins else { throw APIResponder.unknown(path) }
            let names = try parts.dropFirst().map { part throws(APIFailure) in try Query.decode(part) }
            return try await PluginRoutes(actions: plugins, bodies: bodies, access: access).respond(
                request, path, names, try query())
        case ("cursors", 2...3) where request.method != .get:
            guard let plugins else { throw APIResponder.unknown(path) }
            try APIResponder.expect(.put, request, path)
            try query().refuseUnknown(knowing: [])
            return try await PluginRoutes(actions: plugins, bodies: bodies, access: access).setCursor(
                request, try Self.name(parts))
        case ("cursors", 2...3):
            try APIResponder.expect(.get, request, path)
            try query().refuseUnknown(knowing: [])
            return try listing(try await listings.cursors(try Self.name(parts)), parts, for: request)
        case ("dead-letters", 1):
            try APIResponder.expect(.get, request, path)
            try query().refuseUnknown(knowing: [])
            return try listing(try await listings.deadLetters(nil), parts, for: request)
        case ("dead-letters", 2...3) where request.method != .get:
            guard let plugins else { throw APIResponder.unknown(path) }
            try APIResponder.expect(.post, request, path)
            try query().refuseUnknown(knowing: [ReaderAuthenticator.all])
            return try await PluginRoutes(actions: plugins, bodies: bodies, access: access).deadLetters(
                request, try Self.name(parts))
        case ("dead-letters", 2...3):
            try APIResponder.expect(.get, request, path)
            try query().refuseUnknown(knowing: [])
            return try listing(try await listings.deadLetters(try Self.name(parts)), parts, for: request)
        case ("users", 3) where parts[2] == "link":
            guard let link = try actions(path).linkUser else { throw APIResponder.unknown(path) }
            try APIResponder.expect(.post, request, path)
            let body = try await fields(request, known: ["sub"])
            guard let subject = body.string("sub") else {
                throw APIFailure(.invalidCommand, "'sub' must be a string", field: "sub")
            }
            try await link(try Query.decode(parts[1]), subject)
            return .json(Array("{}".utf8))
        case ("users", 3), ("invites", 1...2), ("setup-link", 1), ("audit", 1):
            return try await respond(request, path, parts, try query(), user: user, try actions(path))
        case ("users", 1...2), ("tokens", 1...2), ("channels", 1), ("status", 1):
            return try await respond(request, path, parts, try query(), try actions(path))
        case ("erase", 2):
            guard let erasure = try actions(path).erasure else { throw APIResponder.unknown(path) }
            try APIResponder.expect(.post, request, path)
            let body = try await fields(request, known: ErasureRoute.fields)
            return .json(try await ErasureRoute(service: erasure).respond(String(parts[1]), body))
        case ("views", 1...3):
            guard let views else { throw APIResponder.unknown(path) }
            return try await respond(request, path, parts, try query(), views)
        case ("hooks", 1...2):
            guard let hooks = try actions(path).hooks else { throw APIResponder.unknown(path) }
            try query().refuseUnknown(knowing: [])
            return try await respond(request, path, parts, hooks)
        default: throw APIResponder.unknown(path)
        }
    }

    private func respond(
        _ request: Request, _ path: Substring, _ parts: [Substring], _ hooks: HookActions
    ) async throws -> Response {
        var json = JSONWriter()
        switch (request.method, parts.count) {
        case (.get, 1):
            json.beginArray()
            for hook in try await hooks.list() { hook.write(to: &json) }
            json.endArray()
        case (_, 2):
            try APIResponder.expect(.delete, request, path)
            try await hooks.revoke(try Query.decode(parts[1]))
            json.beginObject()
            json.endObject()
        default:
            try APIResponder.expect(.post, request, path)
            let body = try await fields(request, known: ["name", "channel", "kind"])
            let kind =
                body.span("kind") == nil ? .message : body.string("kind").flatMap { IncomingHook.Kind(rawValue: $0) }
            guard let kind else {
                throw APIFailure(.invalidCommand, "'kind' must be \"message\" or \"cognito\"", field: "kind")
            }
            let channel = body.string("channel") ?? ""
            json.beginObject()
            json.member("token", try await hooks.add(body.string("name") ?? "", kind, channel))
            json.endObject()
        }
        return .json(json.bytes)
    }

    /// The plugin's name, or `NAME/QUEUE`.
    private static func name(_ parts: [Substring]) throws(APIFailure) -> String {
        var name = ""
        for part in parts.dropFirst() { name += (name.isEmpty ? "" : "/") + (try Query.decode(part)) }
        return name
    }

    private func listing(
        _ json: [UInt8]?, _ parts: [Substring], for request: Request
    ) throws(APIFailure) -> Response {
        guard let json else {
            throw APIFailure(.notFound, "there is no plugin '\(try Self.name(parts).prefix(128))'")
        }
        return .polled(json, for: request)
    }

    private func actions(_ path: Substring) throws(APIFailure) -> AdminActions {
        if case .commandLine(_, let actions) = door { return actions }
        guard let administration else { throw APIResponder.unknown(path) }
        return administration
    }

    func fields(_ request: Request, known: [String]) async throws -> JSONObject {
        let body = try await bodies.read(request, upTo: Self.maxBody, tooLarge: "at most \(Self.maxBody) bytes")
        return try JSONObject(body: body.bytes, known: known)
    }

    /// As ``fields(_:known:)``; no body is an object without members.
    func optionalFields(_ request: Request, known: [String]) async throws -> JSONObject {
        let body = try await bodies.read(request, upTo: Self.maxBody, tooLarge: "at most \(Self.maxBody) bytes")
        return try JSONObject(body: body.bytes.isEmpty ? Array("{}".utf8) : body.bytes, known: known)
    }
}
