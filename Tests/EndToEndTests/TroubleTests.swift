import Glibc
import JSONBytes
import Testing

/// What people get to see when something is wrong, from the real program.
@Suite(.serialized) struct TroubleTests {
    private static let irc = """
        command = ["crowbar-irc"]
        own_events = true
        sandbox.network = true
        [[config.networks]]
        name = "local"
        host = "127.0.0.1"
        port = 1
        nick = "crowbar"
        [[config.links]]
        channel = "general"
        irc = "local/#general"
        """

    @Test(arguments: [
        ("crowbar-irc", "[[config.networks]]\nname = \"n\"\nhost = \"h\""),
        ("crowbar-webhook", "[[config.endpoints]]\nname = \"e\"\nurl = \"https://example.org/\""),
        ("crowbar-aws", "[[config.targets]]\nname = \"t\"\narn = \"arn:aws:sqs:eu-central-1:123456789012:q\""),
    ])
    func aPluginThatForgotItsNetworkIsToldSo(program: String, config: String) throws {
        let folder = CommandLineFolder()
        folder.makeFolder("plugins.d")
        folder.write("crowbar.toml", "[http]\nlisten = \"127.0.0.1:0\"\n")
        folder.write("plugins.d/p.toml", "command = [\"\(program)\"]\nown_events = true\n\(config)\n")
        let check = folder.crowbar("check")
        #expect(check.status == 1)
        #expect(check.error.contains("write 'network = true' under [sandbox]"), "\(check.error)")
    }

    @Test func whatIsWrongWithPluginsIsNamedByCheckAndAtStartAndTheRestRuns() throws {
        let folder = CommandLineFolder()
        folder.makeFolder("plugins.d")
        folder.write("crowbar.toml", "[http]\nlisten = \"127.0.0.1:0\"\n")
        let manifests = [
            "toml": "command = [",
            "key": "command = [\"crowbar-irc\"]\nchanels = []",
            "gone": "command = [\"no-such-program\"]",
            "link": Self.irc.replacing("local/#", with: "lokal/#"),
            "port": Self.irc.replacing("port = 1", with: "prot = 1"),
            "good": Self.irc,
        ]
        for (name, text) in manifests { folder.write("plugins.d/\(name).toml", text) }
        let expected = [
            "toml": ["toml.toml:1:11: the list that begins in line 1 lacks"],
            "key": ["key.toml:2: chanels: unknown key; did you mean 'channels'?"],
            "gone": ["gone.toml: command: 'no-such-program' is neither beside the crowbar binary nor on PATH"],
            "link": ["link.toml:11: config.links[0].irc: ", "'lokal'"],
            "port": ["port.toml:7: config.networks[0].prot: unknown key; did you mean 'port'?"],
        ]
        let check = folder.crowbar("check")
        #expect(check.status == 1)
        for (name, texts) in expected {
            let lines = check.error.split(separator: "\n").filter { $0.hasPrefix("error: ") }
            #expect(lines.contains { line in texts.allSatisfy { line.contains($0) } }, "\(name): \(check.error)")
        }
        let server = try #require(folder.serve())
        defer { kill(server.pid, SIGKILL) }
        var states: [String: JSON] = [:]
        let settled = folder.poll {
            let listing = try? JSON(parsing: Array(folder.crowbar("plugins", "list", "--json").output.utf8))
            for plugin in listing?.array ?? [] { states[plugin["name"]?.string ?? ""] = plugin }
            return states.count == 6 && states["good"]?["state"]?.string == "live"
                && states.filter { $0.value["state"]?.string == "failed" }.count == 5
        }
        #expect(settled, "\(states)")
        for (name, texts) in expected {
            let reason = states[name]?["reason"]?.string ?? ""
            #expect(texts.allSatisfy { reason.contains($0) }, "\(name): \(reason)")
        }
        #expect(folder.crowbar("channel", "add", "general").status == 0)
    }

    @Test func aFullDiskIsAnsweredWith503AndRecoversByItself() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", "[http]\nlisten = \"127.0.0.1:0\"\n")
        let server = try #require(folder.serve())
        defer { kill(server.pid, SIGKILL) }
        #expect(folder.crowbar("channel", "add", "general").status == 0)
        // No file of the server's can grow past this: to it, the disk is full.
        #expect(folder.limitFiles(of: server.pid, to: "600000:") == 0)
        let text = String(repeating: "x", count: 8_000)
        var acknowledged: [String] = []
        var refusal: CommandLineFolder.Outcome?
        for _ in 0..<400 where refusal == nil {
            let outcome = folder.crowbar("send", "general", text)
            if outcome.status == 0 { acknowledged.append(String(outcome.output.dropLast())) } else { refusal = outcome }
        }
        let refused = try #require(refusal)
        #expect(refused.status == 1)
        #expect(refused.error.contains("nothing was: disk full: a file has reached the largest"), "\(refused.error)")
        #expect(!acknowledged.isEmpty)
        #expect(folder.crowbar("send", "general", text).status == 1)
        #expect(folder.limitFiles(of: server.pid, to: "unlimited:") == 0)
        let after = folder.crowbar("send", "general", "there is room again")
        #expect(after.status == 0, "\(after.error)")
        kill(server.pid, SIGKILL)
        #expect(CommandLineFolder.wait(server.pid) == 128 + SIGKILL)
        let events = folder.crowbar("events", "export").output.split(separator: "\n").compactMap {
            (try? JSONObject(parsing: Array($0.utf8)))?.string("eventId")
        }
        #expect(Array(events.suffix(acknowledged.count + 1)) == acknowledged + [String(after.output.dropLast())])
    }
}
