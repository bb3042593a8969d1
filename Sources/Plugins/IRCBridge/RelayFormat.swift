/// How a message of the chat reads on IRC: a template with `{name}` and `{text}`.
struct RelayFormat: Equatable, Sendable {
    /// The template if none is configured.
    static let preset = "<{name}> {text}"
    /// The most bytes of a name on a line, so that text always fits beside it.
    static let maxName = 64
    /// The most bytes of a template.
    static let maxTemplate = 100

    private let before: String
    private let between: String
    /// Whether no name is written, as the nick says who speaks.
    let isBare: Bool

    /// The text alone.
    static let bare = RelayFormat()

    private init() { (before, between, isBare) = ("", "", true) }

    /// Reads a template; nil where it does not hold both places once each with the text last.
    init?(_ template: String) {
        guard template.utf8.count <= Self.maxTemplate, template.hasSuffix("{text}") else { return nil }
        let head = String(template.dropLast(6))
        guard let parts = Self.cut(head, at: "{name}"), Self.cut(parts.1, at: "{name}") == nil,
            Self.cut(head, at: "{text}") == nil
        else { return nil }
        (before, between) = parts
        isBare = false
    }

    private static func cut(_ text: String, at place: String) -> (String, String)? {
        var at = text.startIndex
        while at < text.endIndex {
            if text[at...].hasPrefix(place) {
                return (String(text[..<at]), String(text[text.index(at, offsetBy: place.count)...]))
            }
            at = text.index(after: at)
        }
        return nil
    }

    /// What stands before the text on each line of this author.
    func prefix(name: String, style: NameStyle = NameStyle()) -> String {
        isBare ? "" : before + Self.short(name, style) + between
    }

    /// The author's name on one line and not over ``maxName`` before it is styled.
    static func short(_ name: String, _ style: NameStyle = NameStyle()) -> String {
        // Most names are written as they are.
        let isPlain = !name.isEmpty && name.utf8.count <= maxName && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        return style.write(isPlain ? name : MessageSplitter.split(IRCText.name(name), budget: maxName).first ?? "?")
    }
}
