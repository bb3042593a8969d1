/// Who is addressed in a message: `@name` in the chat, `nick:` at the beginning of a line on IRC, where clients
/// highlight a message that holds the nick.
enum Mentions {
    /// What an author's name holds with `anti_ping`, so that it highlights nobody: a space without width.
    static let antiPing: Character = "\u{200B}"

    /// The longest name that is looked for, in characters.
    private static let longestName = IRCSource.longestName

    /// Of the chat's text each `@name` that is a nick, as that nick.
    /// - Parameter nick: The nick, as its owner writes it, for a name; nil where there is none.
    static func toIRC(_ text: String, nick: (String) -> String?) -> String {
        guard text.utf8.contains(0x40) else { return text }
        var out = ""
        var rest = text[...]
        while let sign = rest.firstIndex(of: "@") {
            let before = sign > text.startIndex ? text[text.index(before: sign)] : nil
            let start = text.index(after: sign)
            // Nobody's name is longer; a run of dashes without end would be tried dash by dash.
            let name = text[start...].prefix(longestName).prefix { isNick($0) }
            out += rest[..<sign]
            // An address of mail is nobody's name.
            let isStart = before.map { !isNick($0) && $0 != "@" } ?? true
            var found: (nick: String, end: Substring.Index)?
            if isStart {
                // A dash or the like behind a name need not be part of it.
                var candidate = name
                while !candidate.isEmpty, found == nil {
                    if let nick = nick(String(candidate)) { found = (nick, candidate.endIndex) }
                    guard let last = candidate.last, !last.isLetter, !last.isNumber else { break }
                    candidate.removeLast()
                }
            }
            if let found {
                out += found.nick
                rest = text[found.end...]
            } else {
                out += "@"
                rest = text[start...]
            }
        }
        return out + rest
    }

    /// Of a line of IRC that begins with `nick:` or `nick,` the same with `@` before it.
    /// - Parameter name: The chat's name for a nick; nil where there is none.
    static func toChat(_ text: String, name: (String) -> String?) -> String {
        guard let end = text.firstIndex(where: { $0 == ":" || $0 == "," || $0 == " " }), text[end] != " ",
            end > text.startIndex, text.index(after: end) == text.endIndex || text[text.index(after: end)] == " ",
            let name = name(text[..<end].filter { $0 != antiPing })
        else { return text }
        return "@" + name + text[end...]
    }

    private static func isNick(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || "[]\\`_^{|}-".contains(character)
    }
}
