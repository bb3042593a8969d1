/// What can be done about a line that a server does not pass on. It was shown to nobody, so it may be said again.
enum Remedy: Int, Sendable {
    /// Said again without formatting.
    case plain
    /// A NOTICE is said again as PRIVMSG.
    case message
    /// Said again after a while.
    case later
    /// Said again after a while, one line at a time: the server drops what comes too fast.
    case slower
    /// As ``slower``, after the time that the server names. The refusal is certain then, and not counted as a try.
    case spaced
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
        let small = ServerWords.withoutChannels(words).lowercased()
        // 408 is that of bahamut and hybrid for colours; elsewhere an unknown service, which is not spoken to.
        if verb == "408" || Self.formattingWords.contains(where: small.contains) || words.contains("(+c") {
            self = .plain
        } else if small.contains("notice") || words.contains("(+T") {
            self = .message
        } else {
            self = verb == "404" ? .simplest : .none
        }
    }

    /// The line as it is said again.
    func applied(to line: String) -> String {
        switch self {
        case .plain: Self.withoutFormatting(line)
        case .message: Self.asMessage(line)
        case .simplest: Self.withoutFormatting(Self.asMessage(line))
        case .later, .slower, .spaced, .renamed, .none: line
        }
    }

    /// Whether the line is said again as it is after a while.
    var waits: Bool { [.later, .slower, .spaced].contains(self) }

    /// Whether it may help a line: one that is plain already is not said again plain.
    func helps(_ line: String) -> Bool {
        switch self {
        case .plain, .message, .simplest: applied(to: line) != line
        case .later, .slower, .spaced, .renamed: true
        case .none: false
        }
    }

    private static func asMessage(_ line: String) -> String {
        let bare = WireLine.untagged(line)
        return bare.hasPrefix("NOTICE ") ? line[..<bare.startIndex] + "PRIVMSG " + bare.dropFirst(7) : line
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
