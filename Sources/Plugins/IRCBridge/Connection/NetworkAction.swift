import JSONBytes
import PluginWire

/// What a network's machine wants done.
enum NetworkAction: Equatable, Sendable {
    /// Open a connection; one that is being opened is not wanted any more.
    case connect
    /// Write a line; CR LF is added.
    case send(String)
    /// Derive a key beside the event loop, for ``NetworkMachine/derived(_:now:)``.
    case derive(ScramExchange.Derivation)
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
    /// Something for an author's own connection, by its serial.
    case puppet(Int, PuppetOrder)
    /// What an author's own connection has to tell the network's.
    case news(PuppetNews)
}

/// What is to become of an author's own connection.
enum PuppetOrder: Equatable, Sendable {
    /// Make it and let it connect.
    case open(NetworkConfig)
    /// Say this, in the channels of these links.
    case say(OutboundLedger.Entry, [LinkConfig])
    /// Another nick or other limits, and the links that are left.
    case reconfigure(NetworkConfig, [LinkConfig])
    /// What it was given is void.
    case clear
    /// Finish what is begun and leave, within so many seconds.
    case leave(Double)
    /// Let go of it at once.
    case drop
}

/// What an author's own connection tells.
enum PuppetNews: Equatable, Sendable {
    /// The server has accepted it by this nick, or has given it this one.
    case nick(String)
    /// A part of what it was given was written or confirmed since this was told last.
    case working
    /// It has said a message, which the server shows to all with this id.
    case said(ChatMessage, target: String, id: String)
    /// The connection is lost, or was not to be had.
    case lost(String)
    /// It was not to be had because the server takes none of the nicks that were tried: another user's may do.
    case unfit(String)
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
