import PluginWire
import Testing

@testable import IRCBridge

/// What is said of the time without a connection.
@Suite struct OutboundBacklogTests {
    /// A machine that is registered and in its channels at the instant 100, which is second 1,100 of Unix.
    private func machine(_ more: String, links: [LinkConfig]? = nil) throws -> Relay {
        let links = try links ?? [Tables.link()]
        var machine = Relay(config: try Tables.network(more), links: links, plugin: "irc")
        machine.connection.unixStart = 1000
        _ = machine.start(now: 0)
        connect(&machine, now: 100)
        return machine
    }

    private func connect(_ machine: inout Relay, now: Instant) {
        _ = machine.connected(now: now)
        _ = machine.received(Tables.line(":s 001 crow :Welcome"), now: now)
        for link in machine.connection.links {
            _ = machine.received(Tables.line(":crow!crow@host JOIN \(link.target)"), now: now)
        }
    }

    private func event(
        _ delivery: Int64, at seconds: Int64, _ text: String, channel: String = "general"
    ) -> HostMessage.EventDelivery {
        let json = """
            {"timestamp":\(seconds * 1000),"type":"MESSAGE_SENT","userId":"ann","channelId":"\(channel)",\
            "message":"\(text)"}
            """
        return HostMessage.EventDelivery(
            queue: "net", delivery: delivery, position: delivery, event: Array(json.utf8))
    }

    private func texts(_ actions: [RelayAction]) -> [String] {
        actions.lines.filter { $0.hasPrefix("PRIVMSG") }.map { String($0.dropFirst("PRIVMSG ".count)) }
    }

    @Test func whatIsTooOldBecomesOneLineBeforeWhatIsNew() throws {
        var machine = try machine(#","catch_up":{"max_age":60}"#)
        let first = machine.deliver(event(1, at: 1000, "a"), now: 100)
        let second = machine.deliver(event(2, at: 1039, "b"), now: 100)
        #expect((first, second.acks, texts(second)) == ([], [1], []))
        let third = machine.deliver(event(3, at: 1041, "c"), now: 100)
        #expect(texts(third) == ["#room :(2 messages from the time without connection left out)", "#room :<ann> c"])
        let settled = machine.received(Tables.line(":s PONG s :crowbar-1"), now: 100)
        #expect(settled.acks == [2, 3])
        // What came after the connection is said however late it comes.
        let late = machine.deliver(event(4, at: 1101, "d"), now: 500)
        #expect(texts(late) == ["#room :<ann> d"])
    }

    @Test func whatIsOverTheMostLinesBecomesOneLineAfterAWhile() throws {
        var machine = try machine(
            #","catch_up":{"max_lines":2}"#, links: [Tables.link(), Tables.link("other", "#two")])
        var said: [String] = []
        for i in Int64(1)...5 { said += texts(machine.deliver(event(i, at: 1050, "m\(i)"), now: 101)) }
        said += texts(machine.deliver(event(6, at: 1050, "x", channel: "other"), now: 101))
        #expect(said == ["#room :<ann> m1", "#room :<ann> m2", "#two :<ann> x"])
        #expect(machine.wake(now: 101) == 101 + OutboundBacklog.patience)
        let summed = machine.tick(now: 103)
        #expect(texts(summed) == ["#room :(3 messages from the time without connection left out)"])
        let live = machine.deliver(event(7, at: 1104, "new"), now: 104)
        #expect(texts(live) == ["#room :<ann> new"])
    }

    @Test func whatWaitedThroughALongTimeWithoutConnectionIsJudgedToo() throws {
        var machine = try machine(#","catch_up":{"max_age":60}"#)
        _ = machine.deliver(event(1, at: 1101, "a"), now: 101)
        _ = machine.deliver(event(2, at: 1190, "b"), now: 190)
        _ = machine.closed(reason: "x", random: 0, now: 190)
        _ = machine.tick(now: 200)
        connect(&machine, now: 200)
        // What was written before is written alone until it is confirmed.
        _ = machine.received(Tables.line(":s PONG s :crowbar-2"), now: 205)
        let summed = machine.tick(now: 210)
        #expect(texts(summed) == ["#room :(1 message from the time without connection left out)"])
        // Lost once more the summary is said again as it was.
        _ = machine.closed(reason: "x", random: 0, now: 500)
        _ = machine.tick(now: 510)
        _ = machine.connected(now: 510)
        _ = machine.received(Tables.line(":s 001 crow :Welcome"), now: 510)
        var again = machine.received(Tables.line(":crow!crow@host JOIN #room"), now: 510)
        // It waits for its turn behind JOIN, as a lost connection makes the bridge careful.
        again += machine.tick(now: 515)
        #expect(texts(again) == ["#room :(1 message from the time without connection left out)"])
    }

    @Test func withoutLimitsAllIsSaid() throws {
        var machine = try machine("")
        let old = machine.deliver(event(1, at: 1, "old"), now: 100)
        #expect(texts(old) == ["#room :<ann> old"])
    }
}
