import CrowbarCore
import CrowbarHTTP
import CrowbarSQLite
import CrowbarTesting
import CrowbarViews
import Glibc
import Logging
import NIOCore
import OpenID

/// A listening server on a log in a folder of its own, with the users alice (admin: `root`), bob and carol.
struct TestServer: Sendable {
    /// Tokens by name: `alice` and `bob` may send and read, `root` is the admin's, `console` the admin's session,
    /// `reader` may read only, `sender` send only (both bob's).
    static let tokens: [String: Principal] = [
        "alice": Principal(userId: "alice", scopes: [.commands, .read]),
        "bob": Principal(userId: "bob", scopes: [.commands, .read]),
        "carol": Principal(userId: "carol", scopes: [.commands, .read]),
        "nobody": Principal(userId: "nobody", scopes: [.commands, .read]),
        "root": Principal(userId: "root", scopes: [.commands, .read, .admin]),
        "console": Principal(userId: "root", scopes: .all, kind: .session),
        "reader": Principal(userId: "bob", scopes: [.read]),
        "sender": Principal(userId: "bob", scopes: [.commands]),
    ]

    let client: TestClient
    let log: SQLiteLog
    let ingest: Ingest
    /// Whom tokens stand for now.
    let accounts: TestAccounts
    /// What the server logged.
    let lines: LogLines
    private let listener: Listener

    /// What is done with views: a server without them, one whose views never open, one whose views follow the log.
    enum ViewsMode: Sendable { case none, closed, following }

    /// Runs a server for the time of a test.
    static func run(
        door: Door = .people, anonymousRead: Bool = false, plugins: PluginActions? = nil,
        rules: ListenerRules = ListenerRules(), accounts: TestAccounts = TestAccounts(), views mode: ViewsMode = .none,
        rates: CallerRates = CallerRates(),
        openID: (@Sendable (SQLiteLog, Ingest) async throws -> OpenIDService)? = nil,
        now: @escaping @Sendable () -> Int64 = TestServer.now,
        configure: (inout APIConfiguration) throws -> Void = { _ in },
        _ body: @Sendable @escaping (TestServer) async throws -> Void
    ) async throws {
        var template = Array("/tmp/crowbar-http-XXXXXX".utf8CString)
        mkdtemp(&template)
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer {
            for name in ["log.db", "views.db"] {
                for suffix in ["", "-wal", "-shm"] { unlink(folder + "/" + name + suffix) }
            }
            rmdir(folder)
        }
        let log = try SQLiteLog(path: folder + "/log.db", now: Self.now, random32: { [UInt8](repeating: 7, count: 32) })
        let ids = EventIDSource(now: Self.now, random: { UInt64.random(in: 0 ... .max) })
        let ingest = Ingest(log: log, newEventID: { ids.next() }, hash: hash)
        let lines = LogLines()
        let logger = Logger(label: "test") { _ in lines }
        let views = Views(path: folder + "/views.db", log: log, logger: logger, clock: now)
        var configuration = APIConfiguration(
            ingest: ingest, log: log, authenticate: { hash, _ in try accounts.principal(hash) }, hash: hash,
            listings: APIConfiguration.Listings(
                plugins: { Array(#"[{"name":"irc"}]"#.utf8) },
                cursors: { name in
                    if name == "long" { return [0x5B] + [UInt8](repeating: 0x20, count: 16 << 20) + [0x5D] }
                    return name == "irc/libera" ? Array(#"[{"queue":"libera"}]"#.utf8) : nil
                },
                deadLetters: { name in name == "irc" ? Array("[]".utf8) : nil }),
            plugins: plugins, views: mode == .none ? nil : views,
            markers: mode == .none ? nil : ReadMarkers(log: log, markers: MemoryMarkers()),
            hook: {
                if $0 == hash(Array("cognito-token".utf8)) {
                    return IncomingHook(name: "cognito", kind: .cognito, channelId: "", created: 1)
                }
                return $0 == hash(Array("ci-token".utf8))
                    ? IncomingHook(name: "ci", channelId: "general", created: 1) : nil
            },
            anonymousRead: anonymousRead, rates: rates, now: now, logger: logger)
        configuration.openID = try await openID?(log, ingest)
        configuration.console = ConsoleRoutesTests.actions
        configuration.metrics = { Array("# HELP crowbar_log_position Test.\n".utf8) }
        try configure(&configuration)
        let (ports, found) = AsyncStream.makeStream(of: Int.self)
        let server = APIServer(configuration, address: .tcp(host: "127.0.0.1", port: 0), door: door, rules: rules) {
            found.yield($0 ?? 0)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await ingest.run() }
            let listener = Listener(server, logger)
            group.addTask { try await listener.run() }
            if mode == .following { group.addTask { await views.run() } }
            group.addTask {
                guard let port = await ports.first(where: { _ in true }) else { return }
                let client = TestClient(port: port)
                try await body(
                    TestServer(
                        client: client, log: log, ingest: ingest, accounts: accounts, lines: lines,
                        listener: listener))
                throw Finished()
            }
            do {
                while try await group.next() != nil {}
            } catch is Finished {
                group.cancelAll()
                while await group.nextResult() != nil {}
            }
        }
    }

    /// Registers the users, and has alice make the channel general with bob in it.
    func seed() async throws {
        for user in ["alice", "bob", "carol", "root"] {
            _ = try await ingest.submit(
                Ingest.Request(Command(.registerUser, .registerUser(name: user), userId: user), actor: user))
        }
        let create = Command(.createChannel, .createChannel(name: nil, description: nil), channelId: "general")
        _ = try await ingest.submit(Ingest.Request(create, actor: "alice"))
        _ = try await ingest.submit(
            Ingest.Request(Command(.joinChannel, .joinChannel, channelId: "general"), actor: "bob"))
    }

    private struct Finished: Error {}

    /// Shuts the listener down in order, as a signal does.
    func shutDown() async { await listener.shutDown() }

    /// Whether the listener has ended.
    var hasEnded: Bool { listener.hasEnded }

    @Sendable static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// Four FNV-1a hashes side by side: enough to tell a test's few inputs apart.
    @Sendable static func hash(_ bytes: [UInt8]) -> [UInt8] {
        (0..<4).flatMap { lane -> [UInt8] in
            var state: UInt64 = 0xCBF2_9CE4_8422_2325 &+ UInt64(lane)
            for byte in bytes { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }
            return (0..<8).map { UInt8(truncatingIfNeeded: state >> UInt64($0 * 8)) }
        }
    }
}
