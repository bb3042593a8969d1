import CrowbarCore
import JSONBytes
import NIOHTTP1
import Synchronization
import Testing

@testable import CrowbarHTTP

@Suite struct AccessTests {
    @Test func publicPathsAndUnknownOnes() async throws {
        try await TestServer.run { server in
            #expect(try await server.client.call(.GET, "/healthz").status == 200)
            #expect(try await server.client.call(.GET, "/readyz").status == 200)
            let unknown = try await server.client.call(.GET, "/nothing?x=1")
            #expect(unknown.status == 404 && unknown.code == "not_found")
            let method = try await server.client.call(.DELETE, "/api/commands", token: "root")
            #expect(method.status == 405 && method.headers.first(name: "allow") == "POST" && method.code != nil)
        }
    }

    @Test func slowsDownWhoTriesTokens() async throws {
        try await TestServer.run { server in
            try await server.seed()
            #expect(try await server.client.call(.GET, "/api/events", token: "alice").status == 200)
            var last = 0
            // A few more than the burst, for time refills the bucket while the calls are made.
            for _ in 0..<200 where last != 429 {
                let answer = try await server.client.call(.GET, "/api/events", token: "wrong")
                last = answer.status
                if last == 429 { #expect(answer.headers.first(name: "retry-after") == "1") }
            }
            #expect(last == 429)
            // Whoever was known before from that address is not locked out with the guesser.
            #expect(try await server.client.call(.GET, "/api/events", token: "alice").status == 200)
        }
    }

    @Test func listingsAreForAdmins() async throws {
        try await TestServer.run { server in
            let client = server.client
            #expect(try await client.call(.GET, "/api/admin/plugins", token: "alice").status == 403)
            #expect(try await client.call(.GET, "/api/admin/plugins").status == 401)
            let plugins = try await client.call(.GET, "/api/admin/plugins", token: "root")
            #expect(plugins.status == 200 && plugins.text == "[{\"name\":\"irc\"}]\n")
            #expect(try await client.call(.GET, "/api/admin/cursors/irc/libera", token: "root").status == 200)
            #expect(try await client.call(.GET, "/api/admin/cursors/none", token: "root").code == "not_found")
            #expect(try await client.call(.GET, "/api/admin/dead-letters/irc", token: "root").status == 200)
            // A machine token makes no accounts, and nobody makes another one's token over HTTP.
            #expect(try await client.call(.POST, "/api/admin/users", token: "root").status == 403)
            #expect(try await client.call(.POST, "/api/admin/tokens", token: "root").status == 405)
        }
    }

    @Test func theCommandLinesDoorNeedsTheKeyAndActsAsAnyone() async throws {
        let added = Mutex<[String]>([])
        let actions = AdminActions(
            addUser: { name, isAdmin in added.withLock { $0.append("\(name) \(isAdmin)") } },
            makeToken: { user, scopes, lifetime in "\(user) \(scopes?.rawValue ?? -1) \(lifetime ?? -1)" })
        let door = Door.commandLine(keyHash: TestServer.hash(Array("key".utf8)), actions)
        try await TestServer.run(door: door) { server in
            try await server.seed()
            let client = server.client
            #expect(try await client.call(.GET, "/api/events", token: "root").status == 401)
            #expect(try await client.call(.GET, "/api/events", token: "key").status == 200)
            let register = #"{"type":"REGISTER_USER","userId":"cli/me","name":"me"}"#
            #expect(try await client.post(register, token: "key").status == 200)
            let send = #"{"type":"SEND_MESSAGE","userId":"bob","channelId":"general","message":"x"}"#
            #expect(try await client.post(send, token: "key").status == 200)
            let plugin = #"{"type":"REGISTER_USER","userId":"irc/me","name":"me"}"#
            #expect(try await client.post(plugin, token: "key").field == "userId")
            let nobody = #"{"type":"JOIN_CHANNEL","channelId":"general"}"#
            #expect(try await client.post(nobody, token: "key").field == "userId")
            func admin(_ path: String, _ json: String) async throws -> TestClient.Answer {
                try await client.call(.POST, "/api/admin/" + path, token: "key", body: Array(json.utf8))
            }
            #expect(try await admin("users", #"{"name":"dave","admin":true}"#).status == 200)
            #expect(try await admin("users", #"{"name":"a b"}"#).field == "name")
            #expect(try await admin("users", #"{"name":"dave","x":1}"#).field == "x")
            let token = try await admin("tokens", #"{"user":"dave","scopes":["read"],"lifetime":60}"#)
            #expect(token.text == "{\"token\":\"dave 2 60\"}\n")
            #expect(try await admin("tokens", #"{"user":"dave","scopes":["all"]}"#).field == "scopes")
            // What does not fit is refused before anything is reckoned with it.
            for lifetime in ["9223372036854775807", "3155760001", "0", "-1", "1.5", "1e-3", "1e400", "\"60\"", "null"] {
                let answer = try await admin("tokens", #"{"user":"dave","lifetime":\#(lifetime)}"#)
                #expect(answer.code == "invalid_command" && answer.field == "lifetime", "\(lifetime)")
                #expect(answer.text.contains("from 1 to 3155760000"))
            }
            let longest = try await admin("tokens", #"{"user":"dave","lifetime":3155760000}"#)
            #expect(longest.text == "{\"token\":\"dave -1 3155760000\"}\n")
        }
        #expect(added.withLock { $0 } == ["dave true"])
    }

    @Test func theCacheForgets() {
        var cache = TokenCache(capacity: 2, lifetime: 100)
        let alice = Principal(userId: "alice", scopes: [.read])
        cache.store(alice, of: [1], now: 1_000)
        #expect(cache.principal(of: [1], now: 1_099) == alice)
        #expect(cache.principal(of: [1], now: 1_100) == nil)
        #expect(cache.principal(of: [1], now: 999) == nil, "a clock that was set back must not prolong a token")
        for token in UInt8(1)...9 { cache.store(alice, of: [token], now: 1_000) }
        #expect(cache.count <= 2)
    }

    @Test func theLimiterRefillsAndStaysSmall() {
        var limiter = FailureLimiter()
        for _ in 0..<19 { limiter.fail("a", now: 0) }
        #expect(!limiter.isBlocked("a", now: 0))
        limiter.fail("a", now: 0)
        #expect(limiter.isBlocked("a", now: 0) && limiter.isBlocked("a", now: 999))
        #expect(!limiter.isBlocked("a", now: 1_000) && !limiter.isBlocked("b", now: 0))
        for i in 0..<10_000 { limiter.fail("\(i)", now: 0) }
        #expect(!limiter.isBlocked("a", now: 0))
    }

    @Test func theLimiterLocksNobodyOutWhenTheClockIsSetBack() {
        var limiter = FailureLimiter()
        let (hour, burst) = (Int64(3_600_000), Int(FailureLimiter.burst))
        for _ in 0..<burst { limiter.fail("a", now: hour) }
        #expect(limiter.isBlocked("a", now: hour))
        // By an hour, and by less than the failures take to be forgotten.
        for now in [0, hour - 10_000] { #expect(!limiter.isBlocked("a", now: now), "at \(now)") }
        // From then on it has what it had at first.
        for _ in 0..<(burst - 1) { limiter.fail("a", now: 0) }
        #expect(!limiter.isBlocked("a", now: 0))
        limiter.fail("a", now: 0)
        #expect(limiter.isBlocked("a", now: 0) && !limiter.isBlocked("a", now: FailureLimiter.refill))
    }

    @Test func theDateIsHTTPs() {
        #expect(DateLine.format(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
    }
}
