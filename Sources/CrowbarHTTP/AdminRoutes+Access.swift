import CrowbarCore
import HTTPTypes
import HummingbirdCore
import JSONBytes

// `/api/admin/users/ID/reset` and `logout`, `invites`, `audit`, and for the command line `setup-link`.
extension AdminRoutes {
    /// Lines of the audit log of a page, where the caller does not say, and at most.
    private static let auditPage = 100

    func respond(
        _ request: Request, _ path: Substring, _ parts: [Substring], _ query: Query, user: String,
        _ actions: AdminActions
    ) async throws -> Response {
        if parts[0] == "audit" { return try await respondWithAudit(request, path, query) }
        try query.refuseUnknown(knowing: [])
        guard let access = actions.access else { throw APIResponder.unknown(path) }
        switch (parts[0], parts.count, request.method) {
        case ("users", 3, _) where parts[2] == "reset":
            try await expectEmpty(request, path)
            return Self.secret(try await access.resetLink(try Query.decode(parts[1])))
        case ("users", 3, _) where parts[2] == "logout":
            try await expectEmpty(request, path)
            try await access.signOut(try Query.decode(parts[1]))
            return Response(status: .noContent)
        case ("setup-link", 1, _) where door.isCommandLine:
            try await expectEmpty(request, path)
            return Self.secret(try await access.setupLink())
        case ("invites", 1, .get): return .json(try await access.listInvites())
        case ("invites", 1, _):
            try APIResponder.expect(.post, request, path)
            return Self.secret(try await access.makeInvite(try await invite(request, user)))
        case ("invites", 2, _):
            try APIResponder.expect(.delete, request, path)
            try await access.removeInvite(try Query.decode(parts[1]))
            return Response(status: .noContent)
        default: throw APIResponder.unknown(path)
        }
    }

    /// Adds a user as admins do: `{"userId","name"?,"role"?}`.
    func addUser(_ body: JSONObject, _ actions: AdminActions, _ path: Substring) async throws -> Response {
        guard let access = actions.access else { throw APIResponder.unknown(path) }
        let isAdmin = try Self.role(body) ?? false
        return Self.secret(
            try await access.addUser(try body.text("userId"), try body.textIfPresent("name"), isAdmin))
    }

    private func invite(_ request: Request, _ user: String) async throws -> AccessActions.Invite {
        typealias Invite = AccessActions.Invite
        let body = try await fields(request, known: ["uses", "expires", "note"])
        var uses: Int64 = 1
        if body.span("uses") != nil {
            guard let number = body.int("uses"), Invite.uses.contains(number) else {
                throw APIFailure(
                    .invalidCommand,
                    "'uses' must be a whole number from \(Invite.uses.lowerBound) to \(Invite.uses.upperBound)",
                    field: "uses")
            }
            uses = number
        }
        let note = try body.textIfPresent("note")
        if let note, note.utf8.count > Invite.note {
            throw APIFailure(.invalidCommand, "'note' has at most \(Invite.note) bytes", field: "note")
        }
        let lifetime = try body.lifetime("expires", within: Invite.lifetimes) ?? Invite.usualLifetime
        return Invite(
            uses: uses, lifetime: lifetime, note: note, creator: user.isEmpty ? AuditLine.commandLine : user)
    }

    private func respondWithAudit(_ request: Request, _ path: Substring, _ query: Query) async throws -> Response {
        guard let audit else { throw APIResponder.unknown(path) }
        try APIResponder.expect(.get, request, path)
        try query.refuseUnknown(knowing: ["before", "limit"])
        let before = try query["before"].map { text throws(APIFailure) in
            guard let id = Query.wholeNumber(text) else {
                throw APIFailure(.invalidCommand, "'before' must be the id of a line", field: "before")
            }
            return Int64(id)
        }
        let limit = query["limit"] == nil ? Self.auditPage : try Self.limit(query)
        let lines = try await audit.lines(before: before, limit: limit)
        return .json(AuditLine.json(lines), headers: [.cacheControl: "no-store"])
    }

    /// Refuses another method than POST, and a body with members.
    private func expectEmpty(_ request: Request, _ path: Substring) async throws {
        try APIResponder.expect(.post, request, path)
        let body = try await bodies.read(request, upTo: 1 << 10, tooLarge: "no body is needed")
        if !body.bytes.isEmpty { _ = try JSONObject(body: body.bytes, known: []) }
    }

    /// An answer that nobody may keep: it has a secret.
    private static func secret(_ json: [UInt8]) -> Response { .json(json, headers: [.cacheControl: "no-store"]) }
}

extension AuditLine {
    /// Lines as `GET /api/admin/audit` answers them: an array of objects.
    public static func json(_ lines: [AuditLine]) -> [UInt8] {
        var json = JSONWriter()
        json.beginArray()
        for line in lines {
            json.beginObject()
            json.member("id", line.id)
            json.member("at", line.time)
            json.member("userId", line.userId)
            json.member("address", line.address)
            json.member("action", line.action)
            json.member("target", ifPresent: line.target)
            json.member("result", line.result)
            json.member("requestId", ifPresent: line.requestId)
            json.endObject()
        }
        json.endArray()
        return json.bytes
    }
}
