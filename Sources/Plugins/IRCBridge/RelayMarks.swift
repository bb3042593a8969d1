import DequeModule

/// Tells what another bridge between the same channels says again, so that two of them do not answer each other for
/// ever.
struct RelayMarks: Sendable {
    /// How long a line is remembered, in seconds: as long as another bridge may take to say the same.
    static let memory = 10.0
    /// The most lines remembered.
    static let most = 512

    private var saidAt: [String: Instant] = [:]
    private var order: Deque<(line: String, at: Instant)> = []

    /// The bridge has written a line.
    mutating func said(_ line: String, now: Instant) {
        guard let key = Self.key(line) else { return }
        saidAt[key] = now
        order.append((key, now))
        while let first = order.first, order.count > Self.most || now - first.at > Self.memory {
            order.removeFirst()
            if saidAt[first.line] == first.at { saidAt[first.line] = nil }
        }
    }

    /// Channel and text of a written line, without its tags.
    private static func key(_ line: String) -> String? {
        let space = UInt8(ascii: " ")
        var rest = line.utf8[...]
        if rest.first == UInt8(ascii: "@") { rest = rest.drop { $0 != space }.dropFirst() }
        for verb in ["PRIVMSG ", "NOTICE "] where rest.starts(with: verb.utf8) {
            rest = rest.dropFirst(verb.utf8.count)
            guard let end = rest.firstIndex(of: space) else { return nil }
            let text = Substring(rest[end...].dropFirst(2))
            return key(Casemapping.rfc1459.fold(String(Substring(rest[..<end]))), String(text))
        }
        return nil
    }

    /// Formatting is no part of it, as many a bridge drops it.
    private static func key(_ target: String, _ text: String) -> String {
        target + " " + (text.utf8.allSatisfy { $0 >= 0x20 } ? text : IRCText.plain(text))
    }

    /// Whether what somebody says is what the bridge itself has just said there, or quotes the bridge as its author.
    /// - Parameters:
    ///   - target: The channel, folded.
    ///   - nick: The bridge's.
    func isRepeated(_ text: String, in target: String, nick: String, now: Instant) -> Bool {
        if let at = saidAt[Self.key(target, text)], now - at <= Self.memory { return true }
        return Self.quotes(text, nick)
    }

    /// Whether a text begins with a relay's mark of somebody: `<nick>`, `[nick]`, `(nick)` or `{nick}`.
    static func quotes(_ text: String, _ nick: String) -> Bool {
        let plain = IRCText.plain(text)
        guard let open = plain.unicodeScalars.first, let close = closing[open] else { return false }
        var name = ""
        for scalar in plain.unicodeScalars.dropFirst() {
            if scalar == close { return Casemapping.rfc1459.fold(name) == Casemapping.rfc1459.fold(nick) }
            if !Mentions.antiPing.unicodeScalars.contains(scalar) { name.unicodeScalars.append(scalar) }
            if name.utf8.count > RelayFormat.maxName { return false }
        }
        return false
    }

    private static let closing: [Unicode.Scalar: Unicode.Scalar] = ["<": ">", "[": "]", "(": ")", "{": "}"]
}
