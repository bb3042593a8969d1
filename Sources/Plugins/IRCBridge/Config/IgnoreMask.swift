/// Whom nothing is taken from: a mask `nick!user@host` with `*` and `?`, or a regular expression between slashes.
struct IgnoreMask: Equatable, Sendable {
    /// The longest one, in bytes.
    static let maxLength = 200

    /// The longest source that is looked at, in bytes: no server has longer ones. Whoever has one is ignored, since
    /// nobody can say whether they are meant.
    static let longestSource = 512

    private let text: String
    private let mask: IRCMask?
    private let expression: RegularExpression?

    static func == (a: IgnoreMask, b: IgnoreMask) -> Bool { a.text == b.text }

    /// What is wrong with one that cannot be read.
    static func problem(_ text: String) -> String {
        if text.isEmpty { return "must not be empty" }
        if text.utf8.count > maxLength { return "must not be over \(maxLength) bytes long" }
        guard text.utf8.count > 2, text.hasSuffix("/") else {
            return "is an expression where it begins with '/', and must end with one too"
        }
        do throws(RegularExpression.Problem) {
            _ = try RegularExpression(text.utf8.dropFirst().dropLast())
            return "is refused"
        } catch {
            return "is no regular expression (POSIX extended): \(error.message)"
        }
    }

    /// Reads one; nil where it is empty, too long or no expression (``problem(_:)``). A nick alone stands for all with
    /// that nick.
    init?(_ text: String) {
        guard !text.isEmpty, text.utf8.count <= Self.maxLength else { return nil }
        self.text = text
        // No nick begins with a slash.
        if text.hasPrefix("/") {
            guard text.utf8.count > 2, text.hasSuffix("/") else { return nil }
            guard let expression = try? RegularExpression(text.utf8.dropFirst().dropLast()) else { return nil }
            (self.expression, mask) = (expression, nil)
        } else {
            let isWhole = text.contains("!") || text.contains("@")
            (expression, mask) = (nil, IRCMask(isWhole ? text : text + "!*@*"))
        }
    }

    /// Whether somebody is meant.
    /// - Parameter source: `nick!user@host`.
    func matches(_ source: String) -> Bool {
        if source.utf8.count > Self.longestSource { return true }
        return expression?.matches(Array(source.utf8)) == true || mask?.matches(source) == true
    }

    /// What it costs to look at a byte: the steps of its expression.
    var steps: Int { expression?.size ?? 0 }
}
