import CrowbarTesting
import Glibc
import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// A server that does what no server should, beside a good one in the same bridge: the bridge stays up and small, the
/// good one is served, and the status says what is wrong with the other, where that is not just ignored.
@Suite(.timeLimit(.minutes(10)), .serialized) struct HostileIntegrationTests {
    /// What the bridge's resident memory may grow by at its peak, in MB: what allocator and sockets need anyway.
    private static let mostGrowth = 16
    /// The same where it has to know 100,000 people.
    private static let mostGrowthOfNames = 100

    @Test(arguments: ["nuls", "elsewhere", "people", "split", "ids", "missing", "random"])
    func whatMeansNothingIsIgnored(mode: String) async throws {
        let world = try await World(mode)
        try await world.attack { try await world.take("survived") }
        #expect(try world.growth() < Self.mostGrowth)
    }

    @Test(arguments: [
        ("endless", "the server sent a line of over 16384 bytes"),
        ("long", "the server sent a line of over 16384 bytes"),
        ("returns", "the server sent a line of over 16384 bytes"),
        ("capless", "the server's list of capabilities has no end"),
        ("deaf", "the server does not read what is sent to it"),
    ])
    func whatHasNoEndIsLeftWithAReason(mode: String, reason: String) async throws {
        let world = try await World(mode)
        try await world.attack {
            let status: String = try await world.host.plugin.first("the reason") {
                if case .status(.down, let text, _) = $0, text.contains(reason) { text } else { nil }
            }
            #expect(status.hasPrefix("hostile: \(reason); next try at "), "\(status)")
            #expect(status.hasSuffix("local: connected to 127.0.0.1 as crowbar"), "\(status)")
        }
        #expect(try world.growth() < Self.mostGrowth)
    }

    /// Whoever takes connections and does not answer the first line of TLS is given up after 15 s.
    @Test func aServerThatNeverAnswersTheHandshakeIsGivenUp() async throws {
        let (server, port) = try await World.server("silent")
        let host = try BridgeHost()
        let config = """
            {"networks":[{"name":"direct","host":"127.0.0.1","port":\(port)},
            {"name":"proxied","host":"127.0.0.1","proxy":"socks5h://127.0.0.1:\(port)"}],"links":[]}
            """
        try await host.run(try JSON(parsing: Array(config.utf8)), untilOpen: false)
        let text: String = try await host.plugin.first("both down") {
            if case .status(.down, let text, _) = $0, !text.contains("connecting") { text } else { nil }
        }
        let parts = text.split(separator: "; next try at")
        #expect(
            parts.first == "direct: no TLS with '127.0.0.1': it did not answer for 15 s; is \(port) its port for TLS?")
        #expect(text.contains("proxied: the proxy 127.0.0.1:\(port) does not answer; next try at"), "\(text)")
        withExtendedLifetime(server) {}
    }

    @Test func aHundredThousandNamesAreKnown() async throws {
        let world = try await World("names")
        try await world.attack { try await world.take("survived") }
        #expect(try world.growth() < Self.mostGrowthOfNames)
    }

    /// With presence `full` each of them is a user who joins: the chat, which answers nothing here, is not swamped.
    @Test func aHundredThousandNamesComeNoFasterThanTheChatTakesThem() async throws {
        let world = try await World("names", #","presence":"full""#)
        try await world.attack {
            let joined: Bool = try await world.host.plugin.first("somebody's joining") {
                guard case .command(let command) = $0 else { return nil }
                return try JSONObject(parsing: command.command).string("userId") == "irc/hostile/nick/n10" ? true : nil
            }
            #expect(joined)
        }
        #expect(try world.growth() < Self.mostGrowthOfNames)
    }

    /// A bridge with a good network and a hostile one.
    private struct World {
        let host: BridgeHost
        private let good: IRCServer
        private let hostile: LineProcess
        private let bob: IRCClient
        private let before: Int

        init(_ mode: String, _ more: String = "") async throws {
            let port: Int
            (hostile, port) = try await Self.server(mode)
            good = try await IRCServer()
            bob = try await IRCClient(good.port, nick: "bob", join: "#general")
            host = try BridgeHost()
            let network = #""host":"127.0.0.1","tls":false,"flood":{"burst":0,"lines_per_second":0}"#
            let config = """
                {"networks":[{"name":"local","port":\(good.port),\(network)},
                {"name":"hostile","port":\(port),\(network)\(more)}],
                "links":[{"channel":"general","irc":"local/#general"},{"channel":"other","irc":"hostile/#general"}]}
                """
            try await host.run(try JSON(parsing: Array(config.utf8)), untilOpen: false)
            for name in ["local", "hostile"] {
                let _: Bool = try await host.plugin.first("the window of \(name)") {
                    if case .window(name, let events) = $0, events > 0 { true } else { nil }
                }
            }
            before = try Self.resident(host, "VmRSS:")
            try await relay("before")
        }

        static func server(_ mode: String) async throws -> (LineProcess, port: Int) {
            let folder = #filePath.prefix(through: #filePath.lastIndex(of: "/") ?? #filePath.startIndex)
            let server = try LineProcess("/usr/bin/python3", arguments: [folder + "hostile_server.py", mode])
            let port = try await server.first("the port") {
                Int(String(decoding: $0, as: UTF8.self))
            }
            return (server, port)
        }

        /// Lets the server loose, sees that what is expected comes of it, and that the good network is served.
        func attack(_ body: () async throws -> Void) async throws {
            try await hostile.send(line: Array("go".utf8))
            try await relay("meanwhile")
            try await body()
            try await relay("after")
        }

        /// One message each way over the good network.
        private func relay(_ text: String) async throws {
            bob.send("PRIVMSG #general :\(text)")
            try await take(text, only: true)
            let delivery = try await host.say("\(text) to you")
            #expect(try await bob.nextText() == "<ann> \(text) to you")
            try await host.settled([delivery])
        }

        /// Answers the messages of both networks until somebody has said this.
        /// - Parameter only: Whether the others are left.
        func take(_ text: String, only: Bool = false) async throws {
            while true {
                let (said, command): (String?, PluginMessage.Command) = try await host.plugin.first(
                    "'\(text)'"
                ) {
                    guard case .command(let command) = $0 else { return nil }
                    let object = try JSONObject(parsing: command.command)
                    // A chat that answers nothing of people who only join.
                    guard let said = object.string("message"), !only || said == text else { return nil }
                    return (said, command)
                }
                try await host.store(command)
                if said == text { return }
            }
        }

        /// How much larger the bridge has been at most than before, in MB.
        func growth() throws -> Int { try Self.resident(host, "VmHWM:") - before }

        /// The bridge's resident memory, in MB.
        /// - Parameter key: `VmRSS:` for now, `VmHWM:` for its peak (proc(5)).
        private static func resident(_ host: BridgeHost, _ key: String) throws -> Int {
            let file = try #require(fopen("/proc/\(host.plugin.process.pid)/status", "r"))
            defer { fclose(file) }
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = fread(&bytes, 1, bytes.count, file)
            let lines = String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n")
            let line = try #require(lines.first { $0.hasPrefix(key) })
            return try #require(Int(line.filter(\.isNumber))) / 1024
        }
    }
}
