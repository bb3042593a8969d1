import Foundation
import Testing
import Yams

@testable import IRCBridge

/// The public parser tests of ircdocs (CC0; Vectors/README.md).
@Suite struct VectorTests {
    private func tests(_ name: String) throws -> [Node] {
        let path = try #require(Bundle.module.path(forResource: name, ofType: "yaml", inDirectory: "Vectors"))
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let tests = try #require(try Yams.compose(yaml: text)?["tests"]?.sequence)
        try #require(!tests.isEmpty)
        return Array(tests)
    }

    private func texts(_ node: Node?) -> [String] { node?.sequence?.compactMap { $0.string } ?? [] }

    private func message(_ atoms: Node) -> IRCMessage {
        var tags: [String: String] = [:]
        for (key, value) in atoms["tags"]?.mapping ?? [:] { tags[key.string ?? ""] = value.scalar?.string ?? "" }
        return IRCMessage(
            tags: tags, source: atoms["source"]?.scalar?.string, atoms["verb"]?.scalar?.string ?? "",
            atoms["params"]?.sequence?.compactMap { $0.scalar?.string } ?? [])
    }

    @Test func linesAreTakenApart() throws {
        for test in try tests("parser-tests-msg-split") {
            let input = try #require(test["input"]?.scalar?.string)
            #expect(IRCMessage(line: Array(input.utf8)) == message(try #require(test["atoms"])), "\(input)")
        }
    }

    @Test func linesAreJoined() throws {
        for test in try tests("parser-tests-msg-join") {
            let joined = message(try #require(test["atoms"])).line
            let matches = test["matches"]?.sequence?.compactMap { $0.scalar?.string } ?? []
            let isOne = matches.contains(joined)
            #expect(isOne, "\(joined) is none of \(matches)")
        }
    }

    @Test func sourcesAreTakenApart() throws {
        for test in try tests("parser-tests-userhost-split") {
            let source = IRCSource(try #require(test["source"]?.scalar?.string))
            let atoms = try #require(test["atoms"])
            #expect(source.nick == atoms["nick"]?.scalar?.string ?? "")
            #expect(source.user == atoms["user"]?.scalar?.string ?? "")
            #expect(source.host == atoms["host"]?.scalar?.string ?? "")
        }
    }

    @Test func masksMatch() throws {
        for test in try tests("parser-tests-mask-match") {
            let text = try #require(test["mask"]?.scalar?.string)
            let mask = IRCMask(text)
            for each in texts(test["matches"]) { #expect(mask.matches(each), "\(text) \(each)") }
            for each in texts(test["fails"]) { #expect(!mask.matches(each), "\(text) \(each)") }
        }
    }

    @Test func hostNamesAreChecked() throws {
        for test in try tests("parser-tests-validate-hostname") {
            let host = try #require(test["host"]?.scalar?.string)
            #expect(Hostname.isValid(host) == (test["valid"]?.bool ?? false), "\(host)")
        }
    }

    /// No file of the folder is left out by the tests above.
    @Test func eachFileIsRun() {
        let files = Bundle.module.paths(forResourcesOfType: "yaml", inDirectory: "Vectors")
        let names = Set(files.compactMap { $0.split(separator: "/").last.map { String($0) } })
        let kinds = ["mask-match", "msg-join", "msg-split", "userhost-split", "validate-hostname"]
        #expect(names == Set(kinds.map { "parser-tests-\($0).yaml" }))
    }
}
