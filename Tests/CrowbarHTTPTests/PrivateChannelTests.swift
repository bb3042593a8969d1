import CrowbarCore
import JSONBytes
import NIOHTTP1
import Testing

@testable import CrowbarHTTP

/// Every way to read against every kind of reader (docs/api.md, "Private channels"). A new way to read is one more line
/// of ``ReadingPath/all``.
@Suite(.serialized) struct PrivateChannelTests {
    /// Who reads.
    enum Kind: String, CaseIterable, Sendable {
        case creator, member, nonMember, invitee, removed, left, admin, adminAll, anonymous

        var token: String? {
            switch self {
            case .creator: "alice"
            case .member: "bob"
            case .nonMember: "carol"
            case .invitee: "dave"
            case .removed: "eve"
            case .left: "finn"
            case .admin, .adminAll: "root"
            case .anonymous: nil
            }
        }

        /// What is added to a query.
        var parameter: String { self == .adminAll ? "&all=true" : "" }

        /// The events of the private channel that it may read, of those in ``PrivateChannelTests/hidden``.
        var sees: Set<String> {
            switch self {
            case .creator, .member, .adminAll: Set(PrivateChannelTests.hidden)
            case .invitee: ["p-invite-dave"]
            case .nonMember, .removed, .left, .admin, .anonymous: []
            }
        }
    }

    /// A way to read, which gives the ids of events that it shows.
    struct ReadingPath: Sendable, CustomTestStringConvertible {
        var testDescription: String
        /// Whether it gives only what concerns a reader who is no member of the public channel.
        func isOwn(_ kind: Kind) -> Bool {
            testDescription.contains("one's own") && ![.member, .nonMember, .anonymous, .adminAll].contains(kind)
        }
        /// Which of the private channel's events this way would show to a reader of everything.
        var shows: @Sendable (_ id: String) -> Bool = { _ in true }
        var read: @Sendable (TestServer, Kind) async throws -> Set<String>

        static func page(_ query: String) -> @Sendable (TestServer, Kind) async throws -> Set<String> {
            { server, kind in
                let answer = try await server.client.call(
                    .GET, "/api/events?limit=1000" + query + kind.parameter, token: kind.token)
                #expect(answer.status == 200, "\(kind): \(answer.text)")
                return ids(answer.lines)
            }
        }

        static func stream(_ query: String) -> @Sendable (TestServer, Kind) async throws -> Set<String> {
            { server, kind in
                let answer = try await server.client.call(
                    .GET, "/api/events/stream?" + query + kind.parameter, token: kind.token,
                    until: { String(decoding: $0, as: UTF8.self).contains("id: end\n") })
                return ids(answer.lines.filter { $0.hasPrefix("data: ") }.map { String($0.dropFirst(6)) })
            }
        }

        /// `mine=true`; for those who have nothing of their own the stream without it.
        static func own(_ query: String) -> @Sendable (TestServer, Kind) async throws -> Set<String> {
            { server, kind in
                if kind == .anonymous || kind == .adminAll { return try await stream(query)(server, kind) }
                // Its end is an event that concerns everybody.
                let answer = try await server.client.call(
                    .GET, "/api/events/stream?mine=true&" + query, token: kind.token,
                    until: { String(decoding: $0, as: UTF8.self).contains("id: topic\n") })
                return ids(answer.lines.filter { $0.hasPrefix("data: ") }.map { String($0.dropFirst(6)) })
            }
        }

        static let all: [ReadingPath] = [
            ReadingPath(testDescription: "GET /api/events", read: page("")),
            ReadingPath(testDescription: "GET /api/events?channel=", read: page("&channel=vault")),
            ReadingPath(
                testDescription: "GET /api/events?type=", shows: { $0.hasPrefix("p-message") },
                read: page("&type=MESSAGE_SENT")),
            ReadingPath(
                testDescription: "GET /api/events?after= an invisible event", shows: { $0 != "p-create" },
                read: page("&after=p-create")),
            ReadingPath(testDescription: "stream, resumed", read: stream("after=first")),
            ReadingPath(
                testDescription: "stream, resumed behind an invisible event", shows: { $0 != "p-create" },
                read: stream("after=p-create")),
            ReadingPath(
                testDescription: "stream of a channel", read: stream("after=first&channel=vault,general")),
            ReadingPath(testDescription: "stream of one's own, resumed", read: own("after=first")),
            ReadingPath(
                testDescription: "stream of one's own, resumed behind an invisible event",
                shows: { $0 != "p-create" }, read: own("after=p-create")),
        ]
    }

    /// The events of the private channel, by their ids.
    static let hidden = [
        "p-create", "p-message-1", "p-invite-bob", "p-join-bob", "p-invite-eve", "p-join-eve", "p-message-2",
        "p-remove-eve", "p-invite-finn", "p-join-finn", "p-leave-finn", "p-topic", "p-reaction", "p-invite-dave",
        "p-message-3",
    ]

    static let story: [(user: String, id: String, json: String)] = [
        ("alice", "p-create", #""type":"CREATE_CHANNEL","channelName":"Secret","private":true"#),
        ("alice", "p-message-1", #""type":"SEND_MESSAGE","message":"secret""#),
        ("alice", "p-invite-bob", #""type":"INVITE_USER","invitee":"bob""#),
        ("bob", "p-join-bob", #""type":"JOIN_CHANNEL""#),
        ("bob", "p-invite-eve", #""type":"INVITE_USER","invitee":"eve""#),
        ("eve", "p-join-eve", #""type":"JOIN_CHANNEL""#),
        ("eve", "p-message-2", #""type":"SEND_MESSAGE","message":"secret""#),
        ("alice", "p-remove-eve", #""type":"REMOVE_USER","member":"eve""#),
        ("alice", "p-invite-finn", #""type":"INVITE_USER","invitee":"finn""#),
        ("finn", "p-join-finn", #""type":"JOIN_CHANNEL""#),
        ("finn", "p-leave-finn", #""type":"LEAVE_CHANNEL""#),
        ("bob", "p-topic", #""type":"SET_TOPIC","topic":"secret""#),
        ("bob", "p-reaction", #""type":"ADD_REACTION","messageId":"p-message-1","reaction":"👍""#),
        ("alice", "p-invite-dave", #""type":"INVITE_USER","invitee":"dave""#),
        ("bob", "p-message-3", #""type":"SEND_MESSAGE","message":"secret""#),
    ]

    private static func ids(_ lines: [String]) -> Set<String> {
        Set(
            lines.compactMap {
                (try? JSONObject(parsing: Array($0.utf8)))?.object("event")?.string("eventId")
            })
    }

    static func send(_ server: TestServer, _ user: String, _ id: String, _ json: String, to channel: String)
        async throws
    {
        let text = #"{"eventId":"\#(id)","channelId":"\#(channel)",\#(json)}"#
        let answer = try await server.client.post(text, token: user)
        #expect(answer.status == 200, "\(text): \(answer.text)")
    }

    static func prepare(_ server: TestServer) async throws {
        for user in ["dave", "eve", "finn"] {
            server.accounts.set(user, Principal(userId: user, scopes: [.commands, .read]))
            let json = #"{"type":"REGISTER_USER","userId":"\#(user)","name":"\#(user)"}"#
            #expect(try await server.client.post(json, token: user).status == 200)
        }
        try await server.seed()
        try await send(server, "alice", "first", #""type":"SEND_MESSAGE","message":"open""#, to: "general")
    }

    static func end(_ server: TestServer, _ id: String = "end") async throws {
        try await send(server, "alice", id, #""type":"SEND_MESSAGE","message":"open""#, to: "general")
        try await send(server, "alice", "topic", #""type":"SET_TOPIC","topic":"open""#, to: "general")
    }

    @Test(arguments: ReadingPath.all)
    func everyReaderSeesWhatItMay(_ path: ReadingPath) async throws {
        try await TestServer.run(anonymousRead: true) { server in
            try await Self.prepare(server)
            for step in Self.story { try await Self.send(server, step.user, step.id, step.json, to: "vault") }
            try await Self.end(server)
            for kind in Kind.allCases {
                let seen = try await path.read(server, kind)
                #expect(seen.filter { $0.hasPrefix("p-") } == kind.sees.filter(path.shows), "\(kind)")
            }
        }
    }

    @Test(arguments: ReadingPath.all)
    func thePublicChannelOfTheSameIdOpensNothing(_ path: ReadingPath) async throws {
        try await TestServer.run(anonymousRead: true) { server in
            try await Self.prepare(server)
            for step in Self.story { try await Self.send(server, step.user, step.id, step.json, to: "vault") }
            try await Self.send(server, "alice", "p-destroy", #""type":"DESTROY_CHANNEL""#, to: "vault")
            try await Self.send(server, "bob", "o-create", #""type":"CREATE_CHANNEL""#, to: "vault")
            try await Self.send(server, "carol", "o-join", #""type":"JOIN_CHANNEL""#, to: "vault")
            try await Self.send(server, "carol", "o-message", #""type":"SEND_MESSAGE","message":"open""#, to: "vault")
            try await Self.end(server)
            for kind in Kind.allCases {
                let seen = try await path.read(server, kind)
                let expected: Set<String> =
                    kind == .adminAll ? Set((Self.hidden + ["p-destroy"]).filter(path.shows)) : []
                #expect(seen.filter { $0.hasPrefix("p-") } == expected, "\(kind)")
                #expect(seen.contains(path.isOwn(kind) ? "o-create" : "o-message"), "\(kind)")
            }
        }
    }

    @Test(arguments: Kind.allCases, [false, true])
    func aStreamGainsAndLosesAtTheEvents(_ kind: Kind, _ isOwn: Bool) async throws {
        // These have nothing of their own.
        if isOwn, kind == .anonymous || kind == .adminAll { return }
        try await TestServer.run(anonymousRead: true) { server in
            try await Self.prepare(server)
            let (opened, open) = AsyncStream.makeStream(of: Void.self)
            async let stream = server.client.call(
                .GET, "/api/events/stream?mine=\(isOwn)" + kind.parameter, token: kind.token,
                until: {
                    open.yield()
                    return String(decoding: $0, as: UTF8.self).contains("id: topic\n")
                })
            _ = await opened.first { _ in true }
            for step in Self.story { try await Self.send(server, step.user, step.id, step.json, to: "vault") }
            try await Self.send(server, "alice", "p-destroy", #""type":"DESTROY_CHANNEL""#, to: "vault")
            try await Self.send(server, "carol", "o-create", #""type":"CREATE_CHANNEL""#, to: "vault")
            try await Self.end(server)
            let all = Self.hidden + ["p-destroy"]
            let expected: [String] =
                switch kind {
                case .creator, .adminAll: all
                case .member: Array(all[2...])
                case .invitee: ["p-invite-dave"]
                // The last one is the event that ended the membership.
                case .removed: ["p-invite-eve", "p-join-eve", "p-message-2", "p-remove-eve"]
                case .left: ["p-invite-finn", "p-join-finn", "p-leave-finn"]
                case .nonMember, .admin, .anonymous: []
                }
            let lines = try await stream.lines.filter { $0.hasPrefix("id: ") }.map { String($0.dropFirst(4)) }
            // An invitee of a channel sees that they are invited, and nothing else of it before they join.
            #expect(lines.filter { $0.hasPrefix("p-") } == expected)
            let isInGeneral = !isOwn || kind == .creator || kind == .member
            #expect(
                lines.suffix(isInGeneral ? 3 : 2)
                    == (isInGeneral ? ["o-create", "end", "topic"] : ["o-create", "topic"]))
        }
    }

    @Test func aRemovalCountsForTheNextCall() async throws {
        try await TestServer.run { server in
            try await Self.prepare(server)
            for step in Self.story.prefix(4) { try await Self.send(server, step.user, step.id, step.json, to: "vault") }
            for (end, user) in [
                (#""type":"REMOVE_USER","member":"bob""#, "alice"), (#""type":"LEAVE_CHANNEL""#, "bob"),
                (#""type":"DESTROY_CHANNEL""#, "alice"),
            ] {
                let before = try await ReadingPath.page("&channel=vault")(server, .member)
                #expect(before.contains("p-message-1"))
                let body = #"{"channelId":"vault",\#(end)}"#
                #expect(try await server.client.post(body, token: user).status == 200)
                #expect(try await ReadingPath.page("&channel=vault")(server, .member).isEmpty, "\(end)")
                if end.contains("DESTROY") { continue }
                for (who, json) in [
                    ("alice", #""type":"INVITE_USER","invitee":"bob""#), ("bob", #""type":"JOIN_CHANNEL""#),
                ] {
                    let body = #"{"channelId":"vault",\#(json)}"#
                    #expect(try await server.client.post(body, token: who).status == 200)
                }
            }
        }
    }

    @Test func allIsForAdminsAndIsWrittenDown() async throws {
        try await TestServer.run(anonymousRead: true) { server in
            try await Self.prepare(server)
            for path in ["/api/events", "/api/events/stream"] {
                let client = server.client
                for token in ["alice", "reader"] {
                    let answer = try await client.call(.GET, path + "?all=true", token: token)
                    #expect(answer.status == 403 && answer.code == "forbidden", "\(path) \(token)")
                }
                #expect(try await client.call(.GET, path + "?all=true").code == "unauthorized")
                let wrong = try await client.call(.GET, path + "?all=yes", token: "root")
                #expect(wrong.code == "invalid_command" && wrong.field == "all")
            }
            #expect(!server.lines.all.contains { $0.hasPrefix("audit: ") })
            _ = try await ReadingPath.page("&all=false")(server, .admin)
            #expect(!server.lines.all.contains { $0.hasPrefix("audit: ") })
            _ = try await ReadingPath.page("")(server, .adminAll)
            #expect(server.lines.all.count { $0.hasPrefix("audit: ") } == 1)
        }
    }

    @Test func anOpenReadingOfAllEndsWithTheAdminsRights() async throws {
        try await TestServer.run { server in
            try await Self.prepare(server)
            let (opened, open) = AsyncStream.makeStream(of: Void.self)
            async let stream = server.client.call(
                .GET, "/api/events/stream?all=true", token: "root",
                until: {
                    open.yield()
                    return String(decoding: $0, as: UTF8.self).contains("event: end")
                })
            _ = await opened.first { _ in true }
            server.accounts.set("root", Principal(userId: "root", scopes: [.commands, .read]))
            #expect(try await stream.text.contains(#""code":"forbidden""#))
        }
    }

    @Test(arguments: [Kind.nonMember, .removed, .left])
    func aPrivateChannelIsNotThereForOthers(_ kind: Kind) async throws {
        try await TestServer.run { server in
            try await Self.prepare(server)
            for step in Self.story { try await Self.send(server, step.user, step.id, step.json, to: "vault") }
            for json in [
                #""type":"JOIN_CHANNEL""#, #""type":"LEAVE_CHANNEL""#, #""type":"DESTROY_CHANNEL""#,
                #""type":"SET_TOPIC","topic":"t""#, #""type":"SEND_MESSAGE","message":"x""#,
                #""type":"SEND_MESSAGE","message":"x","replyTo":"p-message-1""#,
                #""type":"EDIT_MESSAGE","messageId":"p-message-2","message":"x""#,
                #""type":"DELETE_MESSAGE","messageId":"p-message-2""#,
                #""type":"INVITE_USER","invitee":"bob""#, #""type":"REMOVE_USER","member":"bob""#,
                #""type":"ADD_REACTION","messageId":"p-message-1","reaction":"👍""#,
                #""type":"REMOVE_REACTION","messageId":"p-message-1","reaction":"👍""#,
            ] {
                let hidden = try await server.client.post(#"{"channelId":"vault",\#(json)}"#, token: kind.token)
                let never = try await server.client.post(#"{"channelId":"never",\#(json)}"#, token: kind.token)
                #expect(hidden.status == 404 && hidden.code == "channel_not_found", "\(json)")
                #expect(hidden.text == never.text.replacing("never", with: "vault"), "\(json)")
                #expect(hidden.headers.map(\.name) == never.headers.map(\.name))
            }
            let hidden = try await server.client.call(.GET, "/api/events?channel=vault", token: kind.token)
            let never = try await server.client.call(.GET, "/api/events?channel=never", token: kind.token)
            #expect(hidden.status == never.status && hidden.text == never.text)
        }
    }

    @Test func theSocketReadsEverything() async throws {
        let door = Door.commandLine(
            keyHash: TestServer.hash(Array("key".utf8)),
            AdminActions(addUser: { _, _ in }, makeToken: { _, _, _ in "" }))
        try await TestServer.run(door: door) { server in
            try await server.seed()
            let client = server.client
            for json in [
                #"{"type":"CREATE_CHANNEL","userId":"alice","channelId":"vault","private":true,"eventId":"p"}"#,
                // The operator's right: uninvited, as whom they like.
                #"{"type":"JOIN_CHANNEL","userId":"bob","channelId":"vault","eventId":"j"}"#,
            ] { #expect(try await client.post(json, token: "key").status == 200) }
            let answer = try await client.call(.GET, "/api/events?channel=vault", token: "key")
            #expect(Self.ids(answer.lines) == ["p", "j"])
            #expect(!server.lines.all.contains { $0.hasPrefix("audit: ") })
        }
    }

    @Test(arguments: Kind.allCases)
    func listingsOfPluginsAreGivenTheCallersRights(_ kind: Kind) async throws {
        let plugins = PluginActions(
            show: { _ in [] }, act: { _, _ in [] }, forget: { _, _ in [] }, reload: { [] }, ask: { _, _, _ in [] },
            deliveries: { _, _, access in Array("\(access.reader)".utf8) }, logs: { _, _, _ in [] },
            setCursor: { _, _, _ in [] }, deadLetters: { _, _, _, access in Array("\(access.reader)".utf8) })
        try await TestServer.run(anonymousRead: true, plugins: plugins) { server in
            try await Self.prepare(server)
            let query = "?" + kind.parameter.dropFirst()
            let show = Array(#"{"do":"show","all":true}"#.utf8)
            let answers = [
                try await server.client.call(.POST, "/api/admin/dead-letters/p\(query)", token: kind.token, body: show),
                try await server.client.call(.GET, "/api/admin/plugins/p/deliveries\(query)", token: kind.token),
            ]
            for answer in answers {
                switch kind {
                case .admin: #expect(answer.text == "\(Reader.user("root"))\n")
                case .adminAll: #expect(answer.text == "\(Reader.all)\n")
                case .anonymous: #expect(answer.status == 401)
                default: #expect(answer.status == 403)
                }
            }
            #expect(server.lines.all.count { $0.hasPrefix("audit: ") } == (kind == .adminAll ? 2 : 0))
        }
    }
}
