import OpenSSL

/// The chat's ids of people on IRC (docs/irc.md): `PLUGIN/NETWORK/nick/NICK` or `PLUGIN/NETWORK/acct/ACCOUNT`.
enum BridgeUserID {
    /// The longest id of the chat, in bytes.
    static let maxLength = 128
    /// Bytes of the hash that takes the place of what does not fit.
    private static let hashLength = 8

    /// A person known by a nick alone.
    static func nick(_ nick: String, plugin: String, network: String, _ casemapping: Casemapping) -> String {
        cut("\(plugin)/\(network)/nick/" + escape(casemapping.fold(nick)))
    }

    /// A person known by an account with the network's services.
    static func account(_ account: String, plugin: String, network: String, _ casemapping: Casemapping) -> String {
        cut("\(plugin)/\(network)/acct/" + escape(casemapping.fold(account)))
    }

    /// Whether an id is that of somebody known by an account.
    static func isAccount(_ id: String, plugin: String, network: String) -> Bool {
        id.hasPrefix("\(plugin)/\(network)/acct/")
    }

    /// An id over ``maxLength`` with a hash of the whole in place of its end, so that it stays that person's own.
    private static func cut(_ id: String) -> String {
        guard id.utf8.count > maxLength else { return id }
        let hash = SHA256.hash(id.utf8).prefix(hashLength)
        let end = "~" + hash.map { hex($0) }.joined()
        return String(decoding: id.utf8.prefix(maxLength - end.utf8.count), as: UTF8.self) + end
    }

    private static func hex(_ byte: UInt8) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        return String(decoding: [digits[Int(byte >> 4)], digits[Int(byte & 15)]], as: UTF8.self)
    }

    /// A name with every byte that an id cannot hold as `~HH`; `~` itself is one of these, so that no two names meet.
    static func escape(_ name: String) -> String {
        var out: [UInt8] = []
        for byte in name.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2E, 0x5F, 0x3A, 0x2D: out.append(byte)
            default: out += Array(("~" + hex(byte)).utf8)
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
