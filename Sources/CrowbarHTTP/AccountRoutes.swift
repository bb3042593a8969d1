import CrowbarCore
import HTTPTypes
import HummingbirdCore
import Identity
import JSONBytes
import OpenID

/// `/api/about`, and what people do with their own accounts: register, sign in and out, change the password, manage
/// tokens.
struct AccountRoutes: Sendable {
    static let about = "/api/about"
    static let register = "/api/register"
    static let login = "/api/login"
    static let setup = "/api/setup"
    static let reset = "/api/reset"
    static let logout = "/api/logout"
    static let password = "/api/password"
    static let me = "/api/me"
    static let tokens = "/api/tokens"
    private static let paths: Set = [about, register, login, setup, reset, logout, password, me, tokens]
    /// A body, in bytes: a password of 1,024 bytes can be written in six times as many.
    private static let maxBody = 16 << 10
    /// How long a machine token can work, in seconds.
    private static let tokenLifetimes = AdminActions.lifetimes

    let accounts: LocalAccounts
    let openID: OpenIDService?
    let isAnonymousAllowed: Bool
    let bodies: BodyReader
    let authenticator: Authenticator
    let limiter: RateLimiter

    /// Whether a path is one of these.
    static func handles(_ path: Substring) -> Bool {
        paths.contains(String(path)) || path.hasPrefix(tokens + "/")
    }

    /// Answers a request to one of these paths.
    func respond(
        _ request: Request, _ path: Substring, _ query: Query, address: () -> String
    ) async throws -> Response {
        try query.refuseUnknown(knowing: [])
        let from = address()
        let caller = LocalAccounts.Caller(address: from, limitKey: IPAddress.limitKey(of: from))
        do {
            switch String(path) {
            case Self.about: return try await about(caller)
            case Self.register: return try await register(request, caller)
            case Self.login: return try await signIn(request, caller)
            case Self.setup: return try await setUp(request, caller)
            case Self.reset: return try await reset(request, caller)
            case Self.logout: return try await signOut(request, caller)
            case Self.password: return try await changePassword(request, caller)
            case Self.me: return try await me(request, caller)
            case Self.tokens where request.method == .get: return try await listTokens(request, caller)
            case Self.tokens: return try await makeToken(request, caller)
            default: return try await revokeToken(request, path.dropFirst(Self.tokens.count + 1), caller)
            }
        } catch let refusal as FailureLimits.Refusal {
            throw Self.failure(refusal)
        }
    }

    // MARK: Without a token

    private func about(_ caller: LocalAccounts.Caller) async throws -> Response {
        let nobody = AuthenticatedReader.anonymous
        try limiter.admit(.events, nobody) { caller.address }
        let needsSetup = try await accounts.needsSetup()
        let provider = await openID?.about()
        var json = JSONWriter()
        json.beginObject()
        json.member("version", CrowbarVersion.current)
        json.member("api", 1)
        json.member("setup", needsSetup)
        json.member("registration", accounts.policy.offeredRegistration.rawValue)
        json.member("passwords", accounts.policy.passwords)
        json.member("anonymousRead", isAnonymousAllowed)
        if let provider {
            json.key("oidc")
            provider.write(to: &json)
        }
        json.key("limits")
        json.beginObject()
        json.member("message", Int64(Command.Limit.message))
        json.member("name", Int64(Command.Limit.name))
        json.member("topic", Int64(Command.Limit.topic))
        json.endObject()
        json.endObject()
        return .json(json.bytes, headers: [.cacheControl: "no-store"])
    }

    private func register(_ request: Request, _ caller: LocalAccounts.Caller) async throws -> Response {
        let body = try await fields(request, ["userId", "name", "password", "invite"], caller)
        let applicant = LocalAccounts.Applicant(
            userId: try body.text("userId"), name: try body.textIfPresent("name"), password: try body.text("password"),
            invite: try body.textIfPresent("invite"))
        return Self.answer(try await accounts.register(applicant, from: caller))
    }

    private func signIn(_ request: Request, _ caller: LocalAccounts.Caller) async throws -> Response {
        let body = try await fields(request, ["userId", "password"], caller)
        return Self.answer(
            try await accounts.signIn(
                try body.text("userId"), password: try body.text("password"), from: caller))
    }

    private func setUp(_ request: Request, _ caller: LocalAccounts.Caller) async throws -> Response {
        let body = try await fields(request, ["token", "userId", "name", "password"], caller)
        let applicant = LocalAccounts.Applicant(
            userId: try body.text("userId"), name: try body.textIfPresent("name"),
            password: try body.text("password"))
        return Self.answer(try await accounts.setUp(applicant, token: try body.text("token"), from: caller))
    }

    private func reset(_ request: Request, _ caller: LocalAccounts.Caller) async throws -> Response {
        let body = try await fields(request, ["token", "userId", "name", "password"], caller)
        return Self.answer(
            try await accounts.reset(
                token: try body.text("token"), userId: try body.textIfPresent("userId"),
                password: try body.text("password"), from: caller))
    }

    // MARK: With a session

    private func signOut(_ request: Request, _ caller: LocalAccounts.Caller) async throws -> Response {
        let (known, _) = try await session(request, caller)
        let body = try await fields(request, ["all"], caller)
        let (credential, hash) = try await refresh(known)
        try await accounts.signOut(credential.principal.userId, session: hash, all: try body.flag("all") ?? false)
        authenticator.forget(hash)
        return Response(status: .noContent)
    }

    private func changePassword(_ request: Request, _ caller: LocalAccounts.Caller) async throws -> Response {
        let (known, _) = try await session(request, caller)
        let body = try await fields(request, ["old", "new"], caller)
        let (old, new) = (try body.text("old"), try body.text("new"))
        let (credential, hash) = try await verify(known)
        try await accounts.changePassword(
            of: credential.principal.userId, from: old, to: new, session: hash, at: caller)
        return Response(status: .noContent)
    }

    private func listTokens(_ request: Request, _ caller: LocalAccounts.Caller) async throws -> Response {
        let (credential, hash) = try await session(request, caller)
        let tokens = try await accounts.tokens(of: credential.principal.userId)
        var json = JSONWriter()
        json.beginArray()
        for token in tokens { Self.write(token, isCurrent: token.hash == hash, to: &json) }
        json.endArray()
        return .json(json.bytes, headers: [.cacheControl: "no-store"])
    }

    private func makeToken(_ request: Request, _ caller: LocalAccounts.Caller) async throws -> Response {
        let (known, _) = try await session(request, caller)
        let body = try await fields(request, ["name", "scopes", "expires"], caller)
        let (name, scopes) = (try body.text("name"), try body.scopes("scopes"))
        let lifetime = try body.lifetime("expires", within: Self.tokenLifetimes)
        let (credential, hash) = try await verify(known)
        let token = try await accounts.makeToken(
            of: credential.principal.userId, name: name, scopes: scopes, lifetime: lifetime.map { $0 * 1_000 },
            by: hash, within: credential.principal.scopes)
        var json = JSONWriter()
        json.beginObject()
        json.member("id", token.stored.id)
        json.member("token", token.text)
        json.endObject()
        return .json(json.bytes, headers: [.cacheControl: "no-store"])
    }

    private func revokeToken(
        _ request: Request, _ id: Substring, _ caller: LocalAccounts.Caller
    ) async throws -> Response {
        let (credential, _) = try await session(request, caller)
        try await accounts.revokeToken(id: try Query.decode(id), of: credential.principal.userId)
        authenticator.forgetAll()
        return Response(status: .noContent)
    }

    // MARK: With any token

    private func me(_ request: Request, _ caller: LocalAccounts.Caller) async throws -> Response {
        let credential = try await credential(request, caller)
        let principal = credential.principal
        let (account, name) = try await accounts.profile(of: principal.userId)
        var json = JSONWriter()
        json.beginObject()
        json.member("userId", principal.userId)
        json.member("name", name)
        json.member("role", account.isAdmin ? "admin" : "member")
        json.key("scopes")
        principal.scopes.write(to: &json)
        json.member("session", credential.sessionHash != nil)
        if let expires = principal.expires { json.member("expires", expires) }
        json.endObject()
        return .json(json.bytes, headers: [.cacheControl: "no-store"])
    }

    // MARK: Parts

    /// Who calls, within the rate for such calls.
    private func credential(_ request: Request, _ caller: LocalAccounts.Caller) async throws -> Credential {
        let credential = try await authenticator.credential(request.headers) { caller.address }
        try limiter.admit(.account, credential)
        return credential
    }

    /// The session behind a request.
    /// - Throws: ``APIFailure``: `unauthorized`, `rate_limited`, or `forbidden` for a machine token.
    private func session(
        _ request: Request, _ caller: LocalAccounts.Caller
    ) async throws -> (credential: Credential, hash: [UInt8]) {
        let credential = try await credential(request, caller)
        return (credential, try credential.requireSession())
    }

    /// Looks a session up again after its request's body has arrived, which may take long.
    private func refresh(_ known: Credential) async throws -> (credential: Credential, hash: [UInt8]) {
        var credential = known
        try await authenticator.refresh(&credential)
        return (credential, try credential.requireSession())
    }

    /// Looks a session up in the accounts, also if it was looked up a moment ago.
    private func verify(_ known: Credential) async throws -> (credential: Credential, hash: [UInt8]) {
        var credential = known
        try await authenticator.verify(&credential)
        return (credential, try credential.requireSession())
    }

    private func fields(
        _ request: Request, _ known: [String], _ caller: LocalAccounts.Caller
    ) async throws -> JSONObject {
        let body = try await bodies.read(
            request, upTo: Self.maxBody, for: "address:" + caller.limitKey, tooLarge: "at most \(Self.maxBody) bytes")
        return try JSONObject(body: body.bytes, known: known)
    }

    private static func answer(_ session: OpenedSession) -> Response {
        var json = JSONWriter()
        json.beginObject()
        json.member("token", session.token)
        json.member("userId", session.userId)
        json.member("name", session.name)
        json.member("role", session.isAdmin ? "admin" : "member")
        json.member("expires", session.expires)
        json.endObject()
        return .json(json.bytes, headers: [.cacheControl: "no-store"])
    }

    private static func write(_ token: AccountToken, isCurrent: Bool, to json: inout JSONWriter) {
        json.beginObject()
        json.member("id", token.id)
        json.member("kind", token.kind.name)
        json.member("name", ifPresent: token.name)
        json.key("scopes")
        token.scopes.write(to: &json)
        json.member("created", token.created)
        if let expires = token.expires { json.member("expires", expires) }
        if let lastUsed = token.lastUsed { json.member("lastUsed", lastUsed) }
        json.member("address", ifPresent: token.address)
        if isCurrent { json.member("current", true) }
        json.endObject()
    }

    private static func failure(_ refusal: FailureLimits.Refusal) -> APIFailure {
        let what =
            switch refusal.reason {
            case .pair: "too many failed sign-ins of this account from this address"
            case .address: "too many failed sign-ins from this address"
            case .account: "too many failed sign-ins of this account from addresses where it has never signed in"
            case .registrationsFromAddress: "too many registrations from this address"
            case .registrations: "too many registrations on this server"
            }
        var failure = APIFailure(.rateLimited, "\(what); try again in \(refusal.retryAfter) s")
        failure.headers[.retryAfter] = "\(refusal.retryAfter)"
        return failure
    }
}

extension Principal.Scopes {
    /// Writes the scopes as an array of their names.
    public func write(to json: inout JSONWriter) {
        json.beginArray()
        for (name, scope) in Self.names where contains(scope) { json.string(name) }
        json.endArray()
    }
}
