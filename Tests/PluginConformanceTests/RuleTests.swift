import Foundation
import PluginConformance
import Testing

/// The numbers of docs/protocol.md and those of the kit are the same.
@Suite struct RuleTests {
    private static let page: String = {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return (try? String(contentsOf: root.appending(path: "docs/protocol.md"), encoding: .utf8)) ?? ""
    }()

    @Test func eachNumberOfTheDocumentIsARule() throws {
        let numbers = Self.page.matches(of: /\[P(\d+)\]/).compactMap { Int($0.1) }
        #expect(Set(numbers) == Set(Rule.allCases.map(\.rawValue)))
        // The introduction names P1 as an example.
        #expect(numbers.filter { $0 == 1 }.count == 2)
        #expect(Set(numbers.filter { $0 != 1 }).count == numbers.count - 2, "a number stands in two places")
    }
}
