import Testing

@testable import IRCBridge

@Suite struct MessageSplitterTests {
    @Test(
        "cuts",
        arguments: [
            ("one two three", 8, ["one two", "three"]),
            ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
            ("ab cdefghij", 6, ["ab", "cdefgh", "ij"]),
            ("ååå", 4, ["åå", "å"]),
            ("", 10, []),
            ("👩‍👩‍👧", 11, ["👩\u{200D}👩", "\u{200D}👧"]),
        ])
    func cuts(text: String, budget: Int, pieces: [String]) {
        #expect(MessageSplitter.split(text, budget: budget) == pieces)
    }

    @Test func piecesFitAndLoseNothing() {
        var generator = SystemRandomNumberGenerator()
        let alphabet = ["a", "b", " ", "å", "é", "👩‍👩‍👧", "e\u{301}", "漢", "🇸🇪"]
        for _ in 0..<300 {
            let count = Int.random(in: 0...120, using: &generator)
            let text = (0..<count).map { _ in alphabet.randomElement(using: &generator) ?? "a" }.joined()
            let budget = Int.random(in: 4...60, using: &generator)
            let pieces = MessageSplitter.split(text, budget: budget)
            #expect(pieces.allSatisfy { $0.utf8.count <= budget && !$0.isEmpty })
            let kept = Array(pieces.joined().unicodeScalars).filter { $0 != " " }
            #expect(kept == Array(text.unicodeScalars).filter { $0 != " " })
        }
    }
}
