import JSONBytes

/// A `[[config.links]]` table: a channel of the chat and one on IRC that show the same (docs/irc.md).
struct LinkConfig: Equatable, Sendable {
    /// Which way messages go.
    enum Direction: String, Sendable {
        case both
        case toIRC = "to_irc"
        case toChat = "to_chat"
    }

    /// The longest key, in bytes; servers allow 23 to about 50.
    static let longestKey = 200

    /// The chat's channel.
    var channel: String
    /// The network's name.
    var network: String
    /// The channel on IRC, as configured.
    var target: String
    /// The channel's key, where it needs one.
    var key: String?
    var direction: Direction
    /// The channel's name by now, where the server has renamed it; not a part of the configuration.
    var presentName: String?

    /// What `origin.ref` says of messages from here: `NETWORK/#channel`.
    var ref: String { network + "/" + target }

    /// Reads a table.
    /// - Parameter networks: The networks there are.
    /// - Throws: ``ConfigError`` naming the key.
    init(_ json: JSON, path: String, networks: [String]) throws(ConfigError) {
        let section = try ConfigSection(json, path: path, known: ["channel", "irc", "key", "direction"])
        channel = try section.required("channel")
        guard Self.isChatChannel(channel) else {
            throw section.fail(
                "channel", "must be a-z, 0-9, '_', '.' and '-', begin with a letter or digit, 64 at most")
        }
        let irc = try section.required("irc")
        let parts = irc.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let first = parts[1].utf8.first, "#&+!".utf8.contains(first),
            parts[1].utf8.allSatisfy({ $0 > 0x20 && $0 != 0x2C }), parts[1].utf8.count <= 200
        else { throw section.fail("irc", "must be NETWORK/#channel, such as \"libera/#crowbar\"") }
        network = String(parts[0])
        target = String(parts[1])
        guard networks.contains(network) else {
            let near = NearestName.to(network, among: networks).map { "; did you mean '\($0)'?" }
            let known = networks.isEmpty ? "; there are none" : "; there are \(networks.joined(separator: ", "))"
            throw section.fail("irc", BridgeConfig.unknownNetwork + "'\(network)'" + (near ?? known))
        }
        key = try section.value("key") == nil ? nil : section.word("key", default: "", most: Self.longestKey)
        guard key?.contains(",") != true else {
            throw section.fail("key", "must hold no comma, which IRC has between the keys of several channels")
        }
        let text = try section.string("direction") ?? Direction.both.rawValue
        guard let direction = Direction(rawValue: text) else {
            throw section.fail("direction", "must be 'both', 'to_irc' or 'to_chat'")
        }
        self.direction = direction
    }

    private static func isChatChannel(_ id: String) -> Bool {
        let utf8 = id.utf8
        func isAlphanumeric(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) }
        guard let first = utf8.first, isAlphanumeric(first), utf8.count <= 64 else { return false }
        return utf8.allSatisfy { isAlphanumeric($0) || $0 == 0x5F || $0 == 0x2E || $0 == 0x2D }
    }
}
