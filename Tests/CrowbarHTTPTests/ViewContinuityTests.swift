import CrowbarCore
import CrowbarViews
import JSONBytes
import NIOHTTP1
import Testing

@testable import CrowbarHTTP

/// A view and the stream that goes on where it ends, and the form of validators (docs/api.md, "Headers and caches").
@Suite(.serialized) struct ViewContinuityTests {
    /// What a call of `messages/general.json` gave.
    private struct Snapshot {
        var ids: [String]
        /// `Crowbar-After`.
        var resume: String
        /// POSITION of the validator.
        var position: Int64
    }

    private static func snapshot(_ server: TestServer, _ token: String) async throws -> Snapshot {
        let answer = try await server.client.call(.GET, "/views/messages/general.json?limit=500", token: token)
        #expect(answer.status == 200, "\(answer.text)")
        let messages = try JSONObject(parsing: answer.body).objects("messages") ?? []
        let tag = try #require(answer.headers.first(name: "etag"))
        let position = tag.split(separator: "-").dropFirst().first.flatMap { Int64($0) }
        return Snapshot(
            ids: messages.compactMap { $0.string("eventId") },
            resume: try #require(answer.headers.first(name: "crowbar-after")), position: try #require(position))
    }

    /// The messages that a stream delivers up to the last one, with their positions.
    private static func follow(
        _ server: TestServer, _ token: String, after event: String
    ) async throws -> [(id: String, position: Int64)] {
        let answer = try await server.client.call(
            .GET, "/api/events/stream?type=MESSAGE_SENT&channel=general&after=\(event)", token: token,
            until: { body in
                // The last frame is whole: its data stands behind its id.
                let text = String(decoding: body, as: UTF8.self)
                return text.firstRange(of: "id: end\n").map { text[$0.upperBound...].contains("\n\n") } ?? false
            })
        return try answer.lines.filter { $0.hasPrefix("data: ") }.map { line in
            let line = try JSONObject(parsing: Array(line.dropFirst(6).utf8))
            return (line.object("event")?.string("eventId") ?? "", line.int("position") ?? 0)
        }
    }

    @Test func aStreamGoesOnExactlyWhereAViewEnds() async throws {
        try await TestServer.run(views: .following) { server in
            try await server.seed()
            func send(_ user: String, _ id: String, _ json: String) async throws {
                let answer = try await server.client.post(#"{"eventId":"\#(id)",\#(json)}"#, token: user)
                #expect(answer.status == 200, "\(answer.text)")
            }
            try await send("alice", "den", #""type":"CREATE_CHANNEL","channelId":"den","private":true"#)
            try await send("alice", "m0", #""type":"SEND_MESSAGE","channelId":"general","message":"x""#)
            _ = try await server.client.call(
                .GET, "/views/messages/general.json?min=m0&wait=10s", token: "alice")
            // Views are read while events come, of which bob may not read every third. How far the view is then is not
            // known: it follows the log by itself.
            let count = 150
            var taken: [(token: String, snapshot: Snapshot)] = []
            for number in 1...count {
                let channel = number.isMultiple(of: 3) ? "den" : "general"
                try await send(
                    "alice", "m\(number)", #""type":"SEND_MESSAGE","channelId":"\#(channel)","message":"x""#)
                guard number.isMultiple(of: 25) || number == 11 else { continue }
                for token in ["alice", "bob"] { taken.append((token, try await Self.snapshot(server, token))) }
            }
            try await send("alice", "end", #""type":"SEND_MESSAGE","channelId":"general","message":"x""#)
            let all = (0...count).filter { !$0.isMultiple(of: 3) || $0 == 0 }.map { "m\($0)" } + ["end"]
            for (token, snapshot) in taken {
                let rest = try await Self.follow(server, token, after: snapshot.resume)
                // Alice may read the checkpoint's event: nothing is missing and nothing comes twice. For bob the place
                // may be an earlier event; what comes again is not above the validator's position.
                let new = token == "alice" ? rest : rest.filter { $0.position > snapshot.position }
                #expect(snapshot.ids + new.map(\.id) == all, "\(token) after \(snapshot.resume)")
            }
        }
    }

    /// Whose validators end in `0`, and which have a digest in place of a position.
    private static let forms: [(path: String, token: String?, isPlain: Bool, isDigest: Bool)] = [
        ("allchannels.json", "alice", false, false), ("allchannels.json", nil, true, false),
        ("allusers.json", "alice", true, false), ("channel/general.json", "alice", true, false),
        ("messages/general.json", "alice", false, false), ("messages/general.json", nil, true, false),
        ("allmessages.json", "bob", false, false), ("allmessages.json", nil, true, false),
        ("search.json?q=hello", "alice", false, true), ("unread.json", "alice", false, true),
    ]

    @Test func aValidatorHasVersionPositionAndCaller() async throws {
        try await TestServer.run(anonymousRead: true, views: .following) { server in
            try await server.seed()
            let json = #"{"type":"SEND_MESSAGE","channelId":"general","message":"hello","eventId":"m"}"#
            #expect(try await server.client.post(json, token: "alice").status == 200)
            // Positions: users 1 to 4, the channel 5, the join 6, the message 7.
            let positions = ["allchannels": 6, "allusers": 4, "channel": 6, "messages": 7, "allmessages": 7]
            var callers: [String: Set<Substring>] = [:]
            for form in Self.forms {
                let separator = form.path.contains("?") ? "&" : "?"
                let answer = try await server.client.call(
                    .GET, "/views/\(form.path)\(separator)min=m&wait=10s", token: form.token)
                let tag = try #require(answer.headers.first(name: "etag"), "\(answer.text)")
                #expect(tag.hasPrefix("\"") && tag.hasSuffix("\""), "\(tag)")
                let parts = tag.dropFirst().dropLast().split(separator: "-", omittingEmptySubsequences: false)
                try #require(parts.count == 3, "\(tag)")
                func isDigest(_ text: Substring) -> Bool { text.wholeMatch(of: /[0-9a-f]{16}/) != nil }
                #expect(Int(parts[0]) ?? 0 >= 1, "\(form.path): \(tag)")
                let view = String(form.path.prefix { $0 != "." && $0 != "/" })
                if form.isDigest {
                    #expect(isDigest(parts[1]), "\(form.path): \(tag)")
                } else {
                    #expect(positions[view].map { "\($0)" } == String(parts[1]), "\(form.path): \(tag)")
                }
                #expect(form.isPlain ? parts[2] == "0" : isDigest(parts[2]), "\(form.path): \(tag)")
                callers[view, default: []].insert(parts[2])
            }
            #expect(callers["allchannels"]?.count == 2 && callers["messages"]?.count == 2)
        }
    }
}
