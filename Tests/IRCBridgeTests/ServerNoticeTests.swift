import PluginWire
import Testing

@testable import IRCBridge

/// What servers say in a NOTICE while a message is unconfirmed that has nothing else to confirm it than a PONG.
@Suite struct ServerNoticeTests {
    private func joined() throws -> Relay {
        var machine = try Tables.machine(hearing: [":irc.example.org 001 crow :Welcome"])
        _ = machine.received(Tables.line(":crow!crow@host JOIN #room"), now: -100)
        machine.connection.lastHeard = 0
        return machine
    }

    /// Lets a server answer a message with a line and then with the PONG.
    private func answered(_ machine: inout Relay, _ line: String, now: Instant = 0) -> [RelayAction] {
        let said = machine.deliver(Tables.event(1), now: now)
        var actions = machine.received(Tables.line(line), now: now)
        for line in said.lines where line.hasPrefix("PING :") {
            actions += machine.received(Tables.line(":irc.example.org PONG x :\(line.dropFirst(6))"), now: now)
        }
        return actions
    }

    private func rejection(_ actions: [RelayAction]) -> String? {
        actions.lazy.compactMap { if case .plugin(.reject(_, _, let message, true)) = $0 { message } else { nil } }
            .first
    }

    private func warnings(_ actions: [RelayAction]) -> [String] {
        actions.compactMap { if case .plugin(.log("warning", let message, _)) = $0 { message } else { nil } }
    }

    @Test(arguments: [
        "*** PRIVMSG command not processed as you have been blocked from issuing commands.",
        "*** This line is too similar to one of your last lines.",
        "This room is in followers-only mode. Follow x to join the community!",
        "You are permanently banned from talking in x.",
        "Your message wasn't posted due to conflicts with the channel's moderation settings.",
        "This room is in subscribers only mode. To talk, purchase a channel subscription.",
        "This room is in emote-only mode.", "Message to #room blocked: spam", "Your message to #room was rejected",
        "You must be identified to a registered account to speak here", "You are shunned",
        "Spam detected, message discarded.", "Cannot send to channel: you are muted",
        "Your message was not sent because it is identical to the previous one you sent, less than 30 seconds ago.",
        "#room: not permitted.", "Your message to #room was blocked: no spam here",
    ])
    func aRefusalInWordsIsADeadLetterWithThem(words: String) throws {
        var machine = try joined()
        let actions = answered(&machine, ":irc.example.org NOTICE crow :\(words)")
        #expect(actions.acks == [], "\(words)")
        #expect(rejection(actions) == words)
        #expect(warnings(actions).filter { $0.contains("may not have been delivered") } == [])
    }

    @Test(arguments: [
        "*** Message to #room throttled due to flooding", "Too many lines, please slow down",
        "You are sending messages too quickly", "Your message was not sent: rate limited",
        "This room is in slow mode and you are sending messages too quickly. You will be able to talk in 3 seconds.",
        "You cannot send messages to channels until you've been connected for 20 seconds or more.",
    ])
    func whatIsOnlyTooFastIsSaidAgain(words: String) throws {
        var machine = try joined()
        var actions = answered(&machine, ":irc.example.org NOTICE crow :\(words)")
        #expect(actions.acks == [] && rejection(actions) == nil, "\(words)")
        #expect(actions.lines.filter { $0.hasPrefix("PRIVMSG") } == [])
        var now = 0.0
        while !actions.lines.contains(where: { $0.hasPrefix("PRIVMSG") }) {
            now = try #require(machine.wake(now: now))
            actions = machine.tick(now: now)
        }
        #expect((3.0...21).contains(now), "\(words)")
        #expect(actions.lines.first == "PRIVMSG #room :<Ann> hello")
        while !actions.lines.contains(where: { $0.hasPrefix("PING :crowbar") }) {
            now = try #require(machine.wake(now: now))
            actions = machine.tick(now: now)
        }
        let token = try #require(actions.lines.last).dropFirst(6)
        #expect(machine.received(Tables.line(":irc.example.org PONG x :\(token)"), now: now).acks == [1])
    }

    @Test(arguments: [
        "*** Global -- We throttled new connections because of a flood, sorry.",
        "*** Looking up your hostname...", "*** Found your hostname", "*** Checking Ident", "*** No Ident response",
        "*** Notice -- Possible flooder eve[e@host] on irc.example.org: your message", "Welcome, no spam here",
        "*** CONNECT: Client connecting on port 6667: eve!e@host", "*** CLIENT: too many connections",
        "[Global Notice] Your server cannot be reached at 12:00", "Highest connection count: 12 (11 clients)",
        "*** bob invited eve into the channel", "*** Your host is irc.example.org",
    ])
    func whatHasNothingToDoWithItChangesNothing(words: String) throws {
        var machine = try joined()
        let actions = answered(&machine, ":irc.example.org NOTICE crow :\(words)")
        #expect(actions.acks == [1], "\(words)")
        #expect(warnings(actions) == [])
        #expect(machine.health?.message == "connected to irc.example.org as crow")
    }

    @Test(arguments: [
        ":ChanServ!s@services. NOTICE crow :You are banned, your message was blocked",
        ":ChanServ NOTICE crow :Your message was blocked", ":bob!b@host NOTICE crow :your line was dropped",
        ":irc.example.org NOTICE eve :Your message was blocked",
    ])
    func onlyTheServersWordToTheClientCounts(line: String) throws {
        var machine = try joined()
        let actions = answered(&machine, line)
        #expect(actions.acks == [1], "\(line)")
        #expect(warnings(actions) == [])
    }

    @Test func unknownWordsAreToldAsADoubtOnceAndForgottenLater() throws {
        var machine = try joined()
        let words = "The owls are not what they seem: 12"
        let actions = answered(&machine, ":irc.example.org NOTICE crow :\(words)")
        #expect(actions.acks == [1])
        let told =
            "after a message to #room the server said “\(words)”; the message may not have been delivered"
        #expect(warnings(actions) == ["net: " + told])
        #expect(machine.health == .init(level: .ok, message: "connected to irc.example.org as crow; " + told))
        // The same in other numbers is not logged again.
        let again = answered(&machine, ":irc.example.org NOTICE crow :The owls are not what they seem: 13", now: 1)
        #expect(warnings(again) == [])
        #expect(machine.health?.message.contains("seem: 13") == true)
        _ = machine.received(Tables.line(":irc.example.org PING x"), now: 602)
        _ = machine.tick(now: 602)
        #expect(machine.health?.message == "connected to irc.example.org as crow")
        // Without anything unconfirmed it is no doubt.
        let idle = machine.received(Tables.line(":irc.example.org NOTICE crow :Other words"), now: 603)
        #expect(warnings(idle) == [])
    }
}
