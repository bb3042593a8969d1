import JSONBytes
import Settings
import Testing

@Suite struct SettingsReaderTests {
    private func read(_ text: String) throws(SettingsError) -> SettingsReader {
        try SettingsReader(parsing: Array(text.utf8), file: "a.toml")
    }

    @Test func givesTypedValues() throws {
        let reader = try read(
            """
            name = "x"
            on = true
            many = 5
            share = 0.5
            list = ["a", "b"]
            [inner]
            deep = { env = "TOKEN" }
            [[target]]
            url = "one"
            [[target]]
            url = "two"
            """)
        #expect(try reader.string("name") == "x")
        #expect(try reader.bool("on") == true)
        #expect(try reader.int("many", in: 0...9) == 5)
        #expect(try reader.double("share", in: 0...1) == 0.5)
        #expect(try reader.strings("list") == ["a", "b"])
        #expect(try reader.string("absent") == nil)
        #expect(try reader.table("inner")?.json.bytes == Array(#"{"deep":{"env":"TOKEN"}}"#.utf8))
        #expect(try reader.tables("target")?.map { try $0.string("url") } == ["one", "two"])
    }

    struct Wrong: Sendable, CustomTestStringConvertible {
        var text: String
        var error: String
        var testDescription: String { error }
    }

    static let wrong = [
        Wrong(text: "a = ", error: "a.toml:1:5: the value behind '=' is missing"),
        Wrong(text: "known = 1\n\nknwon = 2", error: "a.toml:3: knwon: unknown key; did you mean 'known'?"),
        Wrong(
            text: "text = \"\"\"\nknown = 1\nother = 2\n\"\"\" # x = 1\nlist = [\n  \"a\", # ]\n]\nzzz = 1",
            error: "a.toml:8: zzz: unknown key; there are known, text, list, when, inner, target"),
        Wrong(text: "known = 'x'", error: "a.toml:1: known: must be a whole number from 0 to 9"),
        Wrong(text: "known = 10", error: "a.toml:1: known: must be a whole number from 0 to 9"),
        Wrong(
            text: "when = 2026-11-01", error: "a.toml:1: when: dates and times are written as strings here, in quotes"),
        Wrong(text: "list = ['a', 1]", error: "a.toml:1: list[1]: must be a string, in quotes"),
        Wrong(
            text: "# one\n[inner] # two\nurl.nmae = 'x'", error: "a.toml:3: inner.url.nmae: unknown key; did you mean"),
        Wrong(text: "[[target]]\nurl = 'x'\n[[target]]\nulr = 'y'", error: "a.toml:4: target[1].ulr: unknown key"),
        Wrong(
            text: "log = 'sqlite'\n[log]\nlevel = 'info'",
            error: "a.toml:2: log is given twice; write store = \"sqlite\" in [log] and leave log = … out"),
        Wrong(
            text: "known = 1\n[known]\na = 1",
            error: "a.toml:2: known is given twice, as a value and as the table [known]; leave one of the two out"),
        Wrong(text: "known = 1\nknown = 2", error: "a.toml:2: known is given twice; leave one of the two out, or"),
        Wrong(text: "[inner]\na = 1\n[inner]\nb = 1", error: "a.toml:3: inner is given twice; leave one of the two"),
        Wrong(text: "known = inf", error: "a.toml:1: known: must be a finite number"),
        Wrong(text: "\u{0}", error: "a.toml: the file has a NUL byte"),
    ]

    @Test(arguments: wrong) func namesFileLineKeyAndReason(_ wrong: Wrong) {
        let error = #expect(throws: SettingsError.self) {
            let reader = try read(wrong.text)
            try reader.refuseUnknown(knowing: ["known", "text", "list", "when", "inner", "target"])
            _ = try reader.int("known", in: 0...9)
            _ = try reader.strings("list")
            try reader.table("inner")?.table("url")?.refuseUnknown(knowing: ["name"])
            for target in try reader.tables("target") ?? [] { try target.refuseUnknown(knowing: ["url"]) }
        }
        #expect(error?.description.hasPrefix(wrong.error) == true, "\(error?.description ?? "")")
    }

    @Test func refusesWhatIsNoUTF8OrTooLong() {
        #expect(throws: SettingsError.self) { try SettingsReader(parsing: [0xFF], file: "a.toml") }
        let long = [UInt8](repeating: 0x20, count: SettingsReader.maxBytes + 1)
        #expect(throws: SettingsError.self) { try SettingsReader(parsing: long, file: "a.toml") }
    }

    @Test func allMistakesAreFoundByTakingEachAway() throws {
        var reader = try read(
            """
            list = ["a", 1, "b", 2]
            knwon = 1
            [[target]]
            url = "x"
            [[target]]
            ulr = "y"
            [[target]]
            url = 5
            """)
        var errors: [String] = []
        while errors.count < 20 {
            do throws(SettingsError) {
                try reader.refuseUnknown(knowing: ["known", "list", "target"])
                _ = try reader.strings("list")
                for target in try reader.tables("target") ?? [] {
                    try target.refuseUnknown(knowing: ["url"])
                    _ = try target.string("url")
                }
                break
            } catch {
                errors.append(error.description)
                let isRemoved = reader.remove(error)
                #expect(isRemoved)
            }
        }
        #expect(
            errors == [
                "a.toml:2: knwon: unknown key; did you mean 'known'?", "a.toml:1: list[1]: must be a string, in quotes",
                "a.toml:1: list[3]: must be a string, in quotes",
                "a.toml:6: target[1].ulr: unknown key; did you mean 'url'?",
                "a.toml:8: target[2].url: must be a string, in quotes",
            ])
        // What is missing cannot be taken away.
        let isRemoved = reader.remove(reader.error("absent", "is missing"))
        #expect(!isRemoved)
    }
}
