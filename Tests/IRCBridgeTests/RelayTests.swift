import PluginWire
import Testing

@testable import IRCBridge

@Suite struct RelayTests {
    private static let ownMask = "crow!crow@host"

    private func machine(_ more: String = "", links: [LinkConfig]? = nil) throws -> Relay {
        Relay(config: try Tables.network(more), links: try links ?? [Tables.link()], plugin: "irc")
    }

    /// A machine that has registered and joined at the time 0.
    private func joined(_ more: String = "", links: [LinkConfig]? = nil) throws -> Relay {
        var machine = try machine(more, links: links)
        _ = machine.start(now: 0)
        _ = machine.connected(now: 0)
        _ = hear(&machine, ":s 001 crow :Welcome")
        for link in try links ?? [Tables.link()] { _ = hear(&machine, ":\(Self.ownMask) JOIN \(link.target)") }
        return machine
    }

    /// Answers the last PING among some actions.
    private func answer(
        _ machine: inout Relay, _ actions: [RelayAction], now: Instant = 0
    ) -> [RelayAction] {
        guard let ping = actions.lines.last(where: { $0.hasPrefix("PING :crowbar") }) else { return [] }
        return hear(&machine, ":s PONG s :" + ping.dropFirst("PING :".count), now: now)
    }

    @Test func theWindowOpensOnceTheChannelsHaveAnswered() throws {
        let links = [try Tables.link(), try Tables.link("other", "#shut")]
        var machine = try machine(links: links)
        #expect(machine.queue.window == 0)
        let actions1 = machine.start(now: 0)
        #expect(actions1.contains(.connect))
        let actions2 = machine.connected(now: 0)
        #expect(actions2.lines.count == 3)
        let registered = hear(&machine, ":s 001 crow :Welcome")
        #expect(registered.lines == ["JOIN #room,#shut"])
        #expect(registered.windows.isEmpty)
        let actions3 = hear(&machine, ":\(Self.ownMask) JOIN #room")
        #expect(actions3.windows.isEmpty)
        let refused = hear(&machine, ":s 474 crow #shut :Cannot join channel (+b)")
        #expect(refused.windows == [1024])
        #expect(refused.health?.level == .degraded)
        #expect(
            refused.health?.message.contains("#shut: the bridge is banned there (Cannot join channel (+b))") == true)
    }

    @Test func aChannelThatDoesNotAnswerHoldsNothingBackForLong() throws {
        var machine = try machine()
        _ = machine.start(now: 0)
        _ = machine.connected(now: 0)
        _ = hear(&machine, ":s 001 crow :Welcome")
        #expect(machine.wake(now: 0) == Relay.joinLimit)
        let actions4 = machine.tick(now: Relay.joinLimit)
        #expect(actions4.windows == [1024])
    }

    @Test func aDeliveryIsAckedOnlyByTheAnswerBehindIt() throws {
        var machine = try joined()
        let said = machine.deliver(Tables.event(1), now: 0)
        #expect(said.lines == ["PRIVMSG #room :<Ann> hello", "PING :crowbar-1"])
        #expect(said.acks.isEmpty)
        // What is said behind the fence is not confirmed by its answer, but by the next one's.
        let second = machine.deliver(Tables.event(2, "again"), now: 0)
        #expect(second.lines == ["PRIVMSG #room :<Ann> again"])
        let first = answer(&machine, said)
        #expect((first.acks, first.lines) == ([1], ["PING :crowbar-2"]))
        let actions5 = answer(&machine, first)
        #expect(actions5.acks == [2])
    }

    @Test func whatComesFromALinkGoesToTheOthersOfItsChannel() throws {
        var machine = try joined(links: [Tables.link(), Tables.link("general", "#second"), Tables.link("b", "#b")])
        let said = machine.deliver(Tables.event(1, origin: ("irc", "net/#room")), now: 0)
        #expect(said.lines.first == "PRIVMSG #second :<Ann> hello")
        #expect(!said.lines.contains { $0.contains("#room") })
        let foreign = machine.deliver(Tables.event(2, origin: ("other", "net/#room")), now: 0)
        #expect(foreign.lines.filter { $0.hasPrefix("PRIVMSG") }.count == 2)
    }

    @Test func whatHasNowhereToGoIsAckedAtOnce() throws {
        var machine = try joined(links: [Tables.link("general", "#room", .toChat)])
        let actions6 = machine.deliver(Tables.event(1), now: 0)
        #expect(actions6 == [.plugin(.ack(.one(1), state: nil))])
        let own = [try Tables.link()]
        var looped = try joined(links: own)
        let actions7 = looped.deliver(Tables.event(1, origin: ("irc", "net/#room")), now: 0)
        #expect(actions7.acks == [1])
    }

    @Test func aLostConnectionHoldsTheQueueAndSaysAllAgainInOrder() throws {
        var machine = try joined()
        for i in Int64(1)...3 { _ = machine.deliver(Tables.event(i, "m\(i)"), now: 0) }
        let lost = machine.closed(reason: "reset", random: 1, now: 5)
        #expect(lost.windows == [0])
        #expect(lost.health == NetworkHealth(level: .down, message: "reset; next try at 1970-01-01T00:00:06Z"))
        // Deliveries that were on their way come still.
        let actions8 = machine.deliver(Tables.event(4, "m4"), now: 5)
        #expect(actions8.isEmpty)
        #expect(machine.wake(now: 5) == 6)
        let actions9 = machine.tick(now: 6)
        #expect(actions9.contains(.connect))
        _ = machine.connected(now: 6)
        _ = hear(&machine, ":s 001 crow :Welcome", now: 6)
        let back = hear(&machine, ":\(Self.ownMask) JOIN #room", now: 6)
        #expect(back.windows == [1024])
        // What was written before is written alone until it is confirmed.
        var said = back
        for i in Int64(1)...3 {
            #expect(said.lines.first == "PRIVMSG #room :<Ann> m\(i)")
            #expect(said.lines.count == 2)
            said = answer(&machine, said)
            #expect(said.acks == [i])
        }
        #expect(said.lines.first == "PRIVMSG #room :<Ann> m4")
    }

    @Test func noMoreIsWrittenThanASlowServerConfirmsInTime() throws {
        var machine = try joined()
        var written: [String] = []
        var fence: [RelayAction] = []
        for i in Int64(1)...300 {
            let actions = machine.deliver(Tables.event(i, "m\(i)"), now: 0)
            written += actions.lines.filter { $0.hasPrefix("PRIVMSG") }
            if !actions.lines.filter({ $0.hasPrefix("PING") }).isEmpty { fence = actions }
        }
        #expect(written.count == FlowControl.mostLines)
        var rounds = 0
        while written.count < 300, rounds < 10 {
            fence = answer(&machine, fence)
            written += fence.lines.filter { $0.hasPrefix("PRIVMSG") }
            rounds += 1
        }
        #expect(written == (1...300).map { "PRIVMSG #room :<Ann> m\($0)" })
    }

    @Test func aFloodLimitSpreadsLinesAndFences() throws {
        var machine = try joined()
        machine.connection.bucket = FloodBucket(burst: 2, rate: 1, now: 0)
        var lines: [String] = []
        var acks: [Int64] = []
        // The server answers each fence at once.
        func play(_ actions: [RelayAction], _ now: Instant) {
            lines += actions.lines
            acks += actions.acks
            if !actions.isEmpty { play(answer(&machine, actions, now: now), now) }
        }
        for i in Int64(1)...4 { play(machine.deliver(Tables.event(i, "m\(i)"), now: 0), 0) }
        #expect(lines == ["PRIVMSG #room :<Ann> m1", "PING :crowbar-1"])
        var now: Instant = 0
        while now < 20, acks.count < 4 {
            now = try #require(machine.wake(now: now))
            play(machine.tick(now: now), now)
        }
        #expect(lines.filter { $0.hasPrefix("PRIVMSG") } == (1...4).map { "PRIVMSG #room :<Ann> m\($0)" })
        #expect(acks == [1, 2, 3, 4])
        // Two at once, then one a second.
        #expect(now == Double(lines.count - 2))
    }

    @Test func aSilentServerIsAskedAndThenGivenUp() throws {
        var machine = try joined()
        #expect(machine.wake(now: 0) == 60)
        let actions11 = machine.tick(now: 60)
        #expect(actions11.lines == ["PING :alive"])
        let actions12 = machine.tick(now: 61)
        #expect(actions12.isEmpty)
        #expect(machine.wake(now: 61) == 60 + DelayWatch.answerTime)
        let silent = machine.tick(now: 60 + DelayWatch.answerTime)
        #expect(silent.health?.level == .degraded && silent.lines.isEmpty)
        #expect(machine.wake(now: 71) == 120)
        let actions13 = machine.tick(now: 120)
        #expect(actions13 == [.close])
        let actions14 = machine.closed(reason: "closed", random: 0, now: 120)
        #expect(actions14.health?.message.hasPrefix("the server was") == true)
        var alive = try joined()
        _ = alive.tick(now: 60)
        _ = hear(&alive, ":s PONG s :alive", now: 61)
        let actions15 = alive.tick(now: 120)
        #expect(actions15.isEmpty)
        let actions16 = alive.tick(now: 121)
        #expect(actions16.lines == ["PING :alive"])
    }

    @Test func aServerThatIsNotReadIsNotSilent() throws {
        var machine = try joined()
        _ = machine.setListening(false, now: 10)
        let actions17 = machine.tick(now: 500)
        #expect(actions17.isEmpty)
        _ = machine.setListening(true, now: 500)
        let actions18 = machine.tick(now: 559)
        #expect(actions18.isEmpty)
        let actions19 = machine.tick(now: 560)
        #expect(actions19.lines == ["PING :alive"])
    }

    @Test func aKickIsFollowedByARejoinAndWhatWasUnconfirmedIsSaidAgain() throws {
        var machine = try joined()
        _ = machine.deliver(Tables.event(1), now: 0)
        let kicked = hear(&machine, ":op!o@h KICK #room crow :out", now: 1)
        #expect(kicked.health?.message.contains("#room: kicked by op: out") == true)
        let actions20 = machine.tick(now: 5.9)
        #expect(actions20.lines.isEmpty)
        let actions21 = machine.tick(now: 6)
        #expect(actions21.lines == ["JOIN #room"])
        let back = hear(&machine, ":\(Self.ownMask) JOIN #room", now: 6)
        #expect(back.lines.first == "PRIVMSG #room :<Ann> hello")
        #expect(back.health?.level == .ok)
    }

    @Test(arguments: ["404", "408", "415", "477"])
    func aMessageThatTheChannelDoesNotTakeIsADeadLetter(numeric: String) throws {
        var machine = try joined()
        let said = machine.deliver(Tables.event(1), now: 50)
        _ = hear(&machine, ":s \(numeric) crow #room :Cannot send to channel", now: 50)
        let settled = answer(&machine, said)
        let reject = PluginMessage.reject(
            delivery: 1, code: "channel_unavailable", message: "Cannot send to channel", deadLetter: true)
        #expect(settled.contains(.plugin(reject)))
        #expect(settled.acks.isEmpty)
    }

    @Test func theConfiguredNickIsRegained() throws {
        var machine = try machine()
        _ = machine.start(now: 0)
        _ = machine.connected(now: 0)
        _ = hear(&machine, ":s 433 * crow :Nickname is already in use")
        _ = hear(&machine, ":s 001 crow_ :Welcome")
        _ = hear(&machine, ":crow_!crow@host JOIN #room")
        let actions22 = machine.tick(now: 60)
        #expect(actions22.lines == ["PING :alive", "NICK crow"])
        let actions23 = hear(&machine, ":s 433 crow_ crow :Nickname is already in use", now: 60)
        #expect(actions23.isEmpty)
        let actions24 = machine.tick(now: 120)
        #expect(actions24.lines.contains("NICK crow"))
        _ = hear(&machine, ":crow_!crow@host NICK :crow", now: 120)
        #expect((machine.connection.nick, machine.connection.lines.mask) == ("crow", Self.ownMask))
        let actions25 = machine.tick(now: 181)
        #expect(!actions25.lines.contains("NICK crow"))
    }

    @Test func aServerThatRefusesForGoodIsTriedAgainAfterTenMinutes() throws {
        var machine = try machine()
        _ = machine.start(now: 0)
        _ = machine.connected(now: 0)
        let refused = hear(&machine, ":s 465 crow :You are banned")
        #expect(refused.suffix(2) == [.send("QUIT"), .close])
        let closed = machine.closed(reason: "closed", random: 1, now: 0)
        let told = "banned: You are banned; next try at 1970-01-01T00:10:00Z"
        #expect(closed.health == NetworkHealth(level: .down, message: told))
        #expect(machine.wake(now: 0) == 600)
    }

    @Test(
        "last words",
        arguments: [
            ("Closing Link: K-lined", "banned", true), ("You are banned from this server", "banned", true),
            ("Access denied: Bad password?", "the server wants a password, set server_password", true),
            (
                "Closing Link: Too many connections", "the server lets in no more from this address for now", true
            ),
        ])
    func lastWords(words: String, reason: String, isFinal: Bool) throws {
        var machine = try machine()
        _ = machine.start(now: 0)
        _ = machine.connected(now: 0)
        _ = hear(&machine, "ERROR :" + words)
        let closed = machine.closed(reason: "closed", random: 1, now: 0)
        let time = "1970-01-01T00:\(isFinal ? "10:00" : "00:01")Z"
        #expect(closed.health?.message == "\(reason): \(words); next try at \(time)")
    }

    @Test func aDrainFinishesAndQuits() throws {
        var machine = try joined()
        let said = machine.deliver(Tables.event(1), now: 0)
        let actions26 = machine.drain(deadline: 10, now: 1)
        #expect(actions26.isEmpty)
        let actions27 = machine.deliver(Tables.event(2), now: 1)
        #expect(actions27.isEmpty)
        let done = answer(&machine, said, now: 1)
        #expect(done.acks == [1])
        #expect(done.suffix(2) == [.send("QUIT :Crowbar is stopped"), .close])
        let actions28 = machine.closed(reason: "closed", random: 0, now: 1)
        #expect(actions28.contains(.drained))
        var idle = try self.machine()
        let actions29 = idle.drain(deadline: 10, now: 0)
        #expect(actions29 == [.drained])
    }

    @Test func aDrainDoesNotWaitForAnAnswerForEver() throws {
        var machine = try joined()
        _ = machine.deliver(Tables.event(1), now: 0)
        _ = machine.drain(deadline: 10, now: 0)
        let ends = try #require(machine.wake(now: 0))
        #expect(ends == ConnectionState.drainLimit)
        let actions30 = machine.tick(now: ends)
        #expect(actions30.contains(.close))
    }
}
