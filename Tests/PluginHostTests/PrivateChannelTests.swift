import CrowbarCore
import CrowbarSQLite
import Foundation
import JSONBytes
import Settings
import Testing

@testable import PluginHost

/// What plugins see of private channels (docs/protocol.md, "Private channels").
@Suite(.serialized) struct PrivateChannelTests {
    /// Registers ann and bob, and has ann make `general`, and `vault` and `cellar`, which are private.
    private func populate(_ scenario: HostScenario) async throws {
        try await scenario.populate()
        _ = try await scenario.submit([create("vault", isPrivate: true), create("cellar", isPrivate: true)])
        let bob = Command(.registerUser, .registerUser(name: "Bob"), userId: "bob")
        _ = try await scenario.ingest.submit(Ingest.Request(bob, actor: "bob"))
    }

    private func create(_ channel: String, isPrivate: Bool = false) -> Command {
        Command(
            .createChannel, .createChannel(name: nil, description: nil, isPrivate: isPrivate), channelId: channel)
    }

    private func message(_ text: String, _ channel: String) -> Command {
        Command(.sendMessage, .sendMessage(text, messageId: nil, kind: nil, replyTo: nil), channelId: channel)
    }

    private static let some = "start = \"beginning\"\ntypes = [\"MESSAGE_SENT\"]\n"

    @Test func aPluginSeesOnlyThePrivateChannelsThatItsManifestLists() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("open", Self.some)
        try scenario.add("named", Self.some + #"channels = ["vault", "general"]"#)
        try scenario.add("private", Self.some + "private = true\nchannels = [\"vault\"]")
        try scenario.add("mixed", Self.some + "private = true\nchannels = [\"*\", \"vault\"]")
        try scenario.add(
            "pattern", config: #"queues = [{ name = "q", channels = ["va*", "gen*"] }]"#,
            Self.some + "private = true\nchannels = [\"va*\", \"gen*\", \"vault\"]")
        try await scenario.run { host in
            try await populate(scenario)
            for text in ["1", "2"] {
                for channel in ["vault", "cellar", "general"] {
                    try await scenario.send(["\(channel) \(text)"], to: channel)
                }
            }
            _ = try await scenario.submit([Command(.destroyChannel, .destroyChannel, channelId: "vault")])
            _ = try await scenario.submit([create("vault")])
            try await scenario.send(["public"], to: "vault")
            try await wait("no lag") { try await scenario.states(host).values.allSatisfy { $0.lag == 0 } }
            let open = ["general 1", "general 2", "public"]
            let expected = [
                "open": open, "named": open, "private": ["vault 1", "vault 2", "public"],
                "mixed": ["vault 1", "general 1", "vault 2", "general 2", "public"], "pattern": open,
            ]
            for (plugin, texts) in expected {
                try await wait(plugin) { scenario.messages(plugin).count >= texts.count }
                #expect(Set(scenario.messages(plugin)) == Set(texts), "\(plugin)")
            }
        }
    }

    @Test(arguments: [
        ("private = true", true), ("private = true\nchannels = [\"*\"]", true),
        ("private = true\nchannels = [\"a*\", \"b*\"]", true), ("private = 1\nchannels = [\"a\"]", true),
        ("private = true\nchannels = [\"a\"]", false), ("private = false", false),
        ("private = true\nchannels = [\"a*\", \"b\"]", false), ("phase = \"command\"\nprivate = true", false),
        ("phase = \"command\"\nprivate = true\nchannels = [\"a*\"]", true),
    ])
    func aManifestNamesItsPrivateChannels(_ keys: String, _ isWrong: Bool) {
        let text = "command = [\"x\"]\n" + keys
        let problems = ManifestReader.problems(Array(text.utf8), name: "p", file: "p.toml")
        #expect(problems.map(\.key) == (isWrong ? ["private"] : []))
    }

    @Test func aPluginsOwnUsersJoinAndNobodyElses() throws {
        var manifest = Manifest(name: "irc", file: "irc.toml", command: ["x"])
        manifest.commands = [.joinChannel]
        manifest.actAs = ["*"]
        func mayJoin(_ user: String, _ channel: String) throws -> Bool {
            let command = #"{"type":"JOIN_CHANNEL","userId":"\#(user)","channelId":"\#(channel)"}"#
            return try CommandPolicy(manifest).request(
                Array(command.utf8), cause: nil, key: nil, ref: nil, secret: [1], hmac: { $0 + $1 }
            ).mayJoinPrivate
        }
        manifest.channels = ["vault", "general", "ce*"]
        #expect(try !mayJoin("irc/ann", "vault"))
        manifest.isPrivate = true
        #expect(try mayJoin("irc/ann", "vault"))
        #expect(try !mayJoin("ann", "vault") && !mayJoin("ircx/ann", "vault"))
        #expect(try !mayJoin("irc/ann", "cellar") && !mayJoin("irc/ann", "other"))
    }

    @Test func whatIsGivenUpOnIsShownToThoseWhoMayReadIt() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add(
            "picky", config: "mode = \"reject\"\ntries = [\"bad-vault\", \"bad-general\", \"none\"]",
            Self.some + "private = true\nchannels = [\"vault\", \"general\"]")
        try await scenario.run { host in
            try await populate(scenario)
            for channel in ["vault", "general"] {
                var command = message("bad secret", channel)
                command.eventId = "bad-" + channel
                _ = try await scenario.submit([command])
            }
            try await wait("the dead letters") { try await scenario.states(host)["picky"]?.deadLetters == 2 }
            let told = scenario.lines.all.filter { $0.contains("dead letter at position") }
            #expect(told.count == 2 && told.allSatisfy { !$0.contains("secret") && !$0.contains("text") }, "\(told)")
            try await expectLetters(
                scenario, host, [(.user("ann"), true), (.user("bob"), false), (.anonymous, false), (.all, true)])
            // A public channel that takes the id opens nothing of the one before, also not for who was in that.
            for (user, json) in [
                ("ann", #"{"type":"DESTROY_CHANNEL","channelId":"vault"}"#),
                ("bob", #"{"type":"CREATE_CHANNEL","channelId":"vault"}"#),
                ("ann", #"{"type":"JOIN_CHANNEL","channelId":"vault"}"#),
            ] {
                let request = Ingest.Request(try Command(parsing: Array(json.utf8)), actor: user)
                _ = try await scenario.ingest.submit(request)
            }
            try await expectLetters(
                scenario, host, [(.user("ann"), false), (.user("bob"), false), (.anonymous, false), (.all, true)])
        }
    }

    /// Expects that listings have no text of a plugin that reads private channels, whichever channel it is from.
    @Test func listingsHaveNoTextOfAPluginThatReadsPrivateChannels() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let config = "mode = \"reject\"\ntries = [\"bad-vault\", \"bad-general\", \"none\"]"
        try scenario.add("picky", config: config, Self.some + "private = true\nchannels = [\"vault\", \"general\"]")
        try scenario.add("open", config: config, Self.some)
        try await scenario.run { host in
            try await populate(scenario)
            for channel in ["vault", "general"] {
                var command = message("bad secret", channel)
                command.eventId = "bad-" + channel
                _ = try await scenario.submit([command])
            }
            try await wait("the dead letters") {
                let states = try await scenario.states(host)
                return states["picky"]?.deadLetters == 2 && states["open"]?.deadLetters == 1
            }
            func check(_ letters: JSON, _ isOpen: [String: Bool], _ name: String) {
                for letter in letters.array ?? [] {
                    let plugin = letter["plugin"]?.string ?? ""
                    let text = String(decoding: letter.bytes, as: UTF8.self)
                    #expect(text.contains("bad secret") == isOpen[plugin], "\(name) \(plugin)")
                    #expect((letter["private"]?.bool == true) != isOpen[plugin], "\(name) \(plugin)")
                    #expect((letter["message"] != nil) == isOpen[plugin], "\(name) \(plugin)")
                }
                #expect(!(letters.array ?? []).isEmpty, "\(name)")
            }
            let isOpen = ["picky": false, "open": true]
            check(try await host.deadLetters(of: nil, queue: nil), isOpen, "all")
            for plugin in isOpen.keys {
                check(try await host.deadLetters(of: plugin, queue: nil), isOpen, "list")
                let page = try await host.deadLetterPage(of: plugin, queue: nil, after: nil, limit: 100)
                check(page["letters"] ?? .null, isOpen, "page")
            }
            // Letters of private channels stay covered if the plugin no longer reads them.
            try scenario.add("picky", config: config, Self.some + "channels = [\"vault\", \"general\"]")
            _ = try host.reload()
            try await wait("the manifest") { try await host.show("picky")["manifest"]?["private"]?.bool == false }
            for letter in try await host.deadLetters(of: "picky", queue: nil).array ?? [] {
                let isPublic = letter["eventId"]?.string == "bad-general"
                #expect((letter["text"] != nil) == isPublic && (letter["message"] != nil) == isPublic)
            }
        }
    }

    /// Expects each reader to see the dead letter of the private channel, or only that there is one.
    private func expectLetters(
        _ scenario: HostScenario, _ host: PluginHost, _ readers: [(reader: Reader, sees: Bool)]
    ) async throws {
        let rights = ReadAccess(scenario.log)
        let all = PluginHost.Letters(plugin: "picky", queue: nil, eventIds: nil)
        for (reader, seesEvent) in readers {
            let access = try await rights.access(for: reader)
            for (name, letters, text) in [
                ("show", try await host.show(all, for: access), "event"),
                ("deliveries", try await host.deliveries(of: "picky", queue: nil, for: access), "answer"),
            ] {
                let found = Dictionary(
                    (letters.array ?? []).map { ($0["eventId"]?.string ?? "", $0) }, uniquingKeysWith: { $1 })
                let hidden = try #require(found["bad-vault"], "\(name)")
                // Answers are on the console's screen without being asked for: only who asks for everything has them.
                let sees = name == "deliveries" ? reader == .all : seesEvent
                #expect((hidden[text] != nil) == sees, "\(reader) \(name)")
                #expect(hidden["private"]?.bool == (sees ? nil : true), "\(reader) \(name)")
                #expect(found["bad-general"]?[text] != nil, "\(reader) \(name)")
                // What the plugin said about a public event can repeat a private one.
                if name == "show" {
                    #expect((found["bad-general"]?["message"] != nil) == (reader == .all), "\(reader)")
                }
                let shown = String(decoding: hidden.bytes, as: UTF8.self)
                #expect(shown.contains("secret") == sees, "\(reader) \(name)")
                #expect(shown.contains("bad text") == (sees && name != "deliveries"), "\(reader) \(name)")
            }
        }
    }

    @Test func aRedriveIsBoundByTheManifestOfNow() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let mode = "mode = \"fixed\""
        try scenario.add("picky", config: mode, Self.some + "private = true\nchannels = [\"vault\", \"general\"]")
        try await scenario.run { host in
            try await populate(scenario)
            try await scenario.send(["bad"], to: "vault")
            try await wait("the dead letter") { try await scenario.states(host)["picky"]?.deadLetters == 1 }
            try scenario.add("picky", config: mode, Self.some + "channels = [\"vault\", \"general\"]")
            _ = try host.reload()
            try await wait("the new process") {
                try await host.show("picky")["manifest"]?["private"]?.bool == false
                    && scenario.seen("picky").count { $0["type"]?.string == "start" } == 2
            }
            let letters = PluginHost.Letters(plugin: "picky", queue: nil, eventIds: nil)
            _ = try await host.retry(letters)
            try await scenario.send(["open"])
            try await wait("what comes behind") { scenario.messages("picky").contains("open") }
            #expect(scenario.messages("picky") == ["bad", "open"])
            #expect(try await scenario.states(host)["picky"]?.deadLetters == 1)
        }
    }

    // MARK: The command phase

    private static let checker = HostScenario.plugin.replacing("/plugin.py", with: "/checker.py")

    private func addChecker(_ name: String, to scenario: HostScenario, _ keys: String = "") throws {
        let text = "command = [\"\(Self.checker)\"]\nphase = \"command\"\n\(keys)\n[config]\n"
        try text.write(
            to: scenario.folder.appending(path: "plugins.d/\(name).toml"), atomically: true, encoding: .utf8)
    }

    private func say(_ text: String, _ channel: String, as user: String, _ scenario: HostScenario) async -> String {
        let outcome = await scenario.ingest.submit([Ingest.Request(message(text, channel), actor: user)])
        switch outcome.first {
        case .success: return "stored"
        case .failure(let error): return error.description.replacing(channel, with: "CHANNEL")
        case nil: return "nothing"
        }
    }

    private func asked(_ plugin: String, _ scenario: HostScenario) -> [String] {
        scenario.seen(plugin).compactMap { $0["command"]?["message"]?.string }
    }

    private func live(_ scenario: HostScenario, _ host: PluginHost) async throws {
        try await wait("live") { try await scenario.states(host).values.allSatisfy { $0.state == "live" } }
    }

    @Test(arguments: [
        ("", [] as [String]), ("private = true", ["vault", "cellar"]),
        ("private = true\nchannels = [\"vault\", \"*\"]", ["vault"]), ("channels = [\"vault\", \"general\"]", []),
    ])
    func aCheckerIsAskedAboutPrivateChannelsByItsManifest(_ keys: String, _ channels: [String]) async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try addChecker("filter", to: scenario, keys)
        try await scenario.run { host in
            try await live(scenario, host)
            try await populate(scenario)
            let refused = "refused: refused by the plugin 'filter': mind your words (rude)"
            #expect(await say("deny it", "general", as: "ann", scenario) == refused)
            for channel in ["vault", "cellar"] {
                let answer = await say("deny \(channel)", channel, as: "ann", scenario)
                #expect(answer == (channels.contains(channel) ? refused : "stored"), "\(channel)")
            }
            // Who may not know of the channel is answered as for one that never was, and nobody is asked.
            let never = await say("deny never", "never", as: "bob", scenario)
            #expect(never.hasPrefix("channel_not_found: "))
            #expect(await say("deny bob", "vault", as: "bob", scenario) == never)
            #expect(asked("filter", scenario) == ["deny it"] + channels.map { "deny \($0)" })
            let note = "commands in private channels are not checked by 'filter'"
            #expect(scenario.lines.all.contains { $0.contains(note) } == !keys.contains("private"))
            // The name of a private channel is its own too.
            let before = scenario.seen("filter").count
            _ = try await scenario.submit([create("attic", isPrivate: true)])
            let count = scenario.seen("filter").count - before
            #expect(count == (keys == "private = true" ? 1 : 0))
            let page = try await scenario.log.read(after: 0, limit: 1_000, maxBytes: 1 << 20)
            let last = try #require(page.entries.last)
            #expect((try JSONObject(parsing: page.json(last)).span("checks") != nil) == (count == 1))
        }
    }

    @Test func theChannelsOfOneCallAreKnownWhenItsCommandsAreChecked() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try addChecker("filter", to: scenario, #"types = ["SEND_MESSAGE"]"#)
        try await scenario.run { host in
            try await live(scenario, host)
            try await populate(scenario)
            let commands = [
                create("attic", isPrivate: true), message("deny attic", "attic"), create("hall"),
                message("deny hall", "hall"), message("fine", "hall"),
                Command(.destroyChannel, .destroyChannel, channelId: "hall"), message("deny gone", "hall"),
                create("hall", isPrivate: true), message("deny hidden", "hall"),
            ]
            let outcomes = await scenario.ingest.submit(commands.map { Ingest.Request($0, actor: "ann") })
            let codes = outcomes.map { outcome -> CommandError.Code? in
                if case .failure(let refusal) = outcome { refusal.code } else { nil }
            }
            #expect(codes == [nil, nil, nil, .refused, nil, nil, .channelNotFound, nil, nil])
            #expect(asked("filter", scenario).sorted() == ["deny hall", "fine"])
        }
    }
}
