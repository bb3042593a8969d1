import JSONBytes
import TOMLKit

/// One table of a TOML file, read with errors that name file, line, the key's full path and the reason.
///
/// The text becomes a tree of values at once, so that nothing of the parser's own memory is held and the reader can be
/// sent anywhere. Keys come in alphabetical order, for so the parser gives them.
public struct SettingsReader: Sendable {
    /// The longest file that is read, in bytes.
    public static let maxBytes = 1 << 20

    /// The file's name, as errors give it.
    public let file: String
    /// The table's own path: empty for the whole file.
    public let path: [String]
    private var members: [JSON.Member]
    private let lines: KeyLines
    /// The whole file, and what was taken away of it.
    private var tree: PrunedJSON

    /// Reads a whole file's text.
    /// - Parameters:
    ///   - text: The text in UTF-8.
    ///   - file: The name that errors give.
    /// - Throws: ``SettingsError`` where it is too long, no UTF-8, no TOML 1.0, or has a value that has no JSON (a
    ///   date, an infinity).
    public init(parsing text: [UInt8], file: String) throws(SettingsError) {
        guard text.count <= Self.maxBytes else {
            throw SettingsError(file: file, reason: "the file is over \(Self.maxBytes) bytes long")
        }
        guard let text = String(validating: text, as: UTF8.self) else {
            throw SettingsError(file: file, reason: "the file is not UTF-8")
        }
        // The parser takes a C string and would silently stop there.
        guard !text.utf8.contains(0) else {
            throw SettingsError(file: file, reason: "the file has a NUL byte")
        }
        let table: TOMLTable
        do {
            table = try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            throw Self.error(error, file: file, text: text)
        } catch {
            throw SettingsError(file: file, reason: "\(error)")
        }
        lines = KeyLines(text)
        members = try TOMLTree(file: file, lines: lines).members(table, at: [])
        tree = PrunedJSON(.object(members))
        self.file = file
        path = []
    }

    private static func error(_ error: TOMLParseError, file: String, text: String) -> SettingsError {
        let begin = error.source.begin
        if let reason = twice(error.description) { return SettingsError(file: file, line: begin.line, reason: reason) }
        let fault = TOMLFault(error.description, line: begin.line, column: begin.column, in: text)
        return SettingsError(
            file: file, line: fault.line, column: fault.column, reason: fault.reason, quote: fault.quote)
    }

    /// A parser's reason for people where it is about a key that is given twice; else nil.
    private static func twice(_ text: String) -> String? {
        let begin = "cannot redefine existing "
        // As "cannot redefine existing string 'log' as table" and "cannot redefine existing table 'http'".
        guard let start = text.firstRange(of: begin)?.upperBound,
            let first = text[start...].firstIndex(of: "'"),
            let last = text[text.index(after: first)...].firstIndex(of: "'")
        else { return nil }
        let name = text[text.index(after: first)..<last]
        let kind = text[start..<first].split(separator: " ").last ?? ""
        let rest = text[text.index(after: last)...]
        if name == "log", kind == "string", rest.hasPrefix(" as table") {
            return "log is given twice; write store = \"sqlite\" in [log] and leave log = … out"
        }
        if rest.hasPrefix(" as table") {
            return "\(name) is given twice, as a value and as the table [\(name)]; leave one of the two out"
        }
        return "\(name) is given twice; leave one of the two out, or put both into one"
    }

    private init(_ parent: SettingsReader, _ key: [String], _ members: [JSON.Member]) {
        file = parent.file
        lines = parent.lines
        tree = parent.tree
        path = parent.path + key
        self.members = members
    }

    /// The keys of the table.
    public var keys: [String] { members.map(\.key) }

    /// The table as JSON, members in alphabetical order.
    public var json: JSON { .object(members) }

    /// The value under a key as it stands, or nil.
    public subscript(key: String) -> JSON? { members.first { $0.key == key }?.value }

    /// The value at a path of keys, or nil; elements of arrays are `[0]`, `[1]` …
    public func value(at path: [String]) -> JSON? {
        path.reduce(Optional(json)) { value, key in
            guard let index = Self.index(key) else { return value?.members?.first { $0.key == key }?.value }
            let elements = value?.array ?? []
            return elements.indices.contains(index) ? elements[index] : nil
        }
    }

    private static func index(_ part: String) -> Int? {
        part.hasPrefix("[") && part.hasSuffix("]") ? Int(part.dropFirst().dropLast()) : nil
    }

    /// An error about a key of this table.
    public func error(_ key: String, _ reason: String) -> SettingsError {
        error(at: [key], reason)
    }

    /// An error about a value deeper within this table, by its path from here; elements of arrays are `[0]`, `[1]` …
    public func error(at below: [String], _ reason: String) -> SettingsError {
        let full = original(below)
        return SettingsError(file: file, line: lines.line(of: full), key: Self.text(full), reason: reason)
    }

    /// The path from the file's beginning, with the numbers that elements have in the file.
    private func original(_ below: [String]) -> [String] {
        var full: [String] = []
        for part in path + below {
            if let index = Self.index(part) {
                full.append("[\(tree.original(index, of: Self.text(full)))]")
            } else {
                full.append(part)
            }
        }
        return full
    }

    /// Whether a value of this table, or an element of it, was taken away by ``remove(_:)``: then its error is known,
    /// and that it is missing is no other one.
    public func isTakenAway(_ key: String) -> Bool { tree.hasLost(Self.text(original([key]))) }

    /// Takes away the setting that an error of this file is about, so that the rest can be read: this is how all
    /// mistakes of a file are found. If the setting is missing in an element of an array, the element is taken away.
    /// For the whole file's table.
    /// - Returns: Whether something was taken away.
    public mutating func remove(_ error: SettingsError) -> Bool {
        guard path.isEmpty, error.file == file, let key = error.key else { return false }
        if !tree.remove(key) {
            guard let dot = key.lastIndex(of: "."), key[..<dot].hasSuffix("]"), tree.remove(String(key[..<dot])) else {
                return false
            }
        }
        members = tree.json.members ?? []
        return true
    }

    static func text(_ path: [String]) -> String {
        path.reduce(into: "") { $0 += ($0.isEmpty || $1.hasPrefix("[") ? "" : ".") + $1 }
    }

    /// Refuses the first key that is not known, with the known one that it resembles.
    /// - Parameter unsuggested: Keys that are known too and refused for another reason, so that nobody is told of them.
    public func refuseUnknown(knowing known: [String], unsuggested: [String] = []) throws(SettingsError) {
        for member in members where !known.contains(member.key) && !unsuggested.contains(member.key) {
            let hint =
                NearestName.to(member.key, among: known).map { "; did you mean '\($0)'?" }
                ?? "; there are \(known.joined(separator: ", "))"
            throw error(member.key, "unknown key\(hint)")
        }
    }

    /// The text under a key, or nil where the key is absent.
    public func string(_ key: String) throws(SettingsError) -> String? {
        guard let value = self[key] else { return nil }
        guard let text = value.string else { throw error(key, "must be a string, in quotes") }
        return text
    }

    /// The text under a key whose values are few, or nil where the key is absent.
    public func string(_ key: String, oneOf choices: [String]) throws(SettingsError) -> String? {
        guard let text = try string(key) else { return nil }
        if choices.contains(text) { return text }
        let list = choices.map { "\"\($0)\"" }.joined(separator: ", ")
        let hint = NearestName.to(text, among: choices).map { "; did you mean \"\($0)\"?" } ?? ""
        throw error(key, "must be one of \(list)\(hint)")
    }

    /// The truth value under a key, or nil where the key is absent.
    public func bool(_ key: String) throws(SettingsError) -> Bool? {
        guard let value = self[key] else { return nil }
        guard let truth = value.bool else { throw error(key, "must be true or false") }
        return truth
    }

    /// The whole number under a key, or nil where the key is absent.
    public func int(_ key: String, in range: ClosedRange<Int64>) throws(SettingsError) -> Int64? {
        guard let value = self[key] else { return nil }
        guard let number = value.int, range.contains(number) else {
            throw error(key, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// The number under a key, or nil where the key is absent.
    public func double(_ key: String, in range: ClosedRange<Double>) throws(SettingsError) -> Double? {
        guard let value = self[key] else { return nil }
        guard let number = value.double, range.contains(number) else {
            throw error(key, "must be a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// The texts of the array under a key, or nil where the key is absent.
    public func strings(_ key: String) throws(SettingsError) -> [String]? {
        guard let value = self[key] else { return nil }
        guard let elements = value.array else { throw error(key, "must be an array of strings") }
        var texts: [String] = []
        for (index, element) in elements.enumerated() {
            guard let text = element.string else {
                throw error(at: [key, "[\(index)]"], "must be a string, in quotes")
            }
            texts.append(text)
        }
        return texts
    }

    /// The table under a key, or nil where the key is absent.
    public func table(_ key: String) throws(SettingsError) -> SettingsReader? {
        guard let value = self[key] else { return nil }
        guard let inner = value.members else { throw error(key, "must be a table") }
        return SettingsReader(self, [key], inner)
    }

    /// The tables of the array under a key, or nil where the key is absent.
    public func tables(_ key: String) throws(SettingsError) -> [SettingsReader]? {
        guard let value = self[key] else { return nil }
        guard let elements = value.array else {
            let name = Self.text(path + [key])
            let hint = value.members == nil ? "" : ": write [[\(name)]] with two brackets, once for each"
            throw error(key, "must be an array of tables\(hint)")
        }
        var tables: [SettingsReader] = []
        for (index, element) in elements.enumerated() {
            guard let inner = element.members else { throw error(at: [key, "[\(index)]"], "must be a table") }
            tables.append(SettingsReader(self, [key, "[\(index)]"], inner))
        }
        return tables
    }
}
