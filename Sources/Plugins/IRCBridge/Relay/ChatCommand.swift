import JSONBytes
import PluginWire

/// How a network is, for the operator.
struct NetworkHealth: Equatable, Sendable {
    var level: PluginMessage.Level
    var message: String
}

/// A command to the chat on behalf of somebody on IRC.
struct ChatCommand: Equatable, Sendable {
    /// The command's type.
    enum Kind: String, Sendable {
        case register = "REGISTER_USER"
        case rename = "RENAME_USER"
        case join = "JOIN_CHANNEL"
        case leave = "LEAVE_CHANNEL"
        case topic = "SET_TOPIC"
        case message = "SEND_MESSAGE"
        case delete = "DELETE_MESSAGE"
    }

    var kind: Kind
    /// The command's JSON.
    var json: [UInt8]
    var userID: String
    var channel: String?
    /// What its event's id is derived from, where the network gave the message an id.
    var key: String?
    /// How the network can be asked for what came after this message.
    var reference: String?
    /// The line's place among those of its message.
    var part = 1
    /// Becomes `origin.ref`.
    var ref: String

    /// The command without a member; nil where it has none of that name.
    func without(_ name: String) -> ChatCommand? {
        guard let members = (try? JSON(parsing: json))?.members, members.contains(where: { $0.key == name }) else {
            return nil
        }
        var other = self
        other.json = JSON.object(members.filter { $0.key != name }).bytes
        return other
    }
}
