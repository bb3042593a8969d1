import JSONBytes
import Testing

@testable import PluginHost

/// What is shown of a plugin's words, its secrets taken out.
@Suite struct SecretMaskTests {
    private static let pem = "-----BEGIN KEY-----\nabcdefgh+/==\nshort\n-----END KEY-----\n"

    @Test(
        arguments: [
            (["hunter2"], "a hunter2 b hunter2", "a *** b ***"),
            // Too short to be told from any other text.
            (["abc", ""], "abc abc", "abc abc"),
            // One that is a part of another, and two that overlap: nothing of either is left.
            (["hunter", "hunter2"], "hunter2", "***"), (["abcdef", "efghij"], "xabcdefghijy", "x***y"),
            (["abcd"], "abcdabcd", "******"),
            // As it stands in JSON of one writer or another.
            ([#"p"w\d"#], #"{"a":"p\"w\\d"}"#, #"{"a":"***"}"#), (["a/b/c/d"], #""a\/b\/c\/d""#, #""***""#),
            (["schlüssel"], #"schl\u00fcssel schl\u00FCssel schlüssel"#, "*** *** ***"),
            (["key😀key"], #"key\ud83d\ude00key"#, "***"), (["one\ttwo"], #"one\ttwo"#, "***"),
            // Whole, as one line of JSON, and line by line; a line of a few letters is no secret.
            ([pem], "see: \(pem)", "see: ***"), ([pem], "abcdefgh+/== short", "*** short"),
            ([pem], #"abcdefgh+\/=="#, "***"), ([pem], #"\n-----END KEY-----"#, #"\n***"#),
            // Whoever reads it without the space around it.
            ([" token \r\n\n"], "token=token;", "***=***;"),
            // A mark that joins its last letter in print is no disguise.
            (["secret"], "secret\u{301} secret\r\n", "***\u{301} ***\r\n"),
        ] as [([String], String, String)])
    func masks(secrets: [String], text: String, expected: String) {
        #expect(Array(SecretMask(secrets).mask(text).utf8) == Array(expected.utf8))
    }

    @Test(
        arguments: [
            (8, "xxxxsecret", "xxxx***"), (6, "xxxxsecret", "xxxx"), (7, "xxxxsecretyyy", "xxxx***"),
            (5, "secretsecretyyy", "***"), (7, "secretsecretyyy", "******y"), (4, "abcü", "abc"),
            (5, "abcü", "abcü"),
            (3, "a😀b", "a"), (0, "abc", ""), (100, "abc", "abc"),
        ] as [(Int, String, String)])
    func masksBeforeItCuts(limit: Int, text: String, expected: String) {
        #expect(SecretMask(["secret"]).mask(text, limit: limit) == expected)
    }

    @Test func masksJSONByItsValues() throws {
        let mask = SecretMask([#"p"w0rd\secret"#, "12345", "line one\nline two"])
        let text =
            #"{"a":["p\u0022w0rd\\\u0073ecret",12345,1.5,true,null],"12345":"x","#
            + #""x12345":{"b":"line one\nline two"}}"#
        let json = try JSON(parsing: Array(text.utf8))
        let masked = #"{"a":["***","***",1.5,true,null],"***":"x","x***":{"b":"***"}}"#
        #expect(String(decoding: mask.mask(json).bytes, as: UTF8.self) == masked)
        // Two names that become one: the first is kept, so that it is still JSON.
        let twice = JSON.object([.init("12345", .int(1)), .init("***", .int(2))])
        #expect(mask.mask(twice) == .object([.init("***", .int(1))]))
    }

    @Test func learnsBesideWhatItKnows() {
        var mask = SecretMask(["first-secret"])
        mask.learn(["second-secret", "first-secret"])
        #expect(mask.mask("first-secret second-secret") == "*** ***")
    }
}
