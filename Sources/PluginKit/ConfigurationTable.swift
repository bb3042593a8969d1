import JSONBytes
import PluginWire

/// One table of the configuration: values by key, and a problem with its full path for each that is not as it should
/// be.
package struct ConfigurationTable {
    package typealias Problem = PluginMessage.Problem

    /// The path of the table, as `endpoints[0]` or `targets[0]`; empty at the top.
    package let path: String
    /// What is wrong so far.
    package private(set) var problems: [Problem] = []
    private let members: [JSON.Member]

    /// - Parameters:
    ///   - known: The keys that this version reads.
    ///   - later: The keys of the design that it does not do yet.
    package init(_ json: JSON, path: String, known: [String], later: [String] = []) {
        self.path = path
        members = json.members ?? []
        if json.members == nil { problems.append(Problem(path: path, message: "a table is expected")) }
        for member in members where !known.contains(member.key) {
            if later.contains(member.key) {
                fail(member.key, "'\(member.key)' is not supported by this version yet")
            } else if let near = NearestName.to(member.key, among: known + later) {
                fail(member.key, "unknown key; did you mean '\(near)'?")
            } else {
                fail(member.key, "unknown key; known are: \(known.joined(separator: ", "))")
            }
        }
    }

    /// The path of a key of this table.
    package func path(of key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    /// Notes a problem with a key.
    package mutating func fail(_ key: String, _ message: String) {
        problems.append(Problem(path: path(of: key), message: message))
    }

    /// Notes the problems of a table inside this one, whose paths are whole.
    package mutating func adopt(_ inner: [Problem]) { problems += inner }

    /// The value under a key, as it is.
    package func value(_ key: String) -> JSON? { members.first { $0.key == key }?.value }

    /// The text under a key; nil where it is left out or, with a problem, no text.
    package mutating func string(_ key: String) -> String? {
        guard let value = value(key) else { return nil }
        if value.string == nil { fail(key, Self.expectedText(not: value)) }
        return value.string
    }

    /// What is wrong with a value that is no text. A table with one text is meant for a secret.
    package static func expectedText(not value: JSON) -> String {
        guard let members = value.members, members.count == 1, members[0].value.string != nil else {
            return "a text is expected"
        }
        let hint = NearestName.to(members[0].key, among: ["env", "file"]).map { "; did you mean \($0)?" } ?? ""
        return "a text, { env = \"NAME\" } or { file = \"PATH\" } is expected\(hint)"
    }

    /// The text under a key that must be there.
    package mutating func required(_ key: String, _ hint: String) -> String? {
        if value(key) == nil { fail(key, "is missing; \(hint)") }
        return string(key)
    }

    /// The whole number under a key, within limits.
    package mutating func int(_ key: String, in range: ClosedRange<Int64>) -> Int64? {
        guard let value = value(key) else { return nil }
        guard let number = value.int, range.contains(number) else {
            fail(key, "a whole number from \(range.lowerBound) to \(range.upperBound) is expected")
            return nil
        }
        return number
    }

    /// The list of texts under a key, each of which `isValid`.
    package mutating func strings(_ key: String, of what: String, isValid: (String) -> Bool) -> [String]? {
        guard let value = value(key) else { return nil }
        let texts = value.array?.compactMap(\.string) ?? []
        guard let elements = value.array, texts.count == elements.count else {
            fail(key, "a list of \(what) is expected")
            return nil
        }
        for (i, text) in texts.enumerated() where !isValid(text) {
            fail("\(key)[\(i)]", "'\(text)' is not one of \(what)")
        }
        return texts
    }

    /// A duration as `30s` or `500ms`, in milliseconds, within limits.
    package mutating func duration(_ key: String, in range: ClosedRange<Int64>) -> Int64? {
        guard let value = value(key) else { return nil }
        if let text = value.string {
            let digits = text.prefix { ("0"..."9").contains($0) }
            let factor: Int64? = ["ms": 1, "s": 1000][text.dropFirst(digits.count)]
            if let number = Int64(digits), let factor {
                let (product, overflow) = number.multipliedReportingOverflow(by: factor)
                if !overflow, range.contains(product) { return product }
            }
        }
        fail(key, "a duration from \"\(range.lowerBound)ms\" to \"\(range.upperBound / 1000)s\" is expected")
        return nil
    }
}
