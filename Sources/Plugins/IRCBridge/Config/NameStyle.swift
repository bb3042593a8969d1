/// How the authors of the chat's messages are written on IRC.
struct NameStyle: Equatable, Sendable {
    /// mIRC's colours that can be read on white and on black.
    private static let colors: [Int] = [3, 4, 6, 7, 9, 10, 11, 12, 13]

    /// With a space without width in them, so that they highlight nobody.
    var antiPing = false
    /// Each in a colour of its own.
    var hasColors = false

    /// Writes a name, which is on one line and not too long.
    func write(_ name: String) -> String {
        var written = name
        if antiPing, let first = name.first { written = "\(first)\(Mentions.antiPing)\(name.dropFirst())" }
        // All formatting ends behind it, and not only the colour: a digit that follows would be part of that.
        return hasColors ? "\u{3}\(Self.color(of: name))\(written)\u{F}" : written
    }

    /// Two digits, the same for a name wherever and whenever it is said (FNV-1a).
    private static func color(of name: String) -> String {
        let hash = name.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
        let color = colors[Int(hash % UInt32(colors.count))]
        return color < 10 ? "0\(color)" : "\(color)"
    }
}
