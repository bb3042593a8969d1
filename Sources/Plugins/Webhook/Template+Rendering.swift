import JSONBytes
import PluginKit

extension Template {
    /// A body's length at most, in bytes.
    static let maxBody = 1 << 20
    /// Pieces that are written for one body at most: sections in sections over what people send could have no end.
    static let maxSteps = 100_000

    private static let tooLong = "the template's result is too long, or its sections repeat too often"

    /// Makes the body of an event.
    /// - Throws: ``BodyFormat/Unrenderable`` where the result is no JSON or too long.
    func render(_ event: [UInt8]) throws(BodyFormat.Unrenderable) -> [UInt8] {
        guard let json = try? JSON(parsing: event, largeNumbersAsText: true) else {
            throw .template("the event is no JSON")
        }
        var renderer = Renderer(event: event)
        try renderer.write(nodes, [json])
        guard renderer.out.count <= Self.maxBody else { throw .template(Self.tooLong) }
        do throws(JSONError) { _ = try JSON(parsing: renderer.out, largeNumbersAsText: true) } catch {
            throw .template("the template's result is no JSON: \(error)")
        }
        return renderer.out
    }

    /// Fields that stand beside others' words, where they are not taken as they are: names, and what is on one line.
    private static let names: Set<String> = ["userName", "name", "channelName", "username"]
    private static let lines: Set<String> = ["topic", "channelDescription"]

    private struct Renderer {
        let event: [UInt8]
        var out: [UInt8] = []
        var steps = 0

        init(event: [UInt8]) { self.event = event }

        mutating func write(_ nodes: [Node], _ contexts: [JSON]) throws(BodyFormat.Unrenderable) {
            for node in nodes {
                steps += 1
                guard steps <= Template.maxSteps, out.count <= Template.maxBody else {
                    throw .template(Template.tooLong)
                }
                switch node {
                case .text(let text): out += text
                case .variable(["event"], let isRaw): append(event, isRaw: isRaw)
                case .variable(let path, let isRaw):
                    let value = find(path, contexts)
                    append(Self.text(isRaw ? value : Self.shown(value, path)), isRaw: isRaw)
                case .section(let path, let isInverted, let inner):
                    let value = find(path, contexts)
                    if isInverted {
                        if !Self.isTrue(value) { try write(inner, contexts) }
                    } else if let elements = value.array {
                        for element in elements { try write(inner, contexts + [element]) }
                    } else if Self.isTrue(value) {
                        try write(inner, contexts + [value])
                    }
                }
            }
        }

        private mutating func append(_ text: [UInt8], isRaw: Bool) {
            if isRaw {
                out += text
            } else {
                // As within a text of JSON, whose quotes are the template's.
                var quoted: [UInt8] = []
                JSONString.append(JSONString.withoutNUL(String(decoding: text, as: UTF8.self)), to: &quoted)
                out += quoted.dropFirst().dropLast()
            }
        }

        /// The innermost context that has the name's first part decides.
        private func find(_ path: [String], _ contexts: [JSON]) -> JSON {
            guard let first = path.first else { return contexts.last ?? .null }
            guard var value = contexts.reversed().lazy.compactMap({ $0[first] }).first else { return .null }
            for part in path.dropFirst() { value = value[part] ?? .null }
            return value
        }

        private static func shown(_ value: JSON, _ path: [String]) -> JSON {
            guard let text = value.string, let field = path.last else { return value }
            if Template.names.contains(field) { return .string(ShownText.name(text)) }
            return Template.lines.contains(field) ? .string(ShownText.line(text)) : value
        }

        private static func text(_ value: JSON) -> [UInt8] {
            if value == .null { return [] }
            return value.string.map { Array($0.utf8) } ?? value.bytes
        }

        private static func isTrue(_ value: JSON) -> Bool {
            switch value {
            case .null, .bool(false), .string(""), .array([]): false
            default: true
            }
        }
    }
}
