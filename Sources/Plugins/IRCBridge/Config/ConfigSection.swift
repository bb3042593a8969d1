import JSONBytes
import PluginKit

/// Why a configuration is not accepted.
struct ConfigError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The key, such as `networks[0].port`.
    var path: String
    /// What is wrong and what would be right.
    var message: String

    var description: String { "\(path): \(message)" }
}

/// One table of the configuration, whose keys must all be known.
struct ConfigSection {
    /// Where it stands, such as `networks[0]`; empty for the whole.
    let path: String
    private let members: [JSON.Member]

    /// Opens a table.
    /// - Parameter known: The keys it may have.
    /// - Throws: ``ConfigError`` where it is no table, or has another key.
    init(_ json: JSON, path: String, known: [String]) throws(ConfigError) {
        guard let members = json.members else {
            throw ConfigError(path: path.isEmpty ? "config" : path, message: "must be a table")
        }
        self.path = path
        self.members = members
        for member in members where !known.contains(member.key) {
            let near = NearestName.to(member.key, among: known)
            let advice = near.map { "did you mean '\($0)'?" } ?? "known are \(known.joined(separator: ", "))"
            throw fail(member.key, "unknown key; \(advice)")
        }
    }

    /// An error at a key of this table.
    func fail(_ key: String, _ message: String) -> ConfigError {
        ConfigError(path: path.isEmpty ? key : path + "." + key, message: message)
    }

    /// The value of a key, or nil.
    func value(_ key: String) -> JSON? { members.first { $0.key == key }?.value }

    /// A text, or nil where the key is absent. It may hold no control characters, which could end a line.
    /// - Parameter most: Its longest, in bytes.
    func string(_ key: String, most: Int = .max) throws(ConfigError) -> String? {
        guard let value = value(key) else { return nil }
        guard let text = value.string else {
            throw fail(key, value.members == nil ? "must be a string" : ConfigurationTable.expectedText(not: value))
        }
        guard text.utf8.count <= most else { throw fail(key, "must have \(most) bytes at most") }
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw fail(key, "must hold no control characters")
        }
        return text
    }

    /// A text that must be there and not be empty.
    func required(_ key: String, most: Int = .max) throws(ConfigError) -> String {
        guard let text = try string(key, most: most) else { throw fail(key, "is missing") }
        guard !text.isEmpty else { throw fail(key, "must not be empty") }
        return text
    }

    /// A text without spaces, as a parameter in the middle of a line; `preset` where the key is absent.
    func word(_ key: String, default preset: String, most: Int = .max) throws(ConfigError) -> String {
        let text = try string(key, most: most) ?? preset
        guard !text.isEmpty, !text.utf8.contains(0x20), text.utf8.first != 0x3A else {
            throw fail(key, "must be one word, and not begin with ':'")
        }
        return text
    }

    /// A whole number in a range; `preset` where the key is absent.
    func int(_ key: String, default preset: Int, in range: ClosedRange<Int>) throws(ConfigError) -> Int {
        guard let value = value(key) else { return preset }
        guard let number = value.int, range.contains(Int(number)) else {
            throw fail(key, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return Int(number)
    }

    /// A number in a range; `preset` where the key is absent.
    func double(_ key: String, default preset: Double, in range: ClosedRange<Double>) throws(ConfigError) -> Double {
        guard let value = value(key) else { return preset }
        guard let number = value.double, range.contains(number) else {
            throw fail(key, "must be a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// A truth value; `preset` where the key is absent.
    func bool(_ key: String, default preset: Bool) throws(ConfigError) -> Bool {
        guard let value = value(key) else { return preset }
        guard let flag = value.bool else { throw fail(key, "must be true or false") }
        return flag
    }

    /// The tables of an array; none where the key is absent.
    func tables(_ key: String) throws(ConfigError) -> [(path: String, value: JSON)] {
        guard let value = value(key) else { return [] }
        guard let elements = value.array else { throw fail(key, "must be an array of tables") }
        let base = path.isEmpty ? key : path + "." + key
        return elements.enumerated().map { ("\(base)[\($0.offset)]", $0.element) }
    }
}
