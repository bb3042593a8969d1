/// A pattern with `*` for any text and `?` for one character, case ignored in ASCII.
struct IRCMask: Equatable, Sendable {
    private let pattern: [UInt8]

    init(_ pattern: String) { self.pattern = Casemapping.ascii.fold(Array(pattern.utf8)) }

    /// Whether the whole text fits. Takes time linear in the text for each star at worst.
    func matches(_ text: String) -> Bool {
        let text = Casemapping.ascii.fold(Array(text.utf8))
        var (p, t) = (0, 0)
        var star: (pattern: Int, text: Int)?
        while t < text.count {
            if p < pattern.count, pattern[p] == 0x2A {
                star = (p, t)
                p += 1
            } else if p < pattern.count, pattern[p] == 0x3F || pattern[p] == text[t] {
                p += 1
                t += 1
            } else if let back = star {
                star = (back.pattern, back.text + 1)
                p = back.pattern + 1
                t = back.text + 1
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == 0x2A }
    }
}
