import CrowbarTesting
import JSONBytes
import PluginWire
import Synchronization

/// The host's part for a test: drives the real executable, delivers events and keeps its windows.
final class BridgeHost: Sendable {
    let plugin: PluginProcess
    private let lastDelivery = Mutex<Int64>(0)

    init() throws { plugin = try PluginProcess(PluginProcess.product("crowbar-irc")) }

    /// The configuration of networks as `name`, port and more of each, all with `general` linked to `#general`.
    static func config(_ networks: [(name: String, port: Int, more: String)]) throws -> JSON {
        let all = networks.map {
            #"{"name":"\#($0.name)","host":"127.0.0.1","port":\#($0.port),"tls":false\#($0.more)}"#
        }
        let links = networks.map { #"{"channel":"general","irc":"\#($0.name)/#general"}"# }
        let json = #"{"networks":[\#(all.joined(separator: ","))],"links":[\#(links.joined(separator: ","))]}"#
        return try JSON(parsing: Array(json.utf8))
    }

    /// The configuration of one network `local` with `general` linked to `#general`.
    static func config(_ port: Int, _ more: String = "", links: String? = nil) throws -> JSON {
        let links = links ?? #"[{"channel":"general","irc":"local/#general"}]"#
        return try JSON(
            parsing: Array(
                """
                {"networks":[{"name":"local","host":"127.0.0.1","port":\(port),"tls":false,
                "flood":{"burst":0,"lines_per_second":0}\(more)}],"links":\(links)}
                """.utf8))
    }

    func hello(
        _ config: JSON, purpose: HostMessage.Hello.Purpose = .live, plugin name: String = "irc"
    ) async throws {
        try await plugin.send(
            .hello(
                HostMessage.Hello(
                    plugin: name, phase: "event", purpose: purpose, session: "s", config: config, dataDir: "/tmp")))
    }

    /// Says hello and start, and waits until the queue is open.
    /// - Parameters:
    ///   - state: The state that was stored last by the queues that are not in `states`.
    ///   - states: The states that were stored last, by queue.
    func run(
        _ config: JSON, untilOpen: Bool = true, plugin name: String = "irc", state: JSON = .null,
        states: [String: JSON] = [:]
    ) async throws {
        try await hello(config, plugin: name)
        let ready: PluginMessage.Ready = try await plugin.first("ready") {
            if case .ready(let ready) = $0 { ready } else { nil }
        }
        let names = ready.queues?.map(\.name) ?? []
        try await plugin.send(
            .start(names.map { HostMessage.QueueStart(name: $0, cursor: nil, state: states[$0] ?? state) }))
        if untilOpen { try await window { $0 > 0 } }
    }

    /// Waits for a window.
    func window(_ fits: (Int64) -> Bool) async throws {
        let _: Bool = try await plugin.first("a window") {
            if case .window(_, let events) = $0, fits(events) { true } else { nil }
        }
    }

    /// Waits until the queues of all these networks are open.
    func open(_ networks: Set<String>) async throws {
        var closed = networks
        while !closed.isEmpty {
            let network = try await plugin.first("windows of \(closed)") {
                if case .window(let queue, let events) = $0, events > 0 { queue } else { nil }
            }
            closed.remove(network)
        }
    }

    /// Takes what is told of the networks, in order, until it fits.
    func told(
        _ what: String, within limit: Duration = testDeadline, _ fits: (PluginMessage.Level, String) -> Bool
    ) async throws {
        var last = ""
        while true {
            let (level, text) = try await plugin.first("status: \(what), after '\(last)'", within: limit) {
                if case .status(let level, let text, _) = $0 { (level, text) } else { nil }
            }
            if fits(level, text) { return }
            last = text
        }
    }

    /// Delivers an event that says something.
    @discardableResult
    func say(
        _ text: String, by author: String = "ann", kind: String? = nil, origin: (String, String)? = nil,
        queue: String = "local"
    ) async throws -> Int64 {
        var json = JSONWriter()
        json.beginObject()
        json.member("eventId", "e\(lastDelivery.withLock { $0 })")
        json.member("type", "MESSAGE_SENT")
        json.member("userId", author)
        json.member("userName", author)
        json.member("channelId", "general")
        json.member("message", text)
        json.member("kind", ifPresent: kind)
        if let origin {
            json.key("origin")
            json.beginObject()
            json.member("plugin", origin.0)
            json.member("ref", origin.1)
            json.endObject()
        }
        json.endObject()
        let delivery = lastDelivery.withLock {
            $0 += 1
            return $0
        }
        try await plugin.send(
            .event(
                HostMessage.EventDelivery(queue: queue, delivery: delivery, position: delivery, event: json.bytes)))
        return delivery
    }

    /// Delivers an event that sets a topic.
    func setTopic(_ topic: String) async throws -> Int64 {
        try await deliver("CHANNEL_TOPIC_SET", ["topic": topic])
    }

    /// Delivers an event of `ann` in `general`.
    func deliver(_ type: String, _ members: KeyValuePairs<StaticString, String>) async throws -> Int64 {
        var json = JSONWriter()
        json.beginObject()
        json.member("type", type)
        json.member("userId", "ann")
        json.member("channelId", "general")
        for (key, value) in members { json.member(key, value) }
        json.endObject()
        let delivery = lastDelivery.withLock {
            $0 += 1
            return $0
        }
        try await plugin.send(
            .event(
                HostMessage.EventDelivery(queue: "local", delivery: delivery, position: delivery, event: json.bytes)))
        return delivery
    }

    /// Takes all that has come; waits for the first only for a moment.
    func messagesSoFar() async throws -> [PluginMessage] {
        var messages: [PluginMessage] = []
        do {
            messages.append(try await plugin.next(within: .milliseconds(20)))
            while !plugin.process.unread.isEmpty { messages.append(try await plugin.next()) }
        } catch LineProcess.Failure.timedOut {}
        return messages
    }

    /// Waits until all these are settled by acks.
    func settled(_ deliveries: Set<Int64>) async throws {
        var left = deliveries
        while !left.isEmpty {
            let acked: [Int64] = try await plugin.first("an ack") {
                switch $0 {
                case .ack(.one(let delivery), _): [delivery]
                case .ack(.many(let deliveries), _): deliveries
                default: nil
                }
            }
            left.subtract(acked)
        }
    }

    /// Waits until a network is down; returns what is told of it.
    func down(within limit: Duration = testDeadline) async throws -> String {
        try await plugin.first("status down", within: limit) {
            if case .status(.down, let message, _) = $0 { message } else { nil }
        }
    }

    /// Answers a command as stored.
    func store(_ command: PluginMessage.Command) async throws {
        let outcome = HostMessage.CommandResult.Outcome.stored(eventId: "e", position: 1, duplicate: false)
        try await plugin.send(.result(HostMessage.CommandResult(id: command.id, outcome: outcome)))
    }

    /// Answers a command as refused.
    func refuse(_ command: PluginMessage.Command, _ code: String) async throws {
        let outcome = HostMessage.CommandResult.Outcome.refused(code: code, message: "no")
        try await plugin.send(.result(HostMessage.CommandResult(id: command.id, outcome: outcome)))
    }

    /// The next command, as an object.
    func command(_ type: String) async throws -> (JSONObject, PluginMessage.Command) {
        try await plugin.first("a \(type)") { message in
            guard case .command(let command) = message else { return nil }
            let object = try JSONObject(parsing: command.command)
            return object.string("type") == type ? (object, command) : nil
        }
    }

    /// The next command of any type, as an object; nil where none comes in time.
    func anyCommand(within limit: Duration = testDeadline) async throws -> (JSONObject, PluginMessage.Command)? {
        do {
            return try await plugin.first("a command", within: limit) { message in
                guard case .command(let command) = message else { return nil }
                return (try JSONObject(parsing: command.command), command)
            }
        } catch LineProcess.Failure.timedOut {
            return nil
        }
    }
}
