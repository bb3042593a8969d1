import CrowbarCore
import CrowbarSQLite
import Glibc
import JSONBytes
import NIOCore
import NIOHTTP1
import Synchronization
import Testing

@testable import CrowbarHTTP

/// Event streams over real connections: order, slow readers, and what `mine=true` adds.
@Suite(.serialized) struct StreamTests {
    private static func request(_ path: String, token: String, _ headers: String = "") -> ByteBuffer {
        ByteBuffer(
            string: "GET \(path) HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(token)\r\n\(headers)\r\n")
    }

    static func ids(_ text: String) -> [String] {
        text.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("id: ") }.map { String($0.dropFirst(4)) }
    }

    /// Whether an event is among the last bytes; quick, as it is asked for each part that comes.
    private static func hasArrived(_ id: String, _ body: [UInt8]) -> Bool {
        let end = Array(body.suffix(20_000)) + [0]
        return end.withUnsafeBytes { end in
            guard let text = end.bindMemory(to: CChar.self).baseAddress else { return false }
            return strstr(text, "id: \(id)\n") != nil
        }
    }

    private static func frames(_ text: String) -> [String] {
        text.split(separator: "\n\n", omittingEmptySubsequences: false).map(String.init)
    }

    private static func send(_ server: TestServer, _ ids: Range<Int>, text: String = "x") async throws {
        for start in stride(from: ids.lowerBound, to: ids.upperBound, by: 20) {
            let lines = (start..<min(start + 20, ids.upperBound)).map {
                #"{"type":"SEND_MESSAGE","channelId":"general","eventId":"e\#($0)","message":"\#(text)"}"#
            }
            let answer = try await server.client.postLines(lines, token: "alice")
            #expect(answer.status == 200 && !answer.text.contains("error"))
        }
    }

    /// Readers come while events are stored, from the beginning, from the middle and from now.
    @Test func readersThatCatchUpMissNothingAndGetNothingTwice() async throws {
        let door = Door.commandLine(
            keyHash: TestServer.hash(Array("key".utf8)),
            AdminActions(addUser: { _, _ in }, makeToken: { _, _, _ in "" }))
        try await TestServer.run(door: door) { server in
            try await server.seed()
            let count = 1_500
            func store(_ ids: Range<Int>) async throws {
                for start in stride(from: ids.lowerBound, to: ids.upperBound, by: 25) {
                    let results = await server.ingest.submit(
                        (start..<start + 25).map {
                            let send = Command(
                                .sendMessage, .sendMessage("x", messageId: nil, kind: nil, replyTo: nil),
                                eventId: "e\($0)", channelId: "general")
                            return Ingest.Request(send, actor: "alice")
                        })
                    for result in results { _ = try result.get() }
                }
            }
            try await store(0..<500)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await store(500..<count) }
                for reader in 0..<24 {
                    group.addTask {
                        // Each begins at another moment of the storing.
                        try await waitUntil("the log has grown") {
                            try await server.log.head()?.position ?? 0 >= Int64(500 + reader * 30)
                        }
                        let first = reader * 19
                        let answer = try await server.client.call(
                            .GET, "/api/events/stream?after=e\(first)", token: "key",
                            until: { Self.hasArrived("e\(count - 1)", $0) })
                        #expect(Self.ids(answer.text) == (first + 1..<count).map { "e\($0)" })
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func whoReadsTooSlowlyIsDroppedAndMissesNothingAfterwards() async throws {
        try await TestServer.run { server in
            try await server.seed()
            let text = String(repeating: "x", count: 16_000)
            let count = 1_200
            let dropped = try await RawClient(port: server.client.port).connect { reader, writer in
                try await writer.write(Self.request("/api/events/stream", token: "alice"))
                let isOpen = try await reader.read(until: ": following\n\n")
                #expect(isOpen)
                try await Self.send(server, 0..<count, text: text)
                try await server.lines.wait(for: "does not read its event stream fast enough")
                await reader.readToEnd()
                return reader.text
            }
            // The last frame may have been cut off: its id counts only with its data.
            let frames = Self.frames(dropped).dropLast()
            let got = Self.ids(frames.joined(separator: "\n\n"))
            #expect(got.count > 0 && got.count < count)
            let last = try #require(got.last)
            let rest = try await server.client.call(
                .GET, "/api/events/stream?after=e0", token: "alice", headers: [("Last-Event-ID", last)],
                until: { Self.hasArrived("e\(count - 1)", $0) })
            #expect(got + Self.ids(rest.text) == (0..<count).map { "e\($0)" })
        }
    }

    // MARK: mine

    private static func command(_ server: TestServer, _ user: String, _ id: String, _ json: String) async throws {
        let answer = try await server.client.post(#"{"eventId":"\#(id)",\#(json)}"#, token: user)
        #expect(answer.status == 200, "\(json): \(answer.text)")
    }

    private static let story: [(user: String, id: String, json: String)] = [
        ("alice", "a1", #""type":"SEND_MESSAGE","channelId":"general","message":"general""#),
        ("alice", "a2", #""type":"CREATE_CHANNEL","channelId":"dev""#),
        ("alice", "a3", #""type":"SEND_MESSAGE","channelId":"dev","message":"not for bob""#),
        ("bob", "a4", #""type":"JOIN_CHANNEL","channelId":"dev""#),
        ("alice", "a5", #""type":"SEND_MESSAGE","channelId":"dev","message":"for bob""#),
        ("bob", "a6", #""type":"LEAVE_CHANNEL","channelId":"dev""#),
        ("alice", "a7", #""type":"SEND_MESSAGE","channelId":"dev","message":"not for bob""#),
        ("alice", "a8", #""type":"SET_TOPIC","channelId":"dev","topic":"news""#),
        ("alice", "a9", #""type":"REMOVE_USER","channelId":"general","member":"bob""#),
        ("alice", "b1", #""type":"SEND_MESSAGE","channelId":"general","message":"not for bob""#),
        ("carol", "b2", #""type":"RENAME_USER","name":"Carola""#),
        ("alice", "b3", #""type":"DESTROY_CHANNEL","channelId":"dev""#),
    ]

    @Test func aStreamOfOnesOwnFollowsTheMemberships() async throws {
        try await TestServer.run { server in
            try await server.seed()
            let (opened, open) = AsyncStream.makeStream(of: Void.self)
            async let followed = server.client.call(
                .GET, "/api/events/stream?mine=true", token: "bob",
                until: {
                    open.yield()
                    return String(decoding: $0, as: UTF8.self).contains("id: b3\n")
                })
            _ = await opened.first { _ in true }
            for step in Self.story { try await Self.command(server, step.user, step.id, step.json) }
            let live = try await followed
            let head = try #require(live.lines.first == "event: hello" ? live.lines.dropFirst().first : nil)
            let hello = try JSONObject(parsing: Array(head.dropFirst("data: ".count).utf8))
            #expect(hello.string("userId") == "bob" && hello.string("after") != nil)
            #expect(Self.ids(live.text) == ["a1", "a2", "a4", "a5", "a6", "a8", "a9", "b2", "b3"])
            // Who comes back gets what concerns them now.
            let again = try await server.client.call(
                .GET, "/api/events/stream?mine=true&after=a1", token: "bob",
                until: { String(decoding: $0, as: UTF8.self).contains("id: b3\n") })
            let behind = Self.story.count - 1
            #expect(
                again.text.hasPrefix(
                    "event: hello\ndata: {\"after\":\"a1\",\"userId\":\"bob\",\"behind\":\(behind)}\n\n"))
            #expect(Self.ids(again.text) == ["a2", "a8", "b2", "b3"])
            // Filters narrow it.
            let narrow = try await server.client.call(
                .GET, "/api/events/stream?mine=true&after=a1&channel=dev&type=CHANNEL_CREATED,CHANNEL_DESTROYED",
                token: "bob", until: { String(decoding: $0, as: UTF8.self).contains("id: b3\n") })
            #expect(Self.ids(narrow.text) == ["a2", "b3"])
            // Others get no such frames, and all public events.
            let plain = try await server.client.call(
                .GET, "/api/events/stream?mine=false&after=a1", token: "bob",
                until: { String(decoding: $0, as: UTF8.self).contains("id: b3\n") })
            #expect(Self.ids(plain.text) == Self.story.dropFirst().map(\.id) && !plain.text.contains("event:"))
        }
    }

    @Test func theEventsIdInHelloIsOneThatTheCallerMayRead() async throws {
        try await TestServer.run { server in
            try await server.seed()
            try await Self.command(
                server, "alice", "open", #""type":"SEND_MESSAGE","channelId":"general","message":"x""#)
            try await Self.command(
                server, "alice", "secret", #""type":"CREATE_CHANNEL","channelId":"vault","private":true"#)
            for (user, after) in [("bob", "open"), ("alice", "secret")] {
                let answer = try await server.client.call(
                    .GET, "/api/events/stream?mine=true", token: user, until: { _ in true })
                #expect(
                    answer.lines.dropFirst().first == #"data: {"after":"\#(after)","userId":"\#(user)","behind":0}"#)
            }
        }
    }

    static let refused: [(query: String, token: String?, status: Int, code: String, field: String?)] = [
        ("mine=true", nil, 401, "unauthorized", nil), ("mine=true", "sender", 403, "forbidden", nil),
        ("mine=yes", "bob", 422, "invalid_command", "mine"),
        ("mine=true&all=true", "bob", 422, "invalid_command", "mine"),
        ("mine=true&all=true", "root", 422, "invalid_command", "mine"),
        ("mine=true&type=NONE", "bob", 422, "invalid_command", "type"),
    ]

    @Test func whatIsNobodysOwnIsRefused() async throws {
        try await TestServer.run(anonymousRead: true) { server in
            for row in Self.refused {
                let answer = try await server.client.call(.GET, "/api/events/stream?" + row.query, token: row.token)
                #expect(answer.status == row.status && answer.code == row.code, "\(row.query): \(answer.text)")
                #expect(answer.field == row.field, "\(row.query)")
            }
        }
        let door = Door.commandLine(
            keyHash: TestServer.hash(Array("key".utf8)),
            AdminActions(addUser: { _, _ in }, makeToken: { _, _, _ in "" }))
        try await TestServer.run(door: door) { server in
            let answer = try await server.client.call(.GET, "/api/events/stream?mine=true", token: "key")
            #expect(answer.status == 403 && answer.code == "forbidden", "\(answer.text)")
        }
    }

    // MARK: Read markers

    /// How many frames about markers each stream has got; nil before its first bytes.
    private final class ToldMarkers: Sendable {
        private let streams: Mutex<[Int?]>

        init(streams count: Int) { streams = Mutex([Int?](repeating: nil, count: count)) }

        var counts: [Int?] { streams.withLock { $0 } }

        func set(_ count: Int, of stream: Int) { streams.withLock { $0[stream] = count } }
    }

    @Test func aMarkerThatMovesIsToldToTheUsersOwnStreams() async throws {
        try await TestServer.run(views: .following) { server in
            try await server.seed()
            for (id, text) in [("m1", "one"), ("m2", "two @bob"), ("m3", "three")] {
                let json = #""type":"SEND_MESSAGE","channelId":"general","message":"\#(text)""#
                try await Self.command(server, "alice", id, json)
            }
            // Two of bob's, one of which wants no such channel, one without `mine`, and another user's.
            let streams = [
                ("bob", "mine=true"), ("reader", "mine=true"), ("bob", "mine=true&channel=dev,general"),
                ("bob", "mine=true&channel=dev"), ("bob", ""), ("alice", "mine=true"),
            ]
            let told = ToldMarkers(streams: streams.count)
            try await withThrowingTaskGroup(of: (Int, String).self) { group in
                for (index, stream) in streams.enumerated() {
                    group.addTask {
                        let answer = try await server.client.call(
                            .GET, "/api/events/stream?" + stream.1, token: stream.0,
                            until: {
                                let text = String(decoding: $0, as: UTF8.self)
                                told.set(Self.frames(text).count { $0.hasPrefix("event: read\n") }, of: index)
                                return text.contains("id: end\n")
                            })
                        return (index, answer.text)
                    }
                }
                try await waitUntil("all are open") { !told.counts.contains(nil) }
                for (body, count) in [
                    (#"{"channelId":"general","eventId":"m1"}"#, 1), (#"{"channelId":"general","eventId":"m1"}"#, 1),
                    (#"{"channelId":"general","eventId":"m3"}"#, 2),
                    (#"{"channelId":"general","eventId":"m2","unread":true}"#, 3),
                ] {
                    let answer = try await server.client.call(.POST, "/api/read", token: "bob", body: Array(body.utf8))
                    #expect(answer.status == 204)
                    // Moves that follow each other closely may be told together.
                    try await waitUntil("it is told") { told.counts.prefix(3).allSatisfy { $0 == count } }
                }
                let end = #""type":"CREATE_CHANNEL","channelId":"dev""#
                try await Self.command(server, "alice", "end0", end)
                try await Self.command(
                    server, "alice", "end", #""type":"SET_TOPIC","channelId":"dev","topic":"t""#)
                let expected = [
                    #"{"channelId":"general","eventId":"m1","unread":2,"mentions":1}"#,
                    #"{"channelId":"general","eventId":"m3","unread":0,"mentions":0}"#,
                    #"{"channelId":"general","eventId":"m1","unread":2,"mentions":1}"#,
                ]
                for try await (index, text) in group {
                    let frames = Self.frames(text).filter { $0.hasPrefix("event: read\n") }
                    let data = frames.map { $0.split(separator: "\n").dropFirst().joined() }
                    #expect(data == (index < 3 ? expected.map { "data: " + $0 } : []), "\(streams[index])")
                    #expect(!frames.contains { $0.contains("id:") })
                }
            }
        }
    }

    @Test func withoutViewsAMarkerIsToldWithoutCounts() async throws {
        try await TestServer.run(views: .closed) { server in
            try await server.seed()
            try await Self.command(
                server, "alice", "m1", #""type":"SEND_MESSAGE","channelId":"general","message":"x""#)
            let (opened, open) = AsyncStream.makeStream(of: Void.self)
            async let followed = server.client.call(
                .GET, "/api/events/stream?mine=true", token: "bob",
                until: {
                    open.yield()
                    return String(decoding: $0, as: UTF8.self).contains("event: read")
                })
            _ = await opened.first { _ in true }
            let body = #"{"channelId":"general","eventId":"m1"}"#
            #expect(
                try await server.client.call(.POST, "/api/read", token: "bob", body: Array(body.utf8)).status == 204)
            #expect(try await followed.text.hasSuffix("event: read\ndata: \(body)\n\n"))
        }
    }
}
