import CrowbarCore
import CrowbarTesting
import PluginWire
import Testing

@testable import PluginHost

@Test func statesComeInTheirOrderOnceTheCommandsBeforeThemAreDecided() {
    var states = HeldStates()
    let held: [HeldStates.Held] = [
        .init(queue: 0, deliveries: [7], state: [1], after: 1), .init(queue: 1, state: [2], after: 1),
        .init(queue: 0, deliveries: [8, 9], state: [3], after: 3),
    ]
    for held in held { states.hold(held) }
    #expect(states.bytes > 3 * HeldStates.overhead)
    // What is decided, which deliveries wait for commands that came after their answer, and what comes of it.
    let turns: [(decided: Int64, open: Set<Int64>, queues: [Int])] = [
        (0, [], []), (1, [7], []), (2, [8], [0, 1]), (3, [9], []), (3, [], [0]), (9, [], []),
    ]
    for turn in turns {
        var queues: [Int] = []
        while let next = states.next(decided: turn.decided, isOpen: { turn.open.contains($0) }) {
            queues.append(next.queue)
        }
        #expect(queues == turn.queues, "decided: \(turn.decided)")
    }
    #expect(states.bytes == 0)
}

/// A queue's state never goes back, and never comes to the store before the commands that were emitted before it.
@Suite struct StateOrderTests {
    private func state(_ world: SessionWorld) -> String? {
        world.session.queues[0].state.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func anAckWithAStateWaitsForAllCommandsBeforeIt() async throws {
        let world = try SessionWorld()
        try await world.send("1")
        try await world.send("2", to: "other")
        try await world.begin()
        #expect(world.held() == [3, 5])
        await world.say(
            SessionWorld.command(1, cause: 1), #"{"type":"ack","delivery":1,"state":{"seen":1}}"#,
            #"{"type":"ack","delivery":2,"state":{"seen":2}}"#)
        // State and settlement are one write, so that both wait; the plugin holds nothing any more.
        #expect(state(world) == nil && world.session.queues[0].queue.unsettled == 2 && world.held() == [])
        await world.wait(60_000)
        #expect(world.session.end == nil)
        await world.decide([1], cause: 1)
        #expect(state(world) == #"{"seen":2}"#)
        #expect(world.session.queues[0].queue.unsettled == 0)
    }

    @Test func aStateByItselfWaitsForTheCommandsBeforeIt() async throws {
        let world = try SessionWorld()
        try await world.begin()
        await world.say(#"{"type":"state","queue":"main","state":{"n":0}}"#)
        #expect(state(world) == #"{"n":0}"#)
        world.log.setOutage("the disk is full")
        await world.say(
            SessionWorld.command(1), #"{"type":"state","queue":"main","state":{"n":1}}"#, SessionWorld.command(2),
            #"{"type":"state","queue":"main","state":{"n":2}}"#)
        #expect(state(world) == #"{"n":0}"#)
        await world.decide([1])
        #expect(state(world) == #"{"n":1}"#)
        await world.decide([2])
        #expect(state(world) == #"{"n":2}"#)
    }

    @Test func anAckThatIsSaidTwiceBringsNoOldState() async throws {
        let world = try SessionWorld()
        try await world.send("1", "2")
        // The other queue still holds the first delivery, so that all are known.
        try await world.begin([.init(name: "other", order: "total"), .init(name: "main", order: "none")])
        #expect(world.held() == [3] && world.held(1) == [3, 4])
        for line in [
            #"{"type":"ack","upTo":2,"state":{"seen":1}}"#, #"{"type":"ack","upTo":3,"state":{"seen":2}}"#,
            #"{"type":"ack","upTo":2,"state":{"seen":1}}"#, #"{"type":"ack","delivery":2,"state":{"seen":1}}"#,
        ] {
            await world.say(line)
        }
        #expect(world.session.queues[1].state == Array(#"{"seen":2}"#.utf8))
        #expect(world.session.view.ignored == 2)
    }

    @Test func whatWaitsForTheLogIsBounded() async throws {
        let world = try SessionWorld()
        try await world.begin()
        world.log.setOutage("the disk is full")
        let text = String(repeating: "x", count: 60_000)
        func say(_ number: Int) async {
            await world.say(#"{"type":"state","queue":"main","state":"\#(number)\#(text)"}"#)
        }
        await world.say(SessionWorld.command(1))
        for number in 1...17 { await say(number) }
        #expect(!world.session.isReadingPaused)
        await say(18)
        #expect(world.session.isReadingPaused)
        await world.decide([1])
        #expect(!world.session.isReadingPaused && world.session.settlements.stateBytes == 0)
        #expect(state(world)?.hasPrefix("\"18x") == true)
    }
}
