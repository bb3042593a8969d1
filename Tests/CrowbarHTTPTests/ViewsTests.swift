import CrowbarCore
import CrowbarViews
import JSONBytes
import NIOHTTP1
import Testing

@testable import CrowbarHTTP

/// `/views/…` over HTTP: who sees what (docs/api.md, "Views").
@Suite(.serialized) struct ViewsTests {
    typealias Kind = PrivateChannelTests.Kind

    /// A view's path. `%` is the private channel, for comparing with an id that was never used.
    struct Path: Sendable, CustomTestStringConvertible {
        var testDescription: String
        /// Whether it may be read without a token.
        var isPublic = true
        /// Whether it takes `all=true`.
        var takesAll = true
        /// Whether it is about the private channel alone, so that it is not there for others.
        var isOfChannel = false
        /// What who may read the channel finds of it there; nil where that is nothing.
        var shows: String? = "ecret"
        /// Whether that is only for members: not for an admin who reads everything.
        var isOwn = false

        static let all = [
            Path(testDescription: "allchannels.json?"),
            Path(testDescription: "allusers.json?", isPublic: false, takesAll: false, shows: nil),
            Path(testDescription: "channel/%.json?", isOfChannel: true),
            Path(testDescription: "messages/%.json?", isOfChannel: true),
            Path(testDescription: "messages/%.json?before=p-message-3", isOfChannel: true),
            Path(testDescription: "messages/%.json?after=p-create", isOfChannel: true),
            Path(testDescription: "messages/%.json?around=p-message-1", isOfChannel: true),
            Path(testDescription: "allmessages.json?"),
            Path(testDescription: "search.json?q=secret", isPublic: false),
            Path(testDescription: "search.json?q=se", isPublic: false),
            Path(testDescription: "search.json?q=secret&from=bob", isPublic: false),
            Path(testDescription: "search.json?q=secret&channel=%", isPublic: false, isOfChannel: true),
            Path(testDescription: "unread.json?", isPublic: false, takesAll: false, shows: "\"vault\":", isOwn: true),
        ]

        func get(
            _ server: TestServer, _ kind: Kind, channel: String = "vault", more: String = ""
        ) async throws -> TestClient.Answer {
            let path = "/views/" + testDescription.replacing("%", with: channel)
            let all = takesAll ? kind.parameter : ""
            return try await server.client.call(
                .GET, path + "&min=end&wait=10s" + all + more, token: kind.token)
        }
    }

    /// What gives the private channel away, but for its id where the caller named it.
    private static func traces(of answer: TestClient.Answer) -> [String] {
        let headers = answer.headers.map { "\($0.name): \($0.value)" }.joined(separator: "\n")
        return ["ecret", "p-", "vault"].filter { answer.text.contains($0) || headers.contains($0) }
    }

    @Test(arguments: Path.all) func everyReaderSeesWhatItMay(_ path: Path) async throws {
        try await TestServer.run(anonymousRead: true, views: .following) { server in
            try await PrivateChannelTests.prepare(server)
            for step in PrivateChannelTests.story {
                try await PrivateChannelTests.send(server, step.user, step.id, step.json, to: "vault")
            }
            try await PrivateChannelTests.end(server)
            for kind in Kind.allCases {
                let answer = try await path.get(server, kind)
                if kind == .anonymous, !path.isPublic {
                    #expect(answer.status == 401, "\(kind)")
                } else if kind.sees.count > 1, !(path.isOwn && kind == .adminAll) {
                    #expect(answer.status == 200, "\(kind): \(answer.text)")
                    if let text = path.shows {
                        #expect(answer.text.contains(text), "\(kind): \(answer.text)")
                    } else {
                        #expect(!answer.text.contains("ecret"), "\(kind): \(answer.text)")
                    }
                } else if path.isOfChannel {
                    let never = try await path.get(server, kind, channel: "never")
                    #expect(answer.status == 404 && answer.code == "channel_not_found", "\(kind): \(answer.text)")
                    #expect(answer.text == never.text.replacing("never", with: "vault"), "\(kind)")
                    #expect(answer.headers.map(\.name) == never.headers.map(\.name), "\(kind)")
                } else {
                    #expect(answer.status == 200, "\(kind): \(answer.text)")
                    #expect(Self.traces(of: answer).isEmpty, "\(kind): \(answer.text) \(answer.headers)")
                }
            }
        }
    }

    @Test(arguments: Path.all) func thePublicChannelOfTheSameIdOpensNothing(_ path: Path) async throws {
        try await TestServer.run(anonymousRead: true, views: .following) { server in
            try await PrivateChannelTests.prepare(server)
            for step in PrivateChannelTests.story {
                try await PrivateChannelTests.send(server, step.user, step.id, step.json, to: "vault")
            }
            func send(_ user: String, _ id: String, _ json: String) async throws {
                try await PrivateChannelTests.send(server, user, id, json, to: "vault")
            }
            try await send("alice", "p-destroy", #""type":"DESTROY_CHANNEL""#)
            try await send("bob", "o-create", #""type":"CREATE_CHANNEL""#)
            try await send("carol", "o-join", #""type":"JOIN_CHANNEL""#)
            try await send("carol", "o-message", #""type":"SEND_MESSAGE","message":"open""#)
            try await PrivateChannelTests.end(server)
            for kind in Kind.allCases where kind != .anonymous || path.isPublic {
                let answer = try await path.get(server, kind)
                #expect(answer.status == 200, "\(kind): \(answer.text)")
                #expect(!answer.text.contains("ecret") && !answer.text.contains("p-"), "\(kind): \(answer.text)")
            }
        }
    }

    /// How a membership ends, and by whom.
    static let ends: [(json: String, user: String)] = [
        (#""type":"REMOVE_USER","member":"bob""#, "alice"), (#""type":"LEAVE_CHANNEL""#, "bob"),
        (#""type":"DESTROY_CHANNEL""#, "alice"),
    ]

    @Test(arguments: ends.indices) func anEndedMembershipCountsForTheNextCall(_ row: Int) async throws {
        let (json, user) = Self.ends[row]
        try await TestServer.run(views: .following) { server in
            try await PrivateChannelTests.prepare(server)
            for step in PrivateChannelTests.story.prefix(4) {
                try await PrivateChannelTests.send(server, step.user, step.id, step.json, to: "vault")
            }
            try await PrivateChannelTests.end(server)
            let paths = Path.all.filter { $0.shows != nil && !$0.testDescription.contains("=p-message-3") }
            for path in paths where !path.testDescription.contains("from=") {
                let answer = try await path.get(server, .member)
                #expect(path.shows.map { answer.text.contains($0) } ?? false, "\(path): \(answer.text)")
            }
            #expect(try await server.client.post(#"{"channelId":"vault",\#(json)}"#, token: user).status == 200)
            for path in paths {
                // Whether the views have seen the end or not.
                let answer = try await path.get(server, .member)
                #expect(path.shows.map { !answer.text.contains($0) } ?? false, "\(path): \(answer.text)")
            }
        }
    }

    @Test func allIsForAdminsAndIsWrittenDown() async throws {
        try await TestServer.run(anonymousRead: true, views: .following) { server in
            try await PrivateChannelTests.prepare(server)
            try await PrivateChannelTests.end(server)
            for path in Path.all where path.takesAll {
                let target = "/views/" + path.testDescription.replacing("%", with: "general")
                for token in ["alice", "reader"] {
                    let answer = try await server.client.call(.GET, target + "&all=true", token: token)
                    #expect(answer.status == 403 && answer.code == "forbidden", "\(path) \(token)")
                }
                #expect(try await server.client.call(.GET, target + "&all=true").code == "unauthorized")
                let wrong = try await server.client.call(.GET, target + "&all=yes", token: "root")
                #expect(wrong.code == "invalid_command" && wrong.field == "all")
                #expect(try await server.client.call(.GET, target, token: "sender").status == 403)
            }
            #expect(!server.lines.all.contains { $0.hasPrefix("audit: ") })
            for kind in [Kind.admin, .adminAll] {
                #expect(try await Path.all[0].get(server, kind).status == 200)
                #expect(server.lines.all.count { $0.hasPrefix("audit: ") } == (kind == .admin ? 0 : 1))
            }
        }
    }

    @Test func withoutAnonymousReadEveryViewNeedsAToken() async throws {
        try await TestServer.run(views: .following) { server in
            for path in Path.all {
                let target = "/views/" + path.testDescription.replacing("%", with: "general")
                let answer = try await server.client.call(.GET, target)
                #expect(answer.status == 401 && answer.code == "unauthorized", "\(path)")
            }
        }
    }

    /// The audit log has no call that was refused for a parameter.
    @Test func aCallWithAnUnknownParameterReadsNothing() async throws {
        try await TestServer.run(views: .following) { server in
            try await server.seed()
            for target in [
                "/views/allusers.json?all=true", "/views/unread.json?all=true",
                "/views/allchannels.json?all=true&limit=1", "/api/events?all=true&queue=a",
            ] {
                let answer = try await server.client.call(.GET, target, token: "root")
                #expect(answer.status == 422 && answer.code == "invalid_command", "\(target): \(answer.text)")
            }
            #expect(!server.lines.all.contains { $0.hasPrefix("audit: ") })
            let answer = try await server.client.call(.GET, "/api/events?all=true", token: "root")
            #expect(answer.status == 200)
            #expect(server.lines.all.count { $0.hasPrefix("audit: ") } == 1)
        }
    }

    @Test func theSocketReadsEverything() async throws {
        let door = Door.commandLine(
            keyHash: TestServer.hash(Array("key".utf8)),
            AdminActions(addUser: { _, _ in }, makeToken: { _, _, _ in "" }))
        try await TestServer.run(door: door, views: .following) { server in
            try await server.seed()
            let json = #"{"type":"CREATE_CHANNEL","userId":"alice","channelId":"vault","private":true,"eventId":"p"}"#
            #expect(try await server.client.post(json, token: "key").status == 200)
            let answer = try await server.client.call(.GET, "/views/allchannels.json?min=p", token: "key")
            #expect(answer.text.contains(#"{"id":"vault","name":"vault","users":1,"private":true}"#))
            #expect(!server.lines.all.contains { $0.hasPrefix("audit: ") })
        }
    }
}
