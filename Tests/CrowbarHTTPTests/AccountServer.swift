import CrowbarCore
import CrowbarSQLite
import CrowbarTesting
import Identity
import JSONBytes
import NIOHTTP1
import OpenSSL
import Testing

@testable import CrowbarHTTP

extension APIConfiguration {
    /// Adds accounts in a database of the folder, and actions of admins that do little.
    mutating func addAccounts(in folder: TemporaryFolder) throws {
        try addAccounts(AccountsDatabase(path: folder.file("accounts.db")), SignInPolicy(registration: .open))
    }

    /// Adds accounts, and actions of admins that do little.
    mutating func addAccounts(
        _ database: AccountsDatabase, _ policy: SignInPolicy, hasher: PasswordHasher? = nil
    ) throws {
        let (now, log) = (now, log)
        let ids = EventIDSource(now: now, random: { UInt64.random(in: 0 ... .max) })
        accounts = LocalAccounts(
            policy: policy, store: database,
            registrar: Registrar(
                store: database, log: RegistrationLog(ingest: ingest, log: log), now: now,
                newEventId: { ids.next() }),
            sessions: Sessions(store: database, nameOfUser: { try await (log as? SQLiteLog)?.userName($0) }),
            hasher: try hasher ?? PasswordHasher(parameters: AccountServer.cheap()), audit: database, now: now)
        audit = database
        administration = Self.actions(database)
    }

    private static func actions(_ database: AccountsDatabase) -> AdminActions {
        let nothing: [UInt8] = Array("{}".utf8)
        return AdminActions(
            addUser: { _, _ in }, makeToken: { _, _, _ in "" },
            hooks: HookActions(add: { _, _, _ in "" }, list: { [] }, revoke: { _ in }),
            access: AccessActions(
                addUser: { _, _, _ in nothing }, resetLink: { _ in nothing }, setupLink: { nothing },
                signOut: { _ in }, listInvites: { Array("[]".utf8) }, makeInvite: { _ in nothing },
                removeInvite: { _ in }),
            accounts: AccountAdministration(
                listUsers: { _ in Array("[]".utf8) }, showUser: { _ in nothing },
                changeUser: { user, isAdmin, isDisabled in
                    do {
                        try database.changeUser(user, isAdmin: isAdmin, isDisabled: isDisabled)
                    } catch let failure as AccountFailure { throw CommandError(.forbidden, "\(failure)") }
                    return nothing
                },
                listTokens: { _ in Array("[]".utf8) }, revokeToken: { _ in nothing }))
    }
}

/// A listening server with accounts of its own, whose callers say by `X-Forwarded-For` from where they call.
struct AccountServer: Sendable {
    static let password = "correct horse"

    let server: TestServer
    let accounts: AccountsDatabase

    /// A hash that costs little.
    static func cheap() throws -> ScryptParameters {
        try #require(ScryptParameters(logCost: 4, blockSize: 1, parallelism: 1))
    }

    /// Runs a server for the time of a test.
    static func run(
        _ policy: SignInPolicy = SignInPolicy(registration: .open), hasher: PasswordHasher? = nil,
        now: @escaping @Sendable () -> Int64 = TestServer.now,
        _ body: @Sendable @escaping (AccountServer) async throws -> Void
    ) async throws {
        let folder = try TemporaryFolder()
        let database = try AccountsDatabase(path: folder.file("accounts.db"))
        var wrong = ""
        let proxies = try #require(TrustedProxies(["127.0.0.1"], wrong: &wrong))
        try await TestServer.run(
            rules: ListenerRules(proxies: proxies), now: now,
            configure: { configuration in
                try configuration.addAccounts(database, policy, hasher: hasher)
                configuration.hash = { SHA256.hash($0) }
                configuration.authenticate = { try database.principal(forTokenHash: $0, now: now(), address: $1) }
            }
        ) { try await body(AccountServer(server: $0, accounts: database)) }
    }

    /// Makes a call with a JSON body.
    func call(
        _ method: HTTPMethod, _ path: String, _ body: String = "", token: String? = nil,
        from address: String = "192.0.2.1"
    ) async throws -> TestClient.Answer {
        try await server.client.call(
            method, path, token: token, headers: [("x-forwarded-for", address)], body: Array(body.utf8))
    }

    /// Registers a user; the session's token.
    func register(_ user: String, from address: String = "192.0.2.1") async throws -> String {
        let answer = try await call(
            .POST, "/api/register", #"{"userId":"\#(user)","password":"\#(Self.password)"}"#, from: address)
        #expect(answer.status == 200, "\(answer.text)")
        return try token(answer)
    }

    /// Signs a user in.
    func signIn(
        _ user: String, _ password: String = password, from address: String = "192.0.2.1"
    ) async throws -> TestClient.Answer {
        try await call(.POST, "/api/login", #"{"userId":"\#(user)","password":"\#(password)"}"#, from: address)
    }

    /// The token of a session's answer.
    func token(_ answer: TestClient.Answer) throws -> String {
        try #require(try JSON(parsing: answer.body)["token"]?.string, "\(answer.text)")
    }

    /// Stores a link or invite; its token.
    func link(_ purpose: AccountLink.Purpose, expires: Int64 = .max) async throws -> String {
        let token = "link-\(UInt64.random(in: 0 ... .max))"
        try await accounts.add(AccountLink(hash: SHA256.hash(token.utf8), purpose: purpose, expires: expires))
        return token
    }

    /// Stores an invite; its token.
    func invite(uses: Int64 = 1, expires: Int64 = .max) async throws -> String {
        let token = "invite-\(UInt64.random(in: 0 ... .max))"
        try await accounts.add(
            AccountInvite(hash: SHA256.hash(token.utf8), uses: uses, expires: expires, created: 1, creator: "root"))
        return token
    }

    /// An admin's session.
    func admin(_ user: String = "boss") async throws -> String {
        let token = try await register(user)
        try accounts.changeUser(user, isAdmin: true)
        return token
    }

    /// The status of `GET /api/me`.
    func status(_ token: String) async throws -> Int { try await call(.GET, "/api/me", token: token).status }
}
