import CrowbarTesting
import JSONBytes
import Testing

@Suite struct ValueTests {
    static let texts: [String] = [
        "", "plain", "\"\\/\u{8}\u{C}\n\r\t", "\u{0}\u{1}\u{1F}\u{7F}", "é😀\u{1F468}\u{200D}\u{1F469}",
        "a\u{85}b\u{2028}c\u{2029}d", "\u{84}\u{86}\u{2027}\u{202A}", "\u{FFFF}\u{10FFFF}",
    ]

    @Test(arguments: texts) func stringsComeBackFromOneLine(_ text: String) throws {
        var quoted: [UInt8] = []
        JSONString.append(text, to: &quoted)
        let line = String(decoding: quoted, as: UTF8.self)
        #expect(!line.unicodeScalars.contains { $0.value < 0x20 || [0x85, 0x2028, 0x2029].contains($0.value) })
        #expect(try JSONObject(parsing: Array("{\"k\":\(line)}".utf8)).string("k") == text)
        #expect(try JSON(parsing: quoted) == .string(text))
    }

    @Test func escapesAreDecoded() throws {
        let object = try JSONObject(parsing: Array(#"{"k":"\u0041\ud83d\ude00\/\"\u2028","\u006b2":1}"#.utf8))
        #expect(object.string("k") == "A😀/\"\u{2028}")
        #expect(object.key(object.members[1]) == "k2")
    }

    @Test func singleLineChangesLineBreaksAlone() {
        func single(_ text: String) -> String {
            String(decoding: JSONString.singleLine(Array(text.utf8)[...]), as: UTF8.self)
        }
        #expect(single(#"{ "b":1.0,  "é":"\n" }"#) == #"{ "b":1.0,  "é":"\n" }"#)
        #expect(single("{\r\n\"a\":\n1\t}") == "{  \"a\": 1\t}")
        #expect(single("[\"\u{2028}x\u{2029}y\u{85}\"]") == #"["\u2028x\u2029y\u0085"]"#)
    }

    @Test(arguments: HostileJSON.numbers.map { ($0.token, $0.value) })
    func wholeNumbers(_ token: String, _ value: Int64?) throws {
        #expect(try JSONObject(parsing: Array("{\"n\":\(token)}".utf8)).int("n") == value)
        #expect(try JSON(parsing: Array(token.utf8)).int == value)
        #expect(JSONNumber.whole(token: token) == value)
    }

    /// Where no whole number is read a number keeps its value as far as a `Double` has it.
    @Test(
        arguments: [("1e400", nil), ("-1e400", nil), ("1e19", 1e19), ("1.5", 1.5), ("10e-1", 1)] as [(String, Double?)])
    func numbersOfATree(_ token: String, _ value: Double?) {
        #expect((try? JSON(parsing: Array(token.utf8)))?.double == value)
    }

    @Test func aNumberBeyondADoubleIsTextWhereItMayBe() throws {
        let text = Array(#"{"n":[-1e400,1e5,1.5]}"#.utf8)
        #expect(throws: JSONError.self) { _ = try JSON(parsing: text) }
        let tree = try JSON(parsing: text, largeNumbersAsText: true)
        #expect(tree["n"] == .array([.string("-1e400"), .int(100_000), .double(1.5)]))
    }

    @Test(arguments: HostileJSON.userIdKeys) func aKeyIsFoundHoweverItIsWritten(_ key: String) throws {
        let object = try JSONObject(parsing: Array("{\"a\":0,\(key):1}".utf8))
        #expect(object.int("userId") == 1 && object.isKey("userId", of: object.members[1]))
        #expect(try JSON(parsing: object.bytes)["userId"]?.int == 1)
    }

    @Test(arguments: HostileJSON.otherKeys) func aKeyThatLooksLikeItIsAnother(_ key: String) throws {
        let object = try JSONObject(parsing: Array("{\"a\":0,\(key):1}".utf8))
        #expect(object.span("userId") == nil && !object.isKey("userId", of: object.members[1]))
        #expect(try JSON(parsing: object.bytes)["userId"] == nil)
    }

    /// Swift's strings are equal where they look the same; keys are not.
    @Test(arguments: [#"{"é":1,"e\u0301":2}"#, #"{"K":1,"\u212a":2}"#]) func keysAreComparedByCodePoint(_ text: String)
        throws
    {
        let tree = try JSON(parsing: Array(text.utf8))
        #expect(tree.members?.count == 2)
        #expect(
            tree["\u{212A}"]?.int == (tree["K"] == nil ? nil : 2)
                && tree["e\u{301}"]?.int == (tree["é"] == nil ? nil : 2))
    }

    @Test func membersByKindAndAbsence() throws {
        let object = try JSONObject(
            parsing: Array(#"{"s":"x","b":true,"l":["a","b"],"o":[{"n":1},{}],"m":{"r": 1 },"mixed":["a",1]}"#.utf8))
        #expect(object.string("b") == nil)
        #expect(object.bool("b") == true)
        #expect(object.bool("s") == nil)
        #expect(object.strings("l") == ["a", "b"])
        #expect(object.strings("mixed") == nil)
        #expect(object.objects("o")?.map { $0.int("n") } == [1, nil])
        #expect(object.objects("l") == nil)
        #expect(object.raw("m").map(Array.init) == Array(#"{"r": 1 }"#.utf8))
        #expect(object.span("x") == nil)
    }

    @Test func treesComeBack() throws {
        let text = #"{"a":[1,-2.5,null,true,{"b":"\u2028"}],"c":{}}"#
        let tree = try JSON(parsing: Array(text.utf8))
        #expect(tree["a"]?.array?.count == 5)
        #expect(tree["a"]?.array?[4]["b"]?.string == "\u{2028}")
        #expect(String(decoding: tree.bytes, as: UTF8.self) == text)
        #expect(try JSON(parsing: tree.bytes) == tree)
    }

    @Test(arguments: ["1e999", "{\"a\":1,\"a\":2}", "[1,", "x"]) func treesRefuse(_ text: String) {
        #expect(throws: JSONError.self) { _ = try JSON(parsing: Array(text.utf8)) }
    }

    @Test func theWriterPutsCommasWhereTheyBelong() throws {
        var json = JSONWriter()
        json.beginObject()
        json.member("a", 1)
        json.member("none", ifPresent: nil)
        json.key("l")
        json.beginArray()
        json.string("x")
        json.beginObject()
        json.endObject()
        json.null()
        json.endArray()
        json.member("t", true)
        json.key("r")
        json.raw("[ ]".utf8)
        json.endObject()
        #expect(String(decoding: json.bytes, as: UTF8.self) == #"{"a":1,"l":["x",{},null],"t":true,"r":[ ]}"#)
    }

    @Test(arguments: [0, 7, -1, Int64.max, Int64.min]) func decimals(_ number: Int64) {
        var out: [UInt8] = []
        out.appendDecimal(number)
        #expect(String(decoding: out, as: UTF8.self) == "\(number)")
    }
}
