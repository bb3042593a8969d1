import Foundation
import Testing

@testable import ChatMarkdown

/// The texts of Tests/PageTests/Vectors/markdown.json and their segments. The web page has the same parser in
/// JavaScript and must come to the same (Tests/PageTests/Browser/fold.py). CROWBAR_WRITE_VECTORS=1 writes the segments.
@Suite struct MarkdownVectorTests {
    private static let file =
        String(#filePath.dropLast("ChatMarkdownTests/MarkdownVectorTests.swift".count))
        + "PageTests/Vectors/markdown.json"

    private struct Vector: Codable, Equatable {
        var text: String
        var segments: [Segment]?
    }

    private struct Segment: Codable, Equatable {
        var type: String
        var text: String
        var language: String?
        var styles: [String]
    }

    @Test func theSegmentsAreThoseOfTheVectors() throws {
        let stored = try JSONDecoder().decode([Vector].self, from: Data(contentsOf: URL(filePath: Self.file)))
        #expect(stored.count > 20)
        let computed = stored.map {
            Vector(text: $0.text, segments: MarkdownParser.segments($0.text).map(Self.segment))
        }
        if ProcessInfo.processInfo.environment["CROWBAR_WRITE_VECTORS"] != nil {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            try encoder.encode(computed).write(to: URL(filePath: Self.file))
            return
        }
        for (vector, found) in zip(stored, computed) { #expect(found == vector) }
    }

    private static func segment(_ segment: MarkdownParser.Segment) -> Segment {
        switch segment {
        case .text(let text, let style): Segment(type: "text", text: text, styles: styles(style))
        case .url(let text, let style): Segment(type: "url", text: text, styles: styles(style))
        case .code(let text, _, let style): Segment(type: "code", text: text, styles: styles(style))
        case .block(let text, let language, let style):
            Segment(type: "block", text: text, language: language, styles: styles(style))
        }
    }

    private static func styles(_ style: StyledText.Style) -> [String] {
        let names: [(StyledText.Style, String)] = [
            (.bold, "bold"), (.italic, "italic"), (.underline, "underline"), (.strike, "strike"),
        ]
        return names.filter { style.contains($0.0) }.map(\.1)
    }
}
