import CrowbarCore
import CrowbarSQLite
import CrowbarTesting
import Foundation
import PluginWire
import Testing

@testable import PluginHost

/// One event at a time, suspects first, and never none.
@Suite(.serialized) struct IsolationTests {
    @Test func aSuspectThatIsToBeTriedLaterDoesNotHoldUpItsChannelForGood() async throws {
        let world = try SessionWorld(suspects: ["main": [3, 4, 5]])
        try await world.send("1", "2", "3", "4")
        try await world.begin(pipelined: true)
        #expect(world.held() == [3])
        await world.say(#"{"type":"retry","delivery":1,"afterMs":1000,"code":"away","counted":false}"#)
        // The others of its channel wait for it.
        #expect(world.held() == [] && world.session.isolation.suspects == ["main": [4, 5]])
        await world.wait(1_000)
        #expect(world.held() == [3])
        await world.say(#"{"type":"ack","delivery":2}"#)
        #expect(world.held() == [4])
        await world.say(#"{"type":"ack","delivery":3}"#)
        await world.say(#"{"type":"ack","delivery":4}"#)
        #expect(world.session.isolation.suspects.isEmpty && world.held() == [6])
    }

    @Test func whatStandsBeforeASuspectInItsChannelGoesOutToo() async throws {
        let world = try SessionWorld(suspects: ["main": [5]])
        try await world.send("1", "2", "3")
        try await world.begin()
        #expect(world.held() == [3])
        // It is not given up for a crash: it is no suspect.
        #expect(await !world.session.giveUp(["main": [3]], "a crash"))
        await world.say(#"{"type":"ack","delivery":1}"#)
        await world.say(#"{"type":"ack","delivery":2}"#)
        #expect(world.held() == [5])
        #expect(await world.session.giveUp(["main": [5]], "a crash"))
        #expect(world.session.cursorWriter.deadLetters.map(\.position) == [5])
    }

    @Test func whatCannotBeStoredAsADeadLetterStaysUnderSuspicion() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let world = try SessionWorld(suspects: ["main": [3]], store: scenario.store)
        try await world.send("1")
        try await world.begin()
        #expect(world.held() == [3])
        try scenario.store.close()
        #expect(await !world.session.giveUp(["main": [3]], "a crash"))
        #expect(world.session.isolation.suspects == ["main": [3]])
    }

    @Test func suspectsGoFirstOverAllQueuesAndAHeldQueueHoldsUpNoOther() async throws {
        let world = try SessionWorld(suspects: ["a": [4], "c": [4]])
        try await world.send("1", "2")
        try await world.begin([
            .init(name: "a", window: 0), .init(name: "b", order: "none"), .init(name: "c", order: "none"),
        ])
        // One at a time: the suspect that may go out, then the others by turns.
        var order: [String] = []
        for delivery in 1...4 {
            order += world.session.queues.indices.flatMap { i in
                world.held(i).map { "\(world.session.queues[i].id.queue) \($0)" }
            }
            await world.say(#"{"type":"ack","delivery":\#(delivery)}"#)
        }
        #expect(order == ["c 4", "b 3", "c 3", "b 4"])
        #expect(world.session.isolation.suspects == ["a": [4]])
        await world.say(#"{"type":"window","queue":"a","events":9}"#)
        #expect(world.held(0) == [3])
        await world.say(#"{"type":"ack","delivery":5}"#)
        #expect(world.held(0) == [4])
        await world.say(#"{"type":"ack","delivery":6}"#)
        #expect(world.session.isolation.suspects.isEmpty)
    }

    @Test func anotherPlaceInTheLogEndsTheIsolation() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        // The wait after the third crash is long enough for the plugin to be mended meanwhile.
        scenario.random = { 0.999 }
        try scenario.add("p", config: #"mode = "poison""#, #"types = ["MESSAGE_SENT"]"#)
        try await scenario.run { host in
            try await scenario.waitLive(host, "p")
            try await scenario.populate(channels: ["general", "dev"])
            try await scenario.send(["poison"])
            try await wait("the third crash") { try await scenario.states(host)["p"]?.restarts == 3 }
            try scenario.add("p", config: #"mode = "hold""#, #"types = ["MESSAGE_SENT"]"#)
            _ = try host.reload()
            try await wait("the suspect") { scenario.messages("p").count == 4 }
            try await scenario.send(["d1"], to: "dev")
            _ = try await host.setCursor(of: "p", queue: nil, to: .beginning)
            // One of each channel, as the window has it.
            try await wait("both channels") { scenario.messages("p").dropFirst(4).contains("d1") }
            #expect(scenario.messages("p").dropFirst(4).sorted() == ["d1", "poison"])
        }
    }
}
