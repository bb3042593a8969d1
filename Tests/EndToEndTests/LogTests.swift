import CrowbarTesting
import Glibc
import JSONBytes
import Testing

/// What a real server logs.
@Suite(.serialized) struct LogTests {
    private static let plugin = """
        printf '%s\\n' '{"type":"log","level":"warning","message":"said\\u202e\\u001b\\nmore","fields":{"n":5}}'
        while read -r line; do case $line in
            *hello*) echo '{"type":"ready","protocol":1,"name":"p","version":"1"}';;
            *drain*) echo '{"type":"drained"}'; exit 0;;
        esac; done
        """

    private func folder(_ log: String) -> CommandLineFolder {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", "data = \"d\"\n\(log)\n[http]\nlisten = \"127.0.0.1:0\"\n")
        folder.makeFolder("plugins.d")
        folder.write("plugins.d/p.toml", "command = [\"sh\", \"-c\", '''\(Self.plugin)''']\n")
        return folder
    }

    private func run(_ folder: CommandLineFolder, until text: String, signal: Int32) throws -> [String] {
        let server = try #require(folder.serve())
        let isLogged = folder.poll { folder.read("serve.err").contains(text) }
        kill(server.pid, signal)
        #expect(CommandLineFolder.wait(server.pid) == 0)
        #expect(isLogged, "\(folder.read("serve.err"))")
        return folder.read("serve.err").split(separator: "\n").map(String.init)
    }

    @Test(arguments: [("", SIGTERM, "SIGTERM"), ("[log]\nformat = \"text\"", SIGINT, "SIGINT")])
    func textIsTimeLevelMessageThenFields(_ log: String, _ signal: Int32, _ name: String) throws {
        let lines = try run(folder(log), until: "ready: p 1", signal: signal)
        let shape = /[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z (?:info|notice|warning|error) .+/
        for line in lines { #expect(line.wholeMatch(of: shape) != nil, "\(line)") }
        let started = /\ notice started address=http:..127\.0\.0\.1:[1-9][0-9]* version=[0-9]/
        #expect(lines.contains { $0.firstMatch(of: started) != nil }, "\(lines)")
        #expect(lines.contains { $0.hasSuffix(" info ready: p 1, queues: 1 plugin=p") }, "\(lines)")
        #expect(lines.contains { $0.contains(" warning said") && $0.hasSuffix(#"plugin=p"#) && $0.contains("fields=") })
        #expect(lines.contains { $0.contains(" notice ") && $0.contains(" signal=\(name)") }, "\(lines)")
        #expect(lines.last?.contains("notice the server stopped; all that was under way is done stopMs=") == true)
    }

    @Test func jsonIsOneObjectALine() throws {
        let lines = try run(folder("[log]\nformat = \"json\""), until: "ready: p 1", signal: SIGTERM)
        let objects = try lines.map { try JSON(parsing: Array($0.utf8)) }
        for (line, object) in zip(lines, objects) {
            #expect(object.members?.prefix(3).map(\.key) == ["time", "level", "message"], "\(line)")
            #expect(line.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x202E })
        }
        let said = try #require(objects.first { $0["message"]?.string?.hasPrefix("said") == true })
        #expect(said["plugin"]?.string == "p" && said["level"]?.string == "warning")
        #expect(said["fields"]?["n"]?.int == 5)
        let last = try #require(objects.last)
        #expect(last["stopMs"]?.int != nil && last["uptimeSeconds"]?.int != nil)
    }

    /// A line about a request has the id that its answer has.
    @Test func aLineAboutARequestHasItsId() throws {
        let folder = folder("[log]\nformat = \"json\"")
        let server = try #require(folder.serve())
        defer { kill(server.pid, SIGKILL) }
        let answer = folder.program(
            "curl", "-sSi", "-H", "Host: elsewhere.example", "http://127.0.0.1:\(server.port)/api/events")
        let header = "crowbar-request-id: "
        let line = answer.output.split(whereSeparator: \.isNewline).first { $0.lowercased().hasPrefix(header) }
        let id = try #require(line?.dropFirst(header.count), "\(answer)")
        #expect(id.wholeMatch(of: /[0-9a-f]{16}/) != nil, "\(id)")
        #expect(
            folder.poll { folder.read("serve.err").contains("\"requestId\":\"\(id)\"") }, "\(folder.read("serve.err"))")
        kill(server.pid, SIGTERM)
        #expect(CommandLineFolder.wait(server.pid) == 0)
    }

    @Test func aPluginHasALevelOfItsOwn() throws {
        let quiet = try run(folder("[log]\nplugins = { p = \"error\" }"), until: " notice started", signal: SIGTERM)
        #expect(!quiet.contains { $0.contains("plugin=p") }, "\(quiet)")
        let loud = try run(
            folder("[log]\nlevel = \"error\"\n[log.plugins]\np = \"info\""), until: "ready: p 1", signal: SIGTERM)
        #expect(loud.contains { $0.contains(" warning said") })
        #expect(!loud.contains { $0.contains(" notice started") }, "\(loud)")
    }

    @Test(arguments: [
        ("plugins = { irc = \"loud\" }", "crowbar.toml:3: log.plugins.irc: must be one of"),
        ("plugins = \"debug\"", "crowbar.toml:3: log.plugins: must be a table"),
    ])
    func aWrongLevelOfAPluginIsNamed(_ line: String, _ expected: String) {
        let check = folder("[log]\n\(line)").crowbar("check")
        #expect(check.status == 1 && check.error.contains(expected), "\(check.error)")
    }

    /// As systemd does: the variable names the file that standard error is.
    @Test(arguments: [("/proc/self/fd/2", true), ("/dev/null", false)])
    func linesOfTheJournalHaveAPriority(_ file: String, _ isJournal: Bool) throws {
        let folder = folder("")
        let starter = "JOURNAL_STREAM=$(stat -L -c %d:%i \(file)) exec \"$0\" \"$@\""
        let server = try #require(folder.serve(by: ["/bin/sh", "-c", starter]))
        #expect(folder.poll { folder.read("serve.err").contains("ready: p 1") })
        kill(server.pid, SIGTERM)
        #expect(CommandLineFolder.wait(server.pid) == 0)
        let levels = ["info": "<6>", "notice": "<5>", "warning": "<4>", "error": "<3>"]
        for line in folder.read("serve.err").split(separator: "\n") {
            let level = try #require(line.split(separator: " ").dropFirst().first.map(String.init))
            let prefix = isJournal ? levels[level] ?? "?" : "2"
            #expect(line.hasPrefix(prefix), "\(line)")
        }
    }

    @Test func theLevelHidesWhatIsBelowIt() throws {
        let lines = try run(folder("[log]\nlevel = \"warning\""), until: "said", signal: SIGTERM)
        #expect(lines.allSatisfy { $0.contains(" warning ") || $0.contains(" error ") }, "\(lines)")
    }

    @Test func aServerThatCannotListenSaysSoInItsLog() throws {
        let folder = folder("[log]\nformat = \"json\"")
        folder.write("crowbar.toml", "data = \"d\"\n[http]\nlisten = \"no-such-host.invalid:80\"\n")
        let outcome = folder.crowbar("serve")
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("the server stopped because of an error"))
        #expect(outcome.error.contains("'no-such-host.invalid' stands for no address"), "\(outcome.error)")
    }

    @Test func anEndpointThatIsLeftOutIsLoggedByName() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", "data = \"d\"\n[http]\nlisten = \"127.0.0.1:0\"\n")
        folder.makeFolder("plugins.d")
        folder.write(
            "plugins.d/hooks.toml",
            """
            command = ["crowbar-webhook"]
            [sandbox]
            network = true
            [[config.endpoints]]
            name = "good"
            url  = "https://hooks.example.org/in"
            body = "slack"
            [[config.endpoints]]
            name = "private"
            url  = "http://10.0.0.7/secret-path"
            body = "slack"
            """)
        let lines = try run(folder, until: "left out", signal: SIGTERM)
        let line = try #require(lines.first { $0.contains("left out") })
        #expect(line.contains(" error endpoint 'private': ") && line.contains("endpoints[1].url"), "\(line)")
        #expect(!lines.contains { $0.contains("secret-path") })
    }
}
