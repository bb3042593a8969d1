import CrowbarCore
import CrowbarTesting
import CrowbarViews
import JSONBytes
import NIOHTTP1
import Testing

@testable import CrowbarHTTP

/// Parameters, headers and refusals of `/views/…` (docs/api.md, "Views").
@Suite(.serialized) struct ViewAnswersTests {
    private static func get(
        _ server: TestServer, _ path: String, token: String? = "alice", ifNoneMatch: [String] = []
    ) async throws -> TestClient.Answer {
        try await server.client.call(
            .GET, "/views/" + path, token: token, headers: ifNoneMatch.map { ("if-none-match", $0) })
    }

    @discardableResult
    private static func say(_ server: TestServer, _ id: String, _ text: String = "hello", by user: String = "alice")
        async throws -> String
    {
        let json = #"{"type":"SEND_MESSAGE","channelId":"general","eventId":"\#(id)","message":"\#(text)"}"#
        #expect(try await server.client.post(json, token: user).status == 200)
        return id
    }

    @Test func eachViewHasItsShape() async throws {
        try await TestServer.run(anonymousRead: true, views: .following) { server in
            try await server.seed()
            try await Self.say(server, "m1", "the first word")
            try await Self.say(server, "m2", "a word", by: "bob")
            let rows: [(path: String, token: String?, json: String)] = [
                ("allchannels.json", "alice", #"[{"id":"general","name":"general","users":2,"member":true}]"#),
                ("allchannels.json", "carol", #"[{"id":"general","name":"general","users":2}]"#),
                ("allchannels.json", nil, #"[{"id":"general","name":"general","users":2}]"#),
                ("allusers.json?after=bob&limit=1", "alice", #"{"carol":{"name":"carol"}}"#),
                (
                    "channel/general.json?after=alice", nil,
                    #"{"id":"general","name":"general","private":false,"creator":"alice","count":2,"#
                        + #""users":[{"id":"bob","name":"bob"}]}"#
                ),
                ("messages/general.json?after=m2", nil, #"{"messages":[],"older":true,"newer":false}"#),
                (
                    "messages/general.json?before=m2&limit=1", "alice",
                    #"{"messages":[{"messageId":"m1","eventId":"m1","position":7,TIME"userId":"alice","#
                        + #""userName":"alice","text":"the first word","kind":"text"}],"older":false,"newer":true}"#
                ),
                (
                    "messages/general.json?around=m2&limit=1", "alice",
                    #"{"messages":[{"messageId":"m2","eventId":"m2","position":8,TIME"userId":"bob","#
                        + #""userName":"bob","text":"a word","kind":"text"}],"older":true,"newer":false}"#
                ),
                (
                    "allmessages.json?limit=1", nil,
                    #"{"general":[{"messageId":"m2","eventId":"m2","position":8,TIME"userId":"bob","#
                        + #""userName":"bob","text":"a word","kind":"text"}]}"#
                ),
                (
                    "search.json?q=first", "alice",
                    #"{"hits":[{"channelId":"general","snippet":[["the ",false],["first",true],[" word",false]],"#
                        + #""messageId":"m1","eventId":"m1","position":7,TIME"userId":"alice","userName":"alice","#
                        + #""text":"the first word","kind":"text"}]}"#
                ),
                ("search.json?q=nothing", "alice", #"{"hits":[]}"#),
            ]
            for row in rows {
                let separator = row.path.contains("?") ? "&" : "?"
                let answer = try await Self.get(server, row.path + separator + "min=m2&wait=10s", token: row.token)
                #expect(answer.status == 200, "\(row.path): \(answer.text)")
                #expect(answer.headers.first(name: "content-type") == "application/json")
                #expect(answer.headers.first(name: "crowbar-after") == "m2", "\(row.path)")
                #expect(answer.headers.first(name: "vary") == "Authorization, Origin")
                let cache = row.token == nil ? "public, no-cache" : "private, no-cache"
                #expect(answer.headers.first(name: "cache-control") == cache, "\(row.path)")
                #expect(Self.withoutTime(answer.text) == row.json + "\n", "\(row.path)")
            }
            let page = try await Self.get(server, "search.json?q=word&limit=1")
            #expect(try JSONObject(parsing: page.body).string("more") == "m2")
            let second = try await Self.get(server, "search.json?q=word&limit=1&before=m2")
            #expect(second.text.contains("the first ") && !second.text.contains("more"))
        }
    }

    /// The timestamps are those of the clock.
    private static func withoutTime(_ text: String) -> String {
        var (rest, out) = (text[...], "")
        while let range = rest.firstRange(of: #""timestamp":"#) {
            out += rest[..<range.lowerBound] + "TIME"
            rest = rest[range.upperBound...].drop { $0 != "," }.dropFirst()
        }
        return out + rest
    }

    // MARK: Validators

    @Test func anAnswerThatIsKnownIsNotSentAgain() async throws {
        try await TestServer.run(anonymousRead: true, views: .following) { server in
            try await server.seed()
            try await Self.say(server, "m1")
            let paths = [
                "allchannels.json", "allusers.json", "channel/general.json", "messages/general.json",
                "allmessages.json", "search.json?q=hello",
            ]
            for path in paths {
                let separator = path.contains("?") ? "&" : "?"
                let first = try await Self.get(server, path + separator + "min=m1&wait=10s")
                let tag = try #require(first.headers.first(name: "etag"), "\(path): \(first.text)")
                let isPlain = path == "allusers.json" || path == "channel/general.json"
                #expect(tag.split(separator: "-").last.map { $0 == "0\"" } == isPlain, "\(path): \(tag)")
                // A user searches five times a second.
                let forms = [[tag], ["W/" + tag], ["\"x\", \(tag)"], ["\"x\"", tag], ["*"]]
                for known in forms.prefix(path.hasPrefix("search") ? 2 : forms.count) {
                    let again = try await Self.get(server, path, ifNoneMatch: known)
                    #expect(again.status == 304 && again.body.isEmpty, "\(path) \(known)")
                    for name in ["etag", "crowbar-after", "vary", "cache-control"] {
                        #expect(again.headers.first(name: name) == first.headers.first(name: name), "\(path) \(name)")
                    }
                    #expect(again.headers.first(name: "content-length") == nil)
                }
                #expect(try await Self.get(server, path, ifNoneMatch: ["\"x\""]).status == 200)
                // Another caller's answer may be another one.
                if !isPlain {
                    #expect(try await Self.get(server, path, token: "bob", ifNoneMatch: [tag]).status == 200, "\(path)")
                }
            }
            // A tag outlives what does not change the resource, and nothing else.
            let messages = try await Self.get(server, "messages/general.json")
            let tag = try #require(messages.headers.first(name: "etag"))
            let rename = #"{"type":"RENAME_USER","name":"Bobby","eventId":"r"}"#
            #expect(try await server.client.post(rename, token: "bob").status == 200)
            let same = try await Self.get(server, "messages/general.json?min=r&wait=10s", ifNoneMatch: [tag])
            #expect(same.status == 304 && same.headers.first(name: "crowbar-after") == "r")
            let react =
                #"{"type":"ADD_REACTION","channelId":"general","messageId":"m1","reaction":":ok:","eventId":"a"}"#
            #expect(try await server.client.post(react, token: "bob").status == 200)
            let other = try await Self.get(server, "messages/general.json?min=a&wait=10s", ifNoneMatch: [tag])
            #expect(other.status == 200 && other.text.contains(":ok:"))
        }
    }

    private static let tags: [(fields: [String], isNamed: Bool)] = [
        ([], false), ([""], false), (["*"], true), ([" * "], true), (["\"a-1\""], true), (["W/\"a-1\""], true),
        (["w/\"a-1\""], false), (["a-1"], false), (["\"a-1"], false), (["\"b\""], false),
        (["\"b\", \"a-1\""], true), (["\"b\",W/\"a-1\""], true), (["\"b,\", \"a-1\""], true),
        (["\"b\" \"a-1\""], false),
        (["\"b\",, \"a-1\""], true), (["\"b\"", "\"a-1\""], true), (["\"*\""], false), (["*, \"b\""], false),
        (["\"a-1\"x"], true), (["x, \"a-1\""], false), (["\"a-11\""], false), (["\"\""], false),
    ]

    @Test(arguments: tags.indices) func tagsAreCompared(_ row: Int) {
        #expect(EntityTag.isNamed("\"a-1\"", by: Self.tags[row].fields) == Self.tags[row].isNamed)
    }

    // MARK: Reading one's own writes

    @Test func aViewIsWaitedFor() async throws {
        try await TestServer.run(views: .following) { server in
            try await server.seed()
            for number in 0..<20 {
                let id = try await Self.say(server, "m\(number)", "number \(number)")
                let page = try await Self.get(server, "messages/general.json?limit=1&min=\(id)&wait=10s")
                #expect(page.text.contains("number \(number)\""), "\(page.text)")
            }
            let rows: [(query: String, status: Int, code: String, field: String?)] = [
                ("min=nothing", 404, "event_not_found", "min"), ("min=", 404, "event_not_found", "min"),
                ("min=m1&wait=11s", 422, "invalid_command", "wait"), ("min=m1&wait=x", 422, "invalid_command", "wait"),
                ("min=m1&wait=-1s", 422, "invalid_command", "wait"), ("min=m1&wait=2", 422, "invalid_command", "wait"),
                ("min=m1&wait=10001ms", 422, "invalid_command", "wait"),
                ("min=m1&wait=ms", 422, "invalid_command", "wait"),
                ("min=m1&wait=99999999999999999999s", 422, "invalid_command", "wait"),
                ("wait=1s", 422, "invalid_command", "wait"),
            ]
            for row in rows {
                let answer = try await Self.get(server, "allchannels.json?" + row.query)
                #expect(answer.status == row.status && answer.code == row.code, "\(row.query): \(answer.text)")
                #expect(answer.field == row.field, "\(row.query)")
            }
            for query in ["min=m1", "min=m1&wait=0s", "min=m1&wait=0ms", "min=m1&wait=10000ms", "min=m1&wait=10s"] {
                #expect(try await Self.get(server, "allchannels.json?" + query).status == 200, "\(query)")
            }
        }
    }

    @Test func aViewThatIsBehindSaysSo() async throws {
        try await TestServer.run(views: .closed) { server in
            try await server.seed()
            try await Self.say(server, "m1")
            for query in ["", "?min=m1&wait=0s"] {
                let answer = try await Self.get(server, "messages/general.json" + query)
                #expect(answer.status == 503 && answer.code == "view_behind", "\(answer.text)")
                #expect(answer.headers.first(name: "retry-after") == "1")
                #expect(answer.text.contains(#""progress":0.00"#), "\(answer.text)")
            }
            // Nothing else waits for views.
            #expect(try await server.client.call(.GET, "/readyz").status == 200)
            #expect(try await server.client.call(.GET, "/api/events", token: "alice").status == 200)
        }
        for (number, text) in [(0, "0.00"), (0.424, "0.42"), (0.99, "0.99"), (0.999, "0.99"), (1, "1.00"), (7, "1.00")]
        {
            #expect(APIFailure.hundredths(number) == text)
        }
    }

    // MARK: Bounds

    private static let refused: [(path: String, status: Int, code: String, field: String?)] = [
        ("allchannels.json?limit=1", 422, "invalid_command", "limit"),
        ("allchannels.json?x=1", 422, "invalid_command", "x"),
        ("allusers.json?limit=10001", 422, "invalid_command", "limit"),
        ("allusers.json?limit=0", 422, "invalid_command", "limit"),
        ("allusers.json?limit=x", 422, "invalid_command", "limit"),
        ("allusers.json?after=a%20b", 422, "invalid_command", "after"),
        ("allusers.json?bridged=1", 422, "invalid_command", "bridged"),
        ("allusers.json?all=true", 422, "invalid_command", "all"),
        ("channel/general.json?limit=501", 422, "invalid_command", "limit"),
        ("channel/never.json", 404, "channel_not_found", "channelId"),
        ("channel/NO%2FCHANNEL.json", 404, "channel_not_found", "channelId"),
        ("channel/general.json?min=m1&min=m1", 422, "invalid_command", "min"),
        ("messages/general.json?limit=501", 422, "invalid_command", "limit"),
        ("messages/general.json?before=m1&after=m1", 422, "invalid_command", "after"),
        ("messages/general.json?after=m1&around=m1", 422, "invalid_command", "around"),
        ("messages/general.json?before=nothing", 404, "event_not_found", "before"),
        ("messages/general.json?after=", 404, "event_not_found", "after"),
        ("messages/never.json?around=m1", 404, "channel_not_found", "channelId"),
        ("messages/%zz.json", 400, "malformed", nil),
        ("allmessages.json?limit=101", 422, "invalid_command", "limit"),
        ("search.json", 422, "invalid_command", "q"),
        ("search.json?q=", 422, "invalid_command", "q"),
        ("search.json?q=%20%22%22", 422, "invalid_command", "q"),
        ("search.json?q=" + String(repeating: "x", count: 257), 422, "invalid_command", "q"),
        ("search.json?q=a%00bc", 422, "invalid_command", "q"),
        ("search.json?q=%00", 422, "invalid_command", "q"),
        ("search.json?q=word&limit=101", 422, "invalid_command", "limit"),
        ("search.json?q=word&from=a%20b", 422, "invalid_command", "from"),
        ("search.json?q=word&before=nothing", 404, "event_not_found", "before"),
        ("search.json?q=word&before=@x", 422, "invalid_command", "before"),
        ("search.json?q=word&channel=never", 404, "channel_not_found", "channelId"),
        ("nothing.json", 404, "not_found", nil), ("allchannels", 404, "not_found", nil),
        ("channel.json", 404, "not_found", nil), ("channel/a/b.json", 404, "not_found", nil),
        ("allchannels.json/x", 404, "not_found", nil), (".json", 404, "not_found", nil),
    ]

    @Test func whatIsOutOfBoundsIsRefused() async throws {
        try await TestServer.run(views: .following) { server in
            try await server.seed()
            try await Self.say(server, "m1")
            #expect(try await Self.get(server, "search.json?q=x&min=m1&wait=10s").status == 200)
            for row in Self.refused {
                let answer = try await Self.get(server, row.path)
                #expect(answer.status == row.status && answer.code == row.code, "\(row.path): \(answer.text)")
                #expect(answer.field == row.field, "\(row.path)")
            }
            for path in [
                "allusers.json?limit=10000&bridged=false", "channel/general.json?limit=500&after=x/y",
                "messages/general.json?limit=500", "allmessages.json?limit=100",
                "search.json?limit=100&q=" + String(repeating: "x", count: 256),
                "search.json?q=%22a%20b%22&from=irc/joe&channel=general&before=@5", "channel/gener%61l.json",
            ] { #expect(try await Self.get(server, path).status == 200, "\(path)") }
            let posted = try await server.client.call(.POST, "/views/allchannels.json", token: "alice")
            #expect(posted.status == 405 && posted.headers.first(name: "allow") == "GET")
        }
    }

    private static let paths: [(path: String, view: ViewPath?)] = [
        ("/views/allchannels.json", .allChannels), ("/views/allusers.json", .allUsers),
        ("/views/allmessages.json", .allMessages), ("/views/search.json", .search), ("/views/unread.json", .unread),
        ("/views/channel/a.json", .channel("a")), ("/views/channel/a.json.json", .channel("a.json")),
        ("/views/messages/a%2Eb.json", .messages("a.b")), ("/views/messages/a%2Fb.json", .messages("a/b")),
        ("/views/channel/.json", .channel("")), ("/views/channel//a.json", nil), ("/views//allchannels.json", nil),
        ("/views/.json", nil), ("/views/allchannels.JSON", nil), ("/view/allchannels.json", nil), ("/views/", nil),
        ("/views.json", nil),
    ]

    @Test(arguments: paths.indices) func pathsNameViews(_ row: Int) throws {
        #expect(try ViewPath(Self.paths[row].path[...]) == Self.paths[row].view, "\(Self.paths[row].path)")
    }

    // MARK: Limits of searches

    @Test func whatIsLeftOutHasABound() async throws {
        let parameters = ViewParameters(query: try Query(""), log: ReadableLog(MemoryLog(now: { 0 })))
        let rows: [(path: ViewPath, question: ViewQuestion)] = [
            (.allUsers, .allUsers(after: nil, limit: 1_000, isBridged: false)),
            (.channel("a"), .channel("a", after: nil, limit: 500)),
            (.messages("a"), .messages("a", .newest, limit: 100)), (.allMessages, .allMessages(limit: 100)),
            (.allChannels, .allChannels), (.unread, .unread),
        ]
        for row in rows { #expect(try await parameters.question(row.path) == row.question) }
        let most: [(path: ViewPath, query: String, question: ViewQuestion)] = [
            (.allUsers, "limit=10000", .allUsers(after: nil, limit: 10_000, isBridged: false)),
            (.messages("a"), "limit=500", .messages("a", .newest, limit: 500)),
            (.search, "q=w", .search(SearchQuery("w"), SearchFilter(), limit: 50)),
            (.search, "q=w&limit=100", .search(SearchQuery("w"), SearchFilter(), limit: 100)),
        ]
        for row in most {
            let given = ViewParameters(query: try Query(row.query[...]), log: parameters.log)
            #expect(try await given.question(row.path) == row.question)
        }
    }

    @Test func aCallWaitsForTwoSecondsIfNothingIsSaid() async throws {
        let clock = ManualClock()
        let driver = LogDriver(MemoryLog(now: { clock.milliseconds }), clock: clock)
        try await driver.settle()
        let event = try #require(try await driver.log.head())
        for (more, milliseconds) in [("", 2_000), ("&wait=10s", 10_000), ("&wait=0s", 0), ("&wait=250ms", 250)] {
            let query = try Query("min=\(event.eventId)\(more)"[...])
            let least = try await ViewParameters(query: query, log: ReadableLog(driver.log)).least()
            #expect(least?.0 == event.position && least?.1 == .milliseconds(milliseconds), "\(more)")
        }
        let none = try await ViewParameters(query: try Query(""), log: ReadableLog(driver.log)).least()
        #expect(none == nil)
    }

    @Test func aUserSearchesFiveTimesASecond() async throws {
        // A clock that stands still: nothing comes back.
        try await TestServer.run(views: .following, now: { 1_000_000 }) { server in
            try await server.seed()
            try await Self.say(server, "m1")
            #expect(try await Self.get(server, "search.json?q=hello&min=m1&wait=10s").status == 200)
            for _ in 2...5 { #expect(try await Self.get(server, "search.json?q=hello").status == 200) }
            let refused = try await Self.get(server, "search.json?q=hello")
            #expect(refused.status == 429 && refused.code == "rate_limited")
            #expect(refused.headers.first(name: "retry-after") == "1")
            #expect(try await Self.get(server, "search.json?q=hello", token: "bob").status == 200)
            #expect(try await Self.get(server, "messages/general.json").status == 200)
        }
    }

    @Test func searchesAreShared() {
        var shares = SearchShares()
        #expect(shares.take("a", now: 0) == nil)
        #expect(shares.take("a", now: 0) == nil)
        #expect(shares.take("a", now: 0) == .running)
        #expect(shares.take("b", now: 0) == nil)
        shares.give("a")
        shares.give("a")
        for _ in 0..<3 {
            #expect(shares.take("a", now: 0) == nil)
            shares.give("a")
        }
        #expect(shares.take("a", now: 0) == .rate)
        #expect(shares.take("a", now: 199) == .rate)
        #expect(shares.take("a", now: 200) == nil)
        shares.give("a")
        #expect(shares.take("a", now: 200) == .rate)
        // A clock that is set back blocks nobody for long.
        #expect(shares.take("a", now: -1_000_000) == nil)
        shares.give("a")
        shares.give("b")
        #expect(!shares.isEmpty(now: 0) || shares.isEmpty(now: 10_000))
        for user in 0..<10_000 {
            #expect(shares.take("\(user)", now: Int64(user) * 1_000) == nil)
            shares.give("\(user)")
        }
        #expect(shares.isEmpty(now: 100_000_000))
    }
}
