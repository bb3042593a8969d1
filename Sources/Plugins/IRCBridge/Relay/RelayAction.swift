import JSONBytes
import PluginWire

/// What the relay wants done.
enum RelayAction: ConnectionAction {
    case connect
    case close
    case send(String)
    case derive(ScramExchange.Derivation)
    /// Send a message to the host.
    case plugin(PluginMessage)
    /// Submit a command to the chat.
    case emit(ChatCommand)
    /// The network's health has changed.
    case health(NetworkHealth)
    /// The drain is complete; no more actions follow.
    case drained
    /// An order for a puppet, by its serial.
    case puppet(Int, PuppetOrder)

    var transport: TransportAction? {
        switch self {
        case .connect: .connect
        case .close: .close
        case .send(let line): .send(line)
        case .derive(let derivation): .derive(derivation)
        case .plugin, .emit, .health, .drained, .puppet: nil
        }
    }
}
