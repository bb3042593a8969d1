import Glibc
import JSONBytes
import Testing

/// `crowbar replay` with the real program and a real plugin, beside a running server.
@Suite(.serialized) final class ReplayTests {
    private let folder = CommandLineFolder()
    /// The host's test plugin: it notes what it gets and, in the mode `echo`, answers with commands.
    private static let plugin: String = {
        let tests = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        return "/\(tests)/PluginHostTests/Plugins/plugin.py"
    }()

    private func manifest(_ keys: String = "", config: String = "mode = \"echo\"") {
        folder.write(
            "plugins.d/p.toml",
            "command = [\"\(Self.plugin)\"]\ncommands = [\"SEND_MESSAGE\"]\n\(keys)\n[config]\n\(config)\n")
    }

    /// What a plugin noted of events: `mode:message`.
    private func seen(_ path: String) -> [String] {
        folder.read(path).split(separator: "\n").compactMap { line in
            guard let json = try? JSON(parsing: Array(line.utf8)), let text = json["message"]?.string,
                let mode = json["mode"]?.string
            else { return nil }
            return "\(mode):\(text)"
        }
    }

    /// A server with a channel each for even and odd numbers, and messages 1 to `count` sent.
    private func serve(_ count: Int) throws -> pid_t {
        folder.makeFolder("plugins.d")
        folder.write("crowbar.toml", "[http]\nlisten = \"127.0.0.1:0\"\n")
        let server = try #require(folder.serve())
        for channel in ["odd", "even"] { #expect(folder.crowbar("channel", "add", channel).status == 0) }
        for i in 1...count { #expect(folder.crowbar("send", i % 2 == 0 ? "even" : "odd", "m\(i)").status == 0) }
        return server.pid
    }

    private let replayed = "data/replays/p/plugins/p/seen"

    @Test func aFolderOverItsLimitEndsAReplayAndKeepsTheNextFromStarting() throws {
        let server = try serve(4)
        defer { kill(server, SIGKILL) }
        manifest("limits.disk = \"1MB\"")
        #expect(folder.poll { folder.crowbar("plugins").output.contains("live") })
        let replay = try #require(
            folder.start(["replay", "p", "--from", "beginning", "--rate", "0.01"], "replay"))
        #expect(folder.poll { folder.processes(in: "data/replays/p/plugins") > 0 })
        folder.write("data/replays/p/plugins/p/filler", String(repeating: "x", count: 3 << 20))
        #expect(CommandLineFolder.wait(replay) == 1)
        for error in [folder.read("replay.err"), folder.crowbar("replay", "p", "--resume").error] {
            #expect(error.contains("limits.disk allows 1 MB"), "\(error)")
            #expect(error.contains("go on with: crowbar replay p --resume"), "\(error)")
            #expect(!error.contains("plugins start"))
        }
        unlink(folder.file("data/replays/p/plugins/p/filler"))
        let rest = folder.crowbar("replay", "p", "--restart", "--from", "beginning")
        #expect(rest.status == 0, "\(rest.error)")
    }

    @Test func aPartIsReplayedBesideTheLivePlugin() throws {
        let server = try serve(6)
        defer { kill(server, SIGKILL) }
        manifest()
        #expect(folder.poll { folder.crowbar("plugins").output.contains("live") })
        let cursor = folder.crowbar("cursor", "show", "p").output
        let export = folder.crowbar("events", "export").output.split(separator: "\n").filter { $0.contains("\"m3\"") }
        let third = try #require(export.first.flatMap { try JSONObject(parsing: Array($0.utf8)).string("eventId") })

        let whole = folder.crowbar("replay", "p", "--from", "beginning", "--json")
        #expect(whole.status == 0, "\(whole.error)")
        let outcome = try JSON(parsing: Array(whole.output.utf8))
        #expect(outcome["outcome"]?.string == "done")
        #expect(outcome["position"] == outcome["through"])
        #expect(seen(replayed).sorted() == (1...6).map { "replay:m\($0)" })
        // Its answers were refused, and the live one moved by nothing.
        #expect(folder.read(replayed).contains("\"code\": \"replay\""))
        #expect(folder.crowbar("cursor", "show", "p").output == cursor)
        #expect(seen("data/plugins/p/seen").isEmpty)

        unlink(folder.file(replayed))
        let part = folder.crowbar("replay", "p", "--from", "id:\(third)", "--channel", "ev*")
        #expect(part.status == 0, "\(part.error)")
        // Of channels 'odd' and 'even' the latter's two, and what is in no channel.
        #expect(part.error.contains("100 % of 2 events"), "\(part.error)")
        #expect(seen(replayed) == ["replay:m4", "replay:m6"])
        for channel in ["nochan", "no*", "ev"] {
            let none = folder.crowbar("replay", "p", "--from", "beginning", "--channel", "odd", "--channel", channel)
            #expect(
                none.status == 1 && none.error.contains("no event of the log is of the channel '\(channel)'"),
                "\(none.error)")
        }
        unlink(folder.file(replayed))
        #expect(folder.crowbar("replay", "p", "--from", "beginning", "--until", "id:\(third)").status == 0)
        #expect(seen(replayed).sorted() == (1...3).map { "replay:m\($0)" })

        manifest("replay = false")
        let refused = folder.crowbar("replay", "p", "--from", "beginning")
        #expect(refused.status == 1 && refused.error.contains("replay = false"))
        #expect(folder.crowbar("replay", "none", "--from", "beginning").error.contains("none.toml"))
        #expect(folder.crowbar("replay", "p").status == 64)
    }

    @Test func anInterruptedReplayGoesOnWhereItStood() throws {
        let server = try serve(12)
        kill(server, SIGTERM)
        #expect(CommandLineFolder.wait(server) == 0)
        manifest(config: "mode = \"ack\"")
        // Without a server, four events a second: there is time to interrupt it.
        let slow = try #require(folder.start(["replay", "p", "--from", "beginning", "--rate", "4"], "slow"))
        #expect(folder.poll { !seen(replayed).isEmpty })
        kill(slow, SIGINT)
        #expect(CommandLineFolder.wait(slow) == 1)
        let interrupted = /interrupted after [0-9]+ of (?:at least )?[0-9]+ events; go on with: crowbar replay p --r/
        #expect(folder.read("slow.err").firstMatch(of: interrupted) != nil, "\(folder.read("slow.err"))")
        let before = seen(replayed).count
        #expect(before < 12)
        let unclear = folder.crowbar("replay", "p", "--from", "beginning")
        #expect(unclear.status == 1 && unclear.error.contains("--restart"))
        let resumed = folder.crowbar("replay", "p", "--resume", "--rate", "1000")
        #expect(resumed.status == 0, "\(resumed.error)")
        #expect(resumed.error.contains("100 %"))
        #expect(seen(replayed).sorted() == (1...12).map { "replay:m\($0)" }.sorted())
        #expect(folder.crowbar("replay", "p", "--resume").error.contains("no replay"))
    }
}
