import CrowbarTesting
import Glibc
import Testing

/// What `crowbar check` finds on the machine, and what `crowbar serve` says of the same.
@Suite(.serialized) struct CheckTests {
    private static let toml = "data = \"d\"\n[http]\nlisten = \"127.0.0.1:0\"\n"

    private func lines(_ outcome: CommandLineFolder.Outcome) -> [String] {
        outcome.error.split(separator: "\n").map(String.init)
    }

    @Test func itChangesNothingAndSaysWhatServeWillMake() {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml)
        folder.makeFolder("plugins.d")
        let outcome = folder.crowbar("check")
        #expect(outcome.status == 0 && outcome.output == "ok\n")
        #expect(
            outcome.error
                == "note: crowbar.toml:1: data: the folder 'd' is not there yet; 'crowbar serve' makes it\n")
        #expect(access(folder.file("d"), F_OK) != 0)
    }

    /// What a server of this version refuses to open, or brings to its own format, is told before it is started.
    @Test(arguments: ["log.db", "host.db", "accounts.db"]) func formatsOfDatabasesAreTold(file: String) throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml)
        folder.makeFolder("plugins.d")
        let server = try #require(folder.serve())
        kill(server.pid, SIGTERM)
        #expect(CommandLineFolder.wait(server.pid) == 0)
        #expect(folder.crowbar("check").status == 0)
        func set(_ format: Int) {
            let program = "import sqlite3; sqlite3.connect('d/\(file)').execute('PRAGMA user_version = \(format)')"
            #expect(folder.shell("python3 -c \"\(program)\"").status == 0)
        }
        set(99)
        let newer = folder.crowbar("check")
        #expect(newer.status == 1)
        #expect(newer.error.contains("\(file)' has format 99, this version knows up to "), "\(newer.error)")
        set(1)
        let older = folder.crowbar("check")
        #expect(older.status == 0)
        #expect(older.error.contains("\(file)' has format 1, which the server brings to "), "\(older.error)")
    }

    struct Address: Sendable, CustomTestStringConvertible {
        var listen: String
        var error: String
        var testDescription: String { listen }
    }

    static let addresses = [
        Address(listen: "192.0.2.1:8080", error: "192.0.2.1:8080 is no address of this machine; take one that"),
        Address(
            listen: "no-such-host.invalid:80",
            error: "no-such-host.invalid:80 cannot be listened on: 'no-such-host.invalid' stands for no address;"),
    ]

    @Test(arguments: addresses) func anAddressThatDoesNotDoIsNamedWithItsKey(_ address: Address) {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", "data = \"d\"\n\n[http]\nlisten = \"\(address.listen)\"\n")
        let checked = folder.crowbar("check")
        let line = "error: crowbar.toml:4: http.listen: \(address.error)"
        #expect(checked.status == 1 && lines(checked).contains { $0.hasPrefix(line) }, "\(checked.error)")
        let served = folder.crowbar("serve")
        #expect(served.status == 1 && lines(served).contains { $0.hasPrefix("crowbar: \(address.error)") })
    }

    @Test func aPortInUseIsAnErrorUnlessTheServerOfThisFolderHoldsIt() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml)
        let server = try #require(folder.serve())
        defer {
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        folder.write("own.toml", "data = \"d\"\n[http]\nlisten = \"127.0.0.1:\(server.port)\"\n")
        let own = folder.crowbar("check", "--config", "own.toml")
        #expect(own.status == 0, "\(own.error)")
        folder.write("other.toml", "data = \"e\"\n[http]\nlisten = \"127.0.0.1:\(server.port)\"\n")
        let other = folder.crowbar("check", "--config", "other.toml")
        let error = "error: other.toml:3: http.listen: 127.0.0.1:\(server.port) is in use; end what listens there"
        #expect(other.status == 1 && lines(other).contains { $0.hasPrefix(error) }, "\(other.error)")
        // Another server's port, while the folder has a server of its own.
        folder.write("second.toml", "data = \"f\"\n[http]\nlisten = \"127.0.0.1:0\"\n")
        let second = try #require(folder.start(["serve", "--config", "second.toml"], "second"))
        defer {
            kill(second, SIGKILL)
            _ = CommandLineFolder.wait(second)
        }
        #expect(folder.poll { folder.read("second.out").contains("listens on") })
        folder.write("third.toml", "data = \"f\"\n[http]\nlisten = \"127.0.0.1:\(server.port)\"\n")
        #expect(folder.crowbar("check", "--config", "third.toml").status == 1)
    }

    @Test func aPathThatIsTooLongForTheControlSocketIsExplained() {
        let folder = CommandLineFolder()
        let name = String(repeating: "long-", count: 25)
        folder.write("crowbar.toml", "data = \"\(name)\"\n[http]\nlisten = \"127.0.0.1:0\"\n")
        for verb in ["check", "serve"] {
            let outcome = folder.crowbar(verb)
            #expect(outcome.status == 1, "\(verb)")
            let isTold = lines(outcome).contains {
                $0.contains("the path of the control socket is 138 bytes long") && $0.contains("107 at most; set data")
            }
            #expect(isTold, "\(outcome.error)")
        }
        #expect(access(folder.file(name), F_OK) != 0, "no folder is left behind")
    }

    @Test func variablesAreReadAsByTheServer() {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml)
        let wrong = [
            ("CROWBAR_LOG_FORMAT", "jsn", "CROWBAR_LOG_FORMAT: must be one of text, json; did you mean 'json'?"),
            ("CROWBAR_LOG_LEVEL", "loud", "CROWBAR_LOG_LEVEL: must be one of trace, debug, info"),
            ("CROWBAR_LOG", "nats://x", "CROWBAR_LOG: a log on NATS is not supported"),
            ("CROWBAR_HTTP_LISTEN", "x", "CROWBAR_HTTP_LISTEN: must be HOST:PORT"),
            ("CROWBAR_DATA", "", "CROWBAR_DATA: must not be empty"),
        ]
        for (name, value, error) in wrong {
            for verb in ["check", "serve"] {
                let outcome = folder.program(["/usr/bin/env", "\(name)=\(value)", CommandLineFolder.binary, verb])
                #expect(outcome.status == 1, "\(name) \(verb)")
                #expect(outcome.error.hasPrefix("crowbar: environment: \(error)"), "\(outcome.error)")
            }
        }
        let both = folder.program(
            ["/usr/bin/env", "CROWBAR_LOG_FORMAT=x", "CROWBAR_HTTP_LISTEN=y", CommandLineFolder.binary, "check"])
        #expect(lines(both).count { $0.hasPrefix("crowbar: environment: ") } == 2, "\(both.error)")
    }

    @Test func aMisspeltVariableIsTold() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml)
        folder.makeFolder("plugins.d")
        let rows: [(name: String, meant: String?)] = [
            ("CROWBAR_LOG_LEVL", "CROWBAR_LOG_LEVEL"), ("CROWBAR_HTTP_LISTN", "CROWBAR_HTTP_LISTEN"),
            ("CROWBAR_LISTEN", "CROWBAR_HTTP_LISTEN"), ("CROWBAR_DATE", "CROWBAR_DATA"),
            ("CROWBAR_PLUGINUSERS", "CROWBAR_PLUGIN_USERS"), ("crowbar_data", "CROWBAR_DATA"),
            // A plugin's secret, most likely.
            ("CROWBAR_IRC_PASSWORD", nil), ("CROWBAR_WEBHOOK_SECRET", nil), ("OTHER_LOG_LEVL", nil),
        ]
        for (name, meant) in rows {
            let outcome = folder.program(["/usr/bin/env", "\(name)=x", CommandLineFolder.binary, "check"])
            let told = lines(outcome).filter { $0.contains(name) }
            let note = meant.map { ["note: environment: \(name) is not known; did you mean \($0)?"] }
            #expect(outcome.status == 0 && told == note ?? [], "\(outcome.error)")
        }
        let server = try #require(folder.serve(by: ["/usr/bin/env", "CROWBAR_LOG_LEVL=debug"]))
        kill(server.pid, SIGTERM)
        #expect(CommandLineFolder.wait(server.pid) == 0)
        #expect(folder.read("serve.err").contains(" warning environment: CROWBAR_LOG_LEVL is not known; did you mean"))
    }

    @Test func aDataFolderThatDoesNotDoIsExplainedToAnOrdinaryUser() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml)
        chmod(folder.file("crowbar.toml"), 0o644)
        chmod(folder.path, 0o755)
        // As another user than the folder's: nobody, where this is root.
        let user = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        func check() -> CommandLineFolder.Outcome {
            folder.program((getuid() == 0 ? user : []) + [CommandLineFolder.binary, "check"])
        }
        if getuid() != 0 { chmod(folder.path, 0o555) }
        defer { chmod(folder.path, 0o755) }
        let unmade = check()
        #expect(unmade.status == 1, "\(unmade.error)")
        #expect(
            unmade.error.contains("crowbar.toml:1: data: the folder 'd' is not there, and user "), "\(unmade.error)")
        #expect(unmade.error.contains("cannot make it in '.'"))
        if getuid() != 0 { chmod(folder.path, 0o755) }
        folder.write("d", "")
        #expect(folder.crowbar("check").error.contains("data: 'd' is a file, not a folder; set data"))
        unlink(folder.file("d"))
        mkdir(folder.file("d"), getuid() == 0 ? 0o700 : 0o500)
        let closed = check()
        #expect(closed.status == 1)
        #expect(closed.error.contains("data: the folder 'd' cannot be written by user "), "\(closed.error)")
        chmod(folder.file("d"), 0o755)
        if getuid() == 0 {
            let open = folder.crowbar("check")
            #expect(open.status == 0 && open.error.contains("is open to other users (mode 0755)"), "\(open.error)")
        }
    }

    @Test func aChannelThatDoesNotExistIsToldByCheckAndAtStart() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml)
        folder.makeFolder("plugins.d")
        folder.write(
            "plugins.d/irc.toml",
            """
            command = ["crowbar-irc"]
            own_events = true
            replay = false
            [sandbox]
            network = true
            [[config.networks]]
            name = "net"
            host = "127.0.0.1"
            port = 1
            tls = false
            [[config.links]]
            channel = "general"
            irc = "net/#general"
            [[config.links]]
            channel = "generl"
            irc = "net/#other"
            [[config.links]]
            channel = "inward"
            irc = "net/#third"
            direction = "to_chat"
            """)
        folder.write(
            "plugins.d/p.toml", "command = [\"sh\", \"-c\", '''\(Self.plugin)''']\nchannels = [\"lost\", \"x-*\"]\n")
        let before = folder.crowbar("check")
        #expect(before.status == 0 && !before.error.contains("has no channel"), "without a log nobody knows")
        var server = try #require(folder.serve())
        #expect(folder.crowbar("channel", "add", "general").status == 0)
        let hook = folder.crowbar("hooks", "add", "build", "general")
        #expect(hook.status == 0)
        // Both beside the server and without it.
        for _ in 0..<2 {
            let checked = folder.crowbar("check")
            #expect(checked.status == 0, "\(checked.error)")
            for (file, name, use) in [
                ("irc", "generl", "which queue 'net' of this plugin names"),
                ("irc", "inward", "which queue 'net' of this plugin names"),
                ("p", "lost", "which queue 'main' of this plugin names"),
            ] {
                let line =
                    "plugins.d/\(file).toml: the chat has no channel '\(name)', \(use); correct the name, "
                    + "or make the channel with 'crowbar channel add \(name)'"
                #expect(lines(checked).contains { $0.hasPrefix("note: ") && $0.contains(line) }, "\(checked.error)")
            }
            #expect(!checked.error.contains("'general'") && !checked.error.contains("x-*"))
            #expect(
                lines(checked).contains {
                    $0.hasPrefix("note: ") && $0.contains("plugins.d/irc.toml: this plugin sends commands, but its")
                }, "\(checked.error)")
            #expect(!checked.error.contains("p.toml: this plugin sends"))
            kill(server.pid, SIGTERM)
            #expect(folder.poll { CommandLineFolder.hasEnded(server.pid) })
        }
        _ = CommandLineFolder.wait(server.pid)
        server = try #require(folder.serve())
        let isLogged = folder.poll {
            let log = folder.read("serve.err")
            return log.contains("warning the chat has no channel 'generl'")
                && log.contains("warning the chat has no channel 'lost'")
        }
        #expect(isLogged, "\(folder.read("serve.err"))")
        #expect(!folder.read("serve.err").contains("no channel 'general'"))
        // The status says so while it lasts.
        let told = folder.crowbar("plugins", "show", "p", "--json").output
        #expect(told.contains(#""health":"degraded""#) && told.contains("the chat has no channel 'lost'"), "\(told)")
        #expect(folder.crowbar("channel", "add", "lost").status == 0)
        let isWell = folder.poll { folder.crowbar("plugins", "show", "p", "--json").output.contains(#""health":"ok""#) }
        #expect(isWell, "\(folder.crowbar("plugins", "show", "p", "--json").output)")
        kill(server.pid, SIGTERM)
        _ = CommandLineFolder.wait(server.pid)
    }

    @Test func aListOfPrivateChannelsAloneIsNoted() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml)
        folder.makeFolder("plugins.d")
        for (name, channels) in [("alone", #"["board"]"#), ("both", #"["*", "board"]"#)] {
            folder.write(
                "plugins.d/\(name).toml",
                "command = [\"sh\", \"-c\", '''\(Self.plugin)''']\nprivate = true\nchannels = \(channels)\n")
        }
        let server = try #require(folder.serve())
        #expect(folder.crowbar("channel", "add", "board", "--private").status == 0)
        let checked = folder.crowbar("check")
        kill(server.pid, SIGTERM)
        _ = CommandLineFolder.wait(server.pid)
        let note =
            "plugins.d/alone.toml: channels lists private channels only, so this plugin sees no public channel; to add "
            + "all public ones, write channels = [\"*\", \"board\"]"
        #expect(checked.status == 0 && lines(checked).contains { $0.hasPrefix("note: ") && $0.hasSuffix(note) })
        #expect(!checked.error.contains("both.toml: channels"), "\(checked.error)")
    }

    /// Each file that a plugin's configuration names, closed by its sandbox: the manifest is what to change.
    @Test(arguments: [
        "config.networks[0].ca_file", "config.networks[0].client_cert", "config.endpoints[0].ca_file",
        "config.endpoints[0].client_cert", "config.credentials_file",
    ])
    func aFileThatTheSandboxClosesIsNamed(path: String) {
        let folder = CommandLineFolder()
        // Without Landlock the sandbox closes no file.
        let launcher = PluginProcess.product("crowbar-launch")
        if folder.program([launcher, "--probe"]).output.contains("landlock 0") { return }
        folder.makeFolder("plugins.d")
        folder.write("closed.pem", "")
        // As a user of its own a plugin could not read the file for its mode.
        folder.write("crowbar.toml", "plugin_users = \"off\"\n" + Self.toml)
        let file = folder.file("closed.pem")
        let key = path.split(separator: ".").last.map { "\($0) = \"\(file)\"" } ?? ""
        let sandbox = "[sandbox]\nnetwork = true\n"
        let manifests = [
            "networks": """
            command = ["crowbar-irc"]
            own_events = true
            replay = false
            \(sandbox)
            [[config.networks]]
            name = "one"
            host = "127.0.0.1"
            \(key)
            """,
            "endpoints": """
            command = ["crowbar-webhook"]
            \(sandbox)
            [[config.endpoints]]
            name = "one"
            url = "https://example.org/"
            unsigned = true
            \(key)
            """,
            "credentials": """
            command = ["crowbar-aws"]
            \(sandbox)
            [config]
            credentials = "file"
            \(key)
            [[config.targets]]
            name = "one"
            arn = "arn:aws:sqs:eu-central-1:123456789012:chat"
            """,
        ]
        for (name, manifest) in manifests where path.contains(name) { folder.write("plugins.d/p.toml", manifest) }
        let checked = folder.crowbar("check")
        let advice = "'\(file)' is not readable inside the sandbox; add it to [sandbox] read in the manifest"
        #expect(checked.status == 1 && checked.error.contains("\(path): \(advice)"), "\(checked.error)")
    }

    @Test func aHookWhoseChannelIsGoneIsToldByCheckAndAtStart() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml)
        var server = try #require(folder.serve())
        #expect(folder.crowbar("channel", "add", "general").status == 0)
        #expect(folder.crowbar("hooks", "add", "build", "general").status == 0)
        #expect(!folder.crowbar("check").error.contains("hook"))
        let creator = folder.crowbar("events", "export").output.split(separator: "\n")
            .first { $0.contains("CHANNEL_CREATED") }
            .flatMap { $0.split(separator: "\"userId\":\"").last?.prefix { $0 != "\"" } }
        let command = #"{"type":"DESTROY_CHANNEL","userId":"\#(creator ?? "")","channelId":"general"}"#
        let destroyed = folder.program([
            "/usr/bin/curl", "-s", "-f", "--unix-socket", "d/crowbar.sock", "-H",
            "authorization: Bearer \(folder.read("d/admin.key").filter { $0 != "\n" })", "-d", command,
            "http://crowbar/api/commands",
        ])
        #expect(destroyed.status == 0, "\(destroyed)")
        let line =
            "the incoming hook 'build' posts to the channel 'general', which the chat does not have; 'crowbar "
            + "channel add general' makes it, 'crowbar hooks revoke build' ends the hook"
        #expect(lines(folder.crowbar("check")).contains("note: \(line)"))
        kill(server.pid, SIGTERM)
        _ = CommandLineFolder.wait(server.pid)
        #expect(lines(folder.crowbar("check")).contains("note: \(line)"), "without a server too")
        server = try #require(folder.serve())
        #expect(folder.read("serve.err").contains(" warning \(line)"))
        kill(server.pid, SIGTERM)
        _ = CommandLineFolder.wait(server.pid)
    }

    private static let plugin = """
        while read -r line; do case $line in
            *hello*) echo '{"type":"ready","protocol":1,"name":"p","version":"1"}';;
            *drain*) echo '{"type":"drained"}'; exit 0;;
        esac; done
        """
}
