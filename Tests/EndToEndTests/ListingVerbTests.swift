import Glibc
import JSONBytes
import Testing

/// The listings of the real program, of a plugin that says what it likes.
@Suite(.serialized) struct ListingVerbTests {
    /// Every text of it tries to rule the terminal: it rejects "bad" messages and is as well as "level" messages say.
    private static let program = """
        #!/usr/bin/env python3
        import json, sys

        def say(message):
            print(json.dumps(message), flush=True)

        evil = "\\x1b]0;owned\\x07\\u202e\\x9b2J"
        for line in sys.stdin:
            message = json.loads(line)
            if message["type"] == "hello":
                print("log " + evil, file=sys.stderr, flush=True)
                say({"type": "ready", "protocol": 1, "name": "example", "version": "1" + evil})
            elif message["type"] == "event":
                words = message["event"].get("message", "").split()
                number = message["delivery"]
                if words[:1] == ["bad"]:
                    answer = "400 " + evil + " no such field"
                    say({"type": "reject", "delivery": number, "code": "http_400", "message": answer,
                         "deadLetter": True})
                    continue
                if words[:1] == ["level"]:
                    say({"type": "status", "level": words[1], "message": words[1] + evil,
                         "details": {"k" + evil: evil}})
                say({"type": "ack", "delivery": number})
            elif message["type"] == "ping":
                say({"type": "pong", "n": message["n"]})
            elif message["type"] == "drain":
                say({"type": "drained"})
                break
        """

    private func prepare() -> CommandLineFolder {
        let folder = CommandLineFolder()
        folder.makeFolder("plugins.d")
        folder.write("crowbar.toml", "[http]\nlisten = \"127.0.0.1:0\"\n")
        folder.write("ex.py", Self.program)
        chmod(folder.file("ex.py"), 0o755)
        folder.write("plugins.d/ex.toml", "command = [\"../ex.py\"]\nstart = \"beginning\"\n")
        return folder
    }

    private func health(_ folder: CommandLineFolder) -> String? {
        (try? JSON(parsing: Array(folder.crowbar("plugins", "--json").output.utf8)))?.array?.first?["health"]?.string
    }

    /// Whether each line and word of a table may go to a terminal.
    private func isHarmless(_ text: String) -> Bool {
        !text.unicodeScalars.contains {
            $0 != "\n" && ($0.value < 0x20 || (0x7F..<0xA0).contains($0.value) || (0x202A...0x202E).contains($0.value))
        }
    }

    /// What the program writes to a terminal.
    private func onTerminal(_ folder: CommandLineFolder, _ arguments: String...) -> String {
        let program = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]))"
        let line =
            "cd \(folder.path) && python3 -c '\(program)' \(CommandLineFolder.binary) "
            + arguments.joined(separator: " ") + " > terminal.out 2>&1 < /dev/null"
        let shell: [String] = ["/bin/sh", "-c", line]
        var words: [UnsafeMutablePointer<CChar>?] = shell.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var pid: pid_t = 0
        guard posix_spawn(&pid, "/bin/sh", nil, nil, &words, environ) == 0 else { return "" }
        _ = CommandLineFolder.wait(pid)
        return folder.read("terminal.out")
    }

    private func isTime(_ text: Substring) -> Bool {
        text.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil
    }

    @Test func healthIsListedAndCheckedAndNothingRulesTheTerminal() throws {
        let folder = prepare()
        let server = try #require(folder.serve())
        defer {
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        #expect(folder.crowbar("channel", "add", "general").status == 0)
        #expect(folder.poll { health(folder) == "ok" })
        let well = folder.crowbar("plugins", "--check")
        #expect(well.status == 0 && well.error.isEmpty, "\(well.error)")
        let table = well.output.split(separator: "\n").map { $0.split(separator: " ", omittingEmptySubsequences: true) }
        let header = ["PLUGIN", "STATE", "HEALTH", "PID", "QUEUE", "LAG", "RATE/S", "IN", "FLIGHT", "WAITING"]
        #expect(table[0].map(String.init).starts(with: header))
        #expect(table[1][0] == "ex" && table[1][2] == "ok" && table[1][4] == "main")

        // What works badly is no reason for an alarm, what does not work is.
        #expect(folder.crowbar("send", "general", "level degraded").status == 0)
        #expect(folder.poll { health(folder) == "degraded" })
        #expect(folder.crowbar("plugins", "--check").status == 0)
        #expect(folder.crowbar("send", "general", "level down").status == 0)
        #expect(folder.poll { health(folder) == "down" })
        for arguments in [["plugins", "--check"], ["plugins", "list", "--check", "--json"]] {
            let pid = try #require(folder.start(arguments, "check"))
            #expect(CommandLineFolder.wait(pid) == 1)
            let error = folder.read("check.err")
            #expect(error.hasPrefix("crowbar: down: ex (down\\u001b]0;owned") && error.count { $0 == "\n" } == 1)
            #expect(isHarmless(error))
            #expect(folder.read("check.out").contains("ex"))
        }
        #expect(folder.crowbar("plugins").status == 0)
        let texts = [["plugins"], ["plugins", "show", "ex"], ["plugins", "logs", "ex"]]
        for arguments in texts {
            let pid = try #require(folder.start(arguments, "text"))
            #expect(CommandLineFolder.wait(pid) == 0)
            let output = folder.read("text.out")
            #expect(output.contains("owned") && isHarmless(output), "\(arguments): \(output.debugDescription)")
        }
        let page = folder.crowbar("plugins", "show", "ex").output
        for part in ["name: ex\nstate: live\nhealth: down (", "\n\nqueues:\n  QUEUE  ", "\n\nmanifest: "] {
            #expect(page.contains(part), "\(page)")
        }
        let log = folder.crowbar("plugins", "logs", "ex", "-n", "1").output
        #expect(isTime(log.prefix { $0 != " " }), "\(log)")
    }

    @Test func aListHasNoTextOfAPluginThatReadsPrivateChannels() throws {
        let folder = prepare()
        folder.write(
            "plugins.d/vault.toml",
            "command = [\"../ex.py\"]\nstart = \"beginning\"\nprivate = true\nchannels = [\"general\"]\n")
        let server = try #require(folder.serve())
        defer {
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        #expect(folder.crowbar("channel", "add", "general").status == 0)
        #expect(folder.crowbar("send", "general", "bad 東京").status == 0)
        func list() -> String { folder.crowbar("dead-letters", "list", "vault").output }
        #expect(folder.poll { list().split(separator: "\n").count == 2 })
        #expect(list().contains("(private: see dead-letters show)"))
        #expect(!list().contains("東京") && !list().contains("no such field"))
        #expect(folder.crowbar("dead-letters", "show", "vault", "--all").output.contains("東京"))
    }

    @Test func deadLettersOfAllPluginsAreListedWithWhatTheyAreAbout() throws {
        let folder = prepare()
        folder.write("plugins.d/other.toml", "command = [\"../ex.py\"]\nstart = \"beginning\"\n")
        let server = try #require(folder.serve())
        defer {
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        #expect(folder.crowbar("channel", "add", "general").status == 0)
        #expect(folder.crowbar("dead-letters", "list").output.split(separator: "\n").count == 1)
        let text = "bad \u{1B}[2J\u{202E} 東京 " + String(repeating: "x", count: 200)
        #expect(folder.crowbar("send", "general", text).status == 0)
        #expect(folder.poll { folder.crowbar("dead-letters", "list").output.split(separator: "\n").count == 3 })
        let list = folder.crowbar("dead-letters", "list")
        #expect(list.status == 0 && isHarmless(list.output))
        let rows = list.output.split(separator: "\n")
        #expect(rows[0].hasPrefix("PLUGIN") && rows[1].hasPrefix("ex ") && rows[2].hasPrefix("other "))
        for row in rows.dropFirst() {
            #expect(row.contains(" general ") && row.contains("bad \\u001b[2J\\u202e 東京 xxx"))
            #expect(row.contains("…") && !row.contains(String(repeating: "x", count: 81)))
            #expect(row.contains(" http_400 ") && row.hasSuffix("no such field"))
            #expect(row.split(separator: " ").count(where: isTime) == 2, "\(row)")
        }
        let json = try JSON(parsing: Array(folder.crowbar("dead-letters", "list", "--json").output.utf8))
        #expect(json.array?.map { $0["plugin"]?.string } == ["ex", "other"])
        #expect(json.array?.first?["channelId"]?.string == "general")
        #expect(json.array?.first?["message"]?.string?.contains("no such field") == true)
        // JSON has the texts as they are, but for a terminal, where it means the same.
        #expect(folder.crowbar("dead-letters", "list", "--json").output.contains("\u{202E}"))
        let onTerminal = onTerminal(folder, "dead-letters", "list", "--json")
        #expect(onTerminal.contains("\\u202e") && isHarmless(onTerminal.replacing("\r\n", with: "\n")))
        #expect(try JSON(parsing: Array(onTerminal.utf8)) == json)
        #expect(folder.crowbar("dead-letters", "list", "ex/main").output.split(separator: "\n").count == 2)
        let shown = folder.crowbar("dead-letters", "show", "ex", "--all")
        #expect(shown.status == 0 && isHarmless(shown.output) && shown.output.contains("no such field"))
        #expect(folder.poll { health(folder) == "degraded" })
        #expect(folder.crowbar("plugins").output.contains("1 dead letter"))

        // What is not there is an error, by every verb that takes a queue.
        let reason = "crowbar: 'ex' has no queue 'nope'; it has: main\n"
        let calls = [
            ["cursor", "show", "ex/nope"], ["cursor", "set", "ex/nope", "now"], ["dead-letters", "list", "ex/nope"],
            ["dead-letters", "show", "ex/nope", "--all"], ["dead-letters", "retry", "ex/nope", "--all"],
            ["dead-letters", "drop", "ex/nope", "--all"], ["replay", "ex/nope", "--from", "beginning"],
        ]
        for arguments in calls {
            let pid = try #require(folder.start(arguments, "wrong"))
            #expect(CommandLineFolder.wait(pid) == 1, "\(arguments)")
            #expect(folder.read("wrong.err") == reason, "\(arguments)")
            #expect(folder.read("wrong.out").isEmpty, "\(arguments)")
        }
        #expect(folder.crowbar("dead-letters", "list").output.split(separator: "\n").count == 3)
    }
}
