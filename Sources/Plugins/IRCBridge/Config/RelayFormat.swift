import PluginKit

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
    /// By which a reader tells the name from the text, so that none stands in a name.
    private let delimiters: ShownText.Signs
    /// Whether only spaces stand between name and text, so that none stands in a name either.
    private let isSpaced: Bool
    /// Whether no name is written, as the nick says who speaks.
    let isBare: Bool

    /// The text alone.
    static let bare = RelayFormat()

    /// Clients of IRC show all that is said as `<nick> text`.
    static let speakerSigns = ShownText.Signs("<>")

    private init() {
        (before, between, isBare) = ("", "", true)
        (delimiters, isSpaced) = (Self.speakerSigns, false)
    }

    /// Reads a template; nil where it does not hold both places once each with the text last.
    init?(_ template: String) {
        guard template.utf8.count <= Self.maxTemplate, template.hasSuffix("{text}") else { return nil }
        let head = String(template.dropLast(6))
        guard let parts = Self.cut(head, at: "{name}"), Self.cut(parts.1, at: "{name}") == nil,
            Self.cut(head, at: "{text}") == nil
        else { return nil }
        (before, between) = parts
        isBare = false
        let signs = (parts.0 + parts.1).unicodeScalars.filter { scalar in
            let properties = scalar.properties
            return !properties.isAlphabetic && !properties.isWhitespace && properties.numericType == nil
        }
        delimiters = Self.speakerSigns.adding(String(String.UnicodeScalarView(signs)))
        isSpaced = !parts.1.isEmpty && parts.1.allSatisfy { $0 == " " }
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

    /// Whether a line without an author before it could be read as the words of somebody whom it names itself.
    func mayNameAuthor(_ line: String) -> Bool {
        if isBare { return false }
        let shown = ShownText.name(IRCText.plain(line), most: Self.maxTemplate + Self.maxName)
        guard let first = shown.unicodeScalars.first else { return false }
        if delimiters.contains(first) { return true }
        let sign = before.unicodeScalars.first { !$0.properties.isWhitespace }
        // A line of the bridge begins with a sign that this one does not begin with.
        if let sign, delimiters.contains(sign) { return false }
        let hasSign = between.unicodeScalars.contains { delimiters.contains($0) }
        return !hasSign || shown.unicodeScalars.contains { delimiters.contains($0) }
    }

    /// What stands before the text on each line of this author.
    /// - Parameter id: The author's id, which stands for a name of which nothing is left.
    func prefix(name: String, id: String? = nil, style: NameStyle = NameStyle()) -> String {
        if isBare { return "" }
        let name = Self.cleaned(name, id, delimiters)
        return before + style.write(isSpaced ? String(name.map { $0 == " " ? "_" : $0 }) : name) + between
    }

    /// The author's name on one line and not over ``maxName`` before it is styled, without the signs that tell who
    /// speaks.
    static func short(
        _ name: String, _ style: NameStyle = NameStyle(), id: String? = nil,
        without delimiters: ShownText.Signs = speakerSigns
    ) -> String {
        style.write(cleaned(name, id, delimiters))
    }

    private static func cleaned(_ name: String, _ id: String?, _ delimiters: ShownText.Signs) -> String {
        let clean = ShownText.name(name, without: delimiters)
        // Most names are written as they are.
        if !clean.isEmpty { return clean.utf8.count <= maxName ? clean : first(clean) }
        return first(ShownText.name(id ?? "", without: delimiters))
    }

    private static func first(_ name: String) -> String {
        MessageSplitter.split(name, budget: maxName).first ?? "?"
    }
}
