/// What is wrong with a file of settings, and where.
public struct SettingsError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file, or the environment variable, it stands in.
    public var file: String
    /// The line, from 1, where it is known.
    public var line: Int?
    /// The column in it, from 1, of what is no TOML.
    public var column: Int?
    /// The key's full path (`http.listen`), where it is about one.
    public var key: String?
    /// What is wrong and what to do, for a person to read.
    public var reason: String
    /// The line of what is no TOML, for a person who corrects the file.
    public var quote: String?

    /// Makes an error.
    public init(
        file: String, line: Int? = nil, column: Int? = nil, key: String? = nil, reason: String, quote: String? = nil
    ) {
        self.file = file
        self.line = line
        self.column = column
        self.quote = quote
        self.key = key
        self.reason = reason
    }

    /// Without the line, which a log has no use for.
    public var description: String {
        let place = [line, column].compactMap(\.self).map { ":\($0)" }.joined()
        return "\(file)\(place): \(key.map { "\($0): " } ?? "")\(reason)"
    }

    /// With the line, for the person who asked.
    public var quoting: String { description + (quote.map { "; the line is: \($0)" } ?? "") }

    /// Errors in the order of their lines, for a person who goes through a file; those without a line come last.
    public static func sorted(_ errors: [SettingsError]) -> [SettingsError] {
        errors.enumerated().sorted { ($0.element.line ?? .max, $0.offset) < ($1.element.line ?? .max, $1.offset) }
            .map(\.element)
    }
}
