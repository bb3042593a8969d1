import JSONBytes
import PluginHost
import Testing

@testable import crowbar

/// What the command line makes of text from elsewhere, times and figures.
@Suite struct ListingTextTests {
    @Test(arguments: [
        ("plain words", "plain words"), ("grüße, 東京, 👩‍👩‍👧, نه‌تنها", "grüße, 東京, 👩‍👩‍👧, نه‌تنها"),
        ("two\nlines\r\nthree\tcells", "two lines three cells"),
        // Colours, the title, the clipboard, the cursor: by the escape and by its C1 forms.
        ("\u{1B}[31mred\u{1B}[0m", "\\u001b[31mred\\u001b[0m"), ("\u{1B}]0;title\u{07}", "\\u001b]0;title\\u0007"),
        ("\u{9B}2J", "\\u009b2J"), ("\u{90}q\u{9C}", "\\u0090q\\u009c"), ("a\u{08}b\u{7F}", "a\\u0008b\\u007f"),
        ("nul\u{0}", "nul\\u0000"), ("\u{85}", " "), ("\u{2028}\u{2029}", "  "),
        // Order, and what hides.
        ("\u{202E}txt.exe\u{202C}", "\\u202etxt.exe\\u202c"), ("\u{2066}a\u{2069}", "\\u2066a\\u2069"),
        ("\u{200E}\u{200F}\u{61C}", "\\u200e\\u200f\\u061c"), ("a\u{200B}b\u{2060}\u{FEFF}", "a\\u200bb\\u2060\\ufeff"),
        ("soft\u{AD}ly", "soft\\u00adly"), ("\u{3164}\u{FFA0}\u{115F}", "\\u3164\\uffa0\\u115f"),
        ("\u{E0041}tag", "\\udb40\\udc41tag"), ("\u{1D173}", "\\ud834\\udd73"),
        // A heap of marks ends somewhere.
        ("a" + String(repeating: "\u{301}", count: 90), "a" + String(repeating: "\u{301}", count: 15)),
    ])
    func nothingInALineIsObeyedByATerminal(text: String, shown: String) {
        // By scalars: that two texts look the same is not enough.
        #expect(Array(TerminalText.line(text).unicodeScalars) == Array(shown.unicodeScalars))
        #expect(!TerminalText.line(text).unicodeScalars.contains(where: TerminalText.isUnsafe))
    }

    @Test func whatGoesToATerminalIsSafeAndJSONStaysTheSame() throws {
        let value = JSON.object([.init("a\u{202E}", .string("\u{9B}2J\u{7F} 東京 \u{E0041}")), .init("b", .int(1))])
        let raw = Array("{\r\n".utf8) + Array(value.bytes.dropFirst()) + [0x0A]
        let shown = TerminalText.lines(raw)
        #expect(try JSON(parsing: shown) == value)
        let text = String(decoding: shown, as: UTF8.self)
        #expect(!text.unicodeScalars.contains { TerminalText.isUnsafe($0) && $0 != "\n" })
        let plain = Array("PLUGIN\tSTATE\nirc\n".utf8)
        #expect(TerminalText.lines(plain) == plain)
        // Bytes that are no text at all.
        #expect(TerminalText.lines([0xFF, 0x1B]) == Array("\u{FFFD}\\u001b".utf8))
    }

    @Test(arguments: [
        ("abc", 3), ("東京", 4), ("é", 1), ("e\u{301}", 1), ("👩‍👩‍👧", 2), ("한글", 4), ("ｆｕｌｌ", 8), ("", 0),
        ("❤\u{FE0F}", 2), ("\u{301}", 0),
    ])
    func widthsAreThoseOfATerminal(text: String, width: Int) {
        #expect(TerminalText.width(text) == width)
    }

    @Test(arguments: [
        ("abcdef", 6, "abcdef"), ("abcdefg", 6, "abcde…"), ("東京都庁", 8, "東京都庁"), ("東京都庁舎", 8, "東京都…"),
        ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
    ])
    func longTextsAreCut(text: String, columns: Int, cut: String) {
        #expect(TerminalText.cut(text, to: columns) == cut)
        #expect(TerminalText.width(cut) <= columns)
    }

    @Test func aTableIsAligned() {
        let table = Table(
            columns: [.init("NAME"), .init("TEXT", limit: 8), .init("N")],
            rows: [
                [.string("東京"), .string("a\u{1B}b"), .int(1)], [.string("x"), .string("longer than that"), .null],
                [.string(""), nil, .bool(true)],
            ])
        #expect(
            table.lines == [
                "NAME  TEXT      N", "東京  a\\u001bb  1", "x     longer …  -", "-     -         true",
            ])
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (1_793_491_200_007, "2026-11-01T00:00:00.007Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"), (-1, "-1"), (.max, "9223372036854775807"),
        ] as [(Int64, String)])
    func timesAreISO8601(milliseconds: Int64, text: String) {
        #expect(DisplayTime.text(milliseconds) == text)
    }

    @Test func aPluginHasALineForEachQueueWithWhatIsItsOwn() throws {
        let json = """
            {"name":"irc","state":"live","health":"down","healthReason":"b: refused","pid":7,"restarts":1,
            "deadLetters":2,"queues":[
            {"name":"a","state":"live","health":"ok","lag":0,"ratePerSecond":0.0,"inFlight":0,"waiting":0,
            "deadLetters":0},
            {"name":"b","state":"waiting","health":"down","reason":"refused","lag":5,"ratePerSecond":2.5,"inFlight":1,
            "waiting":1,"deadLetters":2},{"name":"old","droppedAt":1,"state":"dropped"}]}
            """
        let rows = QueueRow.rows(of: try JSON(parsing: Array(json.utf8)))
        #expect(
            rows.map { $0.map(Table.cell).joined(separator: "|") } == [
                "irc|live|ok|7|a|0|-|0|0|1|0|-", "irc|waiting|down|7|b|5|2.5|1|1|1|2|refused",
            ])
        let failed = #"{"name":"x","state":"failed","health":"down","reason":"no","healthReason":"no","queues":[]}"#
        let row = try #require(QueueRow.rows(of: try JSON(parsing: Array(failed.utf8))).first)
        #expect(row.count == QueueRow.columns.count)
        #expect(row.map(Table.cell).joined(separator: "|") == "x|failed|down|-|-|-|-|-|-|-|-|no")
    }

    @Test(arguments: [199, 200, 201, 1_000]) func aLongReasonSaysWhereTheRestIs(length: Int) throws {
        let reason = String(repeating: "x", count: length)
        for json in [
            #"{"name":"irc","health":"down","queues":[],"healthReason":"\#(reason)"}"#,
            #"{"name":"irc","queues":[{"name":"a","reason":"\#(reason)"}]}"#,
        ] {
            let plugin = try JSON(parsing: Array(json.utf8))
            let row = try #require(QueueRow.rows(of: plugin).first)
            let shown = Table.cell(try #require(row.last))
            if length <= 200 { #expect(shown == reason) }
            if length > 200 { #expect(shown.hasSuffix("x… (crowbar plugins show irc)") && shown.count == 200) }
            let isWhole = PluginPage(plugin).lines.contains { $0.contains(reason) }
            #expect(isWhole)
        }
    }

    @Test(arguments: [
        (["gone (410)"], "gone (410)"), (["gone (410)", "1 dead letter"], "gone (410) (+1 more)"),
        (["a", "b", "c"], "a (+2 more)"), ([], "-"),
        (
            [String(repeating: "x", count: 300), "b"],
            String(repeating: "x", count: 162) + "… (crowbar plugins show irc) (+1 more)"
        ),
    ])
    func theListingHasTheMostUrgentReason(reasons: [String], shown: String) throws {
        let list = JSON.array(reasons.map { .string($0) })
        for plugin in [
            JSON.object([.init("name", .string("irc")), .init("queues", .array([])), .init("healthReasons", list)]),
            JSON.object([
                .init("name", .string("irc")),
                .init("queues", .array([.object([.init("name", .string("a")), .init("reasons", list)])])),
            ]),
        ] {
            let row = try #require(QueueRow.rows(of: plugin).first)
            let cell = Table.cell(row.last ?? nil)
            #expect(cell == shown && cell.count <= QueueRow.reasonLimit, "\(cell)")
        }
    }

    @Test(
        arguments: [
            ("live", ["a"], "it starts again"), ("diverged", ["a", "b"], "it starts again"),
            ("stopped", ["a"], "it is stopped"), ("failed", ["a"], "it is failed"),
        ] as [(String, [String], String)])
    func aSetCursorSaysWhatComes(state: String, queues: [String], rest: String) {
        let answer = JSON.object([
            .init("name", .string("irc")), .init("state", .string(state)), .init("reason", .string("long")),
            .init("queues", .array(queues.map { .string($0) })),
        ])
        let count = queues.count == 1 ? "1 queue" : "\(queues.count) queues"
        #expect(PluginOutcome.cursors(answer, at: "now") == "irc: \(count) set to now; \(rest)")
    }

    @Test func aPluginsPageIsForPeople() throws {
        let json = """
            {"name":"f\\u001b","state":"backingOff","reason":"crashed","health":"down","healthReason":"crashed",
            "phase":"event","version":"1.0","restarts":3,"deadLetters":0,
            "status":{"level":"ok","message":"fine","details":{"a":{"n":1},"list":["x","y"]}},
            "checks":{"asked":5,"allowed":0,"changed":0,"refused":0,"failed":5,"resting":true},
            "queues":[{"name":"main","cursor":{"eventId":"e9","position":9},"lag":1,"inFlight":0,"parked":0,"waiting":0,
            "ratePerSecond":0.0,"state":"backingOff","health":"down","deadLetters":0,"reason":"crashed"},
            {"name":"old","cursor":null,"lag":9,"inFlight":0,"parked":0,"waiting":0,"ratePerSecond":0.0,
            "droppedAt":1793491200000,"state":"dropped","health":"off","deadLetters":0}],
            "strikes":2,"ignored":0,"lastEnd":{"reason":"exit status 1","at":1793491200007},"nextStartInMs":2500,
            "manifest":{"file":"/etc/f.toml","command":["x","y"],"types":null,"channels":["a"],"commands":[],
            "actAs":["irc/*"],"maxAttempts":8,"ackDeadlineMs":60000,"onFailure":"allow"},
            "disk":{"bytes":20480,"files":3,"limit":1073741824}}
            """
        #expect(
            PluginPage(try JSON(parsing: Array(json.utf8))).lines == [
                "name: f\\u001b", "state: backingOff (crashed)", "health: down (crashed)", "phase: event",
                "version: 1.0", "restarts: 3", "dead letters: 0",
                "disk: 20 KiB in 3 files, 1024 MiB allowed (limits.disk)", "strikes: 2",
                "last end: 2026-11-01T00:00:00.007Z: exit status 1", "next start: in 3 s", "status: ok: fine",
                "checks: 5 asked, 0 allowed, 0 changed, 0 refused, 5 failed; not asked for now: it failed too often",
                "", "queues:",
                "  QUEUE  STATE                             HEALTH  LAG  RATE/S  IN FLIGHT  WAITING  DEAD  POSITION  "
                    + "CURSOR  REASON",
                "  main   backingOff                        down    1    -       0          0        0     9         "
                    + "e9      crashed",
                "  old    dropped 2026-11-01T00:00:00.000Z  off     9    -       0          0        0     -         "
                    + "-       -",
                "", "status details:", "  a.n: 1", "  list: x, y", "", "manifest: /etc/f.toml", "  command: x, y",
                "  types: all", "  channels: a", "  commands: none",
                "  act_as: irc/*", "  retry.max_attempts: 8", "  retry.ack_deadline (ms): 60000", "  on_failure: allow",
            ])
    }

    @Test(
        arguments: [
            ([], ["health: down (a; b)"]), (["a"], ["health: down (a; b)"]),
            (["gone (410)", "b: \u{1b}"], ["health: down", "  gone (410)", "  b: \\u001b"]),
        ] as [([String], [String])])
    func severalReasonsOfAPluginAreAList(reasons: [String], shown: [String]) {
        let plugin = JSON.object([
            .init("health", .string("down")), .init("healthReason", .string("a; b")),
            .init("healthReasons", .array(reasons.map { .string($0) })),
        ])
        #expect(PluginPage(plugin).lines == shown)
    }

    @Test func aQueuesPageBeginsWithTheQueue() throws {
        let json = """
            {"name":"irc","state":"live","health":"degraded","healthReason":"libera: no such channel",
            "queues":[{"name":"libera","cursor":{"eventId":"e9","position":9},"lag":1,"inFlight":0,"waiting":2,
            "ratePerSecond":0.0,"state":"live","health":"degraded","deadLetters":3,
            "reasons":["no such channel","b\\u001b"]}]}
            """
        let plugin = try JSON(parsing: Array(json.utf8))
        #expect(
            PluginPage(plugin, queue: "libera").lines == [
                "queue: irc/libera", "state: live", "health: degraded", "  no such channel", "  b\\u001b", "lag: 1",
                "rate/s: -", "in flight: 0", "waiting: 2", "dead letters: 3", "position: 9", "cursor: e9", "",
                "name: irc", "state: live", "health: degraded (libera: no such channel)",
            ])
    }

    struct Progress: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var position: Int64 = 50
        var settled: Int64
        var done: Int64
        var matching: Int64
        var isCounted = true
        var text: String?
    }

    @Test(arguments: [
        Progress(
            testDescription: "of what matches, not of positions", position: 990, settled: 10, done: 10, matching: 40,
            text: "25 % of 40 events, 5 events/s, 6 s left\n"),
        Progress(
            testDescription: "what was settled before counts", settled: 10, done: 30, matching: 40,
            text: "75 % of 40 events, 5 events/s, 2 s left\n"),
        Progress(testDescription: "not counted yet", settled: 10, done: 10, matching: 20, isCounted: false),
        Progress(
            testDescription: "nothing settled", settled: 0, done: 0, matching: 40,
            text: "0 % of 40 events, 0 events/s, waiting\n"),
        Progress(
            testDescription: "all settled, the rest to be looked at", settled: 40, done: 40, matching: 40,
            text: "99 % of 40 events, 20 events/s, 0 s left\n"),
        Progress(
            testDescription: "over", position: 1000, settled: 40, done: 40, matching: 40,
            text: "100 % of 40 events, 20 events/s, done\n"),
        Progress(
            testDescription: "over, and nothing matched", position: 1000, settled: 0, done: 0, matching: 0,
            text: "100 % of 0 events, 0 events/s, done\n"),
    ])
    func progressIsOfWhatMatches(_ example: Progress) {
        let progress = Replay.Progress(
            from: 0, through: 1000, position: example.position, settled: example.settled, waiting: 0,
            matching: example.matching, isCounted: example.isCounted, done: example.done)
        var meter = ProgressMeter(isTerminal: false, began: 0)
        #expect(meter.text(progress, now: 2000) == example.text)
        var terminal = ProgressMeter(isTerminal: true, began: 0)
        let shown = terminal.text(progress, now: 2000) ?? ""
        if example.isCounted {
            #expect(shown.contains(example.text?.dropLast() ?? ""))
        } else {
            #expect(shown.contains("10 of at least 20 events, 5 events/s, counting"))
        }
    }
}
