import Foundation
import Testing

@testable import crowbar

/// What a server does with signals, sent to the real one.
@Suite(.serialized) struct SignalTests {
    private static let toml = "data = \"d\"\n[http]\nlisten = \"127.0.0.1:0\"\n"

    private static let shutdowns: [Int32] = [
        SIGINT, SIGTERM, SIGQUIT, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGXCPU, SIGPWR,
    ]
    /// What ends nothing, and what is not logged since the server's own writes may raise it.
    private static let silent: [Int32] = [SIGPIPE, SIGXFSZ, SIGCHLD, SIGURG, SIGWINCH, SIGCONT]
    private static let ignored: [(number: Int32, name: String)] = [
        (SIGUSR1, "SIGUSR1"), (SIGUSR2, "SIGUSR2"), (SIGALRM, "SIGALRM"), (SIGVTALRM, "SIGVTALRM"),
        (SIGPROF, "SIGPROF"), (SIGIO, "SIGIO"), (SIGSTKFLT, "SIGSTKFLT"), (34, "SIGRTMIN"), (35, "SIGRTMIN+1"),
        (64, "SIGRTMIN+30"),
    ]

    private static func end(_ pid: pid_t) {
        kill(pid, SIGKILL)
        _ = CommandLineFolder.wait(pid)
    }

    @Test(arguments: shutdowns) func aShutdownIsOrderlyAndLogged(_ number: Int32) throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml)
        let server = try #require(folder.serve())
        kill(server.pid, number)
        if !folder.poll({ CommandLineFolder.hasEnded(server.pid) }) { kill(server.pid, SIGKILL) }
        #expect(CommandLineFolder.wait(server.pid) == 0)
        let log = folder.read("serve.err")
        #expect(log.contains("signal received, shutting down"), "\(log)")
        #expect(access(folder.file("d/crowbar.sock"), F_OK) != 0, "the socket is removed")
    }

    /// docs/operations.md says of each signal what the table has.
    @Test func thePageSaysWhatTheTableHas() throws {
        let page = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined() + "/docs/operations.md"
        let text = try String(contentsOfFile: page, encoding: .utf8)
        var said: [String: Substring] = [:]
        for line in text.split(separator: "\n") where line.hasPrefix("| SIG") {
            let cells = line.split(separator: "|")
            for name in cells[0].split(separator: ",") {
                said[name.trimmingCharacters(in: CharacterSet(charactersIn: " …"))] = cells[1]
            }
        }
        for policy in SignalPolicy.table {
            let name = policy.name.hasPrefix("SIGRTMIN") ? "SIGRTMIN" : policy.name
            let words = try #require(said[name], "\(name)")
            switch policy.action {
            case .shutdown: #expect(words.contains("shuts down in order"), "\(name)")
            case .reload: #expect(words.contains("reloads"), "\(name)")
            case .ignore: #expect(words.contains("nothing but a line in the log"), "\(name)")
            }
            #expect(words.contains("a fault of the server's own ends it at once") == policy.isFault, "\(name)")
        }
        let handled = Set(SignalPolicy.table.map { $0.name.hasPrefix("SIGRTMIN") ? "SIGRTMIN" : $0.name })
        #expect(
            Set(said.keys).subtracting(handled) == [
                "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGSTOP", "SIGCONT", "SIGCHLD", "SIGURG", "SIGWINCH", "SIGKILL",
            ])
    }

    @Test func otherSignalsDoNotEndIt() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml)
        let server = try #require(folder.serve())
        defer { Self.end(server.pid) }
        for number in Self.silent { kill(server.pid, number) }
        for (number, name) in Self.ignored {
            kill(server.pid, number)
            let isLogged = {
                folder.read("serve.err").split(separator: "\n").contains { line in
                    line.contains("signal ignored")
                        && line.split(whereSeparator: { " ,[]".contains($0) })
                            .contains("signal=\(name)")
                }
            }
            #expect(folder.poll { isLogged() || CommandLineFolder.hasEnded(server.pid) })
            #expect(isLogged(), "\(name): \(folder.read("serve.err"))")
        }
        #expect(folder.crowbar("status").status == 0)
    }

    @Test func aPluginInheritsNoSignalSettings() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml)
        folder.makeFolder("plugins.d")
        folder.write(
            "plugins.d/p.toml",
            """
            command = ["sh", "-c", '''
            grep -E "Sig(Ign|Blk)" /proc/self/status > signals.new && mv signals.new signals
            while read -r line; do case $line in
                *hello*) echo '{"type":"ready","protocol":1,"name":"p","version":"1"}';;
                *drain*) echo '{"type":"drained"}'; exit 0;;
            esac; done
            ''']
            """)
        let server = try #require(folder.serve())
        defer { Self.end(server.pid) }
        #expect(folder.poll { access(folder.file("d/plugins/p/signals"), F_OK) == 0 })
        // glibc's posix_spawn sets its own two signals, 32 and 33, to be ignored.
        let none = /SigBlk:\t0{16}\nSigIgn:\t0{7}[01][08]0{7}\n/
        let found = folder.read("d/plugins/p/signals")
        #expect(found.wholeMatch(of: none) != nil, "\(found)")
    }

    @Test func hangupReloadsAndTellsWhatNeedsARestart() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml)
        folder.makeFolder("plugins.d")
        let server = try #require(folder.serve())
        defer { Self.end(server.pid) }
        func lines(_ text: String) -> Int {
            folder.read("serve.err").split(separator: "\n").filter { $0.contains(text) }.count
        }
        func hangup(_ expected: String) {
            let before = lines("plugin folder read again")
            kill(server.pid, SIGHUP)
            #expect(folder.poll { lines("plugin folder read again") == before + 1 })
            #expect(lines(expected) == 1, "\(folder.read("serve.err"))")
        }
        hangup("nothing in it needs a restart")
        // What was applied is said, once.
        folder.write("crowbar.toml", Self.toml + "\n[limits]\ncommands_per_second = 5\n")
        hangup("applied=limits.commands")
        folder.write(
            "crowbar.toml", "data = \"e\"\n[http]\nlisten = \"127.0.0.1:1\"\n[auth]\nanonymous_read = true\n")
        hangup("data, http.listen, auth.anonymous_read")
        #expect(access(folder.file("e"), F_OK) != 0)
        // What would be missing after the restart is reported now.
        folder.write("crowbar.toml", "plugins = \"plugin.d\"\n" + Self.toml)
        hangup("there is no folder 'plugin.d', so no plugin runs; correct the path, as 'plugins.d', or make the folder")
        folder.write("crowbar.toml", "data = ")
        hangup("crowbar.toml rejected; the running configuration stays active")
        #expect(lines("crowbar.toml:1:") == 1)
        // A file that has gone does not mean the defaults.
        unlink(folder.file("crowbar.toml"))
        hangup("there is no file 'crowbar.toml' any more")
        folder.write("crowbar.toml", Self.toml)
        #expect(folder.crowbar("status").status == 0)
        // A folder that has gone stops nothing.
        #expect(rmdir(folder.file("plugins.d")) == 0)
        kill(server.pid, SIGHUP)
        #expect(folder.poll { lines("signal received, reloading") == 7 })
        #expect(folder.crowbar("status").status == 0)
    }
}
