/// The chat's ids of people on IRC (docs/irc.md): `PLUGIN/NETWORK/nick/NICK` or `PLUGIN/NETWORK/acct/ACCOUNT`.
enum BridgeUserID {
    /// A person known by a nick alone.
    static func nick(_ nick: String, plugin: String, network: String, _ casemapping: Casemapping) -> String {
        "\(plugin)/\(network)/nick/" + escape(casemapping.fold(nick))
    }

    /// A person known by an account with the network's services.
    static func account(_ account: String, plugin: String, network: String, _ casemapping: Casemapping) -> String {
        "\(plugin)/\(network)/acct/" + escape(casemapping.fold(account))
    }

    /// A name with every byte that an id cannot hold as `~HH`; `~` itself is one of these, so that no two names meet.
    static func escape(_ name: String) -> String {
        let hex = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        for byte in name.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2E, 0x5F, 0x3A, 0x2D: out.append(byte)
            default: out += [0x7E, hex[Int(byte >> 4)], hex[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
