import JSONBytes
import PluginWire

@testable import IRCBridge

/// Values that the tables start from.
enum Tables {
    /// A network `net` in plain text without a flood limit.
    /// - Parameter more: More members of its JSON object, each after a comma.
    static func network(_ more: String = "") throws -> NetworkConfig {
        let json = """
            {"name":"net","host":"irc.example.org","tls":false,"nick":"crow",\
            "flood":{"burst":0,"lines_per_second":0}\(more)}
            """
        return try NetworkConfig(JSON(parsing: Array(json.utf8)), path: "networks[0]")
    }

    /// A link of `net`.
    static func link(
        _ channel: String = "general", _ target: String = "#room", _ direction: LinkConfig.Direction = .both
    ) throws -> LinkConfig {
        let json = #"{"channel":"\#(channel)","irc":"net/\#(target)","direction":"\#(direction.rawValue)"}"#
        return try LinkConfig(JSON(parsing: Array(json.utf8)), path: "links[0]", networks: ["net"])
    }

    /// Nicks as the queue's state has them.
    static func marks(_ nicks: String...) -> String {
        var marks = SeenNicks()
        for nick in nicks { _ = marks.note(nick) }
        return marks.text
    }

    /// A relay that is connected and has received these lines at the time 0.
    /// - Parameter more: As for ``network(_:)``.
    static func machine(
        _ more: String = "", config: NetworkConfig? = nil, links: [LinkConfig]? = nil, hearing lines: [String] = []
    ) throws -> Relay {
        var machine = Relay(config: try config ?? network(more), links: try links ?? [link()], plugin: "irc")
        _ = machine.start(now: 0)
        _ = machine.connected(now: 0)
        for line in lines { _ = hear(&machine, line) }
        return machine
    }

    /// A puppet whose connection is open.
    static func puppet(_ nick: String, name: String? = nil) throws -> Puppet {
        var puppet = Puppet(config: try network().ofPuppet(nick, name: name ?? nick), plugin: "irc")
        _ = puppet.start(now: 0)
        _ = puppet.connected(now: 0)
        return puppet
    }

    /// A line of the server.
    static func line(_ text: String) -> IRCMessage { IRCMessage(line: Array(text.utf8)) ?? IRCMessage("BAD") }

    /// An event that says something in `general`.
    static func event(
        _ delivery: Int64, _ text: String = "hello", channel: String = "general", origin: (String, String)? = nil,
        kind: String? = nil
    ) -> HostMessage.EventDelivery {
        var json = JSONWriter()
        json.beginObject()
        json.member("type", "MESSAGE_SENT")
        json.member("userId", "ann")
        json.member("userName", "Ann")
        json.member("channelId", channel)
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
        return HostMessage.EventDelivery(queue: "net", delivery: delivery, position: delivery, event: json.bytes)
    }
}

/// Passes lines of the server to a machine.
/// - Returns: The actions of all of them.
@discardableResult
func hear<Machine: ConnectionMachine>(
    _ machine: inout Machine, _ lines: String..., now: Instant = 0
) -> [Machine.Action] {
    lines.flatMap { machine.received(Tables.line($0), now: now) }
}

extension Array where Element: ConnectionAction {
    /// The lines that are written.
    var lines: [String] {
        compactMap { if case .send(let line)? = $0.transport { line } else { nil } }
    }
}

extension [PuppetAction] {
    /// The messages that are confirmed.
    var confirmed: [Int64] {
        flatMap { action -> [Int64] in if case .confirmed(let messages) = action { messages } else { [] } }
    }
}

extension [RelayAction] {

    /// The deliveries that are acknowledged.
    var acks: [Int64] {
        flatMap { action -> [Int64] in
            switch action {
            case .plugin(.ack(.one(let delivery), _)): [delivery]
            case .plugin(.ack(.many(let deliveries), _)): deliveries
            default: []
            }
        }
    }

    /// The windows that are asked for.
    var windows: [Int64] {
        compactMap { if case .plugin(.window(_, let events)) = $0 { events } else { nil } }
    }

    /// The commands for the chat, as JSON.
    var commands: [String] {
        compactMap { if case .emit(let command) = $0 { String(decoding: command.json, as: UTF8.self) } else { nil } }
    }

    /// The last health that is told.
    var health: NetworkHealth? {
        compactMap { if case .health(let health) = $0 { health } else { nil } }.last
    }
}
