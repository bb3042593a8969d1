import CrowbarTesting
import Glibc
import JSONBytes
import Testing

@testable import crowbar

/// `crowbar views` with the real server.
@Suite(.serialized) struct ViewVerbTests {
    private static let toml = "data = \"d\"\n[http]\nlisten = \"127.0.0.1:0\"\n"

    @Test func viewsAreListedAndRebuilt() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml)
        folder.makeFolder("plugins.d")
        #expect(folder.crowbar("views").status == 1)
        let server = try #require(folder.serve())
        defer {
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        #expect(folder.crowbar("channel", "add", "general").status == 0)
        #expect(folder.crowbar("send", "general", "hello").status == 0)
        func views() -> [JSON] {
            (try? JSON(parsing: Array(folder.crowbar("views", "--json").output.utf8)))?.array ?? []
        }
        #expect(folder.poll { views().count == 4 && views().allSatisfy { $0["state"]?.string == "current" } })
        let before = views()
        #expect(before.compactMap { $0["name"]?.string } == ["users", "channels", "messages", "search"])
        #expect(before.allSatisfy { $0["lag"]?.int == 0 && ($0["bytes"]?.int ?? 0) > 0 && $0["build"] == nil })
        let table = folder.crowbar("views", "list").output
        #expect(table.hasPrefix("NAME") && table.contains("messages  2        current"), "\(table)")
        for arguments in [["users"], ["search"], []] {
            let outcome = folder.verb(["views", "rebuild"] + arguments)
            #expect(outcome.status == 0, "\(outcome.error)")
            #expect(outcome.output == "rebuilt: \(arguments.first ?? "all views")\n")
            #expect(outcome.error.hasSuffix("100 %, done\n"), "\(outcome.error)")
            #expect(views().allSatisfy { $0["build"] == nil && $0["position"] == before[0]["position"] })
        }
        let unknown = folder.crowbar("views", "rebuild", "nothing")
        #expect(unknown.status == 1 && unknown.error.contains("there are users, channels, messages, search"))
        let near = folder.crowbar("views", "rebuild", "mesages")
        #expect(near.status == 1 && near.error.contains("; did you mean 'messages'?"), "\(near.error)")
        let path = folder.crowbar("views", "rebuild", "allchannels")
        #expect(path.status == 1 && path.error.contains("'allchannels' is answered from 'channels'"), "\(path.error)")
        try oneChannel(folder)
    }

    private func oneChannel(_ folder: CommandLineFolder) throws {
        let database =
            "import sqlite3; d = sqlite3.connect('d/views.db'); g = d.execute(\"SELECT generation FROM "
            + "views WHERE name = 'messages' AND isLive = 1\").fetchone()[0]; "
        let broken = folder.program([
            "/usr/bin/env", "python3", "-c",
            database + "d.execute(f\"UPDATE messages_{g} SET text = 'broken'\"); d.commit()",
        ])
        #expect(broken.status == 0, "\(broken.error)")
        for (arguments, output) in [
            (["channels"], "rebuilt: channels of channel 'general', "),
            (["messages"], "rebuilt: messages of channel 'general', "),
            (["search"], "rebuilt: search of channel 'general', "),
        ] {
            let outcome = folder.verb(["views", "rebuild"] + arguments + ["--channel", "general"])
            #expect(outcome.status == 0 && outcome.output.hasPrefix(output), "\(outcome.output)\(outcome.error)")
            #expect(outcome.error.hasSuffix("100 %, done\n"), "\(outcome.error)")
        }
        let read = folder.program([
            "/usr/bin/env", "python3", "-c",
            database + "print(d.execute(f\"SELECT text FROM messages_{g}\").fetchall())",
        ])
        #expect(read.output == "[('hello',)]\n", "\(read)")
        for (arguments, reason) in [
            (["users", "--channel", "general"], "the view 'users' has no rows of single channels"),
            (["messages", "--channel", "never"], "the log has no channel 'never'"),
            (["nothing", "--channel", "general"], "there are users, channels, messages, search"),
        ] {
            let outcome = folder.verb(["views", "rebuild"] + arguments)
            #expect(outcome.status == 1 && outcome.error.contains(reason), "\(outcome.error)")
            #expect(!outcome.error.contains("%"), "\(outcome.error)")
        }
        let nameless = folder.verb(["views", "rebuild", "--channel", "general"])
        #expect(nameless.status == 64 && nameless.error.contains("--channel needs a view"), "\(nameless)")
    }

    @Test func aMeterSaysHowFarRebuildsAre() {
        var lines = RebuildMeter(isTerminal: false)
        let steps: [[(name: String, percent: Int)]] = [
            [("users", 3), ("messages", 1)], [("messages", 9)], [("messages", 11)], [("messages", 19)], [],
        ]
        #expect(
            steps.map { lines.text($0) } == ["1 %, users, messages\n", nil, "11 %, messages\n", nil, "100 %, done\n"])
        var bar = RebuildMeter(isTerminal: true)
        #expect(
            bar.text([("search", 50)])
                == "\r[\(String(repeating: "#", count: 15))\(String(repeating: "-", count: 15))] 50 %, search\u{1B}[K")
        #expect(bar.text([])?.hasSuffix("100 %, done\u{1B}[K\n") == true)
    }
}
