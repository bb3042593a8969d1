/// What is wrong with a file of settings, and where.
public struct SettingsError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file, or the environment variable, it stands in.
    public var file: String
    /// The line, from 1, where it is known.
    public var line: Int?
    /// The key's full path (`http.listen`), where it is about one.
    public var key: String?
    /// What is wrong and what to do, for a person to read.
    public var reason: String

    /// Makes an error.
    public init(file: String, line: Int? = nil, key: String? = nil, reason: String) {
        self.file = file
        self.line = line
        self.key = key
        self.reason = reason
    }

    public var description: String {
        "\(file)\(line.map { ":\($0)" } ?? ""): \(key.map { "\($0): " } ?? "")\(reason)"
    }

    /// Errors in the order of their lines, for a person who goes through a file; those without a line come last.
    public static func sorted(_ errors: [SettingsError]) -> [SettingsError] {
        errors.enumerated().sorted { ($0.element.line ?? .max, $0.offset) < ($1.element.line ?? .max, $1.offset) }
            .map(\.element)
    }
}
