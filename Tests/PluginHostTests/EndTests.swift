import CrowbarCore
import CrowbarSQLite
import CrowbarTesting
import Foundation
import Glibc
import JSONBytes
import OpenSSL
import PluginHost
import Synchronization
import Testing

/// Whatever happens, a host and its processes come to an end.
@Suite(.serialized) struct EndTests {
    @Test func aHostThatIsCancelledBringsItsPluginsToTheirEnds() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.hot("a")
        let host = try PluginHost(
            folder: scenario.folder.appending(path: "plugins.d").path, environment: scenario.environment)
        try await withThrowingTaskGroup(of: Void.self) { group in
            let ingest = scenario.ingest
            let hasEnded = Mutex(false)
            group.addTask { await ingest.run() }
            group.addTask {
                await host.run()
                hasEnded.withLock { $0 = true }
            }
            try await scenario.waitLive(host, "a")
            try await scenario.populate()
            try await scenario.send(["1"])
            try await wait("the message") { scenario.seen("a").contains { $0["acked"]?.string == "1" } }
            let pid = try #require(try await scenario.states(host)["a"]?.pid)
            group.cancelAll()
            do {
                try await wait("the end") { hasEnded.withLock { $0 } }
            } catch {
                // So that the group ends.
                host.stop(why: "the test failed")
                kill(pid_t(pid), SIGKILL)
                throw error
            }
        }
        #expect(scenario.seen("a").last?["kind"]?.string == "end")
        let head = try await scenario.log.head()
        #expect(try await scenario.store.queues(of: "a")["main"]?.cursor == head)
    }

    @Test func anEndThatWasAskedForIsNotTakenForACleanOne() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("sloppy", config: #"mode = "sloppy""#)
        try scenario.add("clean")
        try await scenario.run { host in
            try await wait("both") { try await scenario.states(host).values.allSatisfy { $0.state == "live" } }
        }
        let told = scenario.lines.all.filter { $0.contains("unclean exit after 'drain'") }
        #expect(told.count == 1 && told.allSatisfy { $0.contains("sloppy") && $0.contains("exit status 3") }, "\(told)")
    }

    @Test func aCheckThatEndsInAWrongConfigurationFoundOneThoughItWasReadyBefore() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("unsure", config: #"mode = "unsure""#)
        try scenario.add("sure")
        let findings = try await PluginCheck.run(
            folder: scenario.folder.appending(path: "plugins.d").path, environment: scenario.environment)
        let errors = findings.filter(\.isError).map(\.text)
        #expect(errors.count == 1 && errors.allSatisfy { $0.contains("unsure.toml: its configuration is wrong") })
    }

    @Test func aPluginThatDiesWhileItIsNotReadFromIsStartedAgain() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let log = MemoryLog(now: { 1 })
        log.setOutage("the disk is full")
        var environment = scenario.environment
        environment.log = log
        environment.ingest = Ingest(log: log, newEventID: { UUID().uuidString }, hash: { SHA256.hash($0) })
        try scenario.add("p", config: #"mode = "flood""#, #"commands = ["SEND_MESSAGE"]"#)
        let host = try PluginHost(folder: scenario.folder.appending(path: "plugins.d").path, environment: environment)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await host.run() }
            defer { host.stop(why: "the test is over") }
            func hasRestarted() async throws -> Bool { try await scenario.states(host)["p"]?.restarts ?? 0 > 0 }
            do {
                try await wait("the restart") { try await hasRestarted() }
            } catch {
                // So that the group ends.
                log.setOutage(nil)
                try await wait("the log") { try await hasRestarted() }
                throw error
            }
            // A process that has just begun has no reason yet; this one dies again and again.
            try await wait("the reason") {
                try await scenario.states(host)["p"]?.reason.contains("exit status 1") == true
            }
        }
    }
}
