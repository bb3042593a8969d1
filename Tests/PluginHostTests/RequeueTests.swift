import Foundation
import JSONBytes
import PluginHost
import Testing

/// Changes of queues that come faster than the host can act on them.
@Suite(.serialized) struct RequeueTests {
    @Test func eachChangeIsActedUponAndALaterWindowHolds() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let plugin = URL(filePath: HostScenario.plugin).deletingLastPathComponent().appending(path: "requeue.py").path
        try "command = [\"\(plugin)\"]\ntypes = [\"MESSAGE_SENT\"]\n".write(
            to: scenario.manifest("p"), atomically: true, encoding: .utf8)
        func starts() -> [[String]] {
            scenario.seen("p").compactMap { $0["start"]?.array?.compactMap(\.string) }
        }
        func messages(_ queue: String) -> [String] {
            scenario.seen("p").filter { $0["queue"]?.string == queue }.compactMap { $0["message"]?.string }
        }
        try await scenario.run { host in
            try await scenario.waitLive(host, "p")
            try await scenario.populate()
            try await scenario.send(["1"])
            // The one that went and came again is told its place again, though both were asked for at once.
            try await wait("the second start") { starts() == [["a", "b"], ["b"]] }
            try await scenario.send(["2", "3"])
            try await wait("all of b") { messages("b").last == "3" }
            // "a" is held by the last word on its window, which did not wait for the changes before it.
            #expect(messages("a") == ["1"])
            #expect(try await scenario.states(host)["p"]?.restarts == 0)
        }
    }
}
