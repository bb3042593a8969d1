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

    private static func status(of pid: Int32) -> String {
        String(decoding: (try? FileBytes.read("/proc/\(pid)/status", limit: 16 << 10)) ?? [], as: UTF8.self)
    }

    /// When a process was started, in the kernel's ticks.
    private static func start(of pid: Int32) throws -> Int {
        let text = String(decoding: try FileBytes.read("/proc/\(pid)/stat", limit: 4096), as: UTF8.self)
        let fields = try #require(text.split(separator: ")").last).split(separator: " ")
        return try #require(Int(fields[19]))
    }

    /// Starts processes until one has a later start than another process had.
    private static func later(than start: Int, _ make: () throws -> Process) async throws -> Process {
        while true {
            let process = try make()
            if try Self.start(of: process.processIdentifier) > start { return process }
            process.terminate()
            process.waitUntilExit()
        }
    }

    /// A plugin can give its pipe to any process, which is not killed for it.
    @Test func whoWasGivenAPipeIsLeftAlone() async throws {
        let pipe = Pipe()
        func start(_ arguments: [String]) throws -> Process {
            let process = Process()
            process.executableURL = URL(filePath: arguments[0])
            process.arguments = Array(arguments.dropFirst())
            // A copy, as Foundation closes what it gives away.
            let output = dup(pipe.fileHandleForWriting.fileDescriptor)
            process.standardOutput = FileHandle(fileDescriptor: output, closeOnDealloc: true)
            try process.run()
            return process
        }
        let sleep = ["/bin/sleep", "1000"]
        let stranger = try start(sleep)
        // A SIGTERM may be blocked: children inherit what the test run blocks.
        defer { kill(stranger.processIdentifier, SIGKILL) }
        let own = try start([HostScenario.python.program, HostScenario.oldKernel] + sleep)
        try await wait("its filter") { Self.status(of: own.processIdentifier).contains("Name:\tsleep\n") }
        let found = await Remnants(pipes: [pipe.fileHandleForReading.fileDescriptor]).end()
        #expect(found.killed == 1 && !found.areLeft)
        #expect(runs(stranger.processIdentifier) && !runs(own.processIdentifier))
    }

    @Test(
        arguments: [
            ("", nil, false), ("ended\n", nil, true), ("limit: 9\nended\n", "limit: 9", true),
            ("/bin/x: No such file\n", "/bin/x: No such file", false), ("limit: 9\n", "limit: 9", false),
        ] as [(String, String?, Bool)])
    func whatTheLauncherReports(text: String, reason: String?, hasEndedAll: Bool) {
        let report = PluginProcess.LauncherReport(text.utf8)
        #expect(report.reason == reason && report.hasEndedAll == hasEndedAll)
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
        func isUsers(_ pid: Int32) -> Bool { Self.status(of: pid).contains("\nUid:\t\(user)\t") }
        func isConfined(_ pid: Int32) -> Bool {
            Self.status(of: pid).contains("Name:\tsleep\n") && Self.status(of: pid).contains("\nSeccomp:\t2\n")
        }
        let sleep = ["/bin/sleep", "1000"]
        let confined = [HostScenario.python.program, HostScenario.oldKernel] + sleep
        let asUser = ["--reuid=\(user)", "--clear-groups"]
        // A service that has the plugin's number, as by DynamicUser=, is not confined as plugins are.
        let service = try start("/usr/bin/setpriv", asUser + sleep)
        let early = try start("/usr/bin/setpriv", asUser + confined)
        defer { for process in [service, early] { kill(process.processIdentifier, SIGKILL) } }
        try await wait("the early ones") { isConfined(early.processIdentifier) && isUsers(service.processIdentifier) }
        // The kernel counts starts by hundredths of a second.
        let beginning = try Self.start(of: early.processIdentifier)
        let mark = try await Self.later(than: beginning) { try start("/bin/sleep", ["1000"]) }
        defer { kill(mark.processIdentifier, SIGKILL) }
        let orphan = try start("/usr/bin/setpriv", asUser + confined)
        // Descriptor 3 has the plugin's variables, and 4 takes what the launcher reports.
        let launcher = try start(
            "/bin/sh",
            [
                "-c", "exec \"$@\" 3</dev/null 4>/dev/null", "sh", HostScenario.products + "/crowbar-launch",
                "\(getpid())", "--user=\(user)", "--group=\(user)", "--may-expose", "--", "/bin/sleep", "1000",
            ])
        defer { launcher.terminate() }
        try await wait("both") {
            isConfined(orphan.processIdentifier) && child(of: launcher.processIdentifier).map(isUsers) == true
        }
        let kept = try #require(child(of: launcher.processIdentifier))
        let found = await Remnants(user: user, since: mark.processIdentifier).end()
        #expect(found.killed == 1 && !found.areLeft)
        #expect(!runs(orphan.processIdentifier) && runs(kept))
        #expect(runs(service.processIdentifier) && runs(early.processIdentifier))
        // Without a user of its own, nothing is known by the user.
        #expect(await Remnants().end() == (0, false))
    }
}
