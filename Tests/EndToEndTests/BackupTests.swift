import Glibc
import JSONBytes
import Testing

/// `crowbar backup` of a running server, and a server that starts from the copy.
@Suite(.serialized) final class BackupTests {
    private let folder = CommandLineFolder()
    private static let plugin: String = {
        let tests = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        return "/\(tests)/PluginHostTests/Plugins/plugin.py"
    }()

    private func seen(_ path: String) -> [String] {
        folder.read(path).split(separator: "\n").compactMap { try? JSON(parsing: Array($0.utf8))["message"]?.string }
    }

    private func state(_ config: String) -> String? {
        let listing = folder.crowbar("plugins", "--json", "--config", config).output
        return (try? JSON(parsing: Array(listing.utf8)))?.array?.first?["state"]?.string
    }

    /// Has ann join and note up to where she has read.
    private func mark(_ port: String) throws {
        #expect(folder.crowbar("user", "add", "ann").status == 0)
        let token = String(folder.crowbar("token", "ann").output.dropLast())
        for (path, body) in [
            ("commands", #"{"type":"JOIN_CHANNEL","channelId":"general","eventId":"joined"}"#),
            ("read", #"{"channelId":"general","eventId":"joined"}"#),
        ] {
            let answer = folder.program(
                "/usr/bin/curl", "-sS", "--fail", "-H", "Authorization: Bearer \(token)", "-d", body,
                "http://127.0.0.1:\(port)/api/\(path)")
            #expect(answer.status == 0, "\(answer)")
        }
    }

    @Test func aCopyOfARunningServerIsAServersFolder() throws {
        folder.makeFolder("plugins.d")
        folder.write("plugins.d/p.toml", "command = [\"\(Self.plugin)\"]\nstart = \"beginning\"\n")
        folder.write("crowbar.toml", "[http]\nlisten = \"127.0.0.1:0\"\n")
        let server = try #require(folder.serve())
        defer { kill(server.pid, SIGKILL) }
        #expect(folder.crowbar("channel", "add", "general").status == 0)
        for i in 1...5 { #expect(folder.crowbar("send", "general", "m\(i)").status == 0) }
        try mark(server.port)
        #expect(folder.poll { seen("data/plugins/p/seen").contains("m5") })
        #expect(folder.poll { folder.crowbar("plugins").output.contains(" 0 ") })
        let made = folder.crowbar("backup", "copy", "--json")
        #expect(made.status == 0, "\(made.error)")
        #expect(made.error.contains("log.db: 100 %"))
        // What can be computed from the log is not copied.
        #expect(folder.list("data").contains("views.db"))
        #expect(folder.list("copy") == ["accounts.db", "host.db", "log.db", "markers.db"])
        let markers = folder.program(
            "/usr/bin/env", "python3", "-c",
            "import sqlite3; d = sqlite3.connect('copy/markers.db'); "
                + "print(d.execute('SELECT userId, channelId, eventId FROM markers').fetchall())")
        #expect(markers.output == "[('ann', 'general', 'joined')]\n", "\(markers)")
        #expect(folder.shell("rm -f copy/markers.db-*").status == 0)
        let head = try JSON(parsing: Array(made.output.utf8))["eventId"]?.string
        #expect(folder.crowbar("backup", "copy").error.contains("not empty"))
        #expect(folder.crowbar("send", "general", "m6").status == 0)
        kill(server.pid, SIGTERM)
        #expect(CommandLineFolder.wait(server.pid) == 0)

        // From the copy, with what came before it and without what came after.
        folder.write("restored.toml", "data = \"copy\"\n[http]\nlisten = \"127.0.0.1:0\"\n")
        let second = try #require(folder.serve("--config", "restored.toml"))
        defer { kill(second.pid, SIGKILL) }
        #expect(folder.poll { state("restored.toml") == "live" })
        let events = folder.crowbar("events", "export", "--config", "restored.toml").output
        #expect(events.contains("\"m5\"") && !events.contains("\"m6\""))
        #expect(events.contains(try #require(head)))
        #expect(folder.crowbar("send", "general", "m7", "--config", "restored.toml").status == 0)
        #expect(folder.poll { seen("copy/plugins/p/seen").contains("m7") })
        // It goes on from its cursor: of what was settled before the copy at most the last 100 ms come again.
        #expect(seen("copy/plugins/p/seen").last == "m7")
        kill(second.pid, SIGTERM)
        #expect(CommandLineFolder.wait(second.pid) == 0)
    }

    @Test("Fault 23: an older log beside newer cursors stops the plugin until a person decides")
    func anOlderLogDiverges() throws {
        folder.makeFolder("plugins.d")
        folder.write("plugins.d/p.toml", "command = [\"\(Self.plugin)\"]\nstart = \"beginning\"\n")
        folder.write("crowbar.toml", "[http]\nlisten = \"127.0.0.1:0\"\n")
        let server = try #require(folder.serve())
        defer { kill(server.pid, SIGKILL) }
        #expect(folder.crowbar("channel", "add", "general").status == 0)
        #expect(folder.crowbar("backup", "old").status == 0)
        for i in 1...3 { #expect(folder.crowbar("send", "general", "m\(i)").status == 0) }
        #expect(folder.poll { seen("data/plugins/p/seen").contains("m3") })
        kill(server.pid, SIGTERM)
        #expect(CommandLineFolder.wait(server.pid) == 0)
        for name in ["log.db", "log.db-wal", "log.db-shm"] { unlink(folder.file("data/" + name)) }
        #expect(rename(folder.file("old/log.db"), folder.file("data/log.db")) == 0)

        let again = try #require(folder.serve())
        defer { kill(again.pid, SIGKILL) }
        #expect(folder.poll { state("crowbar.toml") == "diverged" })
        #expect(folder.crowbar("send", "general", "other").status == 0)
        let listed = folder.crowbar("plugins").output
        #expect(listed.contains("diverged") && listed.contains("'crowbar cursor set p now' goes on with"), "\(listed)")
        #expect(!seen("data/plugins/p/seen").contains("other"))
        #expect(
            folder.crowbar("cursor", "set", "p", "beginning", "--yes").output
                == "p: 1 queue set to beginning; it starts again\n")
        #expect(folder.poll { seen("data/plugins/p/seen").contains("other") })
        kill(again.pid, SIGTERM)
        #expect(CommandLineFolder.wait(again.pid) == 0)
    }
}
