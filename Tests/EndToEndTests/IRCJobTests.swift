import CrowbarTesting
import Glibc
import JSONBytes
import Testing

/// The IRC bridge under the real host, with a real server: what is said in the chat reaches IRC whatever is killed.
extension MainJobTests {
    /// Starts an ngIRCd; `limits` is more of that section of its configuration.
    private func startServer(_ folder: CommandLineFolder, _ port: UInt16, limits: String = "") throws -> LineProcess {
        folder.write(
            "ngircd.conf",
            """
            [Global]
            Name = irc.example.org
            Listen = 127.0.0.1
            Ports = \(port)
            [Limits]
            MaxNickLength = 32
            MaxConnectionsIP = 0
            \(limits)
            [Options]
            Ident = no
            PAM = no
            DNS = no
            """)
        return try LineProcess(
            "/usr/bin/env", arguments: ["ngircd", "-n", "-f", folder.file("ngircd.conf")],
            environment: ["PATH=/usr/sbin:/usr/bin:/bin"])
    }

    /// Lets somebody into `#general`; waits for the server.
    private func join(_ port: UInt16, _ nick: String) async throws -> LineProcess {
        let script = Self.tests + "/EndToEndTests/irc_client.py"
        for _ in 0..<100 {
            let person = try LineProcess("/usr/bin/env", arguments: ["python3", script, "\(port)", nick, "#general"])
            // It ends at once where nobody listens yet.
            if (try? await person.text(within: .seconds(20))) == "joined" { return person }
        }
        throw LineProcess.Failure.closed(waitingFor: "\(nick) in #general", unread: [], standardError: "")
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

    /// Waits until the bridge's queue has come to the end of the log, and the bridge is as told.
    private func waitUntil(_ folder: CommandLineFolder, lag: Int64, status: String? = nil) -> Bool {
        folder.poll {
            let listing = try? JSON(parsing: Array(folder.crowbar("plugins", "list", "--json").output.utf8))
            guard let plugin = listing?.array?.first, plugin["state"]?.string == "live" else { return false }
            let queue = plugin["queues"]?.array?.first
            return queue?["lag"]?.int == lag && (status == nil || plugin["status"]?["level"]?.string == status)
        }
    }

    private func message(_ i: Int) -> String {
        "{\"type\":\"SEND_MESSAGE\",\"channelId\":\"general\",\"eventId\":\"m\(i)\",\"message\":\"\(i)\"}"
    }

    /// What somebody hears of `ann`, until the number `last`.
    private func hear(_ person: LineProcess, until last: Int) async throws -> [Int] {
        var heard: [Int] = []
        while heard.last != last {
            let text = try await person.text(within: .seconds(60))
            heard.append(try #require(Int(text.replacing("<ann> ", with: "")), "\(text)"))
        }
        return heard
    }

    @Test(arguments: ["relay", "puppets"])
    func aBurstReachesIRCOverSIGKILLsOfTheBridgeAndOfTheHost(mode: String) async throws {
        let port = try freePort()
        let folder = folder(port, unlimited: true, mode: mode)
        let irc = try startServer(folder, port, limits: "MaxPenaltyTime = 0")
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

    @Test func nothingSaidDuringAnOutageIsMissingAfterwardsWithTheStockConfiguration() async throws {
        let port = try freePort()
        let folder = folder(port, unlimited: false)
        var irc = try startServer(folder, port)
        var bob = try await join(port, "bob")
        let server = try #require(folder.serve())
        defer { kill(server.pid, SIGKILL) }
        let token = try await prepare(folder, server)
        #expect(waitUntil(folder, lag: 0, status: "ok"))
        #expect(try await post((0..<5).map { message($0) }, token, server.port, folder) == 5)
        #expect(try await hear(bob, until: 4) == Array(0..<5))
        #expect(waitUntil(folder, lag: 0))
        irc.kill(SIGKILL)
        _ = try await irc.end()
        // People talk on; the time itself is the outage.
        for i in 5..<35 {
            #expect(try await post([message(i)], token, server.port, folder) == 1)
            usleep(400_000)
        }
        // The bridge stands still until somebody is there to hear all it says.
        let bridge = try #require(plugin("crowbar-irc", in: folder))
        kill(bridge, SIGSTOP)
        irc = try startServer(folder, port)
        bob = try await join(port, "bob")
        kill(bridge, SIGCONT)
        #expect(try await post([message(35)], token, server.port, folder) == 1)
        #expect(try await hear(bob, until: 35) == Array(5...35))
        #expect(waitUntil(folder, lag: 0, status: "ok"))
        let dead = folder.crowbar("dead-letters", "list", "irc", "--json")
        #expect(dead.status == 0)
        #expect(try JSON(parsing: Array(dead.output.utf8)).array?.isEmpty == true, "\(dead.output)")
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
