import PluginWire
import Testing

@testable import IRCBridge

/// What the operator is told of a network, and what is logged.
@Suite struct HealthTests {
    private func joined(_ more: String = "") throws -> Relay {
        try Tables.machine(more, hearing: [":s 001 crow :Welcome", ":crow!crow@host JOIN #room"])
    }

    /// What is logged, each as `LEVEL MESSAGE`.
    private func logs(_ actions: [RelayAction]) -> [String] {
        actions.compactMap { action in
            guard case .plugin(.log(let level, let message, _)) = action else { return nil }
            return "\(level) \(message)"
        }
    }

    @Test func theReasonOfOneConnectionIsNotThatOfTheNext() throws {
        var machine = try joined()
        _ = hear(&machine, "ERROR :Server going down")
        let first = machine.closed(reason: "closed", random: 1, now: 1)
        let reason = "the server closed the link: Server going down"
        #expect(first.health?.message == "\(reason); next try at 1970-01-01T00:00:02Z")
        _ = machine.tick(now: 2)
        let second = machine.closed(reason: "Connection refused", random: 1, now: 2)
        #expect(second.health?.message == "Connection refused; next try at 1970-01-01T00:00:04Z")
    }

    @Test func whatIsFinalIsSoOnlyForTheConnectionThatEndedByIt() throws {
        let more = #","sasl":{"account":"a","password":"b"}"#
        var machine = Relay(config: try Tables.network(more), links: [try Tables.link()], plugin: "irc")
        _ = machine.start(now: 0)
        _ = machine.connected(nonce: "n", now: 0)
        for line in [":s CAP * LS :sasl", ":s CAP * ACK :sasl", ":s 904 * :failed"] { _ = hear(&machine, line) }
        let first = machine.closed(reason: "closed", random: 1, now: 0)
        #expect(first.health?.message.hasSuffix("next try at 1970-01-01T00:10:00Z") == true)
        let fixed = machine.reconfigure(try Tables.network(), links: [try Tables.link()], now: 1)
        #expect(fixed.contains(.connect))
        let second = machine.closed(reason: "Connection refused", random: 1, now: 1)
        #expect(second.health?.message == "Connection refused; next try at 1970-01-01T00:00:02Z")
    }

    @Test func aChannelThatTakesNothingIsToldUntilItDoes() throws {
        var machine = try joined()
        #expect(machine.health?.level == .ok)
        for delivery in [Int64(1), 2] {
            let said = machine.deliver(Tables.event(delivery), now: 50)
            _ = hear(&machine, ":s 404 crow #room :Cannot send to channel (+m)", now: 50)
            let token = try #require(said.lines.last { $0.hasPrefix("PING") }).dropFirst(5)
            let told = hear(&machine, ":s PONG s \(token)")
            let reason = "messages refused in #room: Cannot send to channel (+m)"
            #expect(machine.health == .init(level: .degraded, message: "connected as crow; \(reason)"))
            #expect(logs(told) == (delivery == 1 ? ["warning net: \(reason)"] : []))
        }
        let said = machine.deliver(Tables.event(3), now: 1)
        let token = try #require(said.lines.last { $0.hasPrefix("PING") }).dropFirst(5)
        let told = hear(&machine, ":s PONG s \(token)", now: 1)
        #expect(told.acks == [3] && told.health?.level == .ok)
    }

    /// The message is done with the last of its channels; each of them is told by itself.
    @Test(arguments: ["#room", "#two"]) func ofTwoChannelsTheOneThatTakesItIsNotTold(refusing: String) throws {
        var machine = try joined()
        machine.connection.links.append(try Tables.link("general", "#two"))
        _ = machine.reconfigure(try Tables.network(), links: machine.connection.links, now: 0)
        _ = hear(&machine, ":crow!crow@host JOIN #two")
        for (delivery, isRefused) in [(Int64(1), true), (2, false)] {
            var lines = machine.deliver(Tables.event(delivery), now: 0).lines
            if isRefused { _ = hear(&machine, ":s 404 crow \(refusing) :No", now: 50) }
            // One by one where a channel has refused something.
            while let line = lines.popLast() {
                guard line.hasPrefix("PING") else { continue }
                lines += hear(&machine, ":s PONG s \(line.dropFirst(5))").lines
            }
            let refused = "connected as crow; messages refused in \(refusing): No"
            let told = isRefused ? refused : "connected to irc.example.org as crow"
            #expect(machine.health?.message == told)
        }
    }

    /// The text is cut where it is long, so what may be a mistake in the configuration is behind what is wrong now.
    @Test func aChannelThatTheChatDoesNotHaveStandsBehindWhatIsWrongNow() throws {
        var machine = try joined()
        _ = machine.chatChannel("general", isThere: false)
        let kicked = hear(&machine, ":op!o@h KICK #room crow :out")
        let message = try #require(kicked.health?.message)
        let (refused, missing) = (message.firstRange(of: "not in #room"), message.firstRange(of: "the chat has no"))
        #expect(try #require(refused).lowerBound < #require(missing).lowerBound, "\(message)")
    }

    @Test func aChannelThatTheChatDoesNotHaveIsToldUntilItHas() throws {
        var machine = try joined()
        let missing = machine.chatChannel("general", isThere: false)
        #expect(missing.health?.message == "connected as crow; the chat has no channel general")
        let again = machine.chatChannel("general", isThere: false)
        #expect(again == [])
        let json = #"{"type":"CHANNEL_CREATED","userId":"ann","channelId":"general"}"#
        let event = HostMessage.EventDelivery(queue: "net", delivery: 7, position: 7, event: Array(json.utf8))
        let made = machine.deliver(event, now: 0)
        #expect(made.health?.level == .ok)
        // Of one that is linked no more nothing is told.
        _ = machine.chatChannel("other", isThere: false)
        #expect(machine.health?.level == .ok)
    }

    @Test func whatChangesIsLoggedOnce() throws {
        var machine = Relay(config: try Tables.network(), links: [try Tables.link()], plugin: "irc")
        var told: [String] = []
        for now in [Instant(0), 10, 20] {
            _ = machine.start(now: now)
            told += logs(machine.closed(reason: "Connection refused", random: 0, now: now))
        }
        _ = machine.start(now: 30)
        _ = machine.connected(now: 30)
        told += logs(hear(&machine, ":s 001 crow :Welcome", now: 30))
        for _ in 0..<2 { told += logs(hear(&machine, ":s 473 crow #room :+i", now: 30)) }
        told += logs(hear(&machine, ":crow!crow@host JOIN #room", now: 31))
        told += logs(hear(&machine, ":op!o@h KICK #room crow :out", now: 32))
        told += logs(machine.closed(reason: "Connection reset", random: 0, now: 33))
        #expect(
            told == [
                "warning net: Connection refused", "info net: connected to irc.example.org as crow",
                "warning net: not in #room: it is invite only: have somebody invite the bridge (+i)",
                "warning net: not in #room: kicked by op: out", "warning net: Connection reset",
            ])
    }

    @Test(arguments: [
        ("2026-01-31T23:59:59.123Z", true), ("2026-01-31T23:59:59Z", true), ("2026-01-31T23:59:59.123456789Z", true),
        ("2026-01-31T23:59:59.Z", false), ("2026-01-31T23:59:59.123", false), ("2026-01-31 23:59:59.123Z", false),
        ("garbage", false), ("garbage \u{A}", false), ("", false), ("2026-01-31T23:59:59.12345678901Z", false),
    ])
    func onlyATimeIsATime(text: String, isTime: Bool) {
        #expect(MessageReference.isTime(text) == isTime)
    }
}
