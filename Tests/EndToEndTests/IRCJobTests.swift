import CrowbarTesting
import Glibc
import JSONBytes
import Testing

/// The IRC bridge under the real host, with a real server: what is said in the chat reaches IRC whatever is killed.
extension MainJobTests {
    /// The servers that people run.
    enum IRCDaemon: String, CaseIterable, Sendable { case ngircd, inspircd }

    /// Starts a server; `penalties`: it slows clients down, as it does in its stock configuration.
    func startServer(
        _ daemon: IRCDaemon, _ folder: CommandLineFolder, _ port: UInt16, penalties: Bool
    ) throws -> LineProcess {
        let file = "\(daemon).conf"
        var arguments = ["ngircd", "-n", "-f", folder.file(file)]
        switch daemon {
        case .ngircd:
            folder.write(
                file,
                """
                [Global]
                Name = irc.example.org
                Listen = 127.0.0.1
                Ports = \(port)
                [Limits]
                MaxNickLength = 32
                MaxConnectionsIP = 0
                \(penalties ? "" : "MaxPenaltyTime = 0")
                [Options]
                Ident = no
                PAM = no
                DNS = no
                """)
        case .inspircd:
            let modules = ["cap", "ircv3_batch", "ircv3_echomessage", "ircv3_labeledresponse", "ircv3_msgid"]
            // The stock limits are those of inspircd.conf.example, but all come from one address.
            let limits =
                penalties
                ? #"threshold="10" commandrate="1000" fakelag="yes" recvq="10K" softsendq="10240""#
                : #"threshold="100000" commandrate="1000000" fakelag="no" recvq="1M" softsendq="1M""#
            folder.write(
                file,
                """
                <server name="irc.example.org" id="001" description="Test" network="Test">
                <admin name="a" email="a@example.org" nick="a">
                <bind address="127.0.0.1" port="\(port)" type="clients">
                <connect allow="*" \(limits) localmax="100" globalmax="100" resolvehostnames="no">
                <dns timeout="1">
                \(modules.map { "<module name=\"\($0)\">" }.joined(separator: "\n"))
                """)
            arguments = ["inspircd", "--nofork", "--nopid", "--nolog", "--config", folder.file(file)]
            if getuid() == 0 { arguments.append("--runasroot") }
        }
        return try LineProcess(
            "/usr/bin/env", arguments: arguments, environment: ["PATH=/usr/sbin:/usr/bin:/bin"])
    }

    /// Lets somebody into a channel; waits for the server.
    func join(_ port: UInt16, _ nick: String, _ channel: String = "#general") async throws -> LineProcess {
        let script = Self.tests + "/EndToEndTests/irc_client.py"
        for _ in 0..<100 {
            let person = try LineProcess("/usr/bin/env", arguments: ["python3", script, "\(port)", nick, channel])
            // It ends at once where nobody listens yet.
            if (try? await person.text(within: .seconds(20))) == "joined" { return person }
        }
        throw LineProcess.Failure.closed(waitingFor: "\(nick) in \(channel)", unread: [], standardError: "")
    }

    /// A folder with the manifest that people are given, on this server's port.
    private func folder(_ port: UInt16, unlimited: Bool, mode: String = "relay") -> CommandLineFolder {
        let folder = CommandLineFolder()
        folder.makeFolder("plugins.d")
        folder.write("crowbar.toml", "[http]\nlisten = \"127.0.0.1:0\"\n")
        var manifest = CommandLineFolder.text(of: Self.tests.dropLast(5) + "plugins.d/irc.toml")
        manifest = manifest.replacing("= 6667", with: "= \(port)\nmode = \"\(mode)\"")
        if unlimited {
            manifest = manifest.replacing("lines_per_second = 2.5", with: "lines_per_second = 0")
        }
        folder.write("plugins.d/irc.toml", manifest)
        return folder
    }

    /// Waits until all of the bridge's queues have come to the end of the log, and the bridge is as told.
    private func waitUntil(_ folder: CommandLineFolder, lag: Int64, status: String? = nil) -> Bool {
        folder.poll {
            let listing = try? JSON(parsing: Array(folder.crowbar("plugins", "list", "--json").output.utf8))
            guard let plugin = listing?.array?.first, plugin["state"]?.string == "live" else { return false }
            let queues = plugin["queues"]?.array ?? []
            return !queues.isEmpty && queues.allSatisfy { $0["lag"]?.int == lag }
                && (status == nil || plugin["status"]?["level"]?.string == status)
        }
    }

    private func message(_ i: Int) -> String {
        "{\"type\":\"SEND_MESSAGE\",\"channelId\":\"general\",\"eventId\":\"m\(i)\",\"message\":\"\(i)\"}"
    }

    /// What somebody hears of `ann`, until the number `last`.
    private func hear(
        _ person: LineProcess, until last: Int, within limit: Duration = testDeadline
    ) async throws -> [Int] {
        var heard: [Int] = []
        while heard.last != last {
            let text = try await person.text(within: limit)
            heard.append(try #require(Int(text.replacing("<ann> ", with: "")), "\(text)"))
        }
        return heard
    }

    @Test(arguments: ["relay", "puppets"], IRCDaemon.allCases)
    func aBurstReachesIRCOverSIGKILLsOfTheBridgeAndOfTheHost(mode: String, daemon: IRCDaemon) async throws {
        let port = try freePort()
        let folder = folder(port, unlimited: true, mode: mode)
        let irc = try startServer(daemon, folder, port, penalties: false)
        defer { withExtendedLifetime(irc) {} }
        let bob = try await join(port, "bob")
        var server = try #require(folder.serve())
        defer { kill(server.pid, SIGKILL) }
        let token = try await prepare(folder, server)
        #expect(waitUntil(folder, lag: 0, status: "ok"))
        var heard: [Int] = []
        for batch in 0..<20 {
            let commands = (batch * 100..<batch * 100 + 100).map { message($0) }
            if batch == 14 {
                // In the middle of what it says.
                heard += try await hear(bob, until: batch * 100 - 250)
                kill(server.pid, SIGKILL)
                #expect(CommandLineFolder.wait(server.pid) == 128 + SIGKILL)
                #expect(folder.poll { folder.processes(in: "data/plugins") == 0 })
                server = try #require(folder.serve())
            }
            #expect(try await post(commands, token, server.port, folder) == 100)
            if batch == 6 {
                heard += try await hear(bob, until: batch * 100 - 150)
                let bridge = try #require(plugin("crowbar-irc", in: folder))
                kill(bridge, SIGKILL)
            }
        }
        heard += try await hear(bob, until: 1_999)
        #expect(waitUntil(folder, lag: 0))
        // Whole and in order but for what was said once more, which is what was not confirmed.
        var next = 0
        var doubled = 0
        for number in heard {
            #expect(number <= next, "\(next) is missing before \(number)")
            doubled += number < next ? 1 : 0
            next = max(next, number + 1)
        }
        #expect(next == 2_000)
        // Two kills: each the lines without a PONG (128) and what the host had not stored as settled yet (a window).
        #expect(doubled <= 2 * (128 + 1_024), "\(doubled) were said twice")
        #expect(Set(heard).count == 2_000)
        kill(server.pid, SIGTERM)
        #expect(CommandLineFolder.wait(server.pid) == 0)
    }

    /// Whichever server it is, at the pace that the bridge has unless it is told another.
    @Test(.timeLimit(.minutes(5)))
    func nothingSaidDuringAMinutesOutageIsMissingAfterwardsWithTheStockConfiguration() async throws {
        let ports = [try freePort(), try freePort()]
        let folder = folder(ports[0], unlimited: false)
        let manifest = folder.read("plugins.d/irc.toml").split(separator: "\n", omittingEmptySubsequences: false)
        folder.write(
            "plugins.d/irc.toml",
            manifest.filter { !$0.hasPrefix("flood") }.joined(separator: "\n")
                + """

                [[config.networks]]
                name = "second"
                host = "127.0.0.1"
                port = \(ports[1])
                tls = false

                [[config.links]]
                channel = "general"
                irc = "second/#general"
                """)
        func start() throws -> [LineProcess] {
            try zip(IRCDaemon.allCases, ports).map { try startServer($0, folder, $1, penalties: true) }
        }
        func people() async throws -> [LineProcess] {
            [try await join(ports[0], "bob"), try await join(ports[1], "bob")]
        }
        var servers = try start()
        var heard = try await people()
        let server = try #require(folder.serve())
        defer { kill(server.pid, SIGKILL) }
        let token = try await prepare(folder, server)
        #expect(waitUntil(folder, lag: 0, status: "ok"))
        #expect(try await post((0..<5).map { message($0) }, token, server.port, folder) == 5)
        for person in heard { #expect(try await hear(person, until: 4) == Array(0..<5)) }
        #expect(waitUntil(folder, lag: 0))
        for daemon in servers {
            daemon.kill(SIGKILL)
            _ = try await daemon.end()
        }
        // Both queues are listed with what is wrong with their network, and what was right before is on record.
        #expect(
            folder.poll {
                let table = folder.crowbar("plugins", "list").output.split(separator: "\n")
                return table.count { $0.contains("Connection refused") && $0.contains("next try at") } == 2
            })
        #expect(folder.crowbar("plugins", "logs", "irc").output.contains("local: connected to 127.0.0.1 as crowbar"))
        // People talk on; the time itself is the outage.
        let end = ContinuousClock.now + .seconds(60)
        var last = 4
        while ContinuousClock.now < end {
            last += 1
            #expect(try await post([message(last)], token, server.port, folder) == 1)
            try await Task.sleep(for: .seconds(2))
        }
        #expect(last >= 20)
        // The bridge stands still until somebody is there to hear all it says.
        let bridge = try #require(plugin("crowbar-irc", in: folder))
        kill(bridge, SIGSTOP)
        servers = try start()
        heard = try await people()
        kill(bridge, SIGCONT)
        last += 1
        #expect(try await post([message(last)], token, server.port, folder) == 1)
        // Its next try is up to a minute off, and up to two where this machine is slow.
        for person in heard {
            #expect(try await hear(person, until: last, within: .seconds(200)) == Array(5...last))
        }
        #expect(waitUntil(folder, lag: 0, status: "ok"))
        // The next thing is the next message: nothing is said twice.
        #expect(try await post([message(last + 1)], token, server.port, folder) == 1)
        for person in heard { #expect(try await hear(person, until: last + 1) == [last + 1]) }
        let dead = folder.crowbar("dead-letters", "list", "irc", "--json")
        #expect(dead.status == 0)
        #expect(try JSON(parsing: Array(dead.output.utf8)).array?.isEmpty == true, "\(dead.output)")
        kill(server.pid, SIGTERM)
        #expect(CommandLineFolder.wait(server.pid) == 0)
        withExtendedLifetime(servers) {}
    }

    /// A channel that refuses for now shows in the listing with its words, until it takes what waits.
    @Test func aChannelThatRefusesForNowIsInTheListing() async throws {
        let port = try freePort()
        let folder = folder(port, unlimited: true)
        let irc = try startServer(.ngircd, folder, port, penalties: false)
        defer { withExtendedLifetime(irc) {} }
        let bob = try await join(port, "bob")
        try await bob.send(line: Array("/raw MODE #general +m".utf8))
        #expect(try await bob.text(within: testDeadline) == "mode +m")
        let server = try #require(folder.serve())
        defer { kill(server.pid, SIGKILL) }
        let token = try await prepare(folder, server)
        #expect(try await post([message(0)], token, server.port, folder) == 1)
        let refusal = "#general refuses messages for now (Cannot send to channel"
        #expect(folder.poll { folder.crowbar("plugins", "list").output.contains(refusal) })
        #expect(folder.crowbar("plugins", "show", "irc").output.contains(refusal))
        try await bob.send(line: Array("/raw MODE #general +v crowbar".utf8))
        #expect(try await bob.text(within: testDeadline) == "mode +v crowbar")
        #expect(try await hear(bob, until: 0) == [0])
        #expect(waitUntil(folder, lag: 0, status: "ok"))
        kill(server.pid, SIGTERM)
        #expect(CommandLineFolder.wait(server.pid) == 0)
    }

    /// What IRC says while the bridge is gone is not promised where the server keeps no history; all else is, and the
    /// order.
    @Test(arguments: IRCDaemon.allCases)
    func whatIRCSaysComesInOrderAndOnceOverASIGKILLOfTheBridge(daemon: IRCDaemon) async throws {
        let port = try freePort()
        let folder = folder(port, unlimited: true)
        let irc = try startServer(daemon, folder, port, penalties: false)
        defer { withExtendedLifetime(irc) {} }
        let bob = try await join(port, "bob")
        let server = try #require(folder.serve())
        defer { kill(server.pid, SIGKILL) }
        let token = try await prepare(folder, server)
        #expect(waitUntil(folder, lag: 0, status: "ok"))
        let beginning = try #require(folder.crowbar("events", "export").output.split(separator: "\n").first)
        let start = try #require(try JSONObject(parsing: Array(beginning.utf8)).string("eventId"))
        let tail = try #require(folder.start(["events", "tail", "--after", start], "tail"))
        defer { kill(tail, SIGKILL) }
        func say(_ numbers: Range<Int>) async throws {
            for i in numbers { try await bob.send(line: Array("line \(i)".utf8)) }
        }
        func waitFor(_ number: Int) -> Bool { folder.poll { folder.read("tail.out").contains("\"line \(number)\"") } }
        try await say(0..<3_000)
        #expect(waitFor(300))
        let bridge = try #require(plugin("crowbar-irc", in: folder))
        kill(bridge, SIGKILL)
        try await say(3_000..<3_100)
        // It is there again once it says what the chat has said.
        #expect(try await post([message(0)], token, server.port, folder) == 1)
        #expect(try await hear(bob, until: 0) == [0])
        try await say(3_100..<3_200)
        #expect(waitFor(3_199))
        var numbers: [Int] = []
        for line in folder.read("tail.out").split(separator: "\n") {
            let event = try JSONObject(parsing: Array(line.utf8))
            guard event.string("userId") == "irc/local/nick/bob", let text = event.string("message") else { continue }
            numbers.append(try #require(Int(text.dropFirst(5)), "\(text)"))
        }
        #expect(numbers.prefix(301) == Array(0...300)[...])
        #expect(numbers.suffix(100) == Array(3_100..<3_200)[...])
        // In order, none twice, and missing only what was said at one time.
        let steps = zip(numbers, numbers.dropFirst()).map { $1 - $0 }
        #expect(steps.allSatisfy { $0 >= 1 })
        #expect(steps.count { $0 > 1 } <= 1)
        kill(server.pid, SIGTERM)
        #expect(CommandLineFolder.wait(server.pid) == 0)
    }

    @Test func theExamplesOfTheDocumentationAreRight() throws {
        let lines = CommandLineFolder.text(of: Self.tests.dropLast(5) + "docs/irc.md")
            .split(separator: "\n", omittingEmptySubsequences: false)
        var examples: [String] = []
        var isInside = false
        for line in lines {
            if line.hasPrefix("    ") || line.isEmpty && isInside {
                if !isInside { examples.append("") }
                isInside = true
                examples[examples.count - 1] += line.dropFirst(4) + "\n"
            } else {
                isInside = false
            }
        }
        examples = examples.filter { $0.contains("[[config.networks]]") }
        #expect(examples.count >= 3)
        setenv("LIBERA_PASSWORD", "secret", 1)
        for example in examples {
            let folder = CommandLineFolder()
            folder.makeFolder("plugins.d")
            folder.write("crowbar.toml", "[http]\nlisten = \"127.0.0.1:0\"\n")
            let manifest = CommandLineFolder.text(of: Self.tests.dropLast(5) + "plugins.d/irc.toml")
            let head = manifest.split(separator: "[[config.networks]]").first ?? ""
            folder.write("plugins.d/irc.toml", head + example)
            let checked = folder.crowbar("check")
            #expect(checked.status == 0, "\(checked.output)\(checked.error) in\n\(example)")
        }
    }
}
