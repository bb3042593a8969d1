import CrowbarTesting
import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// What a real server repeats to those who join.
@Suite(.timeLimit(.minutes(10))) struct HistoryIntegrationTests {
    @Test func thePlaybackOfInspIRCdIsNotNew() async throws {
        let server = try await InspServer(#"<module name="chanhistory"><chanhistory maxlines="50" prefixmsg="yes">"#)
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        bob.send("MODE #general +H 10:1h")
        _ = try await bob.first("the mode") { $0.verb == "MODE" && $0.params.contains("10:1h") }
        bob.send("PRIVMSG #general :old")
        bob.send("PING :said")
        _ = try await bob.first("PONG") { $0.verb == "PONG" }
        let zoe = try await IRCClient(server.port, nick: "zoe", join: "#general")
        _ = try await zoe.first("the playback") { $0.verb == "PRIVMSG" && $0.params.last == "old" }
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        let delivery = try await host.say("hello")
        #expect(try await zoe.nextText() == "<ann> hello")
        // By the echo: InspIRCd has labels.
        try await host.settled([delivery])
        bob.send("PRIVMSG #general :new")
        let (message, command) = try await host.command("SEND_MESSAGE")
        #expect(message.string("message") == "new")
        #expect(command.key?.hasPrefix("local/#general/general/") == true)
        #expect(message.object("meta")?.string("sentAt")?.hasSuffix("Z") == true)
        try await host.store(command)
        let state: String = try await host.plugin.first("the state") {
            if case .state("local", let state) = $0 { String(decoding: state.bytes, as: UTF8.self) } else { nil }
        }
        #expect(state.hasPrefix(##"{"last":{"#general":"msgid="##))
    }

    /// A scripted server that plays `mode`, with a bridge that has connected to it.
    private func scripted(_ mode: String) async throws -> (LineProcess, BridgeHost) {
        let folder = #filePath.split(separator: "/").dropLast().map { "/" + $0 }.joined()
        let server = try LineProcess(
            "/usr/bin/env", arguments: ["python3", folder + "/history_server.py", mode])
        let port = try await server.first("the port") { Int(String(decoding: $0, as: UTF8.self)) }
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(port))
        return (server, host)
    }

    /// The texts of the next messages from IRC, which the chat takes.
    private func hear(_ host: BridgeHost, _ count: Int) async throws -> [String] {
        var heard: [String] = []
        for _ in 0..<count {
            let (message, command) = try await host.command("SEND_MESSAGE")
            heard.append(try #require(message.string("message")))
            try await host.store(command)
        }
        return heard
    }

    @Test(
        "what was missed is fetched in order and once",
        arguments: [
            // Pages of two.
            "pages",
            // Most of the history are people's comings and goings; nothing of it may be taken for speech.
            "events",
            // The first page is shorter than it was asked for.
            "short",
            // The server does not know the message any more, and says so; or knows nothing after it; and times only.
            "purged", "forgotten", "times",
            // Answers have labels, and a bouncer repeats old lines unasked meanwhile.
            "labels",
        ])
    func whatWasMissedIsFetchedInOrderAndOnce(mode: String) async throws {
        let (server, host) = try await scripted(mode)
        #expect(try await hear(host, 1) == ["text 1"])
        let state: JSON = try await host.plugin.first("the state") {
            if case .state(_, let state) = $0 { state } else { nil }
        }
        let wanted = ##"{"last":{"#general":"msgid=m1 timestamp=2026-11-24T01:00:01.000Z"},"##
        #expect(String(decoding: state.bytes, as: UTF8.self).hasPrefix(wanted))
        // With this the server hangs up.
        let said = try await host.say("hello")
        #expect(try await hear(host, 4) == (2...5).map { "text \($0)" })
        // What was not confirmed is said over the second connection.
        try await host.settled([said])
        server.kill()
        _ = try await server.end()
    }

    @Test func aLineThatTheChatHasInOtherWordsIsThere() async throws {
        let (server, host) = try await scripted("pages")
        let (_, command) = try await host.command("SEND_MESSAGE")
        #expect(command.key != nil)
        // The key is the line's own, and its author has another account by now.
        try await host.refuse(command, "event_id_conflict")
        let state: JSON = try await host.plugin.first("the state") {
            if case .state(_, let state) = $0 { state } else { nil }
        }
        #expect(String(decoding: state.bytes, as: UTF8.self).contains(##""#general":"msgid=m1 "##))
        server.kill()
        _ = try await server.end()
    }

    @Test func whatCouldNotBeFetchedIsAskedForByTheNextConnection() async throws {
        let (server, host) = try await scripted("gap")
        #expect(try await hear(host, 1) == ["text 1"])
        // The server hangs up; the second connection gives no history.
        try await host.settled([try await host.say("hello")])
        #expect(try await hear(host, 1) == ["text 5"])
        // It hangs up once more; the third one gives what was said before the second, and once.
        try await host.settled([try await host.say("again")])
        #expect(try await hear(host, 3) == (2...4).map { "text \($0)" })
        let state: String = try await host.plugin.first("the last state") {
            guard case .state(_, let state) = $0 else { return nil }
            let text = String(decoding: state.bytes, as: UTF8.self)
            return text.contains("msgid=m4") ? text : nil
        }
        #expect(!state.contains("msgid=m5"))
        server.kill()
        _ = try await server.end()
    }
}
