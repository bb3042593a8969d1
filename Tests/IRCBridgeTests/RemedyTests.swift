import PluginWire
import Testing

@testable import IRCBridge

/// What the bridge does about refusals that are not final.
@Suite struct RemedyTests {
    private func joined(labels: Bool) throws -> Relay {
        let caps = ":batch echo-message labeled-response message-tags"
        let begin = labels ? [":s CAP * LS \(caps)", ":s CAP * ACK \(caps)"] : []
        return try Tables.machine(hearing: begin + [":s 001 crow :Welcome", ":crow!crow@host JOIN #room"])
    }

    private func speech(_ actions: [RelayAction]) -> [String] {
        actions.lines.filter { $0.contains("PRIVMSG ") || $0.contains("NOTICE ") }.map {
            $0.hasPrefix("@") ? String($0.drop { $0 != " " }.dropFirst()) : $0
        }
    }

    private func rejection(_ actions: [RelayAction]) -> String? {
        actions.lazy.compactMap { if case .plugin(.reject(_, _, let message, true)) = $0 { message } else { nil } }
            .first
    }

    /// The server answers what was said last: by this refusal, or by taking it.
    private func answer(
        _ machine: inout Relay, _ said: [RelayAction], _ refusal: String?, now: Instant
    ) -> [RelayAction] {
        var actions: [RelayAction] = []
        for line in said.lines {
            if line.hasPrefix("@label=") {
                let label = line.prefix { $0 != " " }
                let words = line.drop { $0 != " " }.dropFirst()
                actions += hear(
                    &machine, "\(label) :" + (refusal.map { "s \($0)" } ?? "crow!crow@host \(words)"), now: now)
            } else if line.hasPrefix("PING :") {
                actions += hear(&machine, ":s PONG s :\(line.dropFirst(6))", now: now)
            } else if let refusal, line.hasPrefix("PRIVMSG") || line.hasPrefix("NOTICE") {
                _ = hear(&machine, ":s \(refusal)", now: now)
            }
        }
        return actions
    }

    @Test(arguments: [true, false]) func whatAChannelRefusesSoonAfterTheJoinIsSaidAgain(labels: Bool) throws {
        var machine = try joined(labels: labels)
        let refusal = "404 crow #room :Cannot send to channel"
        var said = machine.deliver(Tables.event(1, "one"), now: 1)
        let second = machine.deliver(Tables.event(2, "two"), now: 1)
        let first = answer(&machine, said, refusal, now: 1)
        _ = answer(&machine, second + first, refusal, now: 1)
        var now = try #require(machine.wake(now: 1))
        var tries = 0
        for _ in 0..<50 where tries < 2 {
            said = machine.tick(now: now)
            let words = speech(said)
            if !words.isEmpty {
                // One by one, in the old order.
                #expect(words == ["PRIVMSG #room :<Ann> one"])
                tries += 1
                #expect(answer(&machine, said, refusal, now: now).acks == [])
            }
            if tries < 2 { now = try #require(machine.wake(now: now)) }
        }
        #expect(tries == 2)
        // A third one waits behind them.
        #expect(speech(machine.deliver(Tables.event(3, "three"), now: now)) == [])
        // The client gets its voice.
        said = hear(&machine, ":ChanServ!s@services MODE #room +v crow", now: now)
        #expect(speech(said) == ["PRIVMSG #room :<Ann> one"])
        var acks: [Int64] = []
        var words: [String] = []
        for _ in 0..<20 {
            words += speech(said)
            said = answer(&machine, said, nil, now: now)
            acks += said.acks
        }
        #expect(acks == [1, 2, 3])
        #expect(words.count == 3)
    }

    @Test(arguments: [true, false]) func whatAChannelGoesOnRefusingIsADeadLetterInTheEnd(labels: Bool) throws {
        var machine = try joined(labels: labels)
        var now = 1.0
        var actions = machine.deliver(Tables.event(1), now: now)
        var tries = 0
        for _ in 0..<50 {
            if !speech(actions).isEmpty { tries += 1 }
            actions = answer(&machine, actions, "404 crow #room :Cannot send to channel (+m)", now: now)
            if let reason = rejection(actions) {
                #expect(reason == "Cannot send to channel (+m)")
                #expect((Settling.patience...Settling.patience + 1).contains(now))
                #expect(tries < 10)
                return
            }
            now = try #require(machine.wake(now: now))
            actions = machine.tick(now: now)
        }
        Issue.record("it was never given up")
    }

    @Test func onlyTheRefusedLinesOfAMessageAreSaidAgain() throws {
        var machine = try joined(labels: true)
        let said = machine.deliver(Tables.event(1, "a\nb\nc"), now: 1)
        #expect(said.lines.count == 3)
        _ = hear(&machine, "@label=1 :s 404 crow #room :You must wait 6 seconds after joining", now: 1)
        _ = hear(&machine, "@label=2 :s 404 crow #room :You must wait 6 seconds after joining", now: 1)
        _ = hear(&machine, "@label=3 :crow!crow@host PRIVMSG #room :<Ann> c", now: 1)
        #expect(machine.tick(now: 6).lines == [])
        let again = machine.tick(now: 6.5)
        #expect(speech(again) == ["PRIVMSG #room :<Ann> a", "PRIVMSG #room :<Ann> b"])
        #expect(answer(&machine, again, nil, now: 7).acks == [1])
    }

    @Test(arguments: [
        ("404 crow #room :Can't send colors to channel (+c is set)", "**bold** x", nil, "PRIVMSG #room :<Ann> bold x"),
        ("404 crow #room :Color is not permitted in this channel", "`a` b", nil, "PRIVMSG #room :<Ann> a b"),
        ("408 crow #room :You cannot use that", "*a* b", nil, "PRIVMSG #room :<Ann> a b"),
        ("404 crow #room :Can't send NOTICE to channel (+T is set)", "a", "notice", "PRIVMSG #room :<Ann> a"),
        ("404 crow #room :NOTICEs are not permitted in this channel", "a", "notice", "PRIVMSG #room :<Ann> a"),
        // Solanum names no cause.
        ("404 crow #room :Cannot send to nick/channel", "**a**", "notice", "PRIVMSG #room :<Ann> a"),
    ])
    func whatIsRefusedForItsFormIsSaidInAnother(refusal: String, text: String, kind: String?, again: String) throws {
        for labels in [true, false] {
            var machine = try joined(labels: labels)
            let now = 100.0
            _ = hear(&machine, ":s PING x", now: now)
            let said = machine.deliver(Tables.event(1, text, kind: kind), now: now)
            let second = answer(&machine, said, refusal, now: now)
            #expect(speech(second) == [again])
            #expect(rejection(second) == nil)
            // What is refused in this form too is final.
            var refused = machine
            #expect(rejection(answer(&refused, second, refusal, now: now)) != nil)
            #expect(answer(&machine, second, nil, now: now).acks == [1])
        }
    }

    @Test func aTimeThatIsNamedIsWaitedForAlsoLaterButNotForEver() throws {
        var machine = try joined(labels: true)
        _ = hear(&machine, ":s PING x", now: 100)
        let said = machine.deliver(Tables.event(1), now: 100)
        let held = answer(&machine, said, "439 crow #room :Target change too fast. Please wait 20 seconds.", now: 100)
        #expect(rejection(held) == nil && speech(held) == [])
        let again = machine.tick(now: 120.5)
        #expect(speech(again).count == 1)
        #expect(answer(&machine, again, nil, now: 121).acks == [1])
        let next = machine.deliver(Tables.event(2), now: 121)
        let refused = answer(&machine, next, "439 crow #room :Please wait 4000 seconds.", now: 121)
        #expect(rejection(refused) == "Please wait 4000 seconds.")
    }

    @Test func aNickThatIsRefusedBecauseItIsReservedIsGotAround() throws {
        var registration = Registration(try Tables.network(), nonce: "")
        _ = registration.begin()
        var steps: [Registration.Step] = []
        for tries in 1...Registration.maxNicks {
            steps = registration.take(Tables.line(":s 432 * crow :Reserved for services"))
            if tries == 1 { #expect(steps == [.send("NICK crow_")]) }
        }
        guard case .failed(let reason, true)? = steps.first else {
            Issue.record("not final: \(steps)")
            return
        }
        #expect(reason.contains("(Reserved for services); set another 'nick'"))
    }

    @Test func aReservedNickIsNotAskedForEachMinute() throws {
        var machine = try Tables.machine(
            hearing: [":s 432 * crow :Reserved", ":s 001 crow_ :Welcome", ":crow_!c@h JOIN #room"])
        #expect(machine.tick(now: 60).lines.contains("NICK crow"))
        _ = hear(&machine, ":s 432 crow_ crow :Reserved", now: 61)
        #expect(!machine.tick(now: 121).lines.contains("NICK crow"))
        _ = hear(&machine, ":s PING x", now: 60 + NickKeeper.refusedInterval)
        #expect(machine.tick(now: 61 + NickKeeper.refusedInterval).lines.contains("NICK crow"))
    }
}
