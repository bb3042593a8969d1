import CrowbarCore
import CrowbarSQLite
import JSONBytes
import NIOHTTP1
import Synchronization
import Testing

@testable import CrowbarHTTP

/// The rates of callers over the wire. The time stands still unless a test moves it.
@Suite struct RateTests {
    private static let message = #"{"type":"SEND_MESSAGE","channelId":"general","message":"x"}"#
    private static let start: Int64 = 1_800_000_000_000

    /// A clock that a test moves.
    private final class TestClock: Sendable {
        private let time = Mutex(RateTests.start)

        var now: Int64 { time.withLock { $0 } }

        func advance(_ milliseconds: Int64) { time.withLock { $0 += milliseconds } }
    }

    private static func sessions() -> TestAccounts {
        let accounts = TestAccounts()
        for name in ["alice", "laptop", "bob"] {
            let user = name == "bob" ? "bob" : "alice"
            accounts.set(name, Principal(userId: user, scopes: [.commands, .read], kind: .session))
        }
        accounts.set("robot", Principal(userId: "alice", scopes: [.commands, .read]))
        return accounts
    }

    private static func expectRefused(_ answer: TestClient.Answer, _ text: String) {
        #expect(answer.status == 429 && answer.code == "rate_limited", "\(answer.status): \(answer.text)")
        #expect(answer.headers["retry-after"] == ["1"])
        #expect(answer.text.contains(text), "\(answer.text)")
    }

    @Test func aSessionHasCommandsAndAMachineTokenHasNoLimit() async throws {
        let clock = TestClock()
        try await TestServer.run(accounts: Self.sessions(), now: { clock.now }) { server in
            try await server.seed()
            for number in 0..<200 {
                let answer = try await server.client.post(Self.message, token: "alice")
                #expect(answer.status == 200, "\(number): \(answer.text)")
            }
            Self.expectRefused(
                try await server.client.post(Self.message, token: "alice"),
                "this user exceeds the limit of 20 commands a second, burst 200; try again in 1 second")
            Self.expectRefused(try await server.client.postLines([Self.message], token: "alice"), "this user")
            // All sessions of a user share the rate.
            Self.expectRefused(try await server.client.post(Self.message, token: "laptop"), "this user")
            // Another user, the user's machine token, and what is no command.
            for token in ["bob", "robot"] {
                #expect(try await server.client.post(Self.message, token: token).status == 200, "\(token)")
            }
            #expect(try await server.client.call(.GET, "/api/events", token: "alice").status == 200)
            let many = [String](repeating: Self.message, count: 1_000)
            #expect(!(try await server.client.postLines(many, token: "robot").text.contains("rate_limited")))
            // What Retry-After says is true.
            clock.advance(1_000)
            for _ in 0..<20 { #expect(try await server.client.post(Self.message, token: "alice").status == 200) }
            #expect(try await server.client.post(Self.message, token: "alice").status == 429)
        }
    }

    @Test func aRefusedCommandIsNotReadAndNotStored() async throws {
        let clock = TestClock()
        try await TestServer.run(accounts: Self.sessions(), now: { clock.now }) { server in
            try await server.seed()
            let lines = [String](repeating: Self.message, count: 200)
            #expect(!(try await server.client.postLines(lines, token: "alice").text.contains("error")))
            let head = try await server.log.head()?.position
            // The body is neither JSON nor complete enough for a command.
            #expect(try await server.client.call(.POST, "/api/commands", token: "alice", body: [0x7B]).status == 429)
            #expect(try await server.client.post(Self.message, token: "alice").status == 429)
            #expect(try await server.log.head()?.position == head)
        }
    }

    /// The lines of a body, those that are accepted, and what a client does with the others.
    @Test func theLinesOfABodyAreAcceptedUpToTheRate() async throws {
        let clock = TestClock()
        try await TestServer.run(accounts: Self.sessions(), now: { clock.now }) { server in
            try await server.seed()
            // More than a batch, with lines that are refused for what they say: they count too.
            let lines = (0..<700).map { number in
                number == 50 ? "{" : #"{"type":"SEND_MESSAGE","channelId":"general","message":"\#(number)"}"#
            }
            var (left, stored, rounds) = (lines[...], [String](), 0)
            while !left.isEmpty, rounds < 100 {
                let answer = try await server.client.postLines(Array(left), token: "alice")
                rounds += 1
                #expect(answer.status == 200 && answer.lines.count == left.count, "\(answer.text.prefix(300))")
                let answers = try answer.lines.map { try JSONObject(parsing: Array($0.utf8)) }
                let first = answers.firstIndex { $0.object("error")?.string("code") == "rate_limited" } ?? answers.count
                // Whatever is behind the first refused line is refused too, and says when to try again.
                #expect(
                    answers[first...].allSatisfy {
                        $0.object("error")?.string("code") == "rate_limited"
                            && $0.object("error")?.int("retryAfter") == 1
                    })
                #expect(first == min(left.count, rounds == 1 ? 200 : 20), "\(first)")
                stored += answers[..<first].compactMap { $0.string("eventId") }
                left = left.dropFirst(first)
                clock.advance(1_000)
            }
            #expect(rounds == 26 && stored.count == 699, "one line was no JSON")
            let page = try await server.client.call(
                .GET, "/api/events?limit=10000&type=MESSAGE_SENT", token: "alice")
            let events = try page.lines.map { try JSON(parsing: $0.utf8)["event"] }
            #expect(events.compactMap { $0?["eventId"]?.string } == stored, "in order, each once")
        }
    }

    @Test func aSessionHasViews() async throws {
        let clock = TestClock()
        let accounts = Self.sessions()
        try await TestServer.run(accounts: accounts, views: .closed, now: { clock.now }) { server in
            for _ in 0..<200 {
                // The views are not open: what is refused for that counts as well.
                let answer = try await server.client.call(.GET, "/views/allchannels.json", token: "alice")
                #expect(answer.status == 503, "\(answer.text)")
            }
            Self.expectRefused(
                try await server.client.call(.GET, "/views/unread.json", token: "alice"),
                "this user exceeds the limit of 50 views a second, burst 200")
            #expect(try await server.client.call(.GET, "/views/allchannels.json", token: "robot").status == 503)
            clock.advance(1_000)
            for _ in 0..<50 {
                #expect(try await server.client.call(.GET, "/views/unread.json", token: "alice").status == 503)
            }
            #expect(try await server.client.call(.GET, "/views/unread.json", token: "alice").status == 429)
        }
    }

    @Test func anAddressWithoutATokenHasReads() async throws {
        let clock = TestClock()
        var wrong = ""
        let rules = ListenerRules(proxies: TrustedProxies(["127.0.0.1"], wrong: &wrong) ?? .none)
        try await TestServer.run(anonymousRead: true, rules: rules, views: .closed, now: { clock.now }) { server in
            func read(_ path: String, _ from: String, token: String? = nil) async throws -> TestClient.Answer {
                try await server.client.call(
                    .GET, path, token: token, headers: [("X-Forwarded-For", from)],
                    until: path.contains("stream") ? { _ in true } : nil)
            }
            for number in 0..<50 {
                let (one, other) = ("2001:db8::\(number)", "2001:db8::ffff:\(number)")
                #expect(try await read("/api/events", one).status == 200)
                #expect(try await read("/views/allchannels.json", other).status == 503)
            }
            for path in ["/api/events", "/api/events/stream", "/views/allmessages.json"] {
                Self.expectRefused(
                    try await read(path, "2001:db8::1"),
                    "calls without a token from 2001:db8::1 exceed their limit of 20 reads a second, burst 100")
            }
            // Others, those with a token, and what needs one.
            #expect(try await read("/api/events", "2001:db8:0:1::1").status == 200)
            #expect(try await read("/api/events", "2001:db8::1", token: "alice").status == 200)
            #expect(try await read("/views/unread.json", "2001:db8::1").status == 401)
            #expect(try await read("/healthz", "2001:db8::1").status == 200)
            clock.advance(1_000)
            for _ in 0..<20 { #expect(try await read("/api/events/stream", "2001:db8::1").status == 200) }
            #expect(try await read("/api/events", "2001:db8::1").status == 429)
        }
    }

    @Test func machineTokensHaveTheRatesOfTheConfiguration() async throws {
        let clock = TestClock()
        let rates = CallerRates(machineTokens: MachineTokenRates(commands: CallRate(perSecond: 1, burst: 2)))
        try await TestServer.run(views: .closed, rates: rates, now: { clock.now }) { server in
            try await server.seed()
            for _ in 0..<2 { #expect(try await server.client.post(Self.message, token: "alice").status == 200) }
            Self.expectRefused(
                try await server.client.post(Self.message, token: "alice"),
                "this token exceeds its limit of 1 command a second, burst 2 ([limits] in crowbar.toml)")
            #expect(try await server.client.post(Self.message, token: "bob").status == 200)
            #expect(try await server.client.call(.GET, "/views/unread.json", token: "alice").status == 503)
            // A reload.
            rates.machineTokens = MachineTokenRates(views: CallRate(perSecond: 1, burst: 1))
            #expect(try await server.client.post(Self.message, token: "alice").status == 200)
            #expect(try await server.client.call(.GET, "/views/unread.json", token: "alice").status == 503)
            Self.expectRefused(
                try await server.client.call(.GET, "/views/unread.json", token: "alice"), "1 view a second, burst 1")
        }
    }

    @Test func theCommandLineHasNoLimit() async throws {
        let rates = CallerRates(machineTokens: MachineTokenRates(commands: CallRate(perSecond: 1, burst: 1)))
        let door = Door.commandLine(
            keyHash: TestServer.hash(Array("key".utf8)),
            AdminActions(addUser: { _, _ in }, makeToken: { _, _, _ in "" }))
        try await TestServer.run(door: door, rates: rates) { server in
            try await server.seed()
            let command = #"{"type":"SEND_MESSAGE","channelId":"general","message":"x","userId":"alice"}"#
            let answer = try await server.client.postLines([String](repeating: command, count: 300), token: "key")
            #expect(answer.lines.count == 300 && !answer.text.contains("error"))
        }
    }
}
