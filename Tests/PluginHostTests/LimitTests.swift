import Foundation
import JSONBytes
import Testing

@testable import PluginHost

/// A plugin that meets one of its `[limits]` falls alone.
@Suite(.serialized) struct LimitTests {
    @Test(arguments: [
        ("memory", "memory = \"96MB\"", "hog = 512", "limits.memory allows each process 98304 KB"),
        ("files", "files = 32", "open = 64", "limits.files allows each process 32"),
        // It may be counted before all of them are there.
        ("processes", "processes = 8", "spawn = 12", "(9|1[0-3]) processes and threads, 8 are allowed"),
        // What holds where the manifest says nothing.
        ("default", "disk = \"1GB\"", "spawn = 600", "(5|6)[0-9]{2} processes and threads, 512 are allowed"),
    ])
    func overTheLimitItFallsWithTheReasonAndTheOthersGoOn(
        name: String, limit: String, config: String, reason: String
    ) async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.addProber("greedy", "[limits]\n\(limit)", config: config)
        try scenario.addProber("modest", "[limits]\n\(limit)", config: "hog = 16\nopen = 16\nspawn = 2")
        try scenario.add("control", #"types = ["MESSAGE_SENT"]"#)
        try await scenario.run { host in
            try await wait("the others") {
                let states = try await scenario.states(host)
                return states["control"]?.state == "live" && states["modest"]?.state == "live"
            }
            try await wait("the fall") {
                let shown = try await scenario.states(host)["greedy"]
                return ["backingOff", "failed"].contains(shown?.state) && shown?.reason.isEmpty == false
            }
            let told = scenario.lines.all.filter { $0.contains("starts again") }
            let expected = try Regex(reason)
            #expect(told.contains { $0.contains(expected) }, "\(told)")
            try await scenario.populate()
            try await scenario.send(["a", "b"])
            try await wait("the control") { scenario.messages("control") == ["a", "b"] }
            #expect(try await scenario.states(host)["control"]?.restarts == 0)
            #expect(try await scenario.states(host)["modest"]?.restarts == 0)
        }
    }

    @Test func aFolderOverItsLimitStopsThePluginUntilItIsCleanedUp() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        scenario.limits.folder = 20
        try scenario.add("greedy", "[limits]\ndisk = \"1MB\"")
        try scenario.add("modest", "[limits]\ndisk = \"1MB\"")
        let filler = scenario.folder.appending(path: "plugins/greedy/filler")
        try await scenario.run { host in
            func greedy() async throws -> HostScenario.Shown? { try await scenario.states(host)["greedy"] }
            try await wait("the start") { try await greedy()?.state == "live" }
            try await wait("the figure") {
                let listed = try await host.listing().array?.first { $0["name"]?.string == "greedy" }?["disk"]
                return listed?["limit"]?.int == 1 << 20 && listed?["bytes"]?.int ?? 0 > 0
            }
            // Whole at once: the host may measure the folder while a file is being written.
            let whole = scenario.folder.appending(path: "filler")
            try Data(repeating: 1, count: 3 << 20).write(to: whole)
            try FileManager.default.moveItem(at: whole, to: filler)
            try await wait("the end") { try await greedy()?.state == "failed" }
            let shown = try #require(try await greedy())
            #expect(shown.pid == nil)
            for words in ["plugins/greedy' takes 3", "limits.disk allows 1 MB", "'crowbar plugins start greedy'"] {
                #expect(shown.reason.contains(words), "\(shown.reason)")
            }
            // Without a clean-up it is refused again, before a process is there.
            _ = try await host.act(.start, on: "greedy")
            try await wait("the refusal") { try await greedy()?.state == "failed" }
            #expect(try await greedy()?.reason.contains("limits.disk allows 1 MB") == true)
            try FileManager.default.removeItem(at: filler)
            _ = try await host.act(.start, on: "greedy")
            try await wait("the start after the clean-up") { try await greedy()?.state == "live" }
            #expect(try await scenario.states(host)["modest"]?.restarts == 0)
        }
    }

    @Test func whatIsOnlyValidIsTold() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.addProber("busy", "[limits]\ncpu = 0.5", config: "")
        try await scenario.run { host in
            try await wait("the start") { try await scenario.states(host)["busy"]?.state == "live" }
        }
        #expect(
            scenario.lines.all.contains { $0.contains("plugin 'busy': limits.cpu cannot be enforced on this machine") })
    }

    @Test func theLaunchersOptionsAreWhatTheManifestSays() {
        var manifest = Manifest(
            name: "x", file: "/none/plugins.d/x.toml", command: ["python3", "/etc/passwd", "/none/a"])
        func options(_ program: String = "/usr/bin/python3") -> [String] {
            LaunchRules(manifest, program: program, folder: "/none/plugins.d", data: "/none/data").options
        }
        let usual = "--default-processes=512"
        #expect(options() == [usual, "--no-network"])
        manifest.limits = .init(memory: 1, cpu: 2, files: 3, processes: 4)
        manifest.sandbox = .init(network: true, read: ["/r"], write: ["/w"], require: true)
        let limits = ["--memory=1", "--files=3", "--processes=4"]
        #expect(
            options() == limits + [
                "--require", "--sandbox", "--write=.", "--read=/etc/passwd", "--read=/r", "--write=/w",
            ])
        manifest.limits = nil
        manifest.sandbox = .init()
        // The folder of a program kept beside the manifests, unless it is theirs or the data's.
        for (command, program, folder) in [
            ("./bot/run", "/none/plugins.d/bot/run", "/none/plugins.d/bot"), ("./run", "/none/plugins.d/run", nil),
            ("../run", "/none/run", nil), ("/none/bot/run", "/none/bot/run", nil),
        ] as [(String, String, String?)] {
            manifest.command = [command]
            let expected = [usual, "--no-network", "--sandbox", "--write=."] + (folder.map { ["--read=\($0)"] } ?? [])
            #expect(options(program) == expected, "\(command)")
        }
    }

    @Test(arguments: [
        ("landlock 7\nsockets 1\n", [] as [String]),
        ("landlock 2\nsockets 1\n", ["sandbox.write cannot"]),
        (
            "landlock 0\nsockets 0\n",
            ["sandbox.read and sandbox.write cannot", "sandbox.network = false cannot", "sandbox cannot"]
        ),
        ("", ["sandbox.read and sandbox.write cannot", "sandbox.network = false cannot", "sandbox cannot"]),
    ])
    func whatTheMachineCannotIsSaidForEachKey(answer: String, expected: [String]) {
        var manifest = Manifest(name: "x", file: "x.toml", command: ["x"])
        manifest.sandbox = .init()
        let lines = SandboxSupport(answer: answer).unsupported(manifest)
        #expect(lines.count == expected.count)
        for (line, beginning) in zip(lines, expected) { #expect(line.hasPrefix(beginning), "\(line)") }
        manifest.sandbox = .init(network: true)
        #expect(!SandboxSupport(answer: answer).unsupported(manifest).contains { $0.contains("network") })
    }
}
