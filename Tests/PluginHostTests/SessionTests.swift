import CrowbarCore
import CrowbarTesting
import PluginWire
import Testing

@testable import PluginHost

/// What hangs on the order in which things reach a session.
@Suite struct SessionTests {
    @Test func aQueueDroppedWhileItsEventsAreReadAgainIsDoneWith() async throws {
        let world = try SessionWorld()
        try await world.send("1")
        try await world.begin([.init(name: "a"), .init(name: "b")])
        let (session, delivery) = (world.session, world.session.nextDelivery)
        session.queues[0].drop(at: 1)
        session.isReading = true
        world.clock.advance(by: 500)
        session.takeFetched(try await world.log.read(positions: [3]), 0, world.now)
        #expect(!session.isReading && !session.queues[0].isDirty && session.nextDelivery == delivery)
        // Whatever it comes to: a queue that is never saved again sets no alarm, which would ring for ever.
        session.queues[0].isDirty = true
        session.queues[1].isDirty = false
        #expect(session.nextAlarm(world.now).map { $0 > world.now } ?? true)
    }
}
