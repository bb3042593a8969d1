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

    /// To run a failure again, put its seed in the place of the random one.
    @Test(arguments: [1, 2, 3, UInt64.random(in: 0...UInt64.max)])
    func piecesFitAndLoseNothing(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let alphabet = ["a", "b", " ", "å", "é", "👩‍👩‍👧", "e\u{301}", "漢", "🇸🇪"]
        for _ in 0..<100 {
            let count = Int.random(in: 0...120, using: &generator)
            let text = (0..<count).map { _ in alphabet.randomElement(using: &generator) ?? "a" }.joined()
            let budget = Int.random(in: 4...60, using: &generator)
            let pieces = MessageSplitter.split(text, budget: budget)
            #expect(pieces.allSatisfy { $0.utf8.count <= budget && !$0.isEmpty }, "seed \(seed)")
            let kept = Array(pieces.joined().unicodeScalars).filter { $0 != " " }
            #expect(kept == Array(text.unicodeScalars).filter { $0 != " " }, "seed \(seed)")
        }
    }
}
