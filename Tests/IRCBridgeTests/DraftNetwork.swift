import JSONBytes
import PluginWire

@testable import IRCBridge

/// A machine at a server with the drafts of IRCv3, and the chat's events that concern them.
enum DraftNetwork {
    static let caps =
        "batch draft/message-redaction draft/multiline=max-bytes=400,max-lines=8 draft/relaymsg=/ echo-message "
        + "labeled-response message-tags"

    /// A machine that has joined `#room`, as `crow`, with `bob` in it.
    /// - Parameters:
    ///   - more: More members of the network's configuration, each after a comma.
    ///   - supports: What the server says about itself.
    static func machine(
        caps: String = caps, _ more: String = "", supports: String = "CHANTYPES=#", links: [LinkConfig]? = nil,
        state: String? = nil
    ) throws -> Relay {
        var machine = Relay(
            config: try Tables.network(more), links: try links ?? [Tables.link()], plugin: "irc")
        if let state { machine.restore(NetworkState(try JSON(parsing: Array(state.utf8)))) }
        _ = machine.start(now: 0)
        _ = machine.connected(now: 0)
        let names = caps.split(separator: " ").map { String($0.prefix { $0 != "=" }) }.joined(separator: " ")
        hear(
            &machine, ":s CAP * LS :\(caps)", ":s CAP * ACK :\(names)", ":s 001 crow :Welcome",
            ":s 005 crow \(supports) :are supported")
        // Long ago: soon after a JOIN refusals are not final.
        for target in Set((try links ?? [Tables.link()]).map(\.target)).sorted() {
            hear(
                &machine, ":crow!crow@host JOIN \(target)", ":s 353 crow = \(target) :crow bob",
                ":s 366 crow \(target) :End", now: -100)
        }
        machine.connection.lastHeard = 0
        return machine
    }

    /// Lets a machine hear lines.
    @discardableResult
    /// A message of `ann` in `general`, or by other members.
    static func event(
        _ delivery: Int64, _ members: [(String, String)], origin: (plugin: String, ref: String)? = nil
    ) -> HostMessage.EventDelivery {
        event(delivery, "MESSAGE_SENT", members, origin: origin)
    }

    /// An event of `ann` in `general`, or by other members.
    static func event(
        _ delivery: Int64, _ type: String, _ members: [(String, String)],
        origin: (plugin: String, ref: String)? = nil
    ) -> HostMessage.EventDelivery {
        var all = [("type", type), ("userId", "ann"), ("userName", "Ann"), ("channelId", "general")]
        for (key, value) in members {
            all.removeAll { $0.0 == key }
            all.append((key, value))
        }
        var json = all.map { JSON.Member($0.0, .string($0.1)) }
        if let origin {
            let members = [JSON.Member("plugin", .string(origin.plugin)), JSON.Member("ref", .string(origin.ref))]
            json.append(JSON.Member("origin", .object(members)))
        }
        return HostMessage.EventDelivery(
            queue: "net", delivery: delivery, position: delivery, event: JSON.object(json).bytes)
    }

    /// The commands of a type, as objects.
    static func commands(_ actions: [RelayAction], _ type: String) throws -> [JSONObject] {
        try actions.commands.map { try JSONObject(parsing: Array($0.utf8)) }.filter { $0.string("type") == type }
    }

    /// The types of the commands, in order.
    static func types(_ actions: [RelayAction]) throws -> [String] {
        try actions.commands.map { try JSONObject(parsing: Array($0.utf8)).string("type") ?? "" }
    }
}
