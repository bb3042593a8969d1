import Foundation
import JSONBytes
import Testing

@testable import PluginWire

/// The page that plugin authors read: its lines are lines of this protocol, and its tables name every field.
@Suite struct DocumentationTests {
    private static let page: [Substring] = {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try? String(contentsOf: root.appending(path: "docs/protocol.md"), encoding: .utf8)
        return (text ?? "").split(separator: "\n")
    }()

    /// The lines behind an arrow.
    private static func lines(_ arrow: String) -> [String] {
        page.map { $0.trimmingCharacters(in: .whitespaces) }.filter { $0.hasPrefix("\(arrow) {") }
            .map { String($0.dropFirst(2)) }
    }

    /// The words in the column `fields` of the table under a heading, by type.
    private static func table(_ heading: String) -> [String: Set<String>] {
        let body = page.drop { $0 != "## \(heading)" }.dropFirst().prefix { !$0.hasPrefix("## ") }
        var found: [String: Set<String>] = [:]
        for row in body {
            guard let match = row.firstMatch(of: #/^\| `(\w+)` \| (.*?) \| /#) else { continue }
            found[String(match.1)] = Set(match.2.matches(of: /[A-Za-z]+/).map { String($0.0) })
        }
        return found
    }

    /// The names of an object's members.
    private static func keys(_ line: some Collection<UInt8>) throws -> Set<String> {
        Set(try JSON(parsing: Array(line)).members?.map(\.key) ?? []).subtracting(["type"])
    }

    private static func type(_ line: String) throws -> String {
        try #require(try JSON(parsing: Array(line.utf8))["type"]?.string)
    }

    @Test func everyLineOfTheHostIsOneOfThisProtocol() throws {
        let table = Self.table("Host → plugin")
        let lines = Self.lines("→")
        #expect(Set(try lines.map(Self.type)) == Set(table.keys) && table.count > 10)
        for line in lines {
            let message = try HostMessage(line: Array(line.utf8))
            if case .unknown = message { Issue.record("unknown: \(line)") }
            #expect(String(decoding: message.line, as: UTF8.self) == line)
            let beyond = try Self.keys(line.utf8).subtracting(table[try Self.type(line), default: []])
            #expect(beyond.isEmpty, "the table does not name \(beyond) of \(line)")
        }
        // Whatever can stand in a line is named, also where no example has it.
        for message in MessageTests.host {
            let line = String(decoding: message.line, as: UTF8.self)
            if case .unknown = message { continue }
            let beyond = try Self.keys(message.line).subtracting(table[try Self.type(line), default: []])
            #expect(beyond.isEmpty, "the table does not name \(beyond) of \(line)")
        }
    }

    @Test func everyLineOfAPluginIsOneOfThisProtocol() throws {
        let table = Self.table("Plugin → host")
        let lines = Self.lines("←")
        #expect(Set(try lines.map(Self.type)) == Set(PluginMessage.fields.keys))
        for line in lines {
            let message = try PluginMessage(line: Array(line.utf8), isStrict: true)
            #expect(try PluginMessage(line: message.line) == message)
        }
        for (type, fields) in PluginMessage.fields {
            let missing = Set(fields).subtracting(table[type, default: []])
            #expect(missing.isEmpty, "the table does not name \(missing) of '\(type)'")
        }
        #expect(Set(PluginMessage.queueFields).isSubset(of: table["ready", default: []]))
    }
}
