/// A template for the nicks of users of the chat, such as `{name}[c]`.
struct PuppetNick: Equatable, Sendable {
    /// The template where none is configured.
    static let preset = PuppetNick(before: "", after: "[c]")
    /// The nick where nothing of a name can stand in one.
    static let nobody = "user"

    private let before: String
    private let after: String

    private init(before: String, after: String) { (self.before, self.after) = (before, after) }

    /// Reads a template; nil where it does not hold `{name}` once, or what no nick can hold.
    init?(_ template: String) {
        guard template.utf8.count <= PuppetConfig.maxTemplate else { return nil }
        let place = "{name}"
        let places = template.indices.filter { template[$0...].hasPrefix(place) }
        guard let at = places.first, places.count == 1 else { return nil }
        before = String(template[..<at])
        after = String(template[template.index(at, offsetBy: place.count)...])
        let both = before + after
        guard both.utf8.allSatisfy(Self.isNick), before.utf8.first.map(Self.isFirst) ?? true else { return nil }
    }

    /// The nick for a name, of at most so many bytes. What no nick can hold becomes `_`, once for a run of it.
    func nick(_ name: String, longest: Int) -> String {
        var kept: [UInt8] = []
        for byte in name.utf8 {
            if Self.isNick(byte) { kept.append(byte) } else if kept.last != 0x5F { kept.append(0x5F) }
        }
        if !kept.contains(where: { $0 != 0x5F }) { kept = Array(Self.nobody.utf8) }
        if before.isEmpty, let first = kept.first, !Self.isFirst(first) { kept.insert(0x5F, at: 0) }
        // A short limit costs the template before it costs the whole name.
        let room = max(longest - before.utf8.count - after.utf8.count, min(longest, 4))
        let whole = before.utf8 + kept.prefix(room) + after.utf8
        return String(decoding: whole.prefix(longest), as: UTF8.self)
    }

    private static func isFirst(_ byte: UInt8) -> Bool { !(0x30...0x39).contains(byte) && byte != 0x2D }

    /// RFC 2812 2.3.1.
    private static func isNick(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5B...0x60, 0x7B...0x7D, 0x2D: true
        default: false
        }
    }
}
