import PluginWire

/// What a network's machine wants done.
enum NetworkAction: Equatable, Sendable {
    /// Open a connection.
    case connect
    /// Write a line; CR LF is added.
    case send(String)
    /// Close the connection, once what was written is out.
    case close
    /// Tell the host.
    case plugin(PluginMessage)
    /// Emit a command into the chat.
    case emit(ChatCommand)
    /// The network's health has changed.
    case health(NetworkHealth)
    /// All is done; no more will come.
    case drained
}

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
    /// Becomes `origin.ref`.
    var ref: String
}
