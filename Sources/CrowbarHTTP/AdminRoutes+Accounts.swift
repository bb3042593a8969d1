import CrowbarCore
import HTTPTypes
import HummingbirdCore
import JSONBytes

// `/api/admin/users` and `tokens`, and for the command line `channels` and `status`.
extension AdminRoutes {
    func respond(
        _ request: Request, _ path: Substring, _ parts: [Substring], _ query: Query, _ actions: AdminActions
    ) async throws -> Response {
        let (subject, method) = (parts[0], request.method)
        switch (subject, parts.count, method) {
        case ("users", 1, .post):
            try query.refuseUnknown(knowing: [])
            let body = try await fields(
                request, known: door.isCommandLine ? ["name", "admin", "userId", "role"] : ["name", "userId", "role"])
            if !door.isCommandLine || body.span("userId") != nil { return try await addUser(body, actions, path) }
            let name = try Self.user(body, "name")
            try await actions.addUser(name, try body.flag("admin") ?? false)
            return .json(Array("{}".utf8))
        case ("tokens", 1, .post) where door.isCommandLine:
            let body = try await fields(request, known: ["user", "scopes", "lifetime"])
            let token = try await actions.makeToken(
                try Self.user(body, "user"), try Self.scopes(body), try Self.lifetime(body))
            var json = JSONWriter()
            json.beginObject()
            json.member("token", token)
            json.endObject()
            return .json(json.bytes)
        case ("status", 1, _):
            try APIResponder.expect(.get, request, path)
            guard let status = actions.status else { throw APIResponder.unknown(path) }
            return .json(try await status())
        case ("channels", 1, _):
            try APIResponder.expect(.get, request, path)
            guard let channels = actions.channels else { throw APIResponder.unknown(path) }
            try query.refuseUnknown(knowing: ["after", "limit"])
            return .json(try await channels(query["after"], try Self.limit(query)))
        default:
            guard let accounts = actions.accounts else { throw APIResponder.unknown(path) }
            return try await respond(request, path, parts, query, accounts)
        }
    }

    private func respond(
        _ request: Request, _ path: Substring, _ parts: [Substring], _ query: Query, _ accounts: AccountAdministration
    ) async throws -> Response {
        let (subject, method) = (parts[0], request.method)
        switch (subject, parts.count, method) {
        case ("users", 2, .patch):
            try query.refuseUnknown(knowing: [])
            let body = try await fields(request, known: ["role", "disabled"])
            let (role, disabled) = (try Self.role(body), try body.flag("disabled"))
            return .json(try await accounts.changeUser(try Query.decode(parts[1]), role, disabled))
        case ("users", 2, _):
            try APIResponder.expect(.get, request, path)
            try query.refuseUnknown(knowing: [])
            return .json(try await accounts.showUser(try Query.decode(parts[1])))
        case ("tokens", 2, _):
            try APIResponder.expect(.delete, request, path)
            try query.refuseUnknown(knowing: [])
            return .json(try await accounts.revokeToken(try Query.decode(parts[1])))
        case ("users", _, _):
            try APIResponder.expect(.get, request, path)
            try query.refuseUnknown(knowing: ["q", "after", "limit"])
            return .json(
                try await accounts.listUsers(
                    .init(text: query["q"], after: query["after"], limit: try Self.limit(query))))
        default:
            try APIResponder.expect(.get, request, path)
            try query.refuseUnknown(knowing: ["user", "after", "limit", "revoked"])
            return .json(
                try await accounts.listTokens(
                    .init(
                        user: query["user"], after: query["after"], limit: try Self.limit(query),
                        includesRevoked: query["revoked"] == "true")))
        }
    }

    static func limit(_ query: Query) throws(APIFailure) -> Int {
        guard let text = query["limit"] else { return AccountAdministration.page }
        guard let limit = Query.wholeNumber(text), (1...AccountAdministration.page).contains(limit) else {
            throw APIFailure(
                .invalidCommand, "'limit' must be a whole number from 1 to \(AccountAdministration.page)",
                field: "limit")
        }
        return limit
    }

    /// Whether the role is an admin's; nil where none is given.
    static func role(_ body: JSONObject) throws(APIFailure) -> Bool? {
        guard body.span("role") != nil else { return nil }
        switch body.string("role") {
        case "admin": return true
        case "member": return false
        default: throw APIFailure(.invalidCommand, "'role' must be \"admin\" or \"member\"", field: "role")
        }
    }

    private static func user(_ body: JSONObject, _ field: StaticString) throws(APIFailure) -> String {
        guard let name = body.string(field), Identifier.isEvent(name) else {
            throw APIFailure(
                .invalidCommand, "a user's name is 1 to 128 of A-Z a-z 0-9 . _ : ~ -", field: field.description)
        }
        return name
    }

    /// Seconds; nil where the token is to be good until it is revoked, and only where nothing else is said.
    private static func lifetime(_ body: JSONObject) throws(APIFailure) -> Int64? {
        guard body.span("lifetime") != nil else { return nil }
        guard let seconds = body.int("lifetime"), AdminActions.lifetimes.contains(seconds) else {
            let range = AdminActions.lifetimes
            throw APIFailure(
                .invalidCommand,
                "'lifetime' is a whole number of seconds from \(range.lowerBound) to \(range.upperBound)",
                field: "lifetime")
        }
        return seconds
    }

    private static func scopes(_ body: JSONObject) throws(APIFailure) -> Principal.Scopes? {
        body.span("scopes") == nil ? nil : try body.scopes("scopes")
    }
}
