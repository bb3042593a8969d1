import CrowbarTesting
import Glibc
import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// Whatever a server's history is like, and wherever a connection or the bridge ends: nothing is lost, nothing comes
/// twice.
@Suite(.timeLimit(.minutes(10))) struct CompleteHistoryTests {
    /// What a server does; see moments_server.py.
    struct Server: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var count = 350
        var perMoment = 1000
        var lines = 1
        var ids = true
        var page = 100
        var limit: Int?
        var byLines = false
        var unknown = "none"
        var fine = false
        /// After which line of the first message the server ends the connection; 0: after the whole message.
        var cut = 0
        /// Whether the bridge is killed when the chat has the first line.
        var isKilled = false

        init(_ description: String, _ change: (inout Server) -> Void = { _ in }) {
            testDescription = description
            change(&self)
        }

        var json: String {
            """
            {"count":\(count),"perMoment":\(perMoment),"lines":\(lines),"ids":\(ids),"page":\(page),
            "limit":\(limit ?? page),"byLines":\(byLines),"unknown":"\(unknown)","fine":\(fine),"cut":\(cut)}
            """
        }

        /// All that is said, in order.
        var texts: [String] {
            (0...count).flatMap { number in
                (0..<lines).map { lines > 1 ? "text \(number) line \($0)" : "text \(number)" }
            }
        }
    }

    /// The chat: it has each key once.
    private struct Chat {
        var texts: [String] = []
        var keys: Set<String> = []

        /// Takes the next message; nil where the chat has it.
        mutating func hear(_ host: BridgeHost) async throws -> String? {
            let (message, command) = try await host.command("SEND_MESSAGE")
            let text = try #require(message.string("message"))
            try await host.store(command)
            if let key = command.key, !keys.insert(key).inserted { return nil }
            texts.append(text)
            return text
        }
    }

    @Test(arguments: [
        Server("one millisecond"),
        Server("one millisecond, whose first message is forgotten, which is said") { $0.unknown = "fail" },
        Server("one millisecond, whose first message is forgotten") { $0.unknown = "empty" },
        Server("a few in a millisecond, the first of them forgotten") {
            ($0.perMoment, $0.unknown) = (30, "fail")
        },
        Server("times that are compared finer than they are told") { ($0.unknown, $0.fine) = ("fail", true) },
        Server("one message a page") { ($0.count, $0.page, $0.limit) = (30, 1, 100) },
        Server("no ids, a few in a millisecond") { ($0.ids, $0.perMoment) = (false, 60) },
        Server("no ids, one millisecond, a larger limit") { ($0.ids, $0.page, $0.limit) = (false, 1000, 1000) },
        Server("no ids, one message a page") { ($0.ids, $0.count, $0.perMoment, $0.page) = (false, 30, 1, 1) },
        Server("no ids, the bridge is killed") { ($0.ids, $0.perMoment, $0.isKilled) = (false, 60, true) },
        Server("messages of three lines") { $0.lines = 3 },
        Server("messages of three lines, cut by pages") { ($0.lines, $0.byLines) = (3, true) },
        Server("messages of three lines, cut by pages, the first forgotten") {
            ($0.lines, $0.byLines, $0.unknown) = (3, true, "empty")
        },
        Server("the connection ends within a message") { ($0.lines, $0.cut, $0.count) = (3, 1, 50) },
        Server("the connection ends behind the second line") {
            ($0.lines, $0.cut, $0.count, $0.unknown) = (3, 2, 50, "fail")
        },
        Server("the bridge is killed within a message") { ($0.lines, $0.isKilled, $0.count) = (3, true, 50) },
        Server("the bridge is killed within a message, which is forgotten") {
            ($0.lines, $0.isKilled, $0.count, $0.unknown) = (3, true, 50, "empty")
        },
    ])
    func allComesOnce(server mode: Server) async throws {
        let folder = #filePath.split(separator: "/").dropLast().map { "/" + $0 }.joined()
        let server = try LineProcess(
            "/usr/bin/env", arguments: ["python3", folder + "/moments_server.py", mode.json])
        let port = try await server.first("the port") { Int(String(decoding: $0, as: UTF8.self)) }
        var host = try BridgeHost()
        try await host.run(BridgeHost.config(port))
        var chat = Chat()
        _ = try await chat.hear(host)
        if mode.isKilled {
            let state: JSON = try await host.plugin.first("the state") {
                guard case .state(_, let state) = $0 else { return nil }
                return String(decoding: state.bytes, as: UTF8.self).contains("#general") ? state : nil
            }
            host.plugin.process.kill(SIGKILL)
            host = try BridgeHost()
            try await host.run(BridgeHost.config(port), state: state)
        } else if mode.cut == 0 {
            for _ in 1..<mode.lines { _ = try await chat.hear(host) }
            // With this the server hangs up.
            try await host.say("hello")
        }
        while try await chat.hear(host) != "end" {}
        #expect(chat.texts == mode.texts + ["end"])
        server.kill()
        _ = try await server.end()
    }
}
