import CrowbarTesting
import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// What a real server repeats to those who join.
@Suite(.timeLimit(.minutes(2))) struct HistoryIntegrationTests {
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

    @Test func whatWasMissedIsFetchedInOrderAndOnce() async throws {
        let folder = #filePath.split(separator: "/").dropLast().map { "/" + $0 }.joined()
        let server = try LineProcess("/usr/bin/env", arguments: ["python3", folder + "/history_server.py"])
        let port = try await server.first("the port") { Int(String(decoding: $0, as: UTF8.self)) }
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(port))
        var heard: [String] = []
        func hear() async throws {
            let (message, command) = try await host.command("SEND_MESSAGE")
            heard.append(try #require(message.string("message")))
            try await host.store(command)
        }
        try await hear()
        let state: JSON = try await host.plugin.first("the state") {
            if case .state(_, let state) = $0 { state } else { nil }
        }
        let wanted = ##"{"last":{"#general":"msgid=m1"},"members":{"general":["nick/bob"]}}"##
        #expect(String(decoding: state.bytes, as: UTF8.self) == wanted)
        // With this the server hangs up.
        let said = try await host.say("hello")
        for _ in 2...5 { try await hear() }
        #expect(heard == (1...5).map { "text \($0)" })
        // What was not confirmed is said over the second connection.
        try await host.settled([said])
        server.kill()
        _ = try await server.end()
    }
}
