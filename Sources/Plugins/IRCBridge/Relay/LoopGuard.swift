import DequeModule

/// Tells what another bridge between the same channels says again, so that two of them do not answer each other for
/// ever.
struct LoopGuard: Sendable {
    /// How long a line is remembered as such, in seconds: as long as another bridge may take to say the same.
    static let memory = 10.0
    /// How long it is remembered as what somebody's longer line ends with, in seconds: a bridge that its network slows
    /// down may take that long, and each round of a line that goes in circles is a longer one.
    static let longMemory = 300.0
    /// The most lines remembered.
    static let most = 1024

    /// What was said, without formatting, which many a bridge drops.
    private struct Words: Hashable {
        var text: String
        /// Whether it is what somebody did (CTCP ACTION).
        var isAction = false

        init(_ raw: Substring) {
            var text = raw
            if raw.utf8.starts(with: Self.action.utf8) {
                isAction = true
                text = Substring(raw.utf8.dropFirst(Self.action.utf8.count))
            }
            self.text = text.utf8.allSatisfy { $0 >= 0x20 } ? String(text) : IRCText.plain(String(text))
        }

        private static let action = "\u{1}ACTION "
    }

    private struct Line: Hashable {
        /// The channel, folded.
        var target: String
        var words: Words
    }

    private var saidAt: [Line: Instant] = [:]
    private var order: Deque<(line: Line, at: Instant)> = []

    /// The bridge has written a line.
    /// - Parameter names: The configured names of channels that have others by now, by these.
    mutating func said(_ line: String, names: [String: String] = [:], now: Instant) {
        guard var line = Self.read(line) else { return }
        line.target = names[line.target] ?? line.target
        saidAt[line] = now
        order.append((line, now))
        while let first = order.first, order.count > Self.most || now - first.at > Self.longMemory {
            order.removeFirst()
            if saidAt[first.line] == first.at { saidAt[first.line] = nil }
        }
    }

    /// Channel and text of a written line, without its tags.
    private static func read(_ line: String) -> Line? {
        let space = UInt8(ascii: " ")
        var rest = line.utf8[...]
        if rest.first == UInt8(ascii: "@") { rest = rest.drop { $0 != space }.dropFirst() }
        for verb in ["PRIVMSG ", "NOTICE "] where rest.starts(with: verb.utf8) {
            rest = rest.dropFirst(verb.utf8.count)
            guard let end = rest.firstIndex(of: space) else { return nil }
            let text = Substring(rest[end...].dropFirst(2))
            return Line(target: Casemapping.rfc1459.fold(String(Substring(rest[..<end]))), words: Words(text))
        }
        return nil
    }

    /// Whether what somebody says is what the bridge itself has just said there, or is another bridge's saying that of
    /// the bridge or of one of its users' connections.
    /// - Parameters:
    ///   - target: The channel, folded.
    ///   - nick: The bridge's nick.
    ///   - isOurs: Whether a nick is the bridge's own or that of a user's connection.
    func isRepeated(
        _ text: String, in target: String, nick: String, now: Instant, isOurs: (String) -> Bool
    ) -> Bool {
        let words = Words(text[...])
        if let at = saidAt[Line(target: target, words: words)], now - at <= Self.memory { return true }
        if let name = words.isAction ? Self.firstWord(words.text) : Self.quoted(words.text), isOurs(name) {
            return true
        }
        return repeats(words, nick, now)
    }

    /// Whether words name the bridge and then end with what it has said anywhere: another bridge's line of it,
    /// whatever that one's format is.
    private func repeats(_ words: Words, _ nick: String, _ now: Instant) -> Bool {
        guard Self.holds(words.text, nick) else { return false }
        return order.contains { said in
            let text = said.line.words.text
            guard now - said.at <= Self.longMemory, said.line.words.isAction == words.isAction,
                words.text.utf8.count > text.utf8.count, words.text.hasSuffix(text)
            else { return false }
            return Self.holds(String(words.text.dropLast(text.count)), nick)
        }
    }

    /// Whether a text holds a nick. Byte by byte, as this is asked of each line.
    private static func holds(_ text: String, _ nick: String) -> Bool {
        let wanted = Casemapping.rfc1459.fold(Array(nick.utf8))
        let isASCII = text.utf8.allSatisfy { $0 < 0x80 }
        let plain = isASCII ? text : text.filter { $0 != Mentions.antiPing }
        let bytes = Casemapping.rfc1459.fold(Array(plain.utf8))
        guard let first = wanted.first, bytes.count >= wanted.count else { return false }
        return (0...(bytes.count - wanted.count)).contains { start in
            bytes[start] == first && bytes[start..<(start + wanted.count)].elementsEqual(wanted)
        }
    }

    /// Whose words a text is by a relay's mark at its beginning: `<nick>`, `[nick]`, `(nick)` or `{nick}`; nil where
    /// there is none.
    static func quoted(_ plain: String) -> String? {
        guard let open = plain.unicodeScalars.first, let close = closing[open] else { return nil }
        var name = ""
        for scalar in plain.unicodeScalars.dropFirst() {
            if scalar == close { return name }
            if !Mentions.antiPing.unicodeScalars.contains(scalar) { name.unicodeScalars.append(scalar) }
            if name.utf8.count > RelayFormat.maxName { return nil }
        }
        return nil
    }

    /// Who does something in a relay's action, which begins with the author's name.
    private static func firstWord(_ plain: String) -> String? {
        String(plain.prefix(RelayFormat.maxName).prefix { $0 != " " }.filter { $0 != Mentions.antiPing })
    }

    private static let closing: [Unicode.Scalar: Unicode.Scalar] = ["<": ">", "[": "]", "(": ")", "{": "}"]
}
