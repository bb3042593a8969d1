import PluginWire
import Testing

@Suite struct LineSplitterTests {
    /// What a splitter makes of pieces: lines as text, those too long as `<length>`.
    private func split(_ pieces: [[UInt8]], limit: Int = 8, finish: Bool = true) -> [String] {
        var splitter = LineSplitter(limit: limit)
        var found: [String] = []
        func note(_ piece: LineSplitter.Piece) {
            switch piece {
            case .line(let bytes): found.append(String(decoding: bytes, as: UTF8.self))
            case .tooLong(let length): found.append("<\(length)>")
            }
        }
        for piece in pieces { piece.withUnsafeBytes { splitter.feed($0, note) } }
        if finish { splitter.finish(note) }
        return found
    }

    static let streams: [(String, [String])] = [
        ("", []), ("a\n", ["a"]), ("a\nb", ["a", "b"]), ("\n\n", ["", ""]), ("12345678\n", ["12345678"]),
        ("123456789\nx\n", ["<9>", "x"]), ("123456789", ["<9>"]),
        ("ab\n1234567890123\n\ncd\n", ["ab", "<13>", "", "cd"]),
        ("12345678", ["12345678"]), ("a\r\nb\n", ["a\r", "b"]),
    ]

    @Test(arguments: streams) func whereverItIsCut(_ stream: String, _ expected: [String]) {
        let bytes = Array(stream.utf8)
        #expect(split([bytes]) == expected)
        #expect(split(bytes.map { [$0] }) == expected)
        for first in 0...bytes.count {
            for second in first...bytes.count {
                let pieces = [bytes[..<first], bytes[first..<second], bytes[second...]].map { Array($0) }
                #expect(split(pieces) == expected, "cut at \(first), \(second)")
            }
        }
    }

    @Test func anUnfinishedLineWaits() {
        #expect(split([Array("ab\ncd".utf8)], finish: false) == ["ab"])
    }
}
