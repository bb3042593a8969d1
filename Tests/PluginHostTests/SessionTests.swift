import CrowbarCore
import CrowbarTesting
import JSONBytes
import PluginWire
import Synchronization
import Testing

@testable import PluginHost

/// What hangs on the order in which things reach a session.
@Suite struct SessionTests {
    @Test func aQueueDroppedWhileItsEventsAreReadAgainIsDoneWith() async throws {
        let world = try SessionWorld()
        try await world.send("1")
        try await world.begin([.init(name: "a"), .init(name: "b")])
        let (session, delivery) = (world.session, world.session.settlements.nextDelivery)
        session.queues[0].fetching = [(slot: 0, position: 3)]
        #expect(session.feed.start(&session.queues) != nil)
        session.queues[0].drop(at: 1)
        world.clock.advance(by: 500)
        session.deliverFetched(try await world.log.read(positions: [3]), 0, world.now)
        #expect(
            session.feed.request == nil && !session.queues[0].isDirty && session.settlements.nextDelivery == delivery)
        // Whatever it comes to: a queue that is never saved again sets no alarm, which would ring for ever.
        session.queues[0].isDirty = true
        session.queues[1].isDirty = false
        #expect(session.nextAlarm(world.now).map { $0 > world.now } ?? true)
    }

    @Test func aStateComesWithAnAckThatNamesWhatIsSettledOrVoidToo() async throws {
        let world = try SessionWorld()
        try await world.send("1", "2", "3")
        try await world.begin()
        await world.say(#"{"type":"ack","delivery":1}"#)
        await world.say(#"{"type":"ack","deliveries":[1,2],"state":{"seen":2}}"#)
        #expect(world.session.queues[0].state == Array(#"{"seen":2}"#.utf8))
        #expect(world.session.view.strikes == 0 && world.session.view.ignored == 1)
        #expect(world.held() == [5])
    }

    /// Some libraries write every number with a point.
    @Test(arguments: ["1", "1.0", "10e-1", "\"1\""]) func anAnswersIdIsComparedByItsNumber(_ id: String) async throws {
        let world = try SessionWorld()
        try await world.begin()
        let answers = Mutex<[String]>([])
        world.session.answerable = ["how"]
        world.session.ask(
            Question(what: "how") { answer in
                guard case .told(let json) = answer else { return }
                answers.withLock { $0.append(json.string ?? "") }
            })
        await world.say(#"{"type":"answer","id":\#(id),"ok":true,"answer":"well"}"#)
        let isNumber = id.first != "\""
        #expect(answers.withLock { $0 } == (isNumber ? ["well"] : []))
        #expect(world.session.view.ignored == (isNumber ? 0 : 1))
    }

    @Test func aStateForDeliveriesOfTwoQueuesIsAStrikeAndSettlesNothing() async throws {
        let world = try SessionWorld()
        try await world.send("1")
        try await world.begin([.init(name: "a"), .init(name: "b")])
        await world.say(#"{"type":"ack","deliveries":[1,2],"state":{"seen":1}}"#)
        #expect(world.session.view.strikes == 1)
        #expect(world.held(0) == [3] && world.held(1) == [3])
    }

    @Test("Fault 28: while the log is away no deadline runs for what the plugin has answered")
    func answered() async throws {
        let world = try SessionWorld()
        try await world.send("1", "2")
        try await world.begin()
        await world.say(SessionWorld.command(1, cause: 1), #"{"type":"ack","delivery":1}"#)
        #expect(world.held() == [] && world.session.queues[0].queue.unsettled == 1)
        // Said twice or taken back, it stays as it is.
        await world.say(#"{"type":"ack","delivery":1}"#, #"{"type":"retry","delivery":1,"code":"x"}"#)
        #expect(world.session.view.ignored == 2)
        await world.wait(60_000)
        #expect(world.session.end == nil)
        await world.decide([1], cause: 1)
        // The next one of the channel, for which a deadline runs as ever.
        #expect(world.held() == [4] && world.session.queues[0].queue.settledThrough == 3)
        await world.wait(2_700)
        #expect(world.session.end == nil)
        await world.wait(100)
        #expect(world.session.end != nil)
    }

    @Test func theOperatorSeesThatCommandsWaitForTheLog() async throws {
        let world = try SessionWorld()
        try await world.begin()
        world.log.setOutage("the disk is full")
        await world.say(SessionWorld.command(1), SessionWorld.command(2))
        #expect(world.session.view.commandTrouble == nil)
        #expect(world.session.nextAlarm(world.now).map { $0 <= world.now + PluginSession.Limit.commandsWait } ?? false)
        await world.wait(PluginSession.Limit.commandsWait)
        #expect(world.session.view.trouble?.contains("commands are waiting for the log") == true)
        // The log is slow, and not away.
        await world.decide([1])
        #expect(world.session.view.trouble == nil)
        await world.wait(PluginSession.Limit.commandsWait)
        #expect(world.session.view.trouble != nil)
        await world.decide([2])
        #expect(world.session.view.trouble == nil && world.session.settlements.undecidedSince == nil)
    }

    @Test func whatStopsDeliveryIsShownUntilItIsOver() async throws {
        let world = try SessionWorld()
        try await world.send("1")
        try await world.begin()
        world.session.apply(.failed("the disk is full"), world.now)
        #expect(world.session.view.trouble?.contains("cursors cannot be stored") == true)
        world.session.apply(.saved([:]), world.now)
        #expect(world.session.view.trouble == nil)
        await world.session.handle(.readFailed("no such page"), now: world.now)
        #expect(world.session.view.trouble?.contains("the log could not be read") == true)
        let page = try await world.log.read(after: 0, limit: 9, maxBytes: 1 << 20)
        await world.session.handle(.page(page, after: 0), now: world.now)
        #expect(world.session.view.trouble == nil)
    }

    @Test func theDeadlineBeginsAnewOnceThePluginIsReadFromAgain() async throws {
        let world = try SessionWorld()
        try await world.send("1")
        try await world.begin()
        world.log.setOutage("the disk is full")
        let ids = Array(1...Wire.commandsInFlight)
        await world.say(ids.map { SessionWorld.command($0) })
        #expect(world.session.isReadingPaused)
        await world.wait(60_000)
        await world.decide(ids)
        #expect(!world.session.isReadingPaused)
        await world.wait(2_000)
        #expect(world.session.end == nil)
        await world.wait(10_000)
        #expect(world.session.end != nil)
    }

    @Test func theEndOfAProcessThatIsNotReadFromIsNotWaitedForInTheOutput() async throws {
        let world = try SessionWorld()
        try await world.begin()
        world.log.setOutage("the disk is full")
        await world.say((1...Wire.commandsInFlight).map { SessionWorld.command($0) })
        // Its commands may still be decided for a while; there is no process here, as if it had ended.
        #expect(!world.session.hasEnded(world.now))
        #expect(world.session.nextAlarm(world.now) == world.now + PluginSession.Limit.endPoll)
        #expect(!world.session.hasEnded(world.now + PluginSession.Limit.lastCommands))
        #expect(world.session.hasEnded(world.now + PluginSession.Limit.lastCommands + 1))
    }
}
