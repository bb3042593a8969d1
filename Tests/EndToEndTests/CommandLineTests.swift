import Glibc
import Testing

@Suite(.serialized) struct CommandLineTests {
    private static let toml = "data = \"d\"\n[http]\nlisten = \"127.0.0.1:0\"\n"

    @Test func everyVerbOnARunningServer() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml)
        #expect(folder.crowbar("check").status == 0)
        let server = try #require(folder.serve())
        defer {
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        let unknown = folder.crowbar("send", "general", "hello")
        #expect(unknown.status == 1 && unknown.error.contains("'crowbar channel add general'"))
        #expect(folder.crowbar("channel", "add", "general").status == 0)
        let sent = folder.crowbar("send", "general", "hello")
        #expect(sent.status == 0, "\(sent.error)")
        let id = String(sent.output.dropLast())
        #expect(folder.crowbar("user", "add", "alice", "--admin").status == 0)
        let twice = folder.crowbar("user", "add", "alice")
        #expect(twice.status == 1 && twice.error.contains("exists already"))
        #expect(twice.error.split(separator: "\n").count == 1)
        let token = folder.crowbar("token", "alice", "--scope", "read", "--expires", "30d")
        #expect(token.status == 0 && token.output.hasPrefix("cb_") && token.output.split(separator: "\n").count == 1)
        #expect(folder.crowbar("token", "nobody").status == 1)
        #expect(folder.crowbar("send", "general", "as alice", "--as", "alice").status == 0)
        #expect(folder.crowbar("send", "general", "x", "--as", "nobody").error.contains("crowbar user add nobody"))
        #expect(folder.crowbar("plugins", "--json").output.hasPrefix("["))
        #expect(folder.crowbar("plugins").output.hasPrefix("PLUGIN"))
        #expect(folder.crowbar("cursor", "show", "none").error.contains("there is no plugin 'none'"))
        #expect(folder.crowbar("dead-letters", "list", "none").status == 1)
        let exported = folder.crowbar("events", "export", "--after", id).output
        #expect(exported.split(separator: "\n").last?.contains("as alice") == true)
        let wrong = folder.crowbar("send", "Gen", "x").error
        #expect(wrong.hasPrefix("crowbar: CHANNEL must be 1 to 64 of") && !wrong.contains("channelId"), "\(wrong)")
        let waiting = try #require(folder.start(["events", "tail", "--channel", "genral,general"], "waiting"))
        #expect(folder.poll { folder.read("waiting.err").hasSuffix("\n") })
        #expect(folder.read("waiting.err") == "note: there is no channel 'genral' yet; did you mean 'general'?\n")
        defer { _ = CommandLineFolder.wait(waiting) }
        let tail = try #require(folder.start(["events", "tail", "--after", id], "tail"))
        #expect(folder.poll { folder.read("tail.out").contains("as alice") })
        _ = folder.crowbar("send", "general", "followed")
        #expect(folder.poll { folder.read("tail.out").contains("followed") })
        #expect(folder.read("tail.out").split(separator: "\n").allSatisfy { $0.hasPrefix("{\"eventId\":") })
        kill(server.pid, SIGTERM)
        #expect(folder.poll { CommandLineFolder.hasEnded(server.pid) }, "SIGTERM ends it, followers or not")
        #expect(CommandLineFolder.wait(tail) == 1, "a follower is told that the server stopped")
    }

    @Test func aSecondServerAndAPortInUseAreNamed() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml)
        let server = try #require(folder.serve())
        defer {
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        let second = folder.crowbar("serve")
        #expect(second.status == 1 && second.error.contains("process \(server.pid)"), "\(second.error)")
        folder.write("other.toml", "data = \"other\"\n[http]\nlisten = \"127.0.0.1:\(server.port)\"\n")
        let port = folder.crowbar("serve", "--config", "other.toml")
        #expect(port.status == 1 && port.error.contains("127.0.0.1:\(server.port) is in use"), "\(port.error)")
        #expect(access(folder.file("other"), F_OK) != 0, "a start that fails leaves no data folder behind")
        // Where the folder exists the plugins start first. They do not delay the refusal.
        folder.makeFolder("other")
        folder.makeFolder("plugins.d")
        folder.write("plugins.d/p.toml", "command = [\"sh\", \"-c\", '''\(Self.plugin)''']\n")
        let other = try #require(folder.start(["serve", "--config", "other.toml"], "other"))
        if !folder.poll({ CommandLineFolder.hasEnded(other) }) { kill(other, SIGKILL) }
        #expect(CommandLineFolder.wait(other) == 1)
        #expect(folder.read("other.err").contains("127.0.0.1:\(server.port) is in use"))
    }

    private static let plugin = """
        while read -r line; do case $line in
            *hello*) echo '{"type":"ready","protocol":1,"name":"p","version":"1"}';;
            *drain*) echo '{"type":"drained"}'; exit 0;;
        esac; done
        """

    @Test func offlineVerbsAndDataThatSurviveSIGKILL() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml)
        let first = try #require(folder.serve())
        kill(first.pid, SIGTERM)
        #expect(CommandLineFolder.wait(first.pid) == 0)
        #expect(folder.crowbar("user", "add", "alice").status == 0)
        #expect(folder.crowbar("token", "alice").output.hasPrefix("cb_"))
        #expect(folder.crowbar("token", "alice", "--scope", "admin").status == 1)
        #expect(folder.crowbar("events", "export").output.contains("\"USER_REGISTERED\""))
        let down = folder.crowbar("send", "general", "x")
        #expect(down.status == 1 && down.error.contains("crowbar serve"))
        for round in 0..<3 {
            let server = try #require(folder.serve())
            if round == 0 { #expect(folder.crowbar("channel", "add", "general").status == 0) }
            #expect(folder.crowbar("send", "general", "round \(round)").status == 0)
            kill(server.pid, SIGKILL)
            #expect(CommandLineFolder.wait(server.pid) == 128 + SIGKILL)
        }
        let messages = folder.crowbar("events", "export").output.split(separator: "\n")
            .filter { $0.contains("MESSAGE_SENT") }
        #expect(messages.count == 3)
    }

    struct Wrong: Sendable, CustomTestStringConvertible {
        var toml: String
        var error: String
        var testDescription: String { error }
    }

    static let wrong = [
        Wrong(toml: "data = ", error: "crowbar.toml:1:8: the value behind '=' is missing; the line is: data ="),
        Wrong(
            toml: "\n[http]\nlistne = 'x'", error: "crowbar.toml:3: http.listne: unknown key; did you mean 'listen'?"),
        Wrong(toml: "[http]\nlisten = 'x'", error: "crowbar.toml:2: http.listen: must be HOST:PORT"),
        Wrong(toml: "log = 'nats://x:4222'", error: "crowbar.toml:1: log: a log on NATS is not supported"),
        Wrong(toml: "[http]\ncors = ['*']", error: "crowbar.toml:2: http.cors: '*' allows every page"),
        Wrong(toml: "[auth]\nregistration = 'all'", error: "crowbar.toml:2: auth.registration: must be \"open\""),
        Wrong(toml: "[views]\npublish = 'x'", error: "crowbar.toml:2: views.publish: must be an array of tables"),
    ]

    @Test(arguments: wrong) func wrongConfigurationIsNamed(_ wrong: Wrong) {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", wrong.toml)
        for verb in ["check", "serve"] {
            let outcome = folder.crowbar(verb)
            #expect(outcome.status == 1 && outcome.error.hasPrefix("crowbar: " + wrong.error), "\(outcome.error)")
            #expect(outcome.error.split(separator: "\n").count == 1)
        }
    }

    @Test(
        arguments: [
            (["statsu"], "there is no command 'statsu'; did you mean 'status'?"),
            (["plugins", "lst"], "there is no command 'plugins lst'; did you mean 'plugins list'?"),
            (["hook", "add", "x"], "there is no command 'hook'; did you mean 'hooks'?"),
            (["dead-letter"], "there is no command 'dead-letter'; did you mean 'dead-letters'?"),
            (["cursor", "shwo", "p"], "there is no command 'cursor shwo'; did you mean 'cursor show'?"),
            (["nothing"], nil), (["send"], nil), (["--jsn"], nil),
        ] as [([String], String?)])
    func aMisspeltCommandIsTold(_ arguments: [String], _ text: String?) {
        let outcome = CommandLineFolder().verb(arguments)
        #expect(outcome.status == 64)
        if let text {
            #expect(outcome.error == "crowbar: \(text)\n")
        } else {
            #expect(!outcome.error.contains("did you mean"), "\(outcome.error)")
        }
    }

    @Test func wrongUsageIs64() {
        let folder = CommandLineFolder()
        #expect(folder.crowbar("nothing").status == 64)
        #expect(folder.crowbar("send", "general").status == 64)
        #expect(folder.crowbar("token", "x", "--scope", "all").status == 64)
        #expect(folder.crowbar("token", "x", "--expires", "soon").status == 64)
        #expect(folder.crowbar("user", "add", "x", "--password-file", "f").status == 64)
        #expect(folder.crowbar("check", "--config", "none.toml").status == 1)
    }
}
