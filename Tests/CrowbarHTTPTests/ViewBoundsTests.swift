import CrowbarCore
import HTTPTypes
import HummingbirdCore
import JSONBytes
import NIOCore
import NIOHTTP1
import Synchronization
import Testing

@testable import CrowbarHTTP

/// What callers of views may cost, and what validators and refusals tell.
@Suite(.serialized) struct ViewBoundsTests {
    // MARK: Parameters

    private static func parameters(_ count: Int) -> String { (0..<count).map { "p\($0)=" }.joined(separator: "&") }

    private static let queries: [(text: String, count: Int?)] = [
        ("", 0), ("a", 1), ("&&a=1&&", 1), (parameters(32), 32), (parameters(33), nil), (parameters(5_000), nil),
        (String(repeating: "&", count: 5_000) + parameters(32), 32), ("a=1&a=2", nil), ("%zz", nil),
    ]

    @Test(arguments: queries.indices) func aQueryHasFewParameters(_ row: Int) {
        let (text, count) = Self.queries[row]
        #expect((try? Query(text[...]))?.parameters.count == count)
    }

    @Test func manyParametersAreRefusedBeforeAnythingElse() async throws {
        try await TestServer.run(views: .following) { server in
            for path in ["/views/allmessages.json", "/views/search.json", "/api/events", "/api/events/stream"] {
                let answer = try await server.client.call(.GET, path + "?" + Self.parameters(33))
                #expect(answer.status == 422 && answer.code == "invalid_command", "\(path): \(answer.text)")
                #expect(answer.text.contains("32 parameters"), "\(answer.text)")
                let fewer = try await server.client.call(.GET, path + "?" + Self.parameters(32))
                #expect(!fewer.text.contains("32 parameters"), "\(fewer.text)")
                #expect(try await server.client.call(.GET, path).status == 401, "\(path)")
            }
        }
    }

    // MARK: Refusals

    private static let refusals: [(method: HTTPMethod, path: String, token: String?, status: Int)] = [
        (.GET, "/views/search.json?q=x", nil, 401), (.GET, "/views/search.json", "bob", 422),
        (.GET, "/views/nothing.json", "bob", 404), (.GET, "/views/messages/%zz.json", "bob", 400),
        (.GET, "/views/allchannels.json?all=true", "bob", 403), (.POST, "/views/unread.json", "bob", 405),
        (.GET, "/nothing", nil, 404), (.POST, "/api/commands", "bob", 400), (.GET, "/api/events?x=1", "bob", 422),
        (.POST, "/api/read", "bob", 400), (.GET, "/api/admin/plugins", "bob", 403),
        (.GET, "/views/allchannels.json", "bob", 503),
    ]

    @Test func noRefusalIsKeptByCaches() async throws {
        try await TestServer.run(views: .closed) { server in
            try await server.seed()
            for row in Self.refusals {
                let answer = try await server.client.call(row.method, row.path, token: row.token)
                #expect(answer.status == row.status, "\(row.path): \(answer.text)")
                #expect(answer.headers["cache-control"] == ["no-store"], "\(row.path)")
            }
        }
    }

    // MARK: Validators

    @Test func aValidatorTellsNothingOfPrivateChannels() async throws {
        try await TestServer.run(views: .following) { server in
            try await server.seed()
            func send(_ json: String, _ id: String) async throws {
                let command = #"{"eventId":"\#(id)",\#(json)}"#
                #expect(try await server.client.post(command, token: "alice").status == 200)
                // Then the views have it.
                let answer = try await server.client.call(
                    .GET, "/views/allchannels.json?min=\(id)&wait=10s", token: "alice")
                #expect(answer.status == 200)
                let messages = try await server.client.call(
                    .GET, "/views/messages/general.json?min=\(id)&wait=10s", token: "alice")
                #expect(messages.status == 200)
            }
            func tags() async throws -> [String] {
                var tags: [String] = []
                for path in ["search.json?q=hello", "unread.json", "allchannels.json", "allmessages.json"] {
                    let answer = try await server.client.call(.GET, "/views/" + path, token: "bob")
                    tags.append(try #require(answer.headers.first(name: "etag"), "\(answer.text)"))
                }
                return tags
            }
            try await send(#""type":"SEND_MESSAGE","channelId":"general","message":"hello""#, "m1")
            let first = try await tags()
            try await send(#""type":"CREATE_CHANNEL","channelId":"den","private":true"#, "d1")
            try await send(#""type":"SEND_MESSAGE","channelId":"den","message":"hello""#, "d2")
            #expect(try await tags() == first)
            try await send(#""type":"SEND_MESSAGE","channelId":"general","message":"hello""#, "m2")
            let second = try await tags()
            #expect(second[0] != first[0] && second[1] != first[1] && second[3] != first[3])
        }
    }

    // MARK: Long answers

    @Test func aLongAnswerIsWhole() async throws {
        try await TestServer.run(views: .following) { server in
            try await server.seed()
            let text = String(repeating: "long ", count: 3_000)
            for number in 0..<12 {
                let json =
                    #"{"type":"SEND_MESSAGE","channelId":"general","eventId":"m\#(number)","message":"\#(text)"}"#
                #expect(try await server.client.post(json, token: "alice").status == 200)
            }
            for path in ["messages/general.json", "allmessages.json"] {
                let answer = try await server.client.call(
                    .GET, "/views/\(path)?min=m11&wait=10s", token: "alice")
                #expect(answer.status == 200 && answer.body.count > 180_000)
                #expect(answer.headers.first(name: "content-length") == "\(answer.body.count)")
                #expect(answer.headers.first(name: "content-type") == "application/json")
                let json = try JSONObject(parsing: answer.body)
                let messages = json.objects("messages") ?? json.objects("general")
                #expect(messages?.compactMap { $0.string("text") } == Array(repeating: text, count: 12))
                #expect(answer.body.last == 0x0A)
                let tag = try #require(answer.headers.first(name: "etag"))
                let again = try await server.client.call(
                    .GET, "/views/\(path)", token: "alice", headers: [("if-none-match", tag)])
                #expect(again.status == 304 && again.body.isEmpty)
            }
        }
    }

    /// Takes parts until it has had enough.
    private struct Taker: ResponseBodyWriter {
        struct HadEnough: Error {}
        let enough: Int
        let seen: @Sendable (ByteBuffer) -> Void
        var taken = 0

        mutating func write(_ buffer: ByteBuffer) async throws {
            seen(buffer)
            taken += buffer.readableBytes
            if taken > enough { throw HadEnough() }
        }

        consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
    }

    @Test(arguments: [Int.max, 100_000]) func aShareLastsUntilTheAnswerWasWrittenOrFailed(_ enough: Int) async throws {
        let held = HeldAnswers(all: 1 << 20, each: 300_000)
        let text = [UInt8](repeating: 0x61, count: 250_000)
        let found = Mutex<[UInt8]>([])
        func write() async throws {
            let body = ResponseBody(json: text, holding: try held.take(text.count, for: "a"))
            #expect(body.contentLength == text.count + 1)
            try await body.write(
                Taker(enough: enough) { part in
                    #expect(!held.isEmpty && part.readableBytes <= 64 << 10)
                    found.withLock { $0 += Array(part.readableBytesView) }
                })
        }
        if enough == .max {
            try await write()
            #expect(found.withLock { $0 } == text + [0x0A])
        } else {
            await #expect(throws: Taker.HadEnough.self) { try await write() }
        }
        #expect(held.isEmpty)
        // An answer that nobody writes gives it back too.
        _ = ResponseBody(json: text, holding: try held.take(text.count, for: "a"))
        #expect(held.isEmpty)
    }

    @Test func answersAreSharedByCaller() throws {
        let held = HeldAnswers(all: 100, each: 40)
        var shares = [try held.take(40, for: "a"), try held.take(30, for: "b"), try held.take(20, for: nil)]
        func code(_ count: Int, _ holder: String?) -> (String?, String?) {
            do {
                _ = try held.take(count, for: holder)
                return (nil, nil)
            } catch { return (error.error.code.rawValue, error.headers[.retryAfter]) }
        }
        #expect(code(1, "a") == ("rate_limited", "1"))
        #expect(code(10, "b") == (nil, nil))
        #expect(code(11, "c") == ("unavailable", "1"))
        #expect(code(11, nil) == ("unavailable", "1"))
        shares.removeFirst()
        #expect(code(40, "a") == (nil, nil))
        shares.removeAll()
        #expect(held.isEmpty)
    }

    @Test func anAnswerIsOfAUserOrANetwork() {
        let rows: [(user: String?, address: String, holder: String)] = [
            ("ann", "192.0.2.1", "user:ann"), (nil, "192.0.2.1", "address:192.0.2.1"), (nil, "local", "address:local"),
            (nil, "2001:db8::1", HeldAnswers.holder(user: nil, address: { "2001:db8::ffff:2" })),
        ]
        for row in rows { #expect(HeldAnswers.holder(user: row.user, address: { row.address }) == row.holder) }
        #expect(HeldAnswers.holder(user: nil, address: { "2001:db8:0:1::1" }) != rows[3].holder)
    }

    // MARK: Rates

    @Test func aUserMarksTwentyTimesASecond() async throws {
        // A clock that stands still: nothing comes back.
        try await TestServer.run(views: .following, now: { 1_000_000 }) { server in
            try await server.seed()
            func mark(_ token: String) async throws -> TestClient.Answer {
                try await server.client.call(.POST, "/api/read", token: token, body: Array("{}".utf8))
            }
            for _ in 0..<200 { #expect(try await mark("bob").status == 422) }
            let refused = try await mark("bob")
            #expect(refused.status == 429 && refused.code == "rate_limited", "\(refused.text)")
            #expect(refused.headers.first(name: "retry-after") == "1")
            #expect(try await mark("alice").status == 422)
        }
    }

    @Test func aRateComesBack() {
        var rate = UserRate(perSecond: 20, burst: 3)
        let steps: [(user: String, now: Int64, isFree: Bool)] = [
            ("a", 0, true), ("a", 0, true), ("a", 0, true), ("a", 0, false), ("b", 0, true), ("a", 49, false),
            ("a", 50, true), ("a", 50, false), ("a", 100, true), ("a", 1_000, true), ("a", 1_000, true),
            ("a", 1_000, true), ("a", 1_000, false),
            // A clock that is set back blocks nobody for long.
            ("a", -1_000_000, true),
        ]
        for (number, step) in steps.enumerated() {
            let isFree = rate.take(step.user, now: step.now)
            #expect(isFree == step.isFree, "\(number)")
        }
        for user in 0..<10_000 {
            let isFree = rate.take("\(user)", now: Int64(user) * 1_000)
            #expect(isFree)
        }
        #expect(rate.count <= UserRate.maxUsers)
    }
}
