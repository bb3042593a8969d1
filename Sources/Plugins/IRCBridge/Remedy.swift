/// What can be done about a line that a server does not pass on. It was shown to nobody, so it may be said again.
enum Remedy: Int, Sendable {
    /// Said again without formatting.
    case plain
    /// A NOTICE is said again as PRIVMSG.
    case message
    /// Said again after a while.
    case later
    /// Said again at once, as the channel has another name by now: those refused were written last.
    case renamed
    /// The server names no cause: said again in the least demanding form, plain and as PRIVMSG, if that is another one.
    case simplest
    /// None: a dead letter.
    case none

    private static let formattingWords = ["color", "colour", "formatting", "control code"]

    /// Reads a refusal that is not only for now.
    /// - Parameters:
    ///   - verb: The numeric, or what else refuses it.
    ///   - words: What the server says.
    init(_ verb: String, _ words: String) {
        // A channel may be called anything.
        let own = words.split(separator: " ").filter { !$0.drop { $0 == "(" || $0 == "'" }.hasPrefix("#") }
        let small = own.joined(separator: " ").lowercased()
        // 408 is that of bahamut and hybrid for colours; elsewhere an unknown service, which is not spoken to.
        if verb == "408" || Self.formattingWords.contains(where: small.contains) || words.contains("(+c") {
            self = .plain
        } else if small.contains("notice") || words.contains("(+T") {
            self = .message
        } else {
            self = verb == "404" ? .simplest : .none
        }
    }

    /// The seconds that the server says are to be waited for; nil where it names none.
    static func seconds(_ words: String) -> Double? {
        let small = words.lowercased()
        guard ["wait", "again", "join"].contains(where: small.contains) else { return nil }
        let parts = small.split { !$0.isLetter && !$0.isNumber }
        for (i, part) in parts.enumerated() {
            let digits = part.prefix { ("0"..."9").contains($0) }
            guard !digits.isEmpty, digits.count <= 6, let number = Double(digits) else { continue }
            let rest = part.dropFirst(digits.count)
            let unit = rest.isEmpty && i + 1 < parts.count ? parts[i + 1] : rest
            if unit == "s" || unit.hasPrefix("sec") { return number }
            if unit.hasPrefix("min") { return number * 60 }
        }
        return nil
    }

    /// The line as it is said again.
    func applied(to line: String) -> String {
        switch self {
        case .plain: Self.withoutFormatting(line)
        case .message: Self.asMessage(line)
        case .simplest: Self.withoutFormatting(Self.asMessage(line))
        case .later, .renamed, .none: line
        }
    }

    /// Whether it may help a line: one that is plain already is not said again plain.
    func helps(_ line: String) -> Bool {
        switch self {
        case .plain, .message, .simplest: applied(to: line) != line
        case .later, .renamed: true
        case .none: false
        }
    }

    private static func asMessage(_ line: String) -> String {
        line.hasPrefix("NOTICE ") ? "PRIVMSG " + line.dropFirst(7) : line
    }

    /// A line without the codes for bold, colours and so on in its text; those of a client's request stay.
    private static func withoutFormatting(_ line: String) -> String {
        guard let start = line.firstRange(of: " :") else { return line }
        var plain = String.UnicodeScalarView()
        var rest = line[start.upperBound...].unicodeScalars
        while let scalar = rest.popFirst() {
            switch scalar.value {
            case 0x02, 0x0F, 0x11, 0x15, 0x16, 0x1D, 0x1E, 0x1F: break
            case 0x03: dropColour(&rest, digits: 2) { (0x30...0x39).contains($0) }
            case 0x04: dropColour(&rest, digits: 6) { (0x30...0x39).contains($0) || (0x41...0x46).contains($0 & 0xDF) }
            default: plain.append(scalar)
            }
        }
        return line[..<start.upperBound] + String(plain)
    }

    /// Drops the number of a colour, and behind a comma that of the background.
    private static func dropColour(
        _ rest: inout Substring.UnicodeScalarView, digits: Int, _ isDigit: (UInt32) -> Bool
    ) {
        let front = rest.prefix(digits).prefix { isDigit($0.value) }.count
        guard front > 0 else { return }
        rest = rest.dropFirst(front)
        guard rest.first == "," else { return }
        let back = rest.dropFirst().prefix(digits).prefix { isDigit($0.value) }.count
        if back > 0 { rest = rest.dropFirst(back + 1) }
    }
}
