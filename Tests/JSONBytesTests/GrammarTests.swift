import Testing

@testable import JSONBytes

@Suite struct GrammarTests {
    private static func nested(_ depth: Int) -> String {
        String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }

    static let valid: [String] = [
        "null", "true", " false ", "\t\r\n0", "-0", "0.5", "1e5", "1E+05", "-1.5e-7", #""""#, #""a\"\\\/\b\f\n\r\t""#,
        #""\u0041\ud83d\ude00""#, "\"é😀\u{7F}\"", "[]", "[ ]", "[1,2]", "{}", #"{ "a" : [ { } ] }"#,
        nested(JSONObject.maxDepth),
        "\"\u{2028}\u{85}\"", "123456789012345678901234567890e1",
    ]

    @Test(arguments: valid) func taken(_ text: String) throws { _ = try scan(Array(text.utf8)) }

    static let invalid: [String] = [
        "", " ", "nul", "True", "NaN", "Infinity", "-", "+1", "01", "-01", "1.", ".5", "1e", "1e+", "0x1", "1 2",
        "[1,]",
        "[,1]", "[1 2]", "[", "]", "{", "{a:1}", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{"a":1"#, #"{"a" 1}"#, "'a'",
        #"""#, #""a"#, #""\x""#, #""\u12""#, #""\u12G4""#, #""\ud83d""#, #""\ude00""#, #""\ud83dx""#,
        #""\ud83d\u0041""#,
        "\"\n\"", "\"\u{0}\"", "\"\u{1F}\"", "\u{FEFF}1", "// c\n1", "[1]x", nested(JSONObject.maxDepth + 1), #""\"#,
        #""\ud83d\ude0"#,
    ]

    @Test(arguments: invalid) func refused(_ text: String) {
        #expect(throws: JSONError.self) { try scan(Array(text.utf8)) }
    }

    /// Ill-formed UTF-8 within a string (Unicode 15, table 3-7).
    static let illFormed: [[UInt8]] = [
        [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xC3, 0x28], [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF],
        [0xE2, 0x80], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x8F, 0xBF, 0xBF],
        [0xF0, 0x9F, 0x98], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFE], [0xFF],
    ]

    @Test(arguments: illFormed) func refusedBytes(_ bytes: [UInt8]) {
        #expect(throws: JSONError.self) { try scan([0x22] + bytes + [0x22]) }
        #expect(throws: JSONError.self) { try scan([0x22] + bytes) }
    }

    static let edges: [[UInt8]] = [
        [0xC2, 0x80], [0xDF, 0xBF], [0xE0, 0xA0, 0x80], [0xED, 0x9F, 0xBF], [0xEE, 0x80, 0x80], [0xEF, 0xBF, 0xBF],
        [0xF0, 0x90, 0x80, 0x80], [0xF4, 0x8F, 0xBF, 0xBF],
    ]

    @Test(arguments: edges) func takenBytes(_ bytes: [UInt8]) throws { _ = try scan([0x22] + bytes + [0x22]) }

    @Test(arguments: [
        #"{"a":1,"a":2}"#, #"{"a":1,"b":2,"\u0061":3}"#,
        "{" + (0..<40).map { "\"k\($0 % 39)\":0" }.joined(separator: ",") + "}",
    ])
    func aKeyTwiceIsRefused(_ text: String) {
        #expect(throws: JSONError.self) { _ = try JSONObject(parsing: Array(text.utf8)) }
    }

    @Test(arguments: ["1", "[]", "\"a\"", "{}{}", "{} x", ""]) func onlyOneObject(_ text: String) {
        #expect(throws: JSONError.self) { _ = try JSONObject(parsing: Array(text.utf8)) }
    }

    @Test func anErrorSaysWhere() {
        #expect(throws: JSONError(offset: 6, reason: "no JSON value starts like this")) {
            _ = try JSONObject(parsing: Array(#"{"a": x}"#.utf8))
        }
    }

    private func scan(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBufferPointer {
            var scanner = JSONScanner($0)
            _ = try scanner.value()
            try scanner.expectEnd()
        }
    }
}
