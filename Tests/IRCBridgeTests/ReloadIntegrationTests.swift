import CrowbarTesting
import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// New configurations with real servers.
@Suite(.timeLimit(.minutes(2))) struct ReloadIntegrationTests {
    private func configured(_ host: BridgeHost, _ json: String) async throws -> PluginMessage.Problem? {
        try await host.plugin.send(.config(id: MessageID(1), config: JSON(parsing: Array(json.utf8))))
        return try await host.plugin.first("configured") {
            if case .configured(_, let problem) = $0 { .some(problem) } else { nil }
        }
    }

    private func network(_ name: String, _ port: Int, _ more: String = "") -> String {
        """
        {"name":"\(name)","host":"127.0.0.1","port":\(port),"tls":false,
        "flood":{"burst":0,"lines_per_second":0}\(more)}
        """
    }

    @Test func aNetworkComesAndGoesWhileAnotherStays() async throws {
        let server = try await IRCServer()
        let other = try await InspServer()
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let zoe = try await IRCClient(other.port, nick: "zoe", join: "#there")
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        _ = try await bob.first("the bridge") { $0.verb == "JOIN" }
        let link = #"{"channel":"general","irc":"local/#general"}"#
        let both = """
            {"networks":[\(network("local", server.port, #","format":"{name}: {text}""#)),
            \(network("second", other.port))],"links":[\(link),{"channel":"general","irc":"second/#there"}]}
            """
        #expect(try await configured(host, both) == nil)
        let queues: [String] = try await host.plugin.first("queues") {
            if case .queues(let queues) = $0 { queues.map(\.name) } else { nil }
        }
        #expect(queues == ["local", "second"])
        try await host.plugin.send(.start([HostMessage.QueueStart(name: "second", cursor: nil)]))
        _ = try await zoe.first("the bridge") { $0.verb == "JOIN" }
        let deliveries: Set<Int64> = [try await host.say("one"), try await host.say("two", queue: "second")]
        #expect(try await bob.nextText() == "ann: one")
        #expect(try await zoe.nextText() == "<ann> two")
        try await host.settled(deliveries)
        // What is wrong leaves all as it was.
        let problem = try await configured(host, #"{"networks":[\#(network("local", 0))]}"#)
        #expect(problem?.path == "networks[0].port")
        let one = #"{"networks":[\#(network("local", server.port))],"links":[\#(link)]}"#
        #expect(try await configured(host, one) == nil)
        let quit = try await zoe.first("QUIT") { $0.verb == "QUIT" }
        #expect(IRCSource(try #require(quit.source)).nick == "crowbar")
        let last = try await host.say("three")
        let line = try await bob.first("the last line or the bridge's end") { ["PRIVMSG", "QUIT"].contains($0.verb) }
        #expect(line.params.last == "<ann> three")
        try await host.settled([last])
    }
}
