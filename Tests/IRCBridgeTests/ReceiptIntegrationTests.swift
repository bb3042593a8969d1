import CrowbarTesting
import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// Receipts by labels, and the end of the bridge's work, with a scripted server.
@Suite(.timeLimit(.minutes(10))) struct ReceiptIntegrationTests {
    /// Channels of the chat that one of IRC is linked to.
    private static let channels = 60

    private func scripted(links: String? = nil) async throws -> (LineProcess, BridgeHost) {
        let folder = #filePath.split(separator: "/").dropLast().map { "/" + $0 }.joined()
        let server = try LineProcess("/usr/bin/env", arguments: ["python3", folder + "/receipts_server.py"])
        let port = try await server.first("the port") { Int(String(decoding: $0, as: UTF8.self)) }
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(port, links: links))
        return (server, host)
    }

    /// Waits until the server has heard a line with this in it.
    private func heard(_ server: LineProcess, _ part: String) async throws {
        let _: Bool = try await server.first(part) {
            String(decoding: $0, as: UTF8.self).contains(part) ? true : nil
        }
    }

    /// Waits until a delivery is rejected; returns the reason.
    private func rejected(_ host: BridgeHost, _ delivery: Int64) async throws -> String {
        try await host.plugin.first("a reject") {
            guard case .reject(delivery, "channel_unavailable", let message, true) = $0 else { return nil }
            return message
        }
    }

    @Test func eachMessageIsSettledByItsOwnAnswer() async throws {
        let (server, host) = try await scripted()
        let first = try await host.say("one echo")
        try await heard(server, "@label=1 PRIVMSG #general :<ann> one echo")
        try await host.settled([first])
        let dropped = try await host.say("two drop")
        let third = try await host.say("three echo")
        #expect(try await rejected(host, dropped).contains("showed it to nobody"))
        try await host.settled([third])
        // An answer of several lines, one of which says no.
        let refused = try await host.say("list")
        #expect(try await rejected(host, refused).contains("Cannot send"))
        // A label that is not answered is not waited for longer than a PING takes.
        let silent = try await host.say("four nothing")
        let fifth = try await host.say("five echo")
        try await host.settled([fifth])
        try await heard(server, "PING :crowbar-1")
        #expect(try await rejected(host, silent).contains("showed it to nobody"))
        server.kill()
        _ = try await server.end()
    }

    /// Each line of IRC goes to so many channels of the chat that most of them wait when the drain comes.
    @Test func aDrainLetsIntoTheChatWhatWasRead() async throws {
        let links = (1..<Self.channels).map { #"{"channel":"c\#($0)","irc":"local/#general"}"# }
        let general = #"{"channel":"general","irc":"local/#general"}"#
        let (server, host) = try await scripted(links: "[" + ([general] + links).joined(separator: ",") + "]")
        try await host.settled([try await host.say("now flood")])
        let (_, first) = try await host.command("REGISTER_USER")
        try await host.plugin.send(.drain(deadlineMs: 10_000, why: "a test"))
        try await host.store(first)
        // The network is left at once.
        try await heard(server, "QUIT")
        for n in 1...4 {
            for _ in 0..<Self.channels {
                let (message, command) = try await host.command("SEND_MESSAGE")
                #expect(message.string("message") == "line \(n)")
                try await host.store(command)
            }
            if n > 1 { continue }
            for _ in 0..<Self.channels { try await host.store(try await host.command("JOIN_CHANNEL").1) }
        }
        let _: Bool = try await host.plugin.first("drained") { if case .drained = $0 { true } else { nil } }
        #expect(try await host.plugin.end() == .exited(0))
        server.kill()
        _ = try await server.end()
    }

    /// A host that does not answer does not keep the bridge.
    @Test func aDrainDoesNotWaitForAnswersForEver() async throws {
        let (server, host) = try await scripted()
        try await host.settled([try await host.say("now flood")])
        _ = try await host.command("REGISTER_USER")
        try await host.plugin.send(.drain(deadlineMs: 1000, why: "a test"))
        let _: Bool = try await host.plugin.first("drained") { if case .drained = $0 { true } else { nil } }
        #expect(try await host.plugin.end() == .exited(0))
        server.kill()
        _ = try await server.end()
    }
}
