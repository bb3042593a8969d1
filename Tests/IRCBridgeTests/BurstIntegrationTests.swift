import Basics
import CrowbarTesting
import Glibc
import JSONBytes
import PluginKit
import PluginWire
import Testing

@testable import IRCBridge

/// Many lines, several channels, and servers that refuse, with a real server.
@Suite(.timeLimit(.minutes(10))) struct BurstIntegrationTests {
    private static let count = 500

    @Test func manyLinesKeepTheirOrderBothWays() async throws {
        let server = try await IRCServer()
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        var deliveries: Set<Int64> = []
        for i in 0..<Self.count {
            deliveries.insert(try await host.say("out \(i)"))
            // More than may wait for an answer: reading pauses until the answers come.
            bob.send("PRIVMSG #general :in \(2 * i)")
            bob.send("PRIVMSG #general :in \(2 * i + 1)")
        }
        for i in 0..<2 * Self.count {
            let (message, command) = try await host.command("SEND_MESSAGE")
            #expect(message.string("message") == "in \(i)")
            try await host.store(command)
        }
        for i in 0..<Self.count { #expect(try await bob.nextText() == "<ann> out \(i)") }
        try await host.settled(deliveries)
    }

    @Test(arguments: ServerKind.allCases)
    func aServerKilledInABurstLosesNothingAndKeepsTheOrder(kind: ServerKind) async throws {
        let server = try await kind.start()
        var bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        var deliveries: Set<Int64> = []
        for i in 0..<Self.count { deliveries.insert(try await host.say("\(i)")) }
        var heard: [Int] = []
        while heard.count < 20 { heard.append(try #require(Int(try await bob.nextText().dropFirst(6)))) }
        // The server's end comes while the bridge is writing: it may read nothing meanwhile.
        host.plugin.kill(SIGSTOP)
        try await server.kill()
        let last = Self.count + 49
        for i in Self.count...last { deliveries.insert(try await host.say("\(i)")) }
        heard += try await bob.rest().map { try #require(Int($0.dropFirst(6))) }
        let again = try await kind.start(port: server.port)
        bob = try await IRCClient(again.port, nick: "bob", join: "#general")
        host.plugin.kill(SIGCONT)
        let before = heard.count
        #expect(heard == Array(0..<before))
        var later: [Int] = []
        while later.last != last { later.append(try #require(Int(try await bob.nextText().dropFirst(6)))) }
        let first = try #require(later.first)
        #expect(later == Array(first...last))
        #expect(first <= before)
        #expect(before - first <= FlowControl.mostLines, "\(before - first) were said twice")
        try await host.settled(deliveries)
    }

    @Test func oneChannelsMessageReachesItsOtherLink() async throws {
        let server = try await IRCServer()
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let eve = try await IRCClient(server.port, nick: "eve", join: "#second")
        let host = try BridgeHost()
        let links = """
            [{"channel":"general","irc":"local/#general"},{"channel":"general","irc":"local/#second"}]
            """
        try await host.run(BridgeHost.config(server.port, links: links))
        bob.send("PRIVMSG #general :hello")
        let (message, command) = try await host.command("SEND_MESSAGE")
        let text = try #require(message.string("message"))
        let ref = try #require(command.ref)
        let back = try await host.say(text, by: "bob", origin: ("irc", ref))
        #expect(try await eve.nextText() == "<bob> hello")
        try await host.settled([back])
        let marker = try await host.say("marker")
        #expect(try await bob.nextText() == "<ann> marker")
        try await host.settled([marker])
    }

    @Test func aWrongPasswordIsReportedAndNotTriedAgainSoon() async throws {
        let server = try await IRCServer(password: "right")
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port, #","server_password":"wrong""#), untilOpen: false)
        let down = try await host.down()
        #expect(down.contains("wrong server_password"), "\(down)")
        let next = down.split(separator: "next try at ").last.flatMap { Timestamp.parse(String($0)) }
        #expect(next.map { $0 > Int64(time(nil)) + 300 } == true, "\(down)")
        #expect(!down.contains("right"))
    }

    @Test func theRightPasswordOpens() async throws {
        let server = try await IRCServer(password: "right")
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port, #","server_password":"right""#))
    }

    @Test func networksDoNotWaitForEachOther() async throws {
        let server = try await IRCServer()
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let nobody = try LoopbackPort.free()
        let json = """
            {"networks":[{"name":"local","host":"127.0.0.1","port":\(server.port),"tls":false},
            {"name":"gone","host":"127.0.0.1","port":\(nobody),"tls":false}],
            "links":[{"channel":"general","irc":"local/#general"},{"channel":"general","irc":"gone/#general"}]}
            """
        let host = try BridgeHost()
        try await host.run(JSON(parsing: Array(json.utf8)))
        let said = try await host.say("here")
        #expect(try await bob.nextText() == "<ann> here")
        try await host.settled([said])
        #expect(try await host.down().contains("gone: cannot connect"))
    }

    @Test func nothingIsDoneBeforeTheStart() async throws {
        let server = try await IRCServer()
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let host = try BridgeHost()
        try await host.hello(BridgeHost.config(server.port))
        try await host.plugin.send(.ping(n: 7))
        let _: Bool = try await host.plugin.first("pong") { if case .pong(7) = $0 { true } else { nil } }
        bob.send("WHOIS crowbar")
        _ = try await bob.first("no such nick") { $0.verb == "401" }
    }

    @Test func aCheckSaysReadyAndNamesAMissingAuthority() async throws {
        let good = try BridgeHost()
        try await good.hello(BridgeHost.config(6667), purpose: .check)
        let _: Bool = try await good.plugin.first("ready") { if case .ready = $0 { true } else { nil } }
        #expect(try await good.plugin.end() == .exited(0))
        let bad = try BridgeHost()
        let json = #"{"networks":[{"name":"a","host":"h","ca_file":"/nowhere.pem"}]}"#
        try await bad.hello(JSON(parsing: Array(json.utf8)), purpose: .check)
        let problem: PluginMessage.Problem = try await bad.plugin.first("fatal") {
            if case .fatal(_, let problem, false) = $0 { problem } else { nil }
        }
        #expect(problem.path == "networks[0].ca_file")
        #expect(problem.message.contains("/nowhere.pem"))
        #expect(try await bad.plugin.end() == .exited(Wire.exitBadConfiguration))
    }
}
