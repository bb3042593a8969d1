import ChatMarkdown

/// Who is addressed in a message: `@name` in the chat, `nick:` at the beginning of a line on IRC, where clients
/// highlight a message that holds the nick.
enum Mentions {
    /// What an author's name holds with `anti_ping`, so that it highlights nobody: a space without width.
    static let antiPing: Character = "\u{200B}"

    /// The longest name that is looked for, in characters.
    private static let longestName = IRCSource.longestName

    /// The longest host that is looked for beside a name, in characters.
    private static let longestHost = 255

    /// Of the chat's text each `@name` that is a nick, as that nick; URLs stay as they are.
    /// - Parameters:
    ///   - before: The character before the text; nil at the start of the message.
    ///   - after: The character behind it; nil at the end.
    ///   - nick: The nick, as its owner writes it, for a name; nil where there is none.
    static func toIRC(
        _ text: String, before: Character? = nil, after: Character? = nil, nick: (String) -> String?
    ) -> String {
        guard text.utf8.contains(0x40) else { return text }
        let characters = Array(text)
        let urls = URLScanner.mayContainURL(text) ? URLScanner.ranges(characters) : []
        var nextURL = urls.startIndex
        var out = ""
        // What is not written yet, and the next place to look at.
        var (from, at) = (0, 0)
        while at < characters.count {
            if nextURL < urls.endIndex, urls[nextURL].lowerBound == at {
                at = urls[nextURL].upperBound
                nextURL += 1
                continue
            }
            let sign = at
            at += 1
            guard characters[sign] == "@", isStart(characters, sign, before) else { continue }
            // Nobody's name is longer; a run of dashes without end would be tried dash by dash.
            var end = at
            while end < characters.count, end - at < longestName, isNick(characters[end]) { end += 1 }
            // A dash or the like behind a name need not be part of it.
            while end > at {
                if isEnd(characters, end, after), let nick = nick(String(characters[at..<end])) {
                    out += String(characters[from..<sign]) + nick
                    (from, at) = (end, end)
                    break
                }
                if URLScanner.isWord(characters[end - 1]) { break }
                end -= 1
            }
        }
        return from == 0 ? text : out + String(characters[from...])
    }

    /// Whether a name may begin behind the `@` at a place: not in a word, as in an address of mail, nor in a path.
    private static func isStart(_ text: [Character], _ sign: Int, _ before: Character?) -> Bool {
        guard let last = sign > 0 ? text[sign - 1] : before else { return true }
        if isNick(last) || last == "@" { return false }
        guard last == "/" else { return true }
        // `social.example/@ann` without a scheme.
        return !isHost(text[max(0, sign - 1 - longestHost)..<max(0, sign - 1)].reversed())
    }

    /// Whether a name may end at a place: not in a word, and not where the account of another server goes on, as in
    /// `@ann@social.example`, `@ann:matrix.example` and `@ann.example`.
    private static func isEnd(_ text: [Character], _ end: Int, _ after: Character?) -> Bool {
        guard let next = end < text.count ? text[end] : after else { return true }
        switch next {
        case ".": return !URLScanner.isWord(end + 1 < text.count ? text[end + 1] : nil)
        case "@", ":": return !isHost(text[min(end + 1, text.count)...].prefix(longestHost))
        default: return !URLScanner.isWord(next)
        }
    }

    /// Whether a text begins with letters and digits that have a dot between them.
    private static func isHost(_ text: some Sequence<Character>) -> Bool {
        var (wasWord, hasDot) = (false, false)
        for character in text {
            if URLScanner.isWord(character) {
                if hasDot { return true }
                wasWord = true
            } else if character == ".", wasWord {
                hasDot = true
            } else if character == "-", wasWord {
                hasDot = false
            } else {
                return false
            }
        }
        return false
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
