import PluginWire
import Testing

@testable import IRCBridge

/// Channels on IRC that do not hold up one another.
@Suite struct FairnessTests {
    private func joined(_ links: [LinkConfig], shut: Set<String>, limited: Bool = false) throws -> Relay {
        var machine = try Tables.machine(links: links)
        _ = hear(&machine, ":s 001 crow :Welcome")
        for link in links {
            let answer = shut.contains(link.target) ? ":s 474 crow \(link.target) :No" : ":crow!c@h JOIN \(link.target)"
            _ = hear(&machine, answer)
        }
        if limited { machine.connection.bucket = FloodBucket(burst: 5, rate: 1, now: 0) }
        return machine
    }

    /// Answers each fence at once, until nothing more is asked.
    private func answer(
        _ machine: inout Relay, _ actions: [RelayAction], now: Instant = 0
    ) -> [RelayAction] {
        var all = actions
        var last = actions
        while let ping = last.lines.last(where: { $0.hasPrefix("PING :crowbar") }) {
            last = hear(&machine, ":s PONG s :" + ping.dropFirst("PING :".count), now: now)
            all += last
        }
        return all
    }

    private func rejects(_ actions: [RelayAction]) -> [Int64] {
        actions.compactMap { if case .plugin(.reject(let delivery, _, _, _)) = $0 { delivery } else { nil } }
    }

    private func said(_ actions: [RelayAction]) -> [String] { actions.lines.filter { $0.hasPrefix("PRIVMSG") } }

    @Test func aBusyChannelLeavesRoomForAQuietOne() throws {
        let links = [try Tables.link("busy", "#busy"), try Tables.link("quiet", "#quiet")]
        var machine = try joined(links, shut: [], limited: true)
        // The host fills the window in the order of the log.
        #expect(machine.queue.window == 1024)
        var actions: [RelayAction] = []
        for i in Int64(1)...300 { actions += machine.deliver(Tables.event(i, "b\(i)", channel: "busy"), now: 0) }
        actions += machine.deliver(Tables.event(301, "q", channel: "quiet"), now: 0)
        var (now, isHeard) = (0.0, false)
        while now < 10, !isHeard {
            actions = answer(&machine, actions, now: now)
            isHeard = said(actions).contains("PRIVMSG #quiet :<Ann> q")
            now = try #require(machine.wake(now: now))
            actions = machine.tick(now: now)
        }
        #expect(isHeard && now < 5)
    }

    @Test func whatWaitsForARefusedChannelTakesNoRoom() throws {
        let links = [try Tables.link("open", "#open"), try Tables.link("shut", "#shut")]
        var machine = try joined(links, shut: ["#shut"])
        var windows: [Int64] = []
        for i in Int64(1)...600 { windows += machine.deliver(Tables.event(i, channel: "shut"), now: 1).windows }
        #expect(windows == [1024 + 256, 1024 + 512])
        let other = machine.deliver(Tables.event(601, channel: "open"), now: 1)
        #expect(answer(&machine, other, now: 1).acks == [601])
        let back = hear(&machine, ":crow!c@h JOIN #shut", now: 5)
        #expect(back.windows == [1024])
        var all = answer(&machine, back, now: 5)
        #expect(all.acks == Array(1...600))
        // The oldest are given up where it is too many.
        machine = try joined(links, shut: ["#shut"])
        all = []
        for i in Int64(1)...Int64(Relay.mostBlocked + 3) {
            all += machine.deliver(Tables.event(i, channel: "shut"), now: 1)
        }
        #expect(rejects(all) == [1, 2, 3])
        #expect(machine.connection.outbound.count == Relay.mostBlocked)
    }

    @Test func theChannelsOfOneMessageAreSettledOneByOne() throws {
        let links = [try Tables.link("general", "#a"), try Tables.link("general", "#b")]
        var machine = try joined(links, shut: ["#b"])
        var actions: [RelayAction] = []
        for i in Int64(1)...3 { actions += answer(&machine, machine.deliver(Tables.event(i, "m\(i)"), now: 0)) }
        #expect(said(actions) == (1...3).map { "PRIVMSG #a :<Ann> m\($0)" })
        #expect(actions.acks.isEmpty)
        // It opens: what waited is said there, in order, and nothing twice.
        var open = machine
        actions = answer(&open, hear(&open, ":crow!c@h JOIN #b", now: 9), now: 9)
        #expect(said(actions) == (1...3).map { "PRIVMSG #b :<Ann> m\($0)" })
        #expect(actions.acks == [1, 2, 3])
        // It stays shut: the messages are said all the same, and the operator is told once.
        for at in [5.0, 15, 35, 75, 155, 300] {
            _ = hear(&machine, ":s PONG s :alive", now: at)
            _ = machine.tick(now: at)
            actions = hear(&machine, ":s 474 crow #b :No", now: at)
        }
        #expect(rejects(actions).isEmpty)
        #expect(actions.acks == [1, 2, 3])
        let told = actions.filter { if case .plugin(.log("warning", _, _)) = $0 { true } else { false } }
        #expect(told.count == 1)
        actions = answer(&machine, machine.deliver(Tables.event(4), now: 301), now: 301)
        #expect(actions.acks == [4] && actions.lines.count == 2)
    }

    @Test func aMessageThatReachesNoneOfItsChannelsIsADeadLetter() throws {
        let links = [try Tables.link("general", "#a"), try Tables.link("general", "#b")]
        var machine = try joined(links, shut: ["#b"])
        for at in [5.0, 15, 35, 75, 155, 300] {
            _ = hear(&machine, ":s PONG s :alive", now: at)
            _ = machine.tick(now: at)
            _ = hear(&machine, ":s 474 crow #b :No", now: at)
        }
        let said = machine.deliver(Tables.event(1), now: 301)
        _ = hear(&machine, ":s 404 crow #a :Cannot send", now: 301)
        #expect(rejects(answer(&machine, said, now: 301)) == [1])
    }

    @Test func aLostConnectionBringsBackOnlyWhatIsLeft() throws {
        let links = [try Tables.link("general", "#a"), try Tables.link("general", "#b")]
        var machine = try joined(links, shut: ["#b"])
        _ = answer(&machine, machine.deliver(Tables.event(1, "m1"), now: 0))
        _ = machine.deliver(Tables.event(2, "m2"), now: 0)
        _ = machine.closed(reason: "lost", random: 1, now: 1)
        _ = machine.connected(now: 2)
        _ = hear(&machine, ":s 001 crow :Welcome", now: 2)
        var actions = hear(&machine, ":crow!c@h JOIN #a", now: 2) + hear(&machine, ":crow!c@h JOIN #b", now: 2)
        actions = answer(&machine, actions, now: 2)
        #expect(
            said(actions) == ["PRIVMSG #a :<Ann> m2", "PRIVMSG #b :<Ann> m1", "PRIVMSG #b :<Ann> m2"])
        #expect(actions.acks == [1, 2])
    }

    @Test func theHostIsToldOfWorkWhateverIsSettled() throws {
        let links = [try Tables.link("open", "#open"), try Tables.link("shut", "#shut")]
        var machine = try joined(links, shut: ["#shut"])
        _ = machine.deliver(Tables.event(1, channel: "shut"), now: 0)
        var told: [Instant] = []
        for now in stride(from: 5.0, through: 60, by: 5) {
            let tick = machine.tick(now: now)
            if tick.contains(where: { if case .plugin(.working) = $0 { true } else { false } }) { told.append(now) }
            let said = machine.deliver(Tables.event(Int64(now), channel: "open"), now: now)
            #expect(answer(&machine, said, now: now).acks == [Int64(now)])
        }
        #expect(told == [20, 40, 60])
    }

    @Test func noMoreBytesAreWrittenThanAServerKeeps() throws {
        var machine = try joined([try Tables.link()], shut: [])
        machine.connection.bucket = FloodBucket(burst: 1000, rate: 1000, now: 0)
        let long = String(repeating: "x", count: 400)
        var actions: [RelayAction] = []
        for i in Int64(1)...100 { actions += machine.deliver(Tables.event(i, long), now: 0) }
        let written = actions.lines.reduce(0) { $0 + $1.utf8.count + 2 }
        #expect(written < 8192)
        #expect(answer(&machine, actions, now: 0).acks == Array(1...100))
    }
}
