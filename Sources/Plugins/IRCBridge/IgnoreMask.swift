import Glibc

/// Whom nothing is taken from: a mask `nick!user@host` with `*` and `?`, or a regular expression between slashes.
struct IgnoreMask: Equatable, Sendable {
    /// The longest one, in bytes.
    static let maxLength = 200

    /// An expression of POSIX (extended, case ignored) over the bytes of a source.
    // Unchecked: the expression is not changed after init, and regexec may be called by several threads (POSIX).
    private final class Expression: @unchecked Sendable {
        private var compiled = regex_t()

        init?(_ pattern: String) {
            guard regcomp(&compiled, pattern, REG_EXTENDED | REG_ICASE | REG_NOSUB) == 0 else { return nil }
        }

        deinit { regfree(&compiled) }

        func matches(_ text: String) -> Bool { regexec(&compiled, text, 0, nil, 0) == 0 }
    }

    private let text: String
    private let mask: IRCMask?
    private let expression: Expression?

    static func == (a: IgnoreMask, b: IgnoreMask) -> Bool { a.text == b.text }

    /// What is wrong with one that cannot be read.
    static func problem(_ text: String) -> String {
        if text.isEmpty { return "must not be empty" }
        if text.utf8.count > maxLength { return "must not be over \(maxLength) bytes long" }
        guard text.utf8.count > 2, text.hasSuffix("/") else {
            return "is an expression where it begins with '/', and must end with one too"
        }
        return "is no regular expression (POSIX extended)"
    }

    /// Reads one; nil where it is empty, too long or no expression (``problem(_:)``). A nick alone stands for all with
    /// that nick.
    init?(_ text: String) {
        guard !text.isEmpty, text.utf8.count <= Self.maxLength else { return nil }
        self.text = text
        // No nick begins with a slash.
        if text.hasPrefix("/") {
            guard text.utf8.count > 2, text.hasSuffix("/") else { return nil }
            guard let expression = Expression(String(text.dropFirst().dropLast())) else { return nil }
            (self.expression, mask) = (expression, nil)
        } else {
            let isWhole = text.contains("!") || text.contains("@")
            (expression, mask) = (nil, IRCMask(isWhole ? text : text + "!*@*"))
        }
    }

    /// Whether somebody is meant.
    /// - Parameter source: `nick!user@host`.
    func matches(_ source: String) -> Bool {
        expression?.matches(source) == true || mask?.matches(source) == true
    }
}
