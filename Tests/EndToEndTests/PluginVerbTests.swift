import Glibc
import JSONBytes
import Testing

/// The verbs on plugins, with the real program and a plugin as the protocol's page has it.
@Suite(.serialized) struct PluginVerbTests {
    private static let program = """
        #!/usr/bin/env python3
        import json, sys

        def say(message):
            print(json.dumps(message), flush=True)

        for line in sys.stdin:
            message = json.loads(line)
            if message["type"] == "hello":
                print("tag", message["config"]["tag"], file=sys.stderr, flush=True)
                say({"type": "ready", "protocol": 1, "name": "example", "version": "1.0"})
            elif message["type"] == "event":
                with open("seen", "a") as file:
                    file.write(message["event"]["type"] + "\\n")
                say({"type": "ack", "delivery": message["delivery"]})
            elif message["type"] == "ping":
                say({"type": "pong", "n": message["n"]})
            elif message["type"] == "drain":
                say({"type": "drained"})
                break
        """

    private func state(_ folder: CommandLineFolder, _ name: String) -> String {
        let listing = try? JSON(parsing: Array(folder.crowbar("plugins", "--json").output.utf8))
        return listing?.array?.first { $0["name"]?.string == name }?["state"]?.string ?? "none"
    }

    private func count(_ folder: CommandLineFolder) -> Int {
        folder.read("data/plugins/ex/seen").split(separator: "\n").count
    }

    private func prepare(_ tag: String) -> CommandLineFolder {
        let folder = CommandLineFolder()
        folder.makeFolder("plugins.d")
        folder.write("crowbar.toml", "[http]\nlisten = \"127.0.0.1:0\"\n")
        folder.write("ex.py", Self.program)
        chmod(folder.file("ex.py"), 0o755)
        manifest(folder, tag)
        return folder
    }

    private func manifest(_ folder: CommandLineFolder, _ tag: String) {
        folder.write(
            "plugins.d/ex.toml", "command = [\"../ex.py\"]\nstart = \"beginning\"\n[config]\ntag = \"\(tag)\"\n")
    }

    @Test func everyVerbOnARunningPlugin() throws {
        let folder = prepare("one")
        let server = try #require(folder.serve())
        defer {
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        #expect(folder.crowbar("channel", "add", "general").status == 0)
        #expect(folder.poll { state(folder, "ex") == "live" && count(folder) == 2 }, "\(count(folder))")
        let shown = folder.crowbar("plugins", "show", "ex")
        #expect(shown.output.contains("\nversion: 1.0\n") && shown.output.contains("/plugins.d/ex.toml\n"))
        #expect((try? JSON(parsing: Array(folder.crowbar("plugins", "show", "ex", "--json").output.utf8))) != nil)
        let logs = folder.crowbar("plugins", "logs", "ex", "-n", "1000")
        #expect(logs.output.contains(" info stderr: tag one\n"), "\(logs.output)")
        let follower = try #require(folder.start(["plugins", "logs", "ex", "-f", "-n", "0", "--json"], "follow"))
        defer {
            kill(follower, SIGKILL)
            _ = CommandLineFolder.wait(follower)
        }
        let paused = folder.crowbar("plugins", "pause", "ex")
        #expect(paused.status == 0 && paused.output == "ex: paused\n", "\(paused.error)")
        #expect(folder.crowbar("send", "general", "held back").status == 0)
        #expect(state(folder, "ex") == "paused")
        #expect(folder.crowbar("plugins", "resume", "ex").output == "ex: live\n")
        #expect(folder.poll { count(folder) == 3 })
        // A changed file is followed by itself.
        manifest(folder, "two")
        #expect(folder.poll { folder.crowbar("plugins", "logs", "ex").output.contains("stderr: tag two") })
        #expect(folder.poll { folder.read("follow.out").contains("\"text\":\"tag two\"") })
        #expect(folder.poll { state(folder, "ex") == "live" })
        #expect(folder.crowbar("plugins", "reload").output == "nothing changed\n")
        #expect(
            folder.crowbar("cursor", "set", "ex/main", "beginning", "--yes").output
                == "ex: 1 queue set to beginning; it starts again\n")
        #expect(folder.poll { count(folder) == 6 }, "\(count(folder))")
        let restarted = folder.crowbar("plugins", "restart", "ex", "--json")
        #expect((try? JSON(parsing: Array(restarted.output.utf8)))?["name"]?.string == "ex")
        #expect(folder.poll { state(folder, "ex") == "live" })
        #expect(folder.crowbar("plugins", "stop", "ex").status == 0)
        #expect(folder.poll { state(folder, "ex") == "stopped" })
        #expect(folder.processes(in: "data/plugins") == 0)
        #expect(folder.crowbar("plugins", "start", "ex").status == 0)
        #expect(folder.poll { state(folder, "ex") == "live" })
        unlink(folder.file("plugins.d/ex.toml"))
        #expect(folder.poll { state(folder, "ex") == "stopped" })
        let unconfirmed = folder.crowbar("plugins", "forget", "ex")
        #expect(unconfirmed.status == 64)
        #expect(unconfirmed.error.hasPrefix("crowbar: 'crowbar plugins forget' asks before it goes on"))
        #expect(folder.crowbar("plugins", "forget", "ex", "--yes").status == 0)
        #expect(folder.poll { state(folder, "ex") == "none" })
    }

    @Test func whatCannotBeIsSaidInOneLine() throws {
        let folder = prepare("one")
        let down = folder.crowbar("plugins", "start", "ex")
        #expect(down.status == 1 && down.error.contains("crowbar serve"))
        var server = try #require(folder.serve())
        defer {
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        #expect(folder.poll { state(folder, "ex") == "live" })
        let wrong: [([String], String)] = [
            (["plugins", "start", "nobody"], "there is no plugin 'nobody'"),
            (["plugins", "logs", "nobody"], "there is no plugin 'nobody'"),
            (["plugins", "stop", "a/b"], "there is no plugin 'a'"),
            (["plugins", "forget", "ex", "--yes"], "'ex' is running; stop it first"),
            (["cursor", "set", "ex/other", "now"], "'ex' has no queue 'other'"),
            (["cursor", "set", "ex", "id:none"], "the log has no event 'none'"),
        ]
        for (arguments, reason) in wrong {
            let tag = "wrong"
            let pid = try #require(folder.start(arguments, tag))
            #expect(CommandLineFolder.wait(pid) == 1, "\(arguments)")
            let error = folder.read(tag + ".err")
            #expect(error.hasPrefix("crowbar: " + reason) && error.split(separator: "\n").count == 1, "\(error)")
        }
        #expect(folder.crowbar("plugins", "logs", "ex", "-n", "many").status == 64)
        #expect(folder.crowbar("plugins", "stop").status == 64)
        // A stop lasts as long as the server.
        #expect(folder.crowbar("plugins", "stop", "ex").status == 0)
        #expect(folder.poll { state(folder, "ex") == "stopped" })
        kill(server.pid, SIGTERM)
        #expect(CommandLineFolder.wait(server.pid) == 0)
        server = try #require(folder.serve())
        #expect(folder.poll { state(folder, "ex") == "live" })
    }
}
