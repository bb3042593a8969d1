/// The shapes of ids that come from outside.
public enum Identifier {
    /// The longest id of an event, a user or a message, in bytes.
    public static let maxLength = 128
    /// The longest id of a channel, in bytes.
    public static let maxChannelLength = 64

    /// Whether `id` can identify an event or a message: 1…128 of `A-Z a-z 0-9 . _ : ~ -`.
    public static func isEvent(_ id: String) -> Bool {
        hasShape(id, allowing: { _ in false })
    }

    /// Whether `id` can identify a user: as an event's id, and `/` for the users of plugins (`PLUGIN/…`).
    public static func isUser(_ id: String) -> Bool {
        hasShape(id, allowing: { $0 == 0x2F }) && id.utf8.first != 0x2F
    }

    /// Whether `id` can identify a channel: `[a-z0-9][a-z0-9_.-]{0,63}`.
    public static func isChannel(_ id: String) -> Bool {
        var rest = id.utf8[...]
        guard let first = rest.popFirst(), id.utf8.count <= maxChannelLength else { return false }
        func isAlphanumeric(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) }
        return isAlphanumeric(first)
            && rest.allSatisfy { isAlphanumeric($0) || $0 == 0x5F || $0 == 0x2E || $0 == 0x2D }
    }

    private static func hasShape(_ id: String, allowing extra: (UInt8) -> Bool) -> Bool {
        let utf8 = id.utf8
        guard utf8.count >= 1, utf8.count <= maxLength else { return false }
        return utf8.allSatisfy { byte in
            switch byte {
            case 0x41...0x5A, 0x61...0x7A, 0x30...0x39, 0x2E, 0x5F, 0x3A, 0x7E, 0x2D: true
            default: extra(byte)
            }
        }
    }
}
