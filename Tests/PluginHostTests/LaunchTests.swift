import CrowbarTesting
import Foundation
import JSONBytes
import PluginWire
import Testing

@testable import PluginHost

/// The launcher at the ends of things: programs that cannot be run, daemons that want to stay.
@Suite(.serialized) struct LaunchTests {
    private static let launcher = HostScenario.products + "/crowbar-launch"

    private func isAlive(_ pid: Int64) -> Bool {
        // A process that has ended and waits to be reaped does not count.
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return false }
        return text.split(separator: ")").last?.contains(" Z ") == false
    }

    @Test func aDaemonThatHoldsThePipesGoesWithItsPlugin() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("parent", config: "mode = \"daemon\"")
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host)["parent"]?.state == "live" }
            let noted: [Int64] = scenario.seen("parent").compactMap { $0["daemon"]?.int }
            let daemon = try #require(noted.first)
            #expect(isAlive(daemon))
            let pid = try #require(try await scenario.states(host)["parent"]?.pid)
            kill(pid_t(pid), SIGKILL)
            try await wait("the daemon's end") { !isAlive(daemon) }
            try await wait("the restart") {
                let shown = try await scenario.states(host)["parent"]
                return shown?.restarts == 1 && shown?.state == "live" && shown?.pid != pid
            }
        }
    }

    @Test func aDaemonGoesWithAHostThatIsKilled() async throws {
        // A host in one line: it starts the launcher, tells of it, and waits until it is killed.
        let script = """
            import subprocess, sys, os
            for number in (3, 4):
                os.dup2(os.open("/dev/null", os.O_RDWR), number)
            subprocess.Popen([sys.argv[1], str(os.getpid()), "--no-network", "--", "/bin/sh", "-c",
                "setsid sleep 1000 & echo $!; wait"], stdin=subprocess.PIPE, pass_fds=(3, 4))
            sys.stdin.read()
            """
        let host = try LineProcess("/usr/bin/env", arguments: ["python3", "-c", script, Self.launcher])
        let line = try await host.first("the daemon's number", within: .seconds(20)) {
            String(decoding: $0, as: UTF8.self)
        }
        let daemon = try #require(Int64(line))
        #expect(isAlive(daemon))
        kill(host.pid, SIGKILL)
        try await wait("the daemon's end") { !isAlive(daemon) }
    }

    @Test func aThousandProgramsThatCannotBeRunLeaveNoDescriptorOpen() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let broken = scenario.folder.appending(path: "broken").path
        try "\u{1}\u{2}".write(toFile: broken, atomically: true, encoding: .utf8)
        chmod(broken, 0o755)
        let programs = [
            ("/no/such/program", "No such file"), (Self.launcher + ".c", "No such file"),
            (broken, "Exec format error"), ("/etc/passwd", "not executable"), ("/", "is a folder"),
        ]
        let environment = scenario.environment
        func descriptors() throws -> Int { try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count }
        func reason(_ program: String) async -> String {
            let manifest = Manifest(name: "x", file: scenario.folder.path + "/x.toml", command: [program])
            let factory = SessionFactory(name: "x", environment: environment, lines: nil)
            do {
                let session = try await factory.make(
                    manifest, purpose: .check, status: SessionStatus(), mailbox: Mailbox())
                let end = await session.run().end
                guard case .failed(let reason) = end else { return "\(end)" }
                return reason
            } catch {
                return error.reason
            }
        }
        // The first start opens what stays open.
        _ = await reason(broken)
        let before = try descriptors()
        for round in 0..<200 {
            for (program, expected) in programs {
                let reason = await reason(program)
                #expect(reason.contains(expected), "\(program), round \(round): \(reason)")
            }
        }
        // Some slack for what the tests' own process opens meanwhile; a leak would be of a thousand or more.
        #expect(try descriptors() < before + 50)
    }

    /// A host that starts a launcher, tells its number, waits for a line and for the launcher's end. Reports come
    /// behind what the plugin says.
    private func host(_ options: [String], _ command: [String]) throws -> LineProcess {
        let script = """
            import os, subprocess, sys
            os.dup2(os.open("/dev/null", os.O_RDONLY), 3)
            os.dup2(1, 4)
            child = subprocess.Popen([sys.argv[1], str(os.getpid())] + sys.argv[2:],
                stdin=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=(3, 4))
            print("launcher", child.pid, flush=True)
            sys.stdin.readline()
            child.stdin.write(b"go\\n")
            child.stdin.flush()
            print("end", child.wait(), flush=True)
            """
        return try LineProcess(
            "/usr/bin/env", arguments: ["python3", "-c", script, Self.launcher] + options + ["--"] + command)
    }

    private func line(_ host: LineProcess, _ beginning: String) async throws -> String {
        try await host.first(beginning, within: .seconds(20)) {
            let line = String(decoding: $0, as: UTF8.self)
            return line.hasPrefix(beginning) ? String(line.dropFirst(beginning.count)) : nil
        }
    }

    /// What is done to a launcher that can open nothing any more, as a plugin could once bring about.
    private enum Ending: CaseIterable { case count, kill, terminate }

    @Test(arguments: Ending.allCases)
    private func aLauncherThatCanOpenNothingKillsAllTheSame(_ ending: Ending) async throws {
        let command = ["/bin/sh", "-c", "read x; setsid sleep 1000 & echo daemon $!; wait"]
        let host = try host(ending == .count ? ["--processes=64"] : [], command)
        let launcher = try #require(pid_t(try await line(host, "launcher ")))
        try await host.send(line: Array("go".utf8))
        let daemon = try #require(Int64(try await line(host, "daemon ")))
        #expect(isAlive(daemon))
        let limits = Process()
        limits.executableURL = URL(filePath: "/usr/bin/prlimit")
        limits.arguments = ["--pid", "\(launcher)", "--nofile=0:0"]
        try limits.run()
        limits.waitUntilExit()
        #expect(limits.terminationStatus == 0)
        switch ending {
        case .count:
            let told = try await line(host, "limit: ")
            #expect(told == "its processes cannot be counted, 64 are allowed")
        case .kill: kill(launcher, SIGUSR1)
        case .terminate: kill(launcher, SIGTERM)
        }
        let end = try await line(host, "end ")
        #expect(end == (ending == .terminate ? "-15" : "-9"))
        #expect(!isAlive(daemon))
    }

    @Test func whatForksWithoutEndIsCaughtUpWith() async throws {
        // Eight chains: each process is gone as soon as it has a child.
        let mark = "crowbar-chain-\(UUID().uuidString)"
        let script = """
            import os, sys
            sys.stdin.readline()
            print("begun", flush=True)
            for _ in range(8):
                if os.fork() == 0:
                    os.setsid()
                    while True:
                        if os.fork(): os._exit(0)
            sys.stdin.read()
            """
        let host = try host([], ["/usr/bin/env", "python3", "-c", script, mark])
        let launcher = try #require(pid_t(try await line(host, "launcher ")))
        try await host.send(line: Array("go".utf8))
        _ = try await line(host, "begun")
        kill(launcher, SIGUSR1)
        // The launcher reports that nothing is left.
        #expect(try await line(host, "ended") == "")
        #expect(try await line(host, "end ") == "-9")
        let left = try FileManager.default.contentsOfDirectory(atPath: "/proc").filter {
            if $0 == "\(host.pid)" { return false }
            let text = try? String(contentsOfFile: "/proc/\($0)/cmdline", encoding: .utf8)
            return text?.hasSuffix(mark + "\0") == true && isAlive(Int64($0) ?? 0)
        }
        #expect(left.isEmpty)
    }
}
