/// A `RemoteNickFormat` of matterbridge as the `format` of a network (docs/irc.md), which knows name and text only.
struct RelayFormatTranslation: Equatable {
    /// The template; nil where none could be made, and the default one applies.
    var format: String?
    /// Whether names are written so that they highlight nobody.
    var isAntiPing = false
    /// The placeholders that were left out.
    var dropped: [String] = []

    /// The longest template.
    private static let longest = 100
    private static let separators: Set<Character> = ["/", "|", "@", "-", "~", ".", "_"]
    private static let others = ["PROTOCOL", "BRIDGE", "GATEWAY", "CHANNEL", "LABEL", "USERID", "TENGO"].map {
        "{\($0)}"
    }

    init(_ text: String) {
        var text = text
        if text.contains("{NOPINGNICK}") {
            isAntiPing = true
            text = text.replacing("{NOPINGNICK}", with: "{NICK}")
        }
        for placeholder in Self.others {
            while let range = text.firstRange(of: placeholder) {
                if !dropped.contains(placeholder) { dropped.append(placeholder) }
                Self.remove(range, from: &text)
            }
        }
        let template = text.replacing("{NICK}", with: "{name}") + "{text}"
        let names = template.ranges(of: "{name}").count
        let texts = template.ranges(of: "{text}").count
        // Somewhere the name must end.
        let isParted = !template.hasSuffix("{name}{text}")
        if names == 1, texts == 1, isParted, template.utf8.count <= Self.longest { format = template }
    }

    /// Takes out a placeholder together with what only served it: brackets around it, a sign that parts it from the
    /// name, a space too many.
    private static func remove(_ range: Range<String.Index>, from text: inout String) {
        var characters = Array(text)
        var start = text.distance(from: text.startIndex, to: range.lowerBound)
        var end = text.distance(from: text.startIndex, to: range.upperBound)
        let pairs: [Character: Character] = ["[": "]", "(": ")", "<": ">", "{": "}"]
        while start > 0, end < characters.count, pairs[characters[start - 1]] == characters[end] {
            (start, end) = (start - 1, end + 1)
        }
        if start > 0, separators.contains(characters[start - 1]) {
            start -= 1
        } else if end < characters.count, separators.contains(characters[end]) {
            end += 1
        }
        if end < characters.count, characters[end] == " ", start == 0 || characters[start - 1] == " " {
            end += 1
        } else if start > 0, characters[start - 1] == " ", end < characters.count, characters[end] == ":" {
            start -= 1
        }
        characters.removeSubrange(start..<end)
        text = String(characters)
    }
}
