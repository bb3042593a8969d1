import CrowbarCore
import JSONBytes
import NIOHTTP1
import Testing

@testable import CrowbarHTTP

@Suite struct EventsTests {
    private static func fill(_ server: TestServer, _ count: Int) async throws {
        try await server.seed()
        _ = try await server.client.post(#"{"type":"CREATE_CHANNEL","channelId":"dev"}"#, token: "alice")
        let lines = (0..<count).map {
            let channel = $0 % 2 == 0 ? "general" : "dev"
            return #"{"type":"SEND_MESSAGE","channelId":"\#(channel)","message":"m","eventId":"e\#($0)"}"#
        }
        let answer = try await server.client.postLines(lines, token: "alice")
        #expect(answer.lines.count == count && !answer.text.contains("error"))
    }

    private static func ids(_ answer: TestClient.Answer) throws -> [String] {
        try answer.lines.map { line in
            let object = try JSONObject(parsing: Array(line.utf8))
            #expect(object.int("position") != nil)
            return object.object("event")?.string("eventId") ?? ""
        }
    }

    @Test func pagesFollowEachOtherWithoutGap() async throws {
        try await TestServer.run { server in
            try await Self.fill(server, 2_500)
            var seen: [String] = []
            var after = ""
            while true {
                let page = try await server.client.call(.GET, "/api/events?limit=700" + after, token: "reader")
                #expect(page.status == 200)
                let ids = try Self.ids(page)
                guard let last = ids.last else { break }
                #expect(ids.count <= 700)
                seen += ids
                after = "&after=\(last)"
            }
            #expect(seen.count == 2_507)
            #expect(Array(seen.suffix(2_500)) == (0..<2_500).map { "e\($0)" })
            let standard = try await server.client.call(.GET, "/api/events", token: "reader")
            #expect(standard.lines.count == 1_000)
            let all = try await server.client.call(.GET, "/api/events?limit=100000", token: "reader")
            #expect(try Self.ids(all) == seen)
        }
    }

    /// A filter that wants few events ends a call after so many, and the answer says where to go on.
    @Test func aCallLooksAtSoManyEventsAndNamesTheLastOne() async throws {
        var rules = ListenerRules()
        rules.scan = 1_000
        try await TestServer.run(rules: rules) { server in
            try await Self.fill(server, 2_500)
            var (found, calls, after): ([String], Int, String) = ([], 0, "")
            while true {
                let page = try await server.client.call(
                    .GET, "/api/events?type=CHANNEL_CREATED,USER_REGISTERED" + after, token: "reader")
                calls += 1
                let last = try page.lines.last.map { try JSONObject(parsing: Array($0.utf8)) }
                let more = last?.string("more")
                var events = page
                events.body = Array(page.lines.dropLast(more == nil ? 0 : 1).joined(separator: "\n").utf8)
                found += try Self.ids(events)
                guard let more else { break }
                after = "&after=\(more)"
            }
            #expect(calls == 3 && found.count == 6, "\(calls) \(found)")
            // A page that is full says nothing: its last event is where to go on.
            let full = try await server.client.call(.GET, "/api/events?limit=1000", token: "reader")
            #expect(full.lines.count == 1_000 && !full.text.contains(#"{"more""#))
            // Events that the caller may not read have no id to go on from: the call goes on itself.
            let create = #"{"type":"CREATE_CHANNEL","channelId":"den","private":true,"eventId":"d"}"#
            #expect(try await server.client.post(create, token: "alice").status == 200)
            let lines = (0..<2_000).map { _ in #"{"type":"SEND_MESSAGE","channelId":"den","message":"m"}"# }
            _ = try await server.client.postLines(lines, token: "alice")
            _ = try await server.client.post(#"{"type":"CREATE_CHANNEL","channelId":"late"}"#, token: "alice")
            let open = try await server.client.call(
                .GET, "/api/events?type=CHANNEL_CREATED&after=e2499", token: "reader")
            #expect(open.lines.count == 1 && open.text.contains("late"), "\(open.text.prefix(200))")
        }
    }

    @Test func filtersByTypeAndChannel() async throws {
        try await TestServer.run { server in
            try await Self.fill(server, 20)
            func ids(_ query: String) async throws -> [String] {
                try Self.ids(try await server.client.call(.GET, "/api/events?" + query, token: "reader"))
            }
            #expect(try await ids("type=MESSAGE_SENT&channel=dev") == stride(from: 1, to: 20, by: 2).map { "e\($0)" })
            #expect(try await ids("type=USER_REGISTERED,CHANNEL_CREATED").count == 6)
            #expect(try await ids("channel=dev,general&limit=3").count == 3)
            #expect(try await ids("channel=general&after=e17") == ["e18"])
            #expect(try await ids("type=MESSAGE%5FSENT&limit=1") == ["e0"])
        }
    }

    static let wrong: [(query: String, code: String, field: String?)] = [
        ("limit=0", "invalid_command", "limit"), ("limit=100001", "invalid_command", "limit"),
        ("limit=x", "invalid_command", "limit"), ("after=none", "event_not_found", "after"),
        ("after=a/b", "event_not_found", "after"), ("limit=%2B1", "invalid_command", "limit"),
        ("channel=a,", "invalid_command", "channel"), ("type=,", "invalid_command", "type"),
        ("type=NONE", "invalid_command", "type"),
        ("channel=A%20B", "invalid_command", "channel"), ("foo=1", "invalid_command", "foo"),
        ("limit=1&limit=2", "invalid_command", "limit"), ("after=%G0", "malformed", nil),
    ]

    @Test func refusesWrongParameters() async throws {
        try await TestServer.run { server in
            try await server.seed()
            for (query, code, field) in Self.wrong {
                let answer = try await server.client.call(.GET, "/api/events?" + query, token: "reader")
                #expect(answer.code == code && answer.field == field, "\(query): \(answer.text)")
            }
            let stream = try await server.client.call(.GET, "/api/events/stream?after=none", token: "reader")
            #expect(stream.status == 404 && stream.code == "event_not_found")
        }
    }

    @Test func readingNeedsTheScopeUnlessAnonymous() async throws {
        try await TestServer.run { server in
            for path in ["/api/events", "/api/events/stream"] {
                let without = try await server.client.call(.GET, path)
                let withWrong = try await server.client.call(.GET, path, token: "sender")
                #expect(without.status == 401 && withWrong.status == 403)
            }
        }
        try await TestServer.run(anonymousRead: true) { server in
            let without = try await server.client.call(.GET, "/api/events")
            let withWrong = try await server.client.call(.GET, "/api/events", token: "wrong")
            #expect(without.status == 200 && withWrong.status == 401)
        }
    }

    @Test func followsAndResumes() async throws {
        try await TestServer.run { server in
            try await Self.fill(server, 10)
            func follow(_ query: String, _ headers: [(String, String)], until id: String) async throws -> [String] {
                let end = Array("id: \(id)\n".utf8)
                let answer = try await server.client.call(
                    .GET, "/api/events/stream" + query, token: "reader", headers: headers,
                    until: { String(decoding: $0, as: UTF8.self).contains(String(decoding: end, as: UTF8.self)) })
                #expect(answer.headers.first(name: "content-type") == "text/event-stream")
                return answer.lines.filter { $0.hasPrefix("id: ") }.map { String($0.dropFirst(4)) }
            }
            #expect(try await follow("?after=e7", [], until: "e9") == ["e8", "e9"])
            // The header wins over the address that a client began with.
            #expect(try await follow("?after=e1", [("Last-Event-ID", "e8")], until: "e9") == ["e9"])
            for (query, headers, field) in [
                ("?after=nix", [], "after"), ("?after=e1", [("Last-Event-ID", "nix")], "Last-Event-ID"),
            ] as [(String, [(String, String)], String)] {
                let refused = try await server.client.call(
                    .GET, "/api/events/stream" + query, token: "reader", headers: headers)
                #expect(refused.code == "event_not_found" && refused.field == field, "\(refused.text)")
            }
            async let live = follow("?after=e9&channel=dev", [], until: "late1")
            for (id, channel) in [("late0", "general"), ("late1", "dev")] {
                let json = #"{"type":"SEND_MESSAGE","channelId":"\#(channel)","message":"x","eventId":"\#(id)"}"#
                #expect(try await server.client.post(json, token: "alice").status == 200)
            }
            #expect(try await live == ["late1"])
        }
    }

    @Test func withoutAfterTheStreamStartsNow() async throws {
        try await TestServer.run { server in
            try await Self.fill(server, 3)
            let client = server.client
            let (opened, open) = AsyncStream.makeStream(of: Void.self)
            async let first = client.call(
                .GET, "/api/events/stream", token: "reader",
                until: {
                    // The comment at the start says that the place in the log is taken.
                    open.yield()
                    return String(decoding: $0, as: UTF8.self).contains("id: ")
                })
            _ = await opened.first { _ in true }
            let json = #"{"type":"SEND_MESSAGE","channelId":"general","message":"x","eventId":"new"}"#
            _ = try await client.post(json, token: "alice")
            let text = try await first.text
            #expect(text.hasPrefix(": ") && text.contains("id: new\ndata: {\"position\":"))
            #expect(!text.contains("id: e2"))
        }
    }
}
