/// What a puppet wants done, and what it reports to the relay.
enum PuppetAction: ConnectionAction {
    case connect
    case close
    case send(String)
    case derive(ScramExchange.Derivation)
    /// The server has accepted it under this nick, or has given it this one.
    case nick(String)
    /// A part of its messages was written or confirmed since the last report.
    case working
    /// The server shows a message of it to all, with this id.
    case said(ChatMessage, target: String, id: String)
    /// The server has these messages.
    case confirmed([Int64])
    /// A channel does not accept this message.
    case refused(Int64)
    /// The connection is lost, or could not be opened.
    case lost(String)
    /// It could not be opened because the server accepts none of the nicks that were tried. Another user's may do.
    case unfit(String)
    /// It has left as ordered.
    case left

    var transport: TransportAction? {
        switch self {
        case .connect: .connect
        case .close: .close
        case .send(let line): .send(line)
        case .derive(let derivation): .derive(derivation)
        case .nick, .working, .said, .confirmed, .refused, .lost, .unfit, .left: nil
        }
    }
}

/// What the relay orders of a puppet.
enum PuppetOrder: Equatable, Sendable {
    /// Connect.
    case open(NetworkConfig)
    /// Say this, in the channels of these links.
    case say(OutboundQueue.Entry, [LinkConfig])
    /// Another nick or other limits, and the links that are left.
    case reconfigure(NetworkConfig, [LinkConfig])
    /// Forget the messages given so far.
    case clear
    /// Finish what is begun and leave within this many seconds.
    case leave(Double)
    /// Close at once.
    case drop
}
