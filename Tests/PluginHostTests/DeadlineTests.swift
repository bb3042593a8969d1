import CrowbarCore
import CrowbarTesting
import PluginWire
import Testing

@testable import PluginHost

/// Deadlines of deliveries whose commands the log has not decided.
@Suite struct DeadlineTests {
    private static let ack = #"{"type":"ack","delivery":1}"#

    @Test func aDeadlineStandsStillWhileACommandOfTheDeliveryIsUndecided() async throws {
        let world = try SessionWorld()
        try await world.send("1")
        try await world.begin()
        await world.wait(1_000)
        // It waits for the result before it acknowledges.
        await world.say(SessionWorld.command(1, cause: 1), SessionWorld.command(2, cause: 1))
        await world.wait(600_000)
        #expect(world.session.end == nil && world.held() == [3])
        await world.decide([1], cause: 1)
        await world.wait(600_000)
        #expect(world.session.end == nil)
        // Then it goes on where it stood.
        await world.decide([2], cause: 1)
        await world.wait(1_000)
        #expect(world.session.end == nil)
        await world.wait(1_000)
        #expect(world.session.end != nil)
    }

    @Test func theLongestTimeThatADeliveryMayBeHeldStandsStillToo() async throws {
        let world = try SessionWorld()
        try await world.send("1")
        try await world.begin()
        await world.say(SessionWorld.command(1, cause: 1))
        await world.wait(DeliveryQueue.Limit.heldDeadlines * 3_000 + 60_000)
        await world.decide([1], cause: 1)
        await world.wait(2_000)
        #expect(world.session.end == nil)
        await world.say(Self.ack)
        #expect(world.held() == [] && world.session.queues[0].queue.waiting == 0)
    }

    @Test func whatAWaitingPluginHasNotReadIsNoFaultEither() async throws {
        let world = try SessionWorld()
        try await world.send("1")
        try await world.send("2", to: "dev")
        try await world.begin()
        #expect(world.held() == [3, 5])
        await world.wait(1_000)
        await world.say(SessionWorld.command(1, cause: 1))
        await world.wait(20_000)
        #expect(world.session.end == nil)
        await world.decide([1], cause: 1)
        await world.say(Self.ack)
        await world.wait(2_000)
        #expect(world.session.end == nil)
        await world.wait(1_000)
        #expect(world.session.end != nil)
    }

    @Test func aDeliveryThatCausedNothingIsNotHeldForEver() async throws {
        let world = try SessionWorld()
        try await world.send("1")
        try await world.send("2", to: "dev")
        try await world.begin()
        await world.say(SessionWorld.command(1, cause: 1))
        await world.wait(DeliveryQueue.Limit.heldDeadlines * 3_000 - 1_000)
        #expect(world.session.end == nil)
        await world.wait(1_000)
        #expect(world.session.end != nil)
    }

    @Test func anotherQueueHasItsDeadlineAsEver() async throws {
        let world = try SessionWorld()
        try await world.send("1")
        try await world.begin([.init(name: "a"), .init(name: "b")])
        await world.say(SessionWorld.command(1, cause: 1))
        await world.wait(3_000)
        #expect(world.session.end?.reason?.contains("queue 'b' made no progress") == true)
    }

    @Test func commandsWithoutACauseHoldNoDeadline() async throws {
        let world = try SessionWorld()
        try await world.send("1")
        try await world.begin()
        await world.say(SessionWorld.command(1))
        await world.wait(3_000)
        #expect(world.session.end != nil)
    }

    /// What a plugin does with a delivery that waits, and the deliveries that wait then.
    @Test(arguments: [
        #"{"type":"ack","delivery":1}"#, #"{"type":"ack","upTo":1}"#, #"{"type":"retry","delivery":1,"code":"x"}"#,
        #"{"type":"reject","delivery":1,"code":"x","deadLetter":true}"#, #"{"type":"ack","delivery":1,"state":1}"#,
        #"{"type":"queues","queues":[{"name":"other"}]}"#,
    ])
    func whateverBecomesOfItNothingIsLeftWaiting(_ line: String) async throws {
        let world = try SessionWorld()
        try await world.send("1")
        try await world.begin()
        await world.say(SessionWorld.command(1, cause: 1))
        #expect(world.session.queues[0].queue.waiting == 1)
        await world.say(line)
        #expect(world.session.queues[0].queue.waiting == 0)
        await world.decide([1], cause: 1)
        #expect(world.session.queues[0].queue.waiting == 0 && world.session.queues[0].queue.stoppedAt == nil)
    }

    @Test func whatVoidDeliveriesCausedIsForgottenOnceTheyAreGone() async throws {
        let world = try SessionWorld()
        try await world.send("1", "2", "3")
        try await world.begin(pipelined: true)
        #expect(world.held() == [3, 4, 5])
        await world.say(SessionWorld.command(1, cause: 2), SessionWorld.command(2, cause: 3))
        await world.decide([1], cause: 2)
        await world.say(#"{"type":"retry","delivery":1,"afterMs":0,"code":"x"}"#)
        // The third one's is not decided yet.
        #expect(world.session.settlements.causes.keys.sorted() == [3])
        await world.decide([2], cause: 3)
        #expect(world.session.settlements.causes.isEmpty)
    }
}
