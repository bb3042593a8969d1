import Foundation
import JSONBytes
import Testing

@testable import PluginHost

/// What a plugin reaches of files and network. Where the kernel cannot close them, that is what is asserted.
@Suite(.serialized) struct SandboxTests {
    private func support() async -> SandboxSupport {
        await SandboxSupport.probe(launcher: HostScenario.products + "/crowbar-launch")
    }

    private func waitForAnswers(_ scenario: HostScenario, _ host: PluginHost, _ names: [String]) async throws {
        try await wait("the probers") {
            let states = try await scenario.states(host)
            return names.allSatisfy { states[$0]?.state == "live" }
        }
    }

    @Test func filesAreClosedButForWhatTheManifestNames() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let root = scenario.folder.path
        for name in ["secret", "shared/data", "out/old"] {
            let file = scenario.folder.appending(path: name)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try "text".write(to: file, atomically: true, encoding: .utf8)
        }
        let config = """
            read = ["\(root)/secret", "\(root)/shared/data", "/etc/shadow", "\(root)/plugins.d/closed.toml"]
            write = [
                "\(root)/secret", "\(root)/shared/data", "\(root)/out/new", "own", "/usr/crowbar-probe", "/dev/null",
            ]
            run = ["/bin/true"]
            signal = true
            daemon = true
            """
        let tables = HostScenario.sandbox(read: [root + "/shared"], keys: "write = [\"\(root)/out\"]")
        try scenario.addProber("closed", tables, config: config)
        // Without a table, files are as before.
        try scenario.addProber("open", config: "read = [\"\(root)/secret\"]\nwrite = [\"\(root)/secret\"]")
        let support = await support()
        let denied = support.landlock > 0 ? "EACCES" : "ok"
        try await scenario.run { host in
            try await waitForAnswers(scenario, host, ["closed", "open"])
            try await wait("the daemon's answers") { scenario.found("closed", "run /bin/true", daemon: true) != nil }
        }
        for daemon in [false, true] {
            // Where the plugin runs as the tests' user, its mounts are read-only too.
            func found(_ key: String) -> String? {
                scenario.found("closed", key, daemon: daemon).map { $0 == "EROFS" ? "EACCES" : $0 }
            }
            #expect(found("read \(root)/secret") == denied)
            #expect(found("write \(root)/secret") == denied)
            #expect(found("read \(root)/plugins.d/closed.toml") == denied)
            #expect(found("read \(root)/shared/data") == "ok")
            #expect(found("write \(root)/shared/data") == denied)
            #expect(found("write \(root)/out/new") == "ok")
            #expect(found("write own") == "ok")
            #expect(found("write /dev/null") == "ok")
            #expect(found("run /bin/true") == "ok")
            // Otherwise it depends on the user of the tests.
            if support.landlock > 0 { #expect(found("read /etc/shadow") == "EACCES") }
            if support.landlock > 0 { #expect(found("write /usr/crowbar-probe") == "EACCES") }
        }
        #expect(scenario.found("closed", "signal") == (support.landlock >= 6 ? "EPERM" : "ok"))
        #expect(scenario.found("open", "read \(root)/secret") == "ok")
        #expect(scenario.found("open", "write \(root)/secret") == "ok")
        let told = scenario.lines.all.contains { $0.contains("sandbox.read and sandbox.write cannot be enforced") }
        #expect(told == (support.landlock == 0))
    }

    @Test func theNetworkIsClosedUntilTheManifestOpensIt() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let (file, port) = try HostScenario.listener()
        defer { close(file) }
        // Families: Unix, IPv4, IPv6, packet.
        let config = "connect = \(port)\nfamilies = [1, 2, 10, 17]\ndaemon = true"
        try scenario.addProber("default", config: config)
        try scenario.addProber("closed", HostScenario.sandbox(), config: config)
        try scenario.addProber("open", HostScenario.sandbox(keys: "network = true"), config: config)
        let support = await support()
        try await scenario.run { host in
            try await waitForAnswers(scenario, host, ["default", "closed", "open"])
            try await wait("the daemons' answers") {
                ["default", "closed", "open"].allSatisfy { scenario.found($0, "connect", daemon: true) != nil }
            }
        }
        let denied = support.sockets ? "EACCES" : "ok"
        for daemon in [false, true] {
            for name in ["default", "closed"] {
                #expect(scenario.found(name, "socket 1", daemon: daemon) == "ok")
                #expect(scenario.found(name, "socket 2", daemon: daemon) == denied)
                #expect(scenario.found(name, "socket 10", daemon: daemon) == denied)
                if support.sockets { #expect(scenario.found(name, "socket 17", daemon: daemon) == "EACCES") }
                let closed = support.sockets || support.landlock >= 4
                #expect(scenario.found(name, "connect", daemon: daemon) == (closed ? "EACCES" : "ok"))
            }
            #expect(scenario.found("open", "socket 2", daemon: daemon) == "ok")
            #expect(scenario.found("open", "connect", daemon: daemon) == "ok")
        }
        #expect(scenario.lines.all.contains { $0.contains("sandbox.network = false cannot be") } == !support.sockets)
    }

    @Test func nothingIsInheritedAndNothingIsLeftBehind() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        // Without close-on-exec, as a careless library of the host would open it.
        let leak = open("/dev/null", O_RDONLY)
        defer { close(leak) }
        try scenario.addProber("plain", config: "")
        try await scenario.run { host in try await waitForAnswers(scenario, host, ["plain"]) }
        let status = try #require(scenario.seen("plain").first?["status"])
        #expect(status["descriptors"]?.array == [.int(0), .int(1), .int(2)])
        #expect(status["no_new_privs"]?.int == 1)
        #expect(status["umask"]?.int == 0o077)
        #expect(status["core"]?.array == [.string("1"), .string("1")])
    }

    @Test func aKernelWithoutLandlockIsToldAndRefusedWhereItIsRequired() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let launcher = scenario.folder.appending(path: "launch").path
        let text = "#!/bin/sh\nexec \(HostScenario.python.program) \(HostScenario.oldKernel) "
        try (text + "\(HostScenario.products)/crowbar-launch \"$@\"\n")
            .write(toFile: launcher, atomically: true, encoding: .utf8)
        chmod(launcher, 0o755)
        let secret = scenario.folder.appending(path: "secret").path
        try "text".write(toFile: secret, atomically: true, encoding: .utf8)
        try scenario.addProber("asks", HostScenario.sandbox(), config: "read = [\"\(secret)\"]")
        try scenario.addProber("requires", HostScenario.sandbox(keys: "require = true"), config: "")
        var environment = scenario.environment
        environment.launcher = launcher
        let findings = try await PluginCheck.run(
            folder: scenario.folder.appending(path: "plugins.d").path, environment: environment)
        let reason = "sandbox.read and sandbox.write cannot be enforced on this machine"
        #expect(findings.contains { !$0.isError && $0.text.contains("asks.toml: \(reason)") }, "\(findings)")
        #expect(findings.contains { $0.isError && $0.text.contains("requires.toml: sandbox.require: \(reason)") })
        try await scenario.run(launcher: launcher) { host in
            try await waitForAnswers(scenario, host, ["asks"])
            try await wait("the refusal") { try await scenario.states(host)["requires"]?.state == "failed" }
            let shown = try #require(try await scenario.states(host)["requires"])
            #expect(shown.reason.contains(reason), "\(shown.reason)")
        }
        #expect(scenario.found("asks", "read \(secret)") == "ok")
        #expect(scenario.seen("requires").isEmpty)
        #expect(scenario.lines.all.contains { $0.contains("plugin 'asks': \(reason)") })
    }

    @Test func aPathThatIsNotThereIsTheReasonToFail() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.addProber("lost", HostScenario.sandbox(read: ["/no/such/folder"]), config: "")
        let support = await support()
        try await scenario.run { host in
            let expected = support.landlock > 0 ? "failed" : "live"
            try await wait("the end") { try await scenario.states(host)["lost"]?.state == expected }
            let reason = try #require(try await scenario.states(host)["lost"]).reason
            let names = reason.contains("[sandbox] read: /no/such/folder: No such file or directory")
            #expect(names == (support.landlock > 0), "\(reason)")
        }
    }

    @Test func requiredAndEnforcedItRuns() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.addProber("required", HostScenario.sandbox(keys: "require = true"), config: "")
        try scenario.addProber(
            "cpu", "[limits]\ncpu = 0.5\n" + HostScenario.sandbox(keys: "require = true"), config: "")
        let whole = await support().landlock >= 3
        let sockets = await support().sockets
        try await scenario.run { host in
            let expected = whole && sockets ? "live" : "failed"
            try await wait("the start") { try await scenario.states(host)["required"]?.state == expected }
            try await wait("the refusal") { try await scenario.states(host)["cpu"]?.state == "failed" }
            let reason = try #require(try await scenario.states(host)["cpu"]).reason
            #expect(reason.contains("limits.cpu cannot be enforced on this machine"), "\(reason)")
        }
    }
}
