import JSONBytes
import Logging
import Testing

@testable import crowbar

/// How a log line looks, in both formats.
@Suite struct LogLineTests {
    /// 2026-11-01T09:30:12.007Z
    private static let time: Int64 = 1_793_525_412_007

    private static func line(_ message: String, _ fields: [(String, Logger.MetadataValue)] = []) -> LogLine {
        LogLine(time: time, level: .info, message: message, fields: fields.map { (name: $0.0, value: $0.1) })
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var message: String
        var fields: [(String, Logger.MetadataValue)] = []
        var text: String
        var json: String
        var testDescription: String { text }
    }

    static let cases = [
        Case(message: "ready", text: "ready", json: #""message":"ready""#),
        Case(
            message: "ready", fields: [("plugin", "irc"), ("from", "stderr")], text: "ready plugin=irc from=stderr",
            json: #""message":"ready","plugin":"irc","from":"stderr""#),
        Case(
            message: "x", fields: [("error", "no \"room\" left"), ("empty", ""), ("path", #"a\b"#), ("k", "a=b")],
            text: #"x error="no \"room\" left" empty="" path="a\\b" k="a=b""#,
            json: #""message":"x","error":"no \"room\" left","empty":"","path":"a\\b","k":"a=b""#),
        // Numbers and truth values stay what they are, and so do objects.
        Case(
            message: "x",
            fields: [
                ("ms", .stringConvertible(12)), ("share", .stringConvertible(0.5)), ("on", .stringConvertible(true)),
                ("list", .array(["a", .stringConvertible(1)])), ("map", .dictionary(["b": "2", "a": "1"])),
            ],
            text: #"x ms=12 share=0.5 on=true list="[\"a\",1]" map="{\"a\":\"1\",\"b\":\"2\"}""#,
            json: #""message":"x","ms":12,"share":0.5,"on":true,"list":["a",1],"map":{"a":"1","b":"2"}"#),
        // No line break, no escape sequence, no change of direction, nothing that cannot be seen.
        Case(
            message: "a\nb\r\u{1B}[2Jc\u{85}\u{2028}\u{202E}dcba\u{2066}\u{200B}\u{FEFF}\u{E0041}\t.",
            text: #"a\nb\r\u001b[2Jc\u0085\u2028\u202edcba\u2066\u200b\ufeff\udb40\udc41\t."#,
            json: #""message":"a\nb\r\u001b[2Jc\u0085\u2028\u202edcba\u2066\u200b\ufeff\udb40\udc41\t.""#),
        Case(
            message: "é😀\u{1F468}\u{200D}\u{1F469} \u{7}", fields: [("na\nme", "v\u{202E}\n")],
            text: "é😀\u{1F468}\u{200D}\u{1F469} \\u0007 na\\nme=v\\u202e\\n",
            json: "\"message\":\"é😀\u{1F468}\u{200D}\u{1F469} \\u0007\",\"na\\nme\":\"v\\u202e\\n\""),
        // A field cannot take the place of what the line says of itself.
        Case(
            message: "x", fields: [("level", "error"), ("time", "now")], text: "x level=error time=now",
            json: #""message":"x","field.level":"error","field.time":"now""#),
    ]

    @Test(arguments: cases) func isWrittenAsTextAndAsJSON(_ example: Case) throws {
        let line = Self.line(example.message, example.fields)
        #expect(String(decoding: line.bytes(.text), as: UTF8.self) == "2026-11-01T09:30:12.007Z info \(example.text)\n")
        let json = line.bytes(.json)
        #expect(
            String(decoding: json, as: UTF8.self)
                == "{\"time\":\"2026-11-01T09:30:12.007Z\",\"level\":\"info\",\(example.json)}\n")
        #expect(try JSONObject(parsing: json.dropLast()).string("message") == example.message)
    }

    struct Long: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var message = "x"
        var fields: [(String, Logger.MetadataValue)] = []
    }

    static let long = [
        Long(testDescription: "a message", message: String(repeating: "m", count: 1 << 20)),
        Long(testDescription: "a message of escapes", message: String(repeating: "\u{1}", count: 1 << 16)),
        Long(testDescription: "a message of wide characters", message: String(repeating: "😀", count: 1 << 16)),
        Long(testDescription: "a value", fields: [("v", .string(String(repeating: "\"", count: 1 << 20)))]),
        Long(testDescription: "a name", fields: [(String(repeating: "n", count: 1 << 20), "v")]),
        Long(testDescription: "an array", fields: [("v", .array(Array(repeating: "\n", count: 1 << 16)))]),
        Long(testDescription: "many fields", fields: (0..<1_000).map { ("f\($0)", "v") }),
        Long(
            testDescription: "many long fields",
            fields: (0..<60).map { ("f\($0)", .string(String(repeating: "v", count: 4_096))) }),
        Long(testDescription: "a deep value", fields: [("v", (0..<200).reduce("x") { value, _ in .array([value]) })]),
    ]

    @Test(arguments: long) func isNeverTooLongAndAlwaysWhole(_ example: Long) throws {
        let line = Self.line(example.message, example.fields)
        for format in LogSettings.Format.allCases {
            let bytes = line.bytes(format)
            #expect(bytes.count <= LogLine.maxBytes && bytes.last == 0x0A && !bytes.dropLast().contains(0x0A))
            #expect(String(validating: bytes, as: UTF8.self) != nil)
        }
        let object = try JSONObject(parsing: line.bytes(.json).dropLast())
        #expect(object.string("level") == "info")
        if example.fields.count > 50 { #expect(object.int("droppedFields") ?? 0 > 0) }
    }

    @Test func levelAndFormatChangeWhileLoggersAreInUse() {
        let settings = LogSettings()
        var logger = Logger("test", settings)
        let quiet = Logger("quiet", settings, level: .critical)
        #expect(logger.logLevel == .info)
        settings.values = LogSettings.Values(format: .json, level: .debug)
        #expect(logger.logLevel == .debug && settings.values.format == .json)
        #expect(quiet.logLevel == .critical, "a logger's own level stays")
        logger.logLevel = .error
        settings.values.level = .trace
        #expect(logger.logLevel == .error)
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (1_709_210_096_789, "2024-02-29T12:34:56.789Z"),
            (-5, "1970-01-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] as [(Int64, String)])
    func timesHaveMilliseconds(_ time: Int64, _ text: String) { #expect(ISO8601.text(time) == text) }
}
