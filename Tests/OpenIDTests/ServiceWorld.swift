import CrowbarCore
import CrowbarSQLite
import CrowbarTesting
import Glibc
import Identity
import JSONBytes
import Logging
import OpenSSL
import Synchronization
import Testing

@testable import OpenID

/// The provider of `provider.py`, and a service with stores of its own. The clock stands still until a test moves it.
final class ServiceWorld: Sendable {
    static let redirect = "https://chat.example.org/"
    static let client = "crowbar"

    /// A caller at an address.
    static func caller(_ address: String) -> LocalAccounts.Caller { .init(address: address, limitKey: address) }

    let provider: LineProcess
    let issuer: String
    let secret: String
    let accounts: AccountsDatabase
    let log: SQLiteLog
    let ingest: Ingest
    private let folder: String
    private let offset = Mutex<Int64>(0)

    static var python: String { folder + "../../.build/test-python/bin/python" }
    static var folder: String { String(#filePath.dropLast("ServiceWorld.swift".count)) }

    init() async throws {
        provider = try LineProcess(Self.python, arguments: ["-I", "-B", "-W", "ignore", Self.folder + "provider.py"])
        let hello = try await provider.first(
            "the provider (script/bootstrap --tests installs Tests/OpenIDTests/requirements.txt)", within: .seconds(60)
        ) { try JSON(parsing: $0) }
        issuer = try #require(hello["issuer"]?.string)
        secret = try #require(hello["secret"]?.string)
        var template = Array("/tmp/crowbar-oidc-XXXXXX".utf8CString)
        mkdtemp(&template)
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        accounts = try AccountsDatabase(path: folder + "/accounts.db")
        log = try SQLiteLog(
            path: folder + "/log.db", now: Self.realTime, random32: { [UInt8](repeating: 7, count: 32) })
        let ids = EventIDSource(now: Self.realTime, random: { UInt64.random(in: 0 ... .max) })
        ingest = Ingest(log: log, newEventID: { ids.next() }, hash: { SHA256.hash($0) })
    }

    deinit {
        for name in ["log.db", "accounts.db"] {
            for suffix in ["", "-wal", "-shm"] { unlink(folder + "/" + name + suffix) }
        }
        rmdir(folder)
    }

    /// Runs a test with ingest running.
    static func run(_ body: @Sendable @escaping (ServiceWorld) async throws -> Void) async throws {
        let world = try await ServiceWorld()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await world.ingest.run() }
            try await body(world)
            group.cancelAll()
        }
    }

    @Sendable static func realTime() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }

    var now: Int64 { Self.realTime() + offset.withLock { $0 } }

    /// Moves the service's clock on.
    func pass(_ milliseconds: Int64) { offset.withLock { $0 += milliseconds } }

    /// Asks the provider.
    @discardableResult func ask(_ question: String) async throws -> JSON {
        try await provider.send(line: Array(question.utf8))
        return try await provider.first("the provider's answer", within: .seconds(60)) { try JSON(parsing: $0) }
    }

    func sign(_ claims: String, header: String = "{}") async throws -> [UInt8] {
        let answer = try await ask(#"{"sign":{"claims":\#(claims),"header":\#(header)}}"#)
        return Array(try #require(answer["token"]?.string).utf8)
    }

    /// Requests to a path of the provider so far.
    func count(_ path: String) async throws -> Int64 {
        try await ask(#"{"counts":true}"#)["counts"]?[path]?.int ?? 0
    }

    /// Waits until a path of the provider has had so many requests.
    func wait(_ path: String, for wanted: Int64) async throws {
        struct NotSo: Error { var path: String }
        let deadline = ContinuousClock.now + testDeadline
        while try await count(path) < wanted {
            guard ContinuousClock.now < deadline else { throw NotSo(path: path) }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    func service(_ change: (inout OpenIDSettings) -> Void = { _ in }) throws -> OpenIDService {
        var settings = OpenIDSettings(
            rules: TokenRules(issuer: issuer, clientId: Self.client, audiences: ["api"], nameClaim: "nickname"),
            issuer: try #require(ProviderURL(issuer)), clientSecret: ClientSecret(secret), redirects: [Self.redirect])
        change(&settings)
        let ids = EventIDSource(now: Self.realTime, random: { UInt64.random(in: 0 ... .max) })
        let registrar = Registrar(
            store: accounts, log: RegistrationLog(ingest: ingest, log: log), now: Self.realTime,
            newEventId: { ids.next() })
        let (log, ingest) = (log, ingest)
        let surroundings = OpenIDService.Surroundings(
            accounts: accounts, registrar: registrar, nameOfUser: { try await log.userName($0) },
            rename: { user, name throws(CommandError) in
                let command = Command(.renameUser, .renameUser(name: name), userId: user)
                _ = try await ingest.submit(Ingest.Request(command, actor: user))
            },
            newToken: { Array("cb_\(UInt64.random(in: 0 ... .max))".utf8) },
            readFile: { _ in nil }, now: { [weak self] in self?.now ?? 0 }, monotonic: { Self.realTime() },
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, audit: accounts)
        return try #require(OpenIDService(settings, userAgent: "crowbar/test", surroundings))
    }

    /// Goes to the provider as the page does, and gives what the page then sends.
    func code() async throws -> CodeExchange.Request {
        let verifier = String(repeating: "v", count: 50)
        let challenge = TokenRequest.base64(SHA256.hash(verifier.utf8)).map { character -> Character in
            character == "+" ? "-" : character == "/" ? "_" : character
        }.filter { $0 != "=" }
        let asked = #""redirect_uri":"\#(Self.redirect)","nonce":"n0nce","code_challenge":"\#(String(challenge))""#
        let answer = try await ask("{\"authorize\":{\(asked)}}")
        return CodeExchange.Request(
            code: try #require(answer["code"]?.string), verifier: verifier, redirectUri: Self.redirect, nonce: "n0nce")
    }

    /// The events that registered a user.
    func registrations(of user: String) async throws -> Int {
        let page = try await log.read(after: 0, limit: 1_000, maxBytes: 1 << 20)
        return page.entries.count { $0.type == .userRegistered && page.name($0.user) == user }
    }
}

/// The code of an operation's refusal, and its words.
func refusal(_ body: () async throws -> Void) async -> CommandError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? CommandError
    }
}
