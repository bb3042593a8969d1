import CrowbarCore
import CrowbarMetrics
import Glibc
import JSONBytes
import Testing

@testable import PluginHost

/// What becomes metrics of plugins, as values, and what a session counts.
@Suite struct PluginMetricsTests {
    private static func details(_ text: String, queues: Set<String> = [], room: Int = 256) throws -> PluginDetails {
        PluginDetails(try JSON(parsing: Array(text.utf8)), queues: queues, room: room)
    }

    @Test func numbersOfDetailsAreThoseAtTheTopAndOfQueues() throws {
        let details = try Self.details(
            #"{"open":3,"ratio":0.5,"text":"no","q":{"lag":7,"state":"ok","deep":{"x":1}},"room":{"lag":9},"on":true}"#,
            queues: ["q"])
        #expect(
            details.numbers == [
                .init(queue: "", name: "open", value: 3), .init(queue: "", name: "ratio", value: 0.5),
                .init(queue: "q", name: "lag", value: 7),
            ])
        #expect(details.dropped == 0)
        #expect(PluginDetails(nil, queues: [], room: 1).numbers.isEmpty)
    }

    @Test(arguments: [
        ("open", true), ("open_2", true), ("_x", true), ("", false), ("2open", false), ("a-b", false), ("a.b", false),
        ("a b", false), ("ü", false), ("a/b", false), ("0190c3e0-9d3e-7b1e", false),
        (String(repeating: "x", count: 64), true), (String(repeating: "x", count: 65), false),
    ])
    func namesAreThoseOfCode(name: String, isName: Bool) throws {
        #expect(PluginDetails.isName(name) == isName)
    }

    @Test func thereIsALimitOfNamesAndOfNumbers() throws {
        let members = (0..<40).map { "\"n\($0)\":\($0)" }.joined(separator: ",")
        let many = try Self.details("{\(members)}")
        #expect(many.numbers.map(\.name) == (0..<32).map { "n\($0)" })
        #expect(many.dropped == 8)
        // A name counts once, whichever queues have it.
        let queues = (0..<40).map { "\"q\($0)\":{\"lag\":1}" }.joined(separator: ",")
        let each = try Self.details("{\(queues)}", queues: Set((0..<40).map { "q\($0)" }))
        #expect(each.numbers.count == 40 && each.dropped == 0)
        let full = try Self.details("{\(queues)}", queues: Set((0..<40).map { "q\($0)" }), room: 5)
        #expect(full.numbers.count == 5 && full.dropped == 35)
        #expect(try Self.details(#"{"bad name":1}"#).dropped == 1)
    }

    @Test func theUseOfDescendantsIsTheirRoots() throws {
        func process(_ name: String, parent: Int, ticks: Int, pages: Int) throws -> ProcessUsage.Process {
            let line = "7 (\(name)) S \(parent) 7 7 0 -1 0 0 0 0 0 \(ticks) 1 2 3 20 0 1 0 100 4096 \(pages) 0"
            return try #require(.init(stat: Array(line.utf8), ticks: 100, page: 4_096))
        }
        let table: [Int32: ProcessUsage.Process] = [
            1: try process("init", parent: 0, ticks: 1_000, pages: 1),
            10: try process("a b) (c", parent: 1, ticks: 94, pages: 2),
            11: try process("child", parent: 10, ticks: 194, pages: 3),
            12: try process("grandchild", parent: 11, ticks: 294, pages: 4),
            20: try process("other", parent: 1, ticks: 94, pages: 5),
            // Numbers that were given out again while the table was read.
            30: try process("circle", parent: 31, ticks: 1, pages: 1),
            31: try process("circle", parent: 30, ticks: 1, pages: 1),
        ]
        let usage = ProcessUsage.sum(table, [10, 20, 99])
        #expect(usage[10] == ProcessUsage(memory: 9 * 4_096, seconds: 6))
        #expect(usage[20] == ProcessUsage(memory: 5 * 4_096, seconds: 1))
        #expect(usage.count == 2)
        #expect(ProcessUsage.Process(stat: Array("7 (x) S 1".utf8), ticks: 100, page: 4_096) == nil)
        #expect(ProcessUsage.Process(stat: [], ticks: 100, page: 4_096) == nil)
    }

    @Test func theKernelTellsOfThisProcess() throws {
        let own = try #require(ProcessUsage.of([getpid()])[getpid()])
        #expect(own.memory > 1 << 20)
        #expect(own.seconds >= 0)
    }

    @Test func aRemovedPluginIsReportedForTenMinutes() {
        func reading() -> PluginReading {
            PluginReading(
                state: .live, counters: PluginCounters(), checks: nil, usage: ProcessUsage(memory: 1, seconds: 1),
                details: [.init(queue: "", name: "n", value: 1)])
        }
        let queue = QueueReading(lagEvents: 1, lagSeconds: 1, inFlight: 0, parked: 0, deadLetters: 0)
        let id = QueueID(plugin: "p", queue: "q")
        let memory = PluginMetricsMemory()
        let first = memory.update(["p": reading()], [id: queue], now: 0)
        #expect(first.plugins["p"]?.state == .live && first.queues[id] != nil)
        let gone = memory.update([:], [:], now: PluginMetricsMemory.lifetime)
        // Nothing of it runs any more.
        #expect(gone.plugins["p"]?.state == .stopped && gone.plugins["p"]?.usage == nil)
        #expect(gone.plugins["p"]?.details.isEmpty == true && gone.queues[id] != nil)
        let forgotten = memory.update([:], [:], now: PluginMetricsMemory.lifetime + 1)
        #expect(forgotten.plugins.isEmpty && forgotten.queues.isEmpty)
    }

    @Test func onlyRestartsAreCounted() {
        let counters = PluginCounters()
        for end: RestartPolicy.End in [
            .crashed("x"), .crashed("y"), .notStarted("x"), .tryLater("x"), .stopped, .drained, .failed("x"),
        ] { counters.noteRestart(after: end) }
        #expect(counters.restarts.values.map(\.count) == [2, 1, 1])
        #expect(counters.restarts.values.map(\.label.text) == ["crash", "not_started", "try_later"])
    }

    @Test func aSessionCountsDeliveriesAndViolations() async throws {
        let world = try SessionWorld { $0.maxAttempts = 2 }
        try await world.send("a", "b", "c", "d", "e")
        try await world.begin()
        func counts() -> [Int] { world.counters.deliveries.values.map(\.count) }
        // One after the other: they are of one channel.
        await world.say(#"{"type":"ack","upTo":1}"#)
        #expect(counts() == [1, 0, 0, 0])
        await world.say(#"{"type":"ack","delivery":2}"#)
        #expect(counts() == [2, 0, 0, 0])
        await world.say(#"{"type":"reject","delivery":3,"code":"no","message":"no","deadLetter":false}"#)
        #expect(counts() == [2, 0, 1, 0])
        await world.say(#"{"type":"reject","delivery":4,"code":"no","message":"no","deadLetter":true}"#)
        #expect(counts() == [2, 0, 1, 1])
        await world.say(#"{"type":"retry","delivery":5,"code":"busy","message":"later","afterMs":10}"#)
        #expect(counts() == [2, 1, 1, 1])
        #expect(world.counters.strikes.value == 0)
        await world.say("{\"type\":\"nonsense")
        #expect(world.counters.strikes.value == 1)
    }
}
