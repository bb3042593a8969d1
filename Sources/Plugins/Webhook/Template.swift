import JSONBytes

/// A body written in Mustache (mustache.github.io/mustache.5.html), as far as JSON needs it: `{{name}}` is escaped for
/// a JSON text, `{{{name}}}` and `{{&name}}` stand as they are, `{{#name}}…{{/name}}` and `{{^name}}…{{/name}}` are
/// sections, `{{! … }}` is a comment. Partials and other delimiters are refused.
struct Template: Sendable {
    /// A template's length at most, in bytes.
    static let maxLength = 64 << 10
    /// Sections within sections at most.
    static let maxDepth = 16
    /// The fields that events have, and `event`, the whole of it.
    static let fields = [
        "eventId", "timestamp", "type", "userId", "userName", "channelId", "message", "messageId", "kind", "replyTo",
        "previous", "topic", "name", "channelName", "channelDescription", "origin", "checks", "meta", "event",
    ]
    /// The fields that hold others, so that within their sections other names are known.
    private static let tables: Set<String> = ["origin", "checks", "meta"]

    /// A piece of a template.
    indirect enum Node: Equatable, Sendable {
        case text([UInt8])
        case variable([String], isRaw: Bool)
        case section([String], isInverted: Bool, [Node])
    }

    /// What is wrong with a template, and where; lines and columns (in bytes) count from 1.
    struct Problem: Error, Equatable, CustomStringConvertible {
        var line: Int
        var column: Int
        var reason: String

        var description: String { "line \(line), column \(column): \(reason)" }
    }

    /// The pieces.
    let nodes: [Node]

    /// Reads a template.
    init(_ text: String) throws(Problem) {
        guard text.utf8.count <= Self.maxLength else {
            throw Problem(line: 1, column: 1, reason: "a template has at most \(Self.maxLength) bytes")
        }
        var parser = Parser(bytes: Array(text.utf8))
        nodes = try parser.parse()
    }

    /// A section that is not closed yet.
    private struct Open {
        var path: [String]
        var isInverted: Bool
        var at: Int
        /// The nodes around it.
        var outer: [Node]
    }

    private struct Parser {
        let bytes: [UInt8]
        var at = 0
        var nodes: [Node] = []
        var open: [Open] = []

        init(bytes: [UInt8]) { self.bytes = bytes }

        mutating func parse() throws(Problem) -> [Node] {
            var textStart = 0
            while at < bytes.count {
                guard bytes[at] == 0x7B, at + 1 < bytes.count, bytes[at + 1] == 0x7B else {
                    at += 1
                    continue
                }
                if at > textStart { nodes.append(.text(Array(bytes[textStart..<at]))) }
                try tag()
                textStart = at
            }
            if at > textStart { nodes.append(.text(Array(bytes[textStart..<at]))) }
            if let last = open.last {
                throw problem(last.at, "the section '\(last.path.joined(separator: "."))' is not closed")
            }
            return nodes
        }

        private mutating func tag() throws(Problem) {
            let start = at
            let isTriple = start + 2 < bytes.count && bytes[start + 2] == 0x7B
            let closing = Array((isTriple ? "}}}" : "}}").utf8)
            let from = start + closing.count
            guard let end = find(closing, from: from) else {
                throw problem(start, "the tag is not closed by \(isTriple ? "}}}" : "}}")")
            }
            at = end + closing.count
            var inner = String(decoding: bytes[from..<end], as: UTF8.self)
            let kind: Character = isTriple ? "{" : inner.first ?? " "
            if !isTriple, "#^/!&>=".contains(kind) { inner.removeFirst() }
            if kind == "!" { return }
            let name = inner.trimmed
            switch kind {
            case ">": throw problem(start, "partials ({{> name}}) are not supported")
            case "=": throw problem(start, "other delimiters ({{= … =}}) are not supported")
            case "/": try close(name, start)
            case "#", "^":
                guard open.count < Template.maxDepth else {
                    throw problem(start, "sections stand at most \(Template.maxDepth) deep in one another")
                }
                let path = try path(name, start)
                open.append(Open(path: path, isInverted: kind == "^", at: start, outer: nodes))
                nodes = []
            default: nodes.append(.variable(try path(name, start), isRaw: isTriple || kind == "&"))
            }
        }

        private mutating func close(_ name: String, _ start: Int) throws(Problem) {
            guard let last = open.popLast() else { throw problem(start, "there is no section '\(name)' to close") }
            let wanted = last.path.joined(separator: ".")
            guard name == (wanted.isEmpty ? "." : wanted) else {
                throw problem(start, "'\(name)' is closed while '\(wanted)' is the section that is open")
            }
            nodes = last.outer + [.section(last.path, isInverted: last.isInverted, nodes)]
        }

        /// The parts of a dotted name; none for `.`.
        private func path(_ name: String, _ start: Int) throws(Problem) -> [String] {
            if name == "." { return [] }
            let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
            guard let first = parts.first, parts.allSatisfy(Self.isName) else {
                throw problem(start, "'\(name)' is no name; names are of letters, digits, _ and -, joined by dots")
            }
            let isOfEvent = open.allSatisfy { $0.isInverted || $0.path.first.map { !tables.contains($0) } ?? false }
            if isOfEvent, !Template.fields.contains(first) {
                let near = NearestName.to(first, among: Template.fields).map { "; did you mean '\($0)'?" } ?? ""
                throw problem(start, "no event has a field '\(first)'\(near)")
            }
            return parts
        }

        private static func isName(_ part: String) -> Bool {
            !part.isEmpty
                && part.utf8.allSatisfy { byte in
                    (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte & 0xDF) || byte == 0x5F || byte == 0x2D
                }
        }

        private func find(_ what: [UInt8], from: Int) -> Int? {
            guard from + what.count <= bytes.count else { return nil }
            return (from...(bytes.count - what.count)).first { bytes[$0..<$0 + what.count].elementsEqual(what) }
        }

        private func problem(_ at: Int, _ reason: String) -> Problem {
            let before = bytes[..<at]
            let line = before.reduce(1) { $1 == 0x0A ? $0 + 1 : $0 }
            let column = at - (before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0) + 1
            return Problem(line: line, column: column, reason: reason)
        }
    }
}

extension String {
    /// Without white space at its ends.
    fileprivate var trimmed: String {
        var rest = self[...]
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return String(rest)
    }
}
