import CrowbarCore
import Foundation
import JSONBytes
import PluginWire
import Testing

@testable import PluginHost

/// What the host says of its plugins: health, queues, dead letters.
@Suite struct PluginHealthTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var state = PluginLifecycle.State.live
        var reason: String?
        var change: @Sendable (inout PluginHealth) -> Void = { _ in }
        var level: PluginHealth.Level
        /// What the reason is; nil for none.
        var says: String?
    }

    static let waiting = DeliveryQueue.Waiting(count: 1, parked: 0, deliveries: 3, code: "http_503", message: "busy")
    /// 2026-11-30T14:02:11Z on a monotonic clock that began 500 s before.
    static let (due, clockOffset): (Int64, Int64) = (500_000, 1_796_047_331_000 - 500_000)

    @Test(arguments: [
        Case(testDescription: "live", level: .ok),
        Case(testDescription: "behind", state: .catchingUp, level: .ok),
        Case(
            testDescription: "a manifest that is not followed", reason: "line 3: x", level: .degraded,
            says: "line 3: x"),
        Case(testDescription: "starting", state: .starting, level: .degraded, says: "it is not ready yet"),
        Case(testDescription: "draining", state: .draining, level: .degraded, says: "it finishes what it holds"),
        Case(testDescription: "paused", state: .paused, level: .degraded, says: "paused by the operator"),
        Case(testDescription: "backing off", state: .backingOff, reason: "crashed", level: .down, says: "crashed"),
        Case(testDescription: "failed", state: .failed, reason: "no luck", level: .down, says: "no luck"),
        Case(testDescription: "diverged", state: .diverged, level: .down, says: "diverged"),
        Case(testDescription: "stopped", state: .stopped, reason: "not enabled", level: .off, says: "not enabled"),
        Case(
            testDescription: "stopped with dead letters", state: .stopped, change: { $0.note(deadLetters: 9) },
            level: .off),
        Case(testDescription: "it says ok", change: { $0.note(status: .ok, "fine") }, level: .ok),
        Case(
            testDescription: "it says degraded", change: { $0.note(status: .degraded, "slow") }, level: .degraded,
            says: "slow"),
        Case(testDescription: "it says down", change: { $0.note(status: .down, "gone") }, level: .down, says: "gone"),
        Case(
            testDescription: "it says down and not why", change: { $0.note(status: .down, "") }, level: .down,
            says: "it says that it is down"),
        Case(
            testDescription: "failed, and said ok before", state: .failed, reason: "no luck",
            change: { $0.note(status: .ok, "fine") }, level: .down, says: "no luck"),
        Case(
            testDescription: "an open breaker", change: { $0.noteTrippedBreaker() }, level: .down,
            says: "its checks are suspended: 5 failures within 30 s, and no good answer since"),
        Case(testDescription: "no dead letters", change: { $0.note(deadLetters: 0) }, level: .ok),
        Case(testDescription: "one", change: { $0.note(deadLetters: 1) }, level: .degraded, says: "1 dead letter"),
        Case(testDescription: "two", change: { $0.note(deadLetters: 2) }, level: .degraded, says: "2 dead letters"),
        Case(
            testDescription: "nothing waits", change: { $0.note(DeliveryQueue.Waiting(), clockOffset: 0) },
            level: .ok),
        Case(
            testDescription: "a first retry is a hitch",
            change: { $0.note(.init(count: 1, deliveries: 1, code: "x", message: "y"), clockOffset: 0) },
            level: .ok),
        Case(
            testDescription: "a third is not", change: { $0.note(waiting, clockOffset: 0) }, level: .degraded,
            says: "waits for another try after 3 tries: http_503: busy"),
        Case(
            testDescription: "a wait that is long, in a queue that parks nothing too",
            change: {
                $0.note(
                    .init(count: 1, hasLongWait: true, deliveries: 1, code: "x", message: "", due: due),
                    clockOffset: clockOffset)
            }, level: .degraded, says: "waits for its next try at 2026-11-30T14:02:11Z after 1 try: x"),
        Case(
            testDescription: "the worst counts, what has stopped is first",
            change: {
                $0.note(status: .degraded, "slow")
                $0.noteTrippedBreaker()
                $0.note(deadLetters: 1)
            }, level: .down,
            says: "its checks are suspended: 5 failures within 30 s, and no good answer since; slow; 1 dead letter"),
        Case(
            testDescription: "a queue of its own is named",
            change: {
                var queue = PluginHealth(.live, reason: nil)
                queue.note(status: .down, "connection refused")
                $0.note("libera", queue)
            }, level: .down, says: "libera: connection refused"),
        Case(
            testDescription: "of many queues the first are named",
            change: { health in
                var queue = PluginHealth(.live, reason: nil)
                queue.note(deadLetters: 1)
                for i in 1...7 { health.note("q\(i)", queue) }
            }, level: .degraded,
            says: (1...5).map { "q\($0): 1 dead letter; " }.joined() + "2 more queues"),
        Case(
            testDescription: "what the plugin says of all is not repeated by queue",
            change: {
                $0.note(status: .degraded, "libera: connection refused")
                var queue = PluginHealth(.live, reason: nil)
                queue.note(status: .degraded, "connection refused")
                $0.note("libera", queue)
            }, level: .degraded, says: "libera: connection refused"),
    ])
    func theWordIsTheWorstOfWhatIsKnown(_ example: Case) {
        var health = PluginHealth(example.state, reason: example.reason)
        example.change(&health)
        #expect(health.level == example.level)
        #expect(health.reason == example.says)
    }

    struct Order: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var notes: [@Sendable (inout PluginHealth) -> Void]
        var reasons: [String]
    }

    private static let hint: @Sendable (inout PluginHealth) -> Void = { $0.note(hint: "no channel 'x'") }
    private static let gone: @Sendable (inout PluginHealth) -> Void = { $0.note(status: .down, "gone (410)") }
    private static let letter: @Sendable (inout PluginHealth) -> Void = { $0.note(deadLetters: 1) }
    private static let slow: @Sendable (inout PluginHealth) -> Void = { $0.note(status: .degraded, "slow") }
    private static let retry: @Sendable (inout PluginHealth) -> Void = { $0.note(waiting, clockOffset: 0) }
    private static let heldRetry: @Sendable (inout PluginHealth) -> Void = {
        $0.note(waiting, clockOffset: 0, isHeld: true)
    }
    private static let tried = "waits for another try after 3 tries: http_503: busy"

    /// The reasons of a queue, and of the plugin that has it.
    @Test(arguments: [
        Order(
            testDescription: "a hint is behind a 410", notes: [hint, gone],
            reasons: ["gone (410)", "no channel 'x'"]),
        Order(testDescription: "and behind a retry", notes: [hint, retry], reasons: [tried, "no channel 'x'"]),
        Order(
            testDescription: "all kinds", notes: [hint, letter, slow, retry, gone],
            reasons: ["gone (410)", tried, "slow", "1 dead letter", "no channel 'x'"]),
        Order(
            testDescription: "a retry that a hold keeps back is behind the hold", notes: [heldRetry, slow],
            reasons: ["slow", tried]),
        Order(
            testDescription: "of those that are as urgent the first is first",
            notes: [slow, { $0.note(status: .degraded, "late") }], reasons: ["slow", "late"]),
        Order(testDescription: "each once", notes: [slow, slow, hint, hint], reasons: ["slow", "no channel 'x'"]),
    ])
    func theMostUrgentReasonIsFirst(_ example: Order) {
        var health = PluginHealth(.live, reason: nil)
        for note in example.notes { note(&health) }
        #expect(health.reasons == example.reasons)
        #expect(health.reason == example.reasons.joined(separator: "; "))
        // A plugin's reasons are those of its queues in the same order, the plugin's own before them.
        var whole = PluginHealth(.live, reason: nil)
        whole.note(hint: "own hint")
        whole.note("q", health)
        #expect(whole.reasons.filter { $0 != "own hint" } == example.reasons.map { "q: \($0)" })
        let isLast = example.reasons.last == "no channel 'x'" ? whole.reasons.dropLast().last : whole.reasons.last
        #expect(isLast == "own hint")
    }

    @Test func aQueueIsAsItsPluginIsUnlessItHasSomethingOfItsOwn() {
        var view = SessionStatus.View()
        var queue = SessionStatus.Queue(
            name: "q", scanned: 0, inFlight: 0, parked: 0, settlements: 0, ratePerSecond: 0)
        #expect(queue.state(in: .live, view) == "live", "no process: the plugin's word")
        view.pid = 1
        #expect(queue.state(in: .catchingUp, view) == "catchingUp")
        queue.hasCaughtUp = true
        #expect(queue.state(in: .catchingUp, view) == "live")
        queue.waiting = Self.waiting
        #expect(queue.state(in: .live, view) == "waiting")
        queue.isHeld = true
        #expect(queue.state(in: .live, view) == "held")
        #expect(queue.state(in: .live, view, isPaused: true) == "paused")
        #expect(queue.state(in: .failed, view, isPaused: true) == "failed")
        for state in [PluginLifecycle.State.paused, .draining, .failed] {
            #expect(queue.state(in: state, view) == state.rawValue)
        }
    }

    @Test(
        arguments: [
            (#"{"a":{"state":"down","message":"x"}}"#, "down x"), (#"{"a":{"state":"ok"}}"#, "ok "),
            (#"{"a":{"state":"lovely"}}"#, nil), (#"{"a":{"message":"x"}}"#, nil), (#"{"b":{"state":"ok"}}"#, nil),
            (#"{"a":"down"}"#, nil), ("{}", nil),
        ] as [(String, String?)])
    func aPluginMaySayHowAQueueIs(details: String, expected: String?) throws {
        let part = PluginHealth.part("a", of: try JSON(parsing: Array(details.utf8)))
        #expect(part.map { "\($0.level) \($0.message)" } == expected)
    }

    @Test func whatIsTriedMostOftenIsTheReason() {
        var waiting = DeliveryQueue.Waiting()
        var reason: String? { waiting.reason(clockOffset: Self.clockOffset) }
        #expect(reason == nil)
        waiting.add(nil, isParked: false)
        #expect(reason == "waits for another try")
        waiting.add(.init(deliveries: 1, code: "a", message: "b"), isParked: false, due: Self.due - 7)
        #expect(!waiting.hasLongWait)
        waiting.add(.init(deliveries: 4, code: "c", message: "d"), isParked: true)
        waiting.add(.init(deliveries: 2, code: "e", message: "f"), isParked: false)
        #expect(waiting.count == 4 && waiting.parked == 1 && waiting.hasLongWait)
        #expect(reason == "waits for another try after 4 tries: c: d")
        waiting.add(.init(deliveries: 5, code: "g", message: "h"), isParked: true, due: Self.due, key: "#general")
        #expect(reason == "#general waits for its next try at 2026-11-30T14:02:11Z after 5 tries: g: h")
        waiting.add(.init(deliveries: 6, code: "i", message: ""), isParked: true, due: Self.due + 499, key: "=17")
        #expect(reason == "waits for its next try at 2026-11-30T14:02:11Z after 6 tries: i")
        #expect(waiting.nextDue == Self.due - 7, "the first of all")
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (1_796_047_331_000, "2026-11-30T14:02:11Z"),
            (1_796_047_330_500, "2026-11-30T14:02:11Z"), (1_796_047_330_499, "2026-11-30T14:02:10Z"),
            (951_782_399_999, "2000-02-29T00:00:00Z"),
        ] as [(Int64, String)])
    func timesAreShownToTheSecond(milliseconds: Int64, text: String) {
        #expect(Timestamp.text(milliseconds) == text)
        #expect(Timestamp.milliseconds(rfc3339: text) == Timestamp.nearestSecond(milliseconds))
    }
}

/// The listings of a host at work.
@Suite(.serialized) struct ListingTests {
    private func queue(_ host: PluginHost, _ plugin: String) async throws -> JSON? {
        try await host.show(plugin)["queues"]?.array?.first
    }

    @Test func retriesAndDeadLettersAreSeenWhereTheyAre() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("good", #"types = ["MESSAGE_SENT"]"#)
        try scenario.add(
            "never", config: "mode = \"retry-always\"", "types = [\"MESSAGE_SENT\"]\n[retry]\nmax_attempts = 3")
        try scenario.add("reject", config: "mode = \"reject\"", #"types = ["MESSAGE_SENT"]"#)
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host).values.allSatisfy { $0.state == "live" } }
            try await scenario.populate()
            let long = String(repeating: "x", count: 200)
            try await scenario.send(["again \u{202E}txt", "bad " + long])
            try await wait("the counts") {
                let states = try await scenario.states(host)
                return states["never"]?.deadLetters == 1 && states["reject"]?.deadLetters == 1
            }
            let good = try await host.show("good")
            #expect(good["health"]?.string == "ok" && good["healthReason"] == nil)
            try await wait("the queue is as well as its plugin") {
                try await queue(host, "good")?["state"]?.string == "live"
            }
            let never = try await host.show("never")
            #expect(never["health"]?.string == "degraded")
            #expect(never["healthReason"]?.string == "main: 1 dead letter")
            let main = try #require(try await queue(host, "never"))
            #expect(main["deadLetters"]?.int == 1 && main["health"]?.string == "degraded")
            #expect(main["reason"]?.string == "1 dead letter")

            let all = try await host.deadLetters(of: nil, queue: nil).array ?? []
            #expect(all.map { $0["plugin"]?.string } == ["never", "reject"])
            #expect(all.allSatisfy { $0["channelId"]?.string == "general" && $0["type"]?.string == "MESSAGE_SENT" })
            #expect(all.map { $0["message"]?.string } == ["no luck with this", "bad text"])
            #expect(all.first?["text"]?.string == "again \u{202E}txt", "JSON has it as it is")
            #expect(all.last?["text"]?.string == "bad " + String(long.prefix(75)) + "…")
            #expect(try await host.deadLetters(of: nil, queue: nil, limit: 1).array?.count == 1)
        }
    }

    @Test func aQueueThatIsNotThereIsAnErrorEverywhere() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("p", config: "queues = [{ name = \"a\" }, { name = \"b\" }]", #"types = ["MESSAGE_SENT"]"#)
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host)["p"]?.state == "live" }
            let refusal = ControlRefusal.noQueue(plugin: "p", queue: "c", known: ["a", "b"])
            #expect(refusal.description == "'p' has no queue 'c'; it has: a, b")
            let letters = PluginHost.Letters(plugin: "p", queue: "c", eventIds: nil)
            let calls: [(String, () async throws -> JSON)] = [
                ("cursor show", { try await host.cursors(of: "p", queue: "c") }),
                ("cursor set", { try await host.setCursor(of: "p", queue: "c", to: .now) }),
                ("dead-letters list", { try await host.deadLetters(of: "p", queue: "c") }),
                ("dead-letters show", { try await host.show(letters) }),
                ("dead-letters retry", { try await host.retry(letters) }),
                ("dead-letters drop", { try await host.drop(letters) }),
            ]
            for (name, call) in calls { await #expect(throws: refusal, "\(name)") { try await call() } }
            // One that answers nothing yet is not asked again for a queue that is not there.
            try scenario.add("silent", config: "mode = \"silent\"", #"types = ["MESSAGE_SENT"]"#)
            _ = try host.reload()
            try await wait("it starts") {
                let silent = try await scenario.states(host)["silent"]
                return silent?.state == "starting" && silent?.pid != nil
            }
            for queue in ["c", "main"] {
                await #expect(throws: ControlRefusal.noQueue(plugin: "silent", queue: queue, known: [])) {
                    try await host.act(.resume, on: "silent", queue: queue)
                }
            }
            await #expect(throws: ControlRefusal.unanswered("silent")) {
                try await host.ask("silent", "deliveries", queue: nil)
            }
            #expect(try await host.cursors(of: "p", queue: "b").array?.count == 1)
            #expect(try await host.deadLetters(of: "p", queue: "a").array == [])
        }
    }

    @Test func aPluginsOwnWordIsInItsHealth() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("noisy", config: "mode = \"noisy\"\nsecret = \"hunter2\"")
        try scenario.add("broken", "nonsense = true")
        try scenario.add("off", "enabled = false")
        try await scenario.run { host in
            try await wait("its status") { try await host.show("noisy")["health"]?.string == "degraded" }
            let health = try await host.listing().array?.map { $0["health"]?.string }
            #expect(health == ["down", "degraded", "off"])
            // Nothing of its details is about the queue, so it is about all of it.
            try await wait("the queue") {
                try await queue(host, "noisy")?["reason"]?.string?.contains("I know") == true
            }
        }
    }
}

/// How a replay's part is counted.
@Suite struct ReplayMeasureTests {
    private static let tallies = [
        LogTally(type: .messageSent, channel: "a", origin: nil, count: 10),
        LogTally(type: .messageSent, channel: "b", origin: nil, count: 5),
        LogTally(type: .messageSent, channel: "a", origin: "p", count: 3),
        LogTally(type: .userRegistered, channel: nil, origin: nil, count: 2),
    ]

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var types: [EventType]?
        var queueChannels: [String]?
        var channels: [String]?
        var ownEvents = false
        var matching: Int64
    }

    @Test(arguments: [
        Case(testDescription: "all but its own", matching: 17),
        Case(testDescription: "its own too", ownEvents: true, matching: 20),
        Case(testDescription: "of a type", types: [.messageSent], matching: 15),
        Case(testDescription: "of the queue's channel, and what has none", queueChannels: ["b"], matching: 7),
        Case(testDescription: "of the replay's channel, and what has none", channels: ["a*"], matching: 12),
        Case(testDescription: "of none", types: [.messageDeleted], matching: 0),
    ])
    func whatTheFiltersWantIsCounted(_ example: Case) {
        let plan = ReplayPlan(start: nil, through: 20, channels: example.channels)
        let filter = QueueFilter(types: example.types, channels: example.queueChannels)
        var measure = ReplayMeasure(
            plan: plan, plugin: "p", ownEvents: example.ownEvents,
            queues: [.init(name: "main", filter: filter, resumed: 0)])
        measure.add(Self.tallies, through: 20)
        #expect(measure.matching == example.matching && measure.isWhole && measure.next == nil)
        #expect(measure.settledBefore == 0)
    }

    @Test func itCountsInPiecesThatEndWhereAQueueStood() {
        let all = QueueFilter(types: nil, channels: nil)
        let plan = ReplayPlan(start: LogEntryID(position: 10, eventId: "x"), through: 150_000)
        var measure = ReplayMeasure(
            plan: plan, plugin: "p", ownEvents: true,
            queues: [.init(name: "a", filter: all, resumed: 50), .init(name: "b", filter: all, resumed: 20)])
        var pieces: [String] = []
        while let piece = measure.next {
            pieces.append("\(piece.after)-\(piece.through)")
            measure.add(
                [LogTally(type: .messageSent, channel: "a", origin: nil, count: piece.through - piece.after)],
                through: piece.through)
        }
        #expect(pieces == ["10-20", "20-50", "50-100050", "100050-150000"])
        #expect(measure.matching == 2 * (150_000 - 10))
        #expect(measure.settledBefore == 40 + 10)
    }
}
