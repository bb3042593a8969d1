import CrowbarTesting
import PluginWire
import Testing

@testable import IRCBridge

/// Servers that read slowly or end connections for flooding, with the bridge's default limits: all arrives, and nothing
/// more than twice. These take as long as such servers do.
@Suite(.timeLimit(.minutes(12))) struct FloodIntegrationTests {
    /// Says so many messages with the default limits, and waits until the bridge has the server's word for all.
    private func say(_ count: Int, to port: Int) async throws -> BridgeHost {
        let host = try BridgeHost()
        try await host.run(BridgeHost.config([(name: "local", port: port, more: "")]))
        var deliveries: Set<Int64> = []
        for number in 1...count {
            deliveries.insert(try await host.say("words that fill the line up a little, and message \(number)"))
        }
        try await host.settled(deliveries)
        return host
    }

    /// How often each message was heard, by its number.
    private func count(_ texts: [String]) -> [Int: Int] {
        var counts: [Int: Int] = [:]
        for text in texts {
            if let number = text.split(separator: "message ").last.flatMap({ Int($0) }) {
                counts[number, default: 0] += 1
            }
        }
        return counts
    }

    /// All that somebody heard, up to a message of their own that comes behind it.
    private func heard(_ bob: IRCClient, _ port: Int) async throws -> (texts: [String], joins: Int) {
        let eve = try await IRCClient(port, nick: "eve", join: "#general")
        eve.send("PRIVMSG #general :the end")
        var (texts, joins): ([String], Int) = ([], 0)
        while true {
            let line = try await bob.first("what was said") { ["PRIVMSG", "JOIN"].contains($0.verb) }
            let isBridge = line.source?.hasPrefix("crowbar") == true
            if line.verb == "JOIN" { joins += isBridge ? 1 : 0 }
            if line.params.last == "the end" { return (texts, joins) }
            if line.verb == "PRIVMSG", isBridge { texts.append(line.params.last ?? "") }
        }
    }

    private func expectAll(_ count: Int, in texts: [String]) {
        let counts = self.count(texts)
        #expect(Set(counts.keys) == Set(1...count))
        #expect(counts.values.allSatisfy { $0 <= OutboundQueue.mostTries }, "\(counts)")
    }

    /// InspIRCd counts a client's lines and takes one off each second; without fakelag it ends the connection over the
    /// threshold. It has nothing of IRCv3, so that the bridge asks by PINGs, which count too.
    @Test(arguments: [14, 60]) func allArrivesAtInspIRCdWithoutFakelag(messages: Int) async throws {
        let server = try await InspServer(
            ircv3: false,
            limits: #"threshold="6" commandrate="1000" fakelag="no" recvq="8K" softsendq="10240" hardsendq="1M""#)
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let host = try await say(messages, to: server.port)
        let (texts, joins) = try await heard(bob, server.port)
        expectAll(messages, in: texts)
        // The rate halves at each end, so there are few.
        #expect((1...6).contains(joins), "\(joins) connections")
        withExtendedLifetime(host) {}
    }

    /// ngIRCd reads nothing for seconds after some lines, and ends no connection for it.
    @Test(arguments: [14, 60]) func allArrivesAtNgIRCdWithItsPenalties(messages: Int) async throws {
        let server = try await IRCServer(penalties: true)
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let host = try await say(messages, to: server.port)
        let (texts, joins) = try await heard(bob, server.port)
        expectAll(messages, in: texts)
        #expect(texts.count == messages && joins == 1, "\(joins) connections")
        withExtendedLifetime(host) {}
    }

    /// A scripted server with the limits of ircu (Undernet).
    @Test func allArrivesAtAServerThatReadsALineEveryTwoSeconds() async throws {
        let folder = #filePath.split(separator: "/").dropLast().map { "/" + $0 }.joined()
        let server = try LineProcess("/usr/bin/env", arguments: ["python3", folder + "/ircu_server.py"])
        let port = try await server.first("the port") { Int(String(decoding: $0, as: UTF8.self)) }
        let host = try await say(60, to: port)
        let lines = server.unread.map { String(decoding: $0, as: UTF8.self) }
        expectAll(60, in: lines)
        let connections = lines.filter { $0 == "connection" }.count
        #expect((1...4).contains(connections), "\(connections) connections")
        server.kill()
        _ = try await server.end()
        withExtendedLifetime(host) {}
    }
}
