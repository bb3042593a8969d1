import Glibc
import JSONBytes
import Testing

/// `crowbar status`, `--version`, `channel list`, `events tail` with filters, `send -`.
@Suite(.serialized) struct StatusVerbTests {
    private static let toml = "data = \"d\"\n[http]\nlisten = \"127.0.0.1:0\"\n"

    private static let plugin = """
        command = ["sh", "-c", '''
        while read -r line; do case $line in
            *hello*) echo '{"type":"ready","protocol":1,"name":"p","version":"1"}';;
            *drain*) echo '{"type":"drained"}'; exit 0;;
        esac; done
        ''']
        """

    @Test func theStatusIsShownAndAServerThatDoesNotRunIsNamed() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml)
        folder.makeFolder("plugins.d")
        folder.write("plugins.d/good.toml", Self.plugin)
        folder.write("plugins.d/broken.toml", "command = [\"/nowhere\"]\n")
        let server = try #require(folder.serve())
        defer {
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        #expect(folder.crowbar("channel", "add", "general").status == 0)
        func status() -> JSON { (try? JSON(parsing: Array(folder.crowbar("status", "--json").output.utf8))) ?? .null }
        #expect(folder.poll { status()["plugins"]?["ok"]?.array?.first?.string == "good" })
        #expect(folder.poll { status()["plugins"]?["down"]?.array?.first?.string == "broken" })
        let json = status()
        let version = folder.crowbar("--version")
        #expect(version.status == 0 && version.output == "crowbar \(json["version"]?.string ?? "?")\n")
        #expect(json["address"]?.string == "http://127.0.0.1:\(server.port)")
        #expect(json["pid"]?.int == Int64(server.pid))
        #expect(json["log"]?["position"]?.int == 2)
        #expect(json["disk"]?["folder"]?.string?.hasSuffix("/d") == true)
        #expect((json["disk"]?["usedBytes"]?.int ?? 0) > 0 && (json["disk"]?["freeBytes"]?.int ?? 0) > 0)
        #expect((json["uptimeSeconds"]?.int ?? -1) >= 0)
        let text = folder.crowbar("status").output
        #expect(text.contains("1 ok, 1 down (broken)"), "\(text)")
        #expect(text.contains("address   http://127.0.0.1:\(server.port)"), "\(text)")
        let health = folder.crowbar("health")
        #expect(health.status == 0 && health.output == "ready\n", "\(health)")
        kill(server.pid, SIGTERM)
        #expect(folder.poll { CommandLineFolder.hasEnded(server.pid) })
        for verb in [["status"], ["status", "--json"], ["health"]] {
            let down = folder.verb(verb)
            #expect(down.status == 1 && down.output.isEmpty && down.error.contains("start one with 'crowbar serve'"))
        }
    }

    @Test func channelsAreListedAndEventsFiltered() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml)
        let server = try #require(folder.serve())
        defer {
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        #expect(folder.crowbar("channel", "list", "--json").output == "[]\n")
        for name in ["zebra", "general"] { #expect(folder.crowbar("channel", "add", name).status == 0) }
        #expect(folder.crowbar("user", "add", "ann").status == 0)
        #expect(folder.crowbar("send", "general", "hello", "--as", "ann").status == 0)
        let table = folder.crowbar("channel", "list").output.split(separator: "\n")
        let row = /general +2 +cli\/[^ ]+ +20[^ ]*Z +no +0/
        #expect(table.count == 3 && table[1].wholeMatch(of: row) != nil, "\(table)")
        let first = try #require(folder.crowbar("events", "export").output.split(separator: "\n").first)
        let id = try #require((try? JSON(parsing: Array(first.utf8)))?["eventId"]?.string)
        let cases: [(flags: [String], found: [String])] = [
            (["--channel", "zebra"], ["CHANNEL_CREATED"]),
            (["--type", "MESSAGE_SENT"], ["MESSAGE_SENT"]),
            (["--channel", "general", "--type", "CHANNEL_CREATED,MESSAGE_SENT"], ["CHANNEL_CREATED", "MESSAGE_SENT"]),
            (
                ["--channel", "general", "--channel", "zebra", "--type", "CHANNEL_CREATED"],
                ["CHANNEL_CREATED", "CHANNEL_CREATED"]
            ),
        ]
        for (index, row) in cases.enumerated() {
            let tail = try #require(folder.start(["events", "tail", "--after", id] + row.flags, "tail\(index)"))
            func types() -> [String] {
                folder.read("tail\(index).out").split(separator: "\n").compactMap {
                    (try? JSON(parsing: Array($0.utf8)))?["type"]?.string
                }
            }
            #expect(folder.poll { types().count >= row.found.count }, "\(row.flags)")
            #expect(types() == row.found)
            kill(tail, SIGTERM)
            _ = CommandLineFolder.wait(tail)
        }
        #expect(
            folder.crowbar("events", "tail", "--type", "NOTHING").error.contains("there is no event type 'NOTHING'"))
        #expect(folder.crowbar("events", "tail", "--channel", "A B").error.contains("is no channel's id"))
        kill(server.pid, SIGTERM)
        #expect(folder.poll { CommandLineFolder.hasEnded(server.pid) })
        #expect(folder.crowbar("channel", "list").output.contains("zebra"), "without a server too")
    }

    @Test func standardInputIsSent() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml)
        let server = try #require(folder.serve())
        defer {
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        #expect(folder.crowbar("channel", "add", "general").status == 0)
        func messages() -> [String] {
            folder.crowbar("events", "export").output.split(separator: "\n").compactMap {
                (try? JSON(parsing: Array($0.utf8)))?["message"]?.string
            }
        }
        let cases: [(script: String, found: [String])] = [
            (#"printf 'one\ntwo\n' | "$0" send general -"#, ["one\ntwo"]),
            (#"printf 'no end' | "$0" send general -"#, ["no end"]),
            (#"printf 'a\r\n\n \nb' | "$0" send general - --lines"#, ["a", "b"]),
            (#""$0" send general once --event-id e1 && "$0" send general once --event-id e1"#, ["once"]),
            (#""$0" send general -- --lines"#, ["--lines"]),
        ]
        var expected: [String] = []
        for row in cases {
            let outcome = folder.shell(row.script)
            #expect(outcome.status == 0, "\(row.script): \(outcome.error)")
            expected += row.found
            #expect(messages() == expected, "\(row.script)")
        }
        let refusals: [(script: String, status: Int32, error: String)] = [
            (#""$0" send general - </dev/null"#, 1, "standard input is empty"),
            (#"printf '\n\n' | "$0" send general -"#, 1, "standard input is empty"),
            (#"printf '\n\n' | "$0" send general - --lines"#, 1, "standard input is empty"),
            (#"printf '\377' | "$0" send general -"#, 1, "is not UTF-8"),
            (#"head -c 2000000 /dev/zero | tr '\0' x | "$0" send general -"#, 1, "standard input is longer than 16384"),
            (#"head -c 2000000 /dev/zero | tr '\0' x | "$0" send general - --lines"#, 1, "a line is longer than 16384"),
            (#"head -c 16385 /dev/zero | tr '\0' x | "$0" send general -"#, 1, "standard input is longer than 16384"),
            (#"head -c 16385 /dev/zero | tr '\0' x | "$0" send general - --lines"#, 1, "a line is longer than 16384"),
            (#""$0" send general x --lines"#, 64, "--lines goes with '-'"),
            (#""$0" send general twice --event-id e1"#, 1, "came from another command"),
        ]
        for row in refusals {
            let outcome = folder.shell(row.script)
            #expect(
                outcome.status == row.status && outcome.error.contains(row.error), "\(row.script): \(outcome.error)")
        }
        #expect(messages() == expected)
    }
}
