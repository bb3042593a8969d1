import Settings
import Testing

/// Texts that are no TOML: each error names the file, the line, the column, what is wrong in plain words, and shows the
/// line.
@Suite struct TOMLFaultTests {
    struct Broken: Sendable, CustomTestStringConvertible {
        var text: String
        /// `LINE:COLUMN: REASON`, or how it begins.
        var error: String
        /// The line as it is shown; nil: it is not.
        var quote: String?
        var testDescription: String { text.debugDescription }

        init(_ text: String, _ error: String, _ quote: String?) {
            (self.text, self.error, self.quote) = (text, error, quote)
        }
    }

    static let table = [
        Broken("data = ./d\n", "1:8: this is no number, and neither true nor false; text must stand in", "data = ./d"),
        Broken(
            "[http]\nlisten = 127.0.0.1:8080\n", "2:10: this is no number, and neither true nor false; text must stand",
            "listen = 127.0.0.1:8080"),
        Broken("data = $HOME/x\n", "1:8: this is no number, and neither true nor false; text must", "data = $HOME/x"),
        Broken("data = \"d\nlog = \"x\"\n", "1:10: the text is not closed: the quote at its end is", "data = \"d"),
        Broken("a = \"b\u{1}c\"\n", "1:7: the text has a control character (U+0001); remove it", "a = \"b\\u0001c\""),
        Broken("[http\nlisten = \"x\"\n", "1:6: the ']' behind the table's name is missing", "[http"),
        Broken("[ht tp]\n", "1:5: a table's name with a blank or another sign in it stands in quotes", "[ht tp]"),
        Broken("[]\n", "1:2: the table's name between '[' and ']' is missing", "[]"),
        Broken("data \"d\"\n", "1:6: a '=' is expected behind the key", "data \"d\""),
        Broken("data: \"d\"\n", "1:5: '=' stands between a key and its value, and not ':'", "data: \"d\""),
        Broken("da ta = \"x\"\n", "1:4: a '=' is expected behind the key; a key with a blank", "da ta = \"x\""),
        Broken("data =\n", "1:7: the value behind '=' is missing", "data ="),
        Broken("data =", "1:7: the value behind '=' is missing", "data ="),
        Broken("data", "1:5: a '=' is expected behind the key", "data"),
        Broken("data = \"d\" x\n", "1:12: there is more behind the value; a comment begins", "data = \"d\" x"),
        Broken("data = \"d\";\n", "1:11: there is more behind the value; a comment begins", "data = \"d\";"),
        Broken("a = 'it's'\n", "1:9: there is more behind the value; a text with a ' in it stands in", "a = 'it's'"),
        Broken("data = “d”\n", "1:8: typographic quotation marks are none to TOML", "data = “d”"),
        Broken("a = True\n", "1:5: a yes or no is written as true or false, in small letters", "a = True"),
        Broken("a = yes\n", "1:5: a yes or no is written as true or false, in small letters", "a = yes"),
        Broken("a = 007\n", "1:5: a number does not begin with 0; if it is a text, put it into quotes", "a = 007"),
        Broken("a = 99999999999999999999\n", "1:5: the number is too large", "a = 99999999999999999999"),
        Broken("a = 1_000_\n", "1:5: a '_' in a number stands between two digits", "a = 1_000_"),
        Broken("data = \"C:\\data\"\n", "1:12: the text has a '\\' before a sign that", "data = \"C:\\data\""),
        Broken("a = \"\\u12\"\n", "1:10: '\\u' wants 4 hexadecimal digits behind it", "a = \"\\u12\""),
        Broken(
            "[http]\nhosts = [\"a\", \"b\"\n\n[log]\n", "4:1: the list that begins in line 2 lacks a ',' between",
            "[log]"),
        Broken("a = [1 2]\n", "1:8: the list that begins in line 1 lacks a ',' between two", "a = [1 2]"),
        Broken("a = [\n  1,\n", "1:5: the list that begins in line 1 lacks", "a = ["),
        Broken("a = 1\nb = \"\"\"abc\n\n", "2:5: the text that begins here is not closed", "b = \"\"\"abc"),
        Broken("a = { b = 1, }\n", "1:14: the ',' before '}' is one too many", "a = { b = 1, }"),
        Broken("a = { b = 1,\n c = 2 }\n", "1:13: a table in { } stands on one line; write one of", "a = { b = 1,"),
        Broken("a = { b = 1 c = 2 }\n", "1:13: the table in { } lacks a ','", "a = { b = 1 c = 2 }"),
        Broken("// hi\ndata = \"x\"\n", "1:1: a comment begins with '#'", "// hi"),
        Broken("; hi\n", "1:1: a comment begins with '#'", "; hi"),
        Broken(
            "{\"data\": \"d\"}\n", "1:1: this is JSON; TOML has a line for each key, as: key =", "{\"data\": \"d\"}"),
        Broken("= \"x\"\n", "1:1: the key before '=' is missing", "= \"x\""),
        Broken("a\u{A0}= \"x\"\n", "1:2: there is a blank of an unusual kind (U+00A0)", "a\u{A0}= \"x\""),
        Broken("a. = 1\n", "1:4: a part of the key is missing beside its '.'", "a. = 1"),
        Broken("a = \"x\"\rb = 1\r", "1:9: lines end in a CR alone; save the file with LF", "a = \"x\"\\u000db = 1"),
        // What may be a secret is shown to nobody.
        Broken("[config]\npassword = hunter2\n", "2:12: this is no number", "password = …"),
        Broken("sasl = { account = \"a\", password = \"b }\n", "1:40: the text is not closed", "sasl = …"),
        Broken("headers = { Authorization = \"Bearer abc }\n", "1:42: the text is not closed", "headers = …"),
        Broken("url = https://hooks.example.org/abc\n", "1:7: this is no number", "url = …"),
        Broken("a = \"\"\"\nabc \\d\n\"\"\"\n", "2:6: the text has a '\\' before a sign", nil),
        Broken("secret \"abc\"\n", "1:8: a '=' is expected behind the key", nil),
    ]

    @Test(arguments: table) func theErrorIsInPlainWordsAndShowsTheLine(_ broken: Broken) {
        let error = #expect(throws: SettingsError.self) {
            try SettingsReader(parsing: Array(broken.text.utf8), file: "a.toml")
        }
        #expect(error?.description.hasPrefix("a.toml:" + broken.error) == true, "\(error?.description ?? "")")
        #expect(error?.quote == broken.quote)
        let end = broken.quote.map { "; the line is: " + $0 } ?? ""
        #expect(error?.quoting == "\(error?.description ?? "")\(end)")
        // The parser's own words stand nowhere.
        for words in ["Error while", ", saw "] {
            #expect(error?.reason.contains(words) == false, "\(error?.reason ?? "")")
        }
    }

    /// A long line is cut around what is wrong in it.
    @Test func aLongLineIsCut() {
        let list = Array(repeating: "\"x\"", count: 100).joined(separator: ", ")
        let error = #expect(throws: SettingsError.self) {
            try SettingsReader(parsing: Array("a = [\(list) \"here\", \(list)]".utf8), file: "a.toml")
        }
        let quote = error?.quote ?? ""
        #expect(quote.count <= 102 && quote.hasPrefix("…") && quote.hasSuffix("…"), "\(quote)")
        #expect(quote.contains("\"here\""), "\(quote)")
    }
}
