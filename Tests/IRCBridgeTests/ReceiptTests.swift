import PluginWire
import Testing

@testable import IRCBridge

/// Echoes with labels as receipts.
@Suite struct ReceiptTests {
    private static let caps = "batch echo-message labeled-response message-tags"

    private func joined(caps: String = caps) throws -> Relay {
        var machine = try Tables.machine()
        _ = hear(&machine, ":s CAP * LS :\(caps)")
        _ = hear(&machine, ":s CAP * ACK :\(caps)")
        _ = hear(&machine, ":s 001 crow :Welcome")
        // Long ago: soon after a JOIN refusals are not final.
        _ = hear(&machine, ":crow!crow@host JOIN #room", now: -100)
        machine.connection.lastHeard = 0
        return machine
    }

    @Test func anEchoSettlesItsMessage() throws {
        var machine = try joined()
        let said = machine.deliver(Tables.event(1), now: 0)
        #expect(said.lines == ["@label=1 PRIVMSG #room :<Ann> hello"])
        _ = machine.deliver(Tables.event(2, "a\\nb"), now: 0)
        let first = hear(&machine, "@label=1 :crow!crow@cloak PRIVMSG #room :<Ann> hello")
        #expect(first.acks == [1])
        #expect(first.commands == [])
        #expect(machine.connection.mask == "crow!crow@cloak")
        let second = hear(&machine, "@label=2 :crow!crow@cloak PRIVMSG #room :<Ann> a")
        #expect(second.acks == [2])
        let again = hear(&machine, "@label=2 :s ACK")
        #expect(again == [])
    }

    /// The reason of the message's rejection as a dead letter; nil where it is not rejected.
    private func rejection(_ actions: [RelayAction], _ delivery: Int64) -> String? {
        actions.lazy.compactMap { action in
            guard case .plugin(.reject(delivery, "channel_unavailable", let message, true)) = action else { return nil }
            return message
        }.first
    }

    @Test(arguments: [
        ("@label=1 :s ACK", "the server accepted the message and showed it to nobody"),
        ("@label=1 :s 404 crow #room :Cannot send to channel", "Cannot send to channel"),
        ("@label=1 :s 531 crow #room :You are muted", "You are muted"),
        ("@label=1 :s FAIL PRIVMSG NO_RIGHTS #room :No rights", "No rights"),
        ("@label=1 :s NOTICE crow :*** Message to #room blocked", "NOTICE and did not show the message"),
        ("@label=1 :s 936 crow #room word :Contained a banned phrase", "banned phrase"),
        ("@label=1 :s KICK #other crow :flood", "did not show"),
        ("@label=1 :eve!e@host PRIVMSG #room :<Ann> hello", "did not show"),
        ("@label=1 :s MODE #room +b crow", "did not show"),
    ])
    func whatIsNotTheOwnEchoConfirmsNothing(line: String, reason: String) throws {
        var machine = try joined()
        _ = machine.deliver(Tables.event(1), now: 0)
        let answered = hear(&machine, line)
        #expect(answered.acks == [])
        let rejected = try #require(rejection(answered, 1), "\(line)")
        #expect(rejected.contains(reason), "\(line)")
    }

    @Test func aBatchWithoutTheEchoConfirmsNothing() throws {
        var machine = try joined()
        _ = machine.deliver(Tables.event(1), now: 0)
        _ = hear(&machine, "@label=1 :s BATCH +a labeled-response")
        _ = hear(&machine, "@batch=a :s NOTICE crow :noted")
        let ended = hear(&machine, ":s BATCH -a")
        #expect(rejection(ended, 1) == ConnectionState.showedNobody)
    }

    @Test func aMessageThatWasAnsweredByAKickIsSaidAgainAfterTheNextJoin() throws {
        var machine = try joined()
        _ = machine.deliver(Tables.event(1), now: 0)
        let kicked = hear(&machine, "@label=1 :s KICK #room crow :flood")
        #expect(kicked.acks == [])
        #expect(rejection(kicked, 1) == nil)
        let again = machine.tick(now: 10)
        #expect(again.lines.contains("JOIN #room"))
        let back = hear(&machine, ":crow!crow@host JOIN #room", now: 10)
        // The kick was for flooding, so that it waits for its turn.
        let said = back + machine.tick(now: 12)
        #expect(said.lines.contains("@label=2 PRIVMSG #room :<Ann> hello"))
        let heard = hear(&machine, "@label=2 :crow!crow@host PRIVMSG #room :<Ann> hello", now: 12)
        #expect(heard.acks == [1])
    }

    @Test(arguments: [
        (":s 404 crow #room :Cannot send", true), (":s 439 crow #room :Target change", true),
        (":s 439 crow :Target change", true), (":s 531 crow #room :You are muted", true),
        (":s 412 crow :No text to send", true),
        (":s 461 crow PRIVMSG :Not enough parameters", true), (":s 401 crow #room :No such nick/channel", true),
        (":s FAIL PRIVMSG OVERLOADED :Busy", true), (":s NOTICE #room :Message dropped", true),
        (":s NOTICE crow :Your message was not sent", true),
        (":s 482 crow #room :You're not channel operator", false), (":s 437 crow #room :Cannot change nick", false),
        (":s 416 crow #room :Too many matches", false), (":s 263 crow WHO :Try again later", false),
        (":s 401 crow bob :No such nick", false), (":s 461 crow WHO :Not enough parameters", false),
        (":s NOTICE crow :Welcome, no spam here", false),
        (":bob!b@host NOTICE crow :you talk too fast", false),
    ])
    func withoutLabelsARefusalIsOfWhatWasSaid(line: String, isRefused: Bool) throws {
        var machine = try joined(caps: "server-time")
        let said = machine.deliver(Tables.event(1), now: 0)
        #expect(said.lines == ["PRIVMSG #room :<Ann> hello", "PING :crowbar-1"])
        _ = hear(&machine, line)
        let ponged = hear(&machine, ":s PONG s :crowbar-1")
        #expect(ponged.acks == (isRefused ? [] : [1]), "\(line)")
        #expect((rejection(ponged, 1) != nil) == isRefused, "\(line)")
    }

    @Test func aRefusalWhileNothingIsUnconfirmedIsNotOfTheNextMessage() throws {
        var machine = try joined(caps: "server-time")
        _ = hear(&machine, ":s 404 crow #room :Cannot send")
        _ = hear(&machine, ":s NOTICE crow :*** Message to #room throttled")
        _ = machine.deliver(Tables.event(1), now: 0)
        let ponged = hear(&machine, ":s PONG s :crowbar-1")
        #expect(ponged.acks == [1])
    }

    @Test func aMessageOfManyLinesIsSettledWithTheLastAnswer() throws {
        var machine = try joined()
        let text = Array(repeating: "x", count: 3).joined(separator: "\n")
        let said = machine.deliver(Tables.event(1, text), now: 0)
        #expect(said.lines.count == 3)
        let echo = ":crow!crow@host PRIVMSG #room :<Ann> x"
        let (third, first) = (hear(&machine, "@label=3 " + echo), hear(&machine, "@label=1 " + echo))
        let begun = hear(&machine, "@label=2 :s BATCH +1 labeled-response")
        _ = hear(&machine, "@batch=1 :crow!crow@host PRIVMSG #room :<Ann> x")
        let second = hear(&machine, ":s BATCH -1")
        #expect((third.acks, first.acks, begun.acks, second.acks) == ([], [], [], [1]))
    }

    @Test func anAnswerOfManyLinesIsKnownAtItsEnd() throws {
        var machine = try joined()
        _ = machine.deliver(Tables.event(1), now: 0)
        _ = machine.deliver(Tables.event(2), now: 0)
        for line in ["@label=1 :s BATCH +a labeled-response", "@batch=a :s 404 crow #room :Not now"] {
            let actions = hear(&machine, line)
            #expect(actions.isEmpty, "\(line)")
        }
        let refused = hear(&machine, ":s BATCH -a")
        let reject = PluginMessage.reject(
            delivery: 1, code: "channel_unavailable", message: "Not now", deadLetter: true)
        #expect(refused.first == .plugin(reject))
        let other = hear(&machine, "@label=2 :crow!crow@host PRIVMSG #room :<Ann> hello")
        #expect(other.acks == [2])
    }

    @Test func anUnansweredLabelMakesNoBusyLoop() throws {
        var machine = try joined()
        machine.connection.bucket = FloodBucket(burst: 1, rate: 1, now: 10)
        // One is written and never answered; one waits for a channel that is not there.
        machine.connection.links.append(try Tables.link("shut", "#shut"))
        _ = machine.deliver(Tables.event(1), now: 10)
        _ = machine.deliver(Tables.event(2, channel: "shut"), now: 10)
        var now: Instant = 10
        var pings: [Instant] = []
        var wakes = 0
        while now < 40 {
            let next = try #require(machine.wake(now: now))
            #expect(next > now)
            now = next
            wakes += 1
            if machine.tick(now: now).lines.contains(where: { $0.hasPrefix("PING :crowbar") }) { pings.append(now) }
        }
        #expect(pings == [15])
        #expect(wakes < 10)
    }

    @Test func aRefusalIsOfItsMessageAlone() throws {
        var machine = try joined()
        _ = machine.deliver(Tables.event(1), now: 0)
        _ = machine.deliver(Tables.event(2), now: 0)
        let refused = hear(&machine, "@label=1 :s 404 crow #room :Cannot send to channel")
        let reject = PluginMessage.reject(
            delivery: 1, code: "channel_unavailable", message: "Cannot send to channel", deadLetter: true)
        #expect(refused.first == .plugin(reject))
        let taken = hear(&machine, "@label=2 :crow!crow@host PRIVMSG #room :<Ann> hello")
        #expect(taken.acks == [2])
    }

    @Test func aLabelThatIsNotAnsweredBeforeALaterPingIsNotConfirmed() throws {
        var machine = try joined()
        _ = machine.deliver(Tables.event(1), now: 10)
        #expect(machine.wake(now: 10) == 10 + ConnectionState.receiptLimit)
        let asked = machine.tick(now: 15)
        #expect(asked.lines == ["PING :crowbar-1"])
        let settled = hear(&machine, ":s PONG s :crowbar-1", now: 15)
        #expect(settled.acks == [])
        #expect(rejection(settled, 1)?.contains("showed it to nobody") == true)
    }

    @Test func whatALostConnectionDidNotAnswerIsSaidAgainUnderNewLabels() throws {
        var machine = try joined()
        _ = machine.deliver(Tables.event(1), now: 0)
        _ = machine.closed(reason: "reset", random: 1, now: 0)
        _ = machine.tick(now: 1)
        _ = machine.connected(now: 1)
        _ = hear(&machine, ":s CAP * LS :\(Self.caps)", now: 1)
        _ = hear(&machine, ":s CAP * ACK :\(Self.caps)", now: 1)
        _ = hear(&machine, ":s 001 crow :Welcome", now: 1)
        let back = hear(&machine, ":crow!crow@host JOIN #room", now: 1)
        #expect(back.lines == ["@label=2 PRIVMSG #room :<Ann> hello"])
        let stale = hear(&machine, "@label=1 :crow!crow@host PRIVMSG #room :<Ann> hello", now: 1)
        #expect(stale.acks == [])
    }

    @Test(arguments: [
        ("echo-message batch", "batch echo-message"), ("labeled-response batch", "batch"),
        ("echo-message labeled-response", "echo-message"),
        // A bouncer shows echoes of its own.
        ("echo-message batch labeled-response znc.in/batch", "batch"), ("echo-message batch soju.im/read", "batch"),
    ])
    func anEchoIsAskedForAlsoWithoutLabels(offered: String, asked: String) throws {
        var machine = try Tables.machine()
        let lines = hear(&machine, ":s CAP * LS :\(offered)").lines
        #expect(lines == ["CAP REQ :" + asked])
    }

    @Test func capabilitiesMayComeAndGo() throws {
        var machine = try joined(caps: "server-time")
        let fenced = machine.deliver(Tables.event(1), now: 0)
        #expect(fenced.lines == ["PRIVMSG #room :<Ann> hello", "PING :crowbar-1"])
        let some = hear(&machine, ":s CAP crow NEW :echo-message batch=x sasl=PLAIN")
        #expect(some.lines == ["CAP REQ :batch echo-message"])
        let rest = hear(&machine, ":s CAP crow NEW :labeled-response message-tags away-notify")
        #expect(rest.lines == ["CAP REQ :batch echo-message labeled-response message-tags"])
        _ = hear(&machine, ":s CAP crow ACK :batch echo-message labeled-response message-tags")
        let labelled = machine.deliver(Tables.event(2), now: 0)
        #expect(labelled.lines == ["@label=1 PRIVMSG #room :<Ann> hello"])
        let ponged = hear(&machine, ":s PONG s :crowbar-1")
        #expect(ponged.acks == [1])
        _ = hear(&machine, ":s CAP crow DEL :labeled-response")
        let again = machine.deliver(Tables.event(3), now: 0)
        #expect(again.lines == ["PRIVMSG #room :<Ann> hello"])
        let echoed = hear(&machine, ":crow!crow@host PRIVMSG #room :<Ann> hello")
        #expect(echoed.acks == [3])
        let fence = try #require(machine.tick(now: ConnectionState.receiptLimit).lines.last)
        #expect(fence.hasPrefix("PING :"))
        let all = hear(&machine, ":s PONG s :" + fence.dropFirst(6))
        #expect(all.acks == [2])
    }
}
