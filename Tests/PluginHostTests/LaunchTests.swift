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
            subprocess.Popen([sys.argv[1], str(os.getpid()), "token", "--no-network", "--", "/bin/sh", "-c",
                "setsid sleep 1000 & echo $!; wait"], stdin=subprocess.PIPE)
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
                    manifest, purpose: .check, board: SessionBoard(), mailbox: Mailbox())
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
}
