import Foundation
import JSONBytes
import Testing

@testable import PluginHost

/// What is left where a launcher was killed: it keeps no session open, and does not stay.
@Suite(.serialized) struct RemnantTests {
    /// Whether a process runs; one that has ended and that nobody took note of does not.
    private func runs(_ pid: Int32) -> Bool {
        guard let bytes = try? FileBytes.read("/proc/\(pid)/stat", limit: 4096) else { return false }
        return !String(decoding: bytes, as: UTF8.self).contains(") Z ")
    }

    @Test(arguments: [
        "pass", "import os; os.close(1); os.close(2)", "import os; os.write(1, b'x' * 100) ; os.close(2)",
    ])
    func aPluginWhoseLauncherIsKilledIsStartedAgain(orphan: String) async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("p", config: "mode = \"orphans\"\norphan = \"\(orphan)\"")
        try await scenario.run { host in
            try await scenario.waitLive(host, "p")
            let noted = try #require(scenario.seen("p").first { $0["daemon"] != nil })
            let daemon = Int32(try #require(noted["daemon"]?.int))
            #expect(runs(daemon))
            kill(Int32(try #require(noted["launcher"]?.int)), SIGKILL)
            try await wait("the daemon's end") { !runs(daemon) }
            try await wait("the restart") { try await scenario.states(host)["p"]?.restarts == 1 }
            try await scenario.waitLive(host, "p")
            #expect(scenario.lines.all.contains { $0.contains("outlived its launcher; 1 were killed") })
        }
        let all = scenario.seen("p").compactMap { $0["daemon"]?.int }
        #expect(all.count == 2 && all.allSatisfy { !runs(Int32($0)) })
    }

    @Test func aFloodDoesNotKeepThePipesOpen() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let flood = "exec('while True: sys.stderr.write(chr(120) * 100 + chr(10))')"
        try scenario.add("p", config: "mode = \"orphans\"\norphan = \"\(flood)\"")
        try await scenario.run { host in
            try await scenario.waitLive(host, "p")
            let noted = try #require(scenario.seen("p").first { $0["daemon"] != nil })
            kill(Int32(try #require(noted["launcher"]?.int)), SIGKILL)
            _ = try await host.act(.stop, on: "p")
            try await wait("the stop") { try await scenario.state(host, "p") == "stopped" }
            #expect(!runs(Int32(try #require(noted["daemon"]?.int))))
        }
    }

    @Test(.enabled(if: geteuid() == 0)) func aUsersProcessesAreEndedButNotThoseBelowALauncher() async throws {
        let user: UInt32 = 65_117
        // The launcher gives the folder in which it starts to the user.
        let folder = FileManager.default.temporaryDirectory.appending(path: "crowbar-left-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func start(_ program: String, _ arguments: [String]) throws -> Process {
            let process = Process()
            process.executableURL = URL(filePath: program)
            process.arguments = arguments
            process.currentDirectoryURL = folder
            process.standardInput = FileHandle.nullDevice
            try process.run()
            return process
        }
        func child(of parent: Int32) -> Int32? {
            (try? FileBytes.read("/proc/\(parent)/task/\(parent)/children", limit: 4096)).flatMap {
                Int32(String(decoding: $0.prefix { $0 != 0x20 }, as: UTF8.self))
            }
        }
        func isUsers(_ pid: Int32) -> Bool {
            let status = (try? FileBytes.read("/proc/\(pid)/status", limit: 16 << 10)) ?? []
            return String(decoding: status, as: UTF8.self).contains("\nUid:\t\(user)\t")
        }
        let orphan = try start("/usr/bin/setpriv", ["--reuid=\(user)", "--clear-groups", "/bin/sleep", "1000"])
        // Descriptor 3 has the plugin's variables, and 4 takes what the launcher reports.
        let launcher = try start(
            "/bin/sh",
            [
                "-c", "exec \"$@\" 3</dev/null 4>/dev/null", "sh", HostScenario.products + "/crowbar-launch",
                "\(getpid())", "--user=\(user)", "--group=\(user)", "--may-expose", "--", "/bin/sleep", "1000",
            ])
        defer { launcher.terminate() }
        try await wait("both") {
            isUsers(orphan.processIdentifier) && child(of: launcher.processIdentifier).map(isUsers) == true
        }
        let kept = try #require(child(of: launcher.processIdentifier))
        let found = await Remnants(user: user).end()
        #expect(found.killed == 1 && !found.areLeft)
        #expect(!runs(orphan.processIdentifier) && runs(kept))
        // Without a user of its own, nothing is known by the user.
        #expect(await Remnants().end() == (0, false))
    }
}
