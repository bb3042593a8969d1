/// Recognises lines that a puppet can skip: what people say in its channels, and who is there. With
/// many such connections each line of a channel comes as often.
enum TalkFilter {
    private static let skipped: [[UInt8]] = ["PRIVMSG", "NOTICE"].map { Array($0.utf8) }
    private static let names = Array("353".utf8)
    /// What channels begin with, and the marks before them of messages to some of a channel's people.
    private static let channel = Array("#&+!@%~".utf8)
    private static let label = Array("label=".utf8)

    /// Whether a line is one of these. One with a label is a receipt, and none of them.
    static func isTalk(_ line: [UInt8]) -> Bool {
        var rest = line[...]
        if rest.first == 0x40 {
            let tags = rest.prefix { $0 != 0x20 }
            if contains(tags, label) { return false }
            rest = rest.dropFirst(tags.count).drop { $0 == 0x20 }
        }
        if rest.first == 0x3A { rest = rest.drop { $0 != 0x20 }.drop { $0 == 0x20 } }
        let verb = rest.prefix { $0 != 0x20 }
        if names.elementsEqual(verb) { return true }
        guard skipped.contains(where: { $0.elementsEqual(verb) }) else { return false }
        return rest.dropFirst(verb.count).first { $0 != 0x20 }.map(channel.contains) ?? false
    }

    private static func contains(_ bytes: ArraySlice<UInt8>, _ word: [UInt8]) -> Bool {
        guard bytes.count >= word.count else { return false }
        return (bytes.startIndex...bytes.endIndex - word.count).contains { start in
            bytes[start] == word[0] && bytes[start..<start + word.count].elementsEqual(word)
        }
    }
}
