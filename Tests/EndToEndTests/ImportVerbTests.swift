import CrowbarTesting
import Glibc
import JSONBytes
import Testing

/// `crowbar import matterbridge` with the real binary.
@Suite(.serialized) struct ImportVerbTests {
    private func prepare(_ example: String) -> CommandLineFolder {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", "[http]\nlisten = \"127.0.0.1:0\"\n")
        folder.write("matterbridge.toml", CommandLineFolder.text(of: ImportTests.folder + example))
        return folder
    }

    private func mode(_ path: String) -> mode_t {
        var info = stat()
        return lstat(path, &info) == 0 ? info.st_mode & 0o777 : 0
    }

    @Test func whatIsWrittenPassesTheCheckAndSecretsAreForTheOwner() {
        let folder = prepare("full.toml")
        let outcome = folder.crowbar("import", "matterbridge", "matterbridge.toml", "--out", ".")
        #expect(outcome.status == 0 && outcome.error.isEmpty, "\(outcome)")
        #expect(outcome.output.contains("IMPORT.md names each"), "\(outcome.output)")
        #expect(outcome.output.contains("channels to make with 'crowbar channel add NAME': gateway1"))
        #expect(folder.list("plugins.d") == ["irc.toml", "webhook.toml"])
        #expect(mode(folder.file("secrets")) == 0o700)
        let secrets = folder.list("secrets")
        #expect(secrets.count == 4)
        for file in secrets { #expect(mode(folder.file("secrets/" + file)) == 0o600, "\(file)") }
        let check = folder.crowbar("check")
        #expect(check.status == 0, "\(check)")
        // Without a data folder nothing is known of channels.
        #expect(access(folder.file("data"), F_OK) != 0)
    }

    @Test func nothingIsOverwrittenAndNothingIsHalfDone() {
        let folder = prepare("full.toml")
        folder.makeFolder("out")
        folder.makeFolder("out/plugins.d")
        folder.write("out/plugins.d/irc.toml", "mine")
        let taken = folder.crowbar(
            "import", "matterbridge", "matterbridge.toml", "--out", "out", "--create-channels")
        #expect(taken.status == 1 && taken.error.contains("/out/plugins.d/irc.toml' are there already"), "\(taken)")
        #expect(folder.read("out/plugins.d/irc.toml") == "mine")
        #expect(folder.list("out") == ["plugins.d"] && access(folder.file("data"), F_OK) != 0)
        // A folder that cannot be made: what was written before is removed.
        folder.makeFolder("half")
        folder.write("half/plugins.d", "a file")
        let half = folder.crowbar("import", "matterbridge", "matterbridge.toml", "--out", "half/")
        #expect(half.status == 1 && half.error.contains("/half/"), "\(half)")
        #expect(folder.list("half") == ["plugins.d"] && folder.read("half/plugins.d") == "a file")
    }

    @Test func mistakesAreToldWithTheirLines() {
        let folder = prepare("simple.toml")
        folder.write("wrong.toml", "[irc.a]\nPassword = \"hidden\"\nServer = irc.example.org\n")
        let wrong = folder.crowbar("import", "matterbridge", "wrong.toml", "--out", "out")
        #expect(wrong.status == 1 && wrong.error.hasPrefix("crowbar: wrong.toml:3:"), "\(wrong)")
        let absent = folder.crowbar("import", "matterbridge", "absent.toml", "--out", "out")
        #expect(absent.status == 1 && absent.error.contains("there is no file 'absent.toml'"), "\(absent)")
        #expect(folder.crowbar("import", "matterbridge", "simple.toml").status == 64)
        folder.write("nothing.toml", "[irc.a]\nServer = \"a.example:6667\"\n")
        let nothing = folder.crowbar("import", "matterbridge", "nothing.toml", "--out", "empty")
        #expect(nothing.status == 0 && nothing.error.contains("there is no plugin to run"), "\(nothing)")
        #expect(folder.list("empty") == ["IMPORT.md"])
    }

    @Test func channelsAreMadeInTheFolderAndInTheServer() throws {
        let folder = prepare("simple.toml")
        let offline = folder.crowbar("import", "matterbridge", "matterbridge.toml", "--out", "a", "--create-channels")
        #expect(offline.status == 0 && offline.output.contains("made the channel gateway1\n"), "\(offline)")
        #expect(offline.error.contains("the data folder") && offline.error.contains("was not there"), "\(offline)")
        #expect(mode(folder.file("a/plugins.d/irc.toml")) == 0o644)
        let server = try #require(folder.serve())
        defer { kill(server.pid, SIGKILL) }
        folder.write("matterbridge.toml", folder.read("matterbridge.toml").replacing("gateway1", with: "gateway2"))
        for (out, words) in [("b", "made the channel gateway2\n"), ("c", "the channel gateway2 was there\n")] {
            let online = folder.crowbar(
                "import", "matterbridge", "matterbridge.toml", "--out", out, "--create-channels")
            #expect(online.status == 0 && online.error.isEmpty && online.output.contains(words), "\(online)")
        }
        let list = folder.crowbar("channel", "list").output
        #expect(list.contains("\ngateway1 ") && list.contains("\ngateway2 "), "\(list)")
        kill(server.pid, SIGTERM)
        #expect(CommandLineFolder.wait(server.pid) == 0)
    }
}

extension MainJobTests {
    /// The whole move with one command: two channels of an IRC server that matterbridge bridged are bridged by Crowbar.
    @Test func aMatterbridgeConfigurationBecomesARunningServer() async throws {
        let port = try freePort()
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", "[http]\nlisten = \"127.0.0.1:0\"\n")
        folder.write(
            "matterbridge.toml",
            """
            [irc.local]
            Server = "127.0.0.1:\(port)"
            Nick = "relay"
            MessageDelay = 10
            IgnoreNicks = "^noise"
            RemoteNickFormat = "[{PROTOCOL}] <{NICK}> "

            [[gateway]]
            name = "Lounge"
            enable = true
            [[gateway.inout]]
            account = "irc.local"
            channel = "#one"
            [[gateway.inout]]
            account = "irc.local"
            channel = "#two"
            [gateway.inout.options]
            key = "sesame"
            """)
        let irc = try startServer(.ngircd, folder, port, penalties: false)
        defer { withExtendedLifetime(irc) {} }
        let bob = try await join(port, "bob", "#one")
        let carol = try await join(port, "carol", "#two")
        try await carol.send(line: Array("/raw MODE #two +k sesame".utf8))
        #expect(try await carol.text(within: testDeadline) == "mode +k sesame")
        let noise = try await join(port, "noise1", "#one")
        let move = "\"$0\" import matterbridge matterbridge.toml --out . --create-channels && exec \"$0\" serve"
        let pid = try #require(CommandLineFolder.start("exec 2>err; " + move, in: folder))
        defer { kill(pid, SIGKILL) }
        #expect(
            folder.poll { folder.crowbar("plugins", "show", "irc").output.contains("state: live") },
            "\(folder.read("err"))")
        // Until the bridge has joined both channels nobody hears anybody.
        #expect(
            folder.poll {
                let listing = try? JSON(parsing: Array(folder.crowbar("plugins", "list", "--json").output.utf8))
                return listing?.array?.first?["status"]?["level"]?.string == "ok"
            })
        try await noise.send(line: Array("buy this".utf8))
        #expect(try await bob.text(within: testDeadline) == "buy this")
        try await bob.send(line: Array("hello from one".utf8))
        #expect(try await carol.text(within: testDeadline) == "<bob> hello from one")
        try await carol.send(line: Array("hello from two".utf8))
        #expect(try await bob.text(within: testDeadline) == "<carol> hello from two")
        let events = folder.crowbar("events", "export").output
        #expect(events.contains(#""channelId":"lounge""#) && !events.contains("buy this"), "\(events)")
        kill(pid, SIGTERM)
        #expect(CommandLineFolder.wait(pid) == 0)
    }
}
