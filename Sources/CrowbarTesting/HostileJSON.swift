/// Texts and keys that readers of JSON disagree about, with the one answer that every entrance gives: commands over
/// HTTP and NDJSON, hooks, lines of plugins and of the host, configuration.
public enum HostileJSON {
    /// A string as it stands in a text of JSON.
    public struct Text: Sendable, CustomStringConvertible {
        /// What is special.
        public var description: String
        /// The token, quotes included.
        public var token: [UInt8]
        /// What it is read as; nil: the text around it is refused as malformed.
        public var value: String?

        init(_ description: String, _ token: [UInt8], _ value: String?) {
            (self.description, self.token, self.value) = (description, token, value)
        }

        init(_ description: String, _ token: String, _ value: String?) {
            self.init(description, Array(token.utf8), value)
        }
    }

    /// The strings.
    public static let texts: [Text] = [
        Text("plain", #""a""#, "a"), Text("escaped", #""\u0061\/\ud83d\ude00""#, "a/😀"),
        Text("NUL, escaped", #""a\u0000b""#, "a\u{0}b"), Text("NUL, bare", [0x22, 0x61, 0x00, 0x22], nil),
        Text("a line break, bare", "\"a\nb\"", nil), Text("U+2028, bare", "\"a\u{2028}b\"", "a\u{2028}b"),
        Text("a noncharacter", "\"a\u{FFFF}\"", "a\u{FFFF}"),
        Text("a high surrogate alone", #""\ud83d""#, nil), Text("a low surrogate alone", #""\ude00""#, nil),
        Text("surrogates the wrong way round", #""\ude00\ud83d""#, nil),
        Text("a surrogate and a letter", #""\ud83d\u0061""#, nil),
        Text("a surrogate in UTF-8", [0x22, 0xED, 0xA0, 0xBD, 0x22], nil),
        Text("overlong UTF-8", [0x22, 0xC0, 0xAF, 0x22], nil), Text("cut UTF-8", [0x22, 0xE2, 0x82, 0x22], nil),
        Text("Latin-1", [0x22, 0xE9, 0x22], nil),
        Text("UTF-8 above U+10FFFF", [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], nil),
        Text("an escape of four digits too few", #""\u61""#, nil), Text("an unknown escape", #""\x61""#, nil),
    ]

    /// Spellings of the key `userId`.
    public static let userIdKeys = [
        #""userId""#, #""user\u0049d""#, #""\u0075serId""#, #""\u0075\u0073\u0065\u0072\u0049\u0064""#,
        #""user\u0049\u0064""#,
    ]

    /// Keys that are not `userId`, though they look like it or nearly are.
    public static let otherKeys = [
        #""userid""#, #""user\u0069d""#, #""userId\u0000""#, #""\u0000userId""#, #""user\\u0049d""#, #""userId ""#,
        #""u\u0455erId""#, #""user\u0130d""#, #""userId\u0301""#, #""userId\u200b""#, #""user\ud835\udc3cd""#,
        #""user""#,
        #""\u0075""#,
    ]

    /// Numbers and the whole number that each is; nil: none, or not one of 64 bits.
    public static let numbers: [(token: String, value: Int64?)] = [
        ("0", 0), ("-0", 0), ("-0.0", 0), ("0e999999999999999999999", 0), ("0.000e-5", 0), ("1", 1), ("1.0", 1),
        ("1e0", 1), ("1E+0", 1), ("1e-0", 1), ("10e-1", 1), ("0.1e1", 1), ("0.001E3", 1),
        ("1.000000000000000000000", 1),
        ("1.50e1", 15), ("12.30e2", 1230), ("-7.0", -7), ("-70e-1", -7),
        ("9007199254740993", 9_007_199_254_740_993), ("9007199254740993.0", 9_007_199_254_740_993),
        ("9.007199254740993e15", 9_007_199_254_740_993), ("90071992547409930e-1", 9_007_199_254_740_993),
        ("9223372036854775807", .max), ("9223372036854775807.0", .max), ("922337203685477580.7e1", .max),
        ("-9223372036854775808", .min), ("-9.223372036854775808e18", .min), ("1e18", 1_000_000_000_000_000_000),
        ("100000000000000000000000e-5", 1_000_000_000_000_000_000),
        ("9223372036854775808", nil), ("-9223372036854775809", nil), ("9223372036854775807.5", nil), ("1e19", nil),
        ("1.5", nil), ("15e-1", nil), ("1e-1", nil), ("1e-400", nil), ("1.00000000000000000000001", nil),
        ("9007199254740993.5", nil), ("99999999999999999999999", nil), ("\"1\"", nil), ("true", nil), ("null", nil),
    ]

    /// An object nested so many levels deep.
    public static func nested(_ levels: Int) -> String {
        String(repeating: #"{"a":"#, count: levels - 1) + "{}" + String(repeating: "}", count: levels - 1)
    }
}
