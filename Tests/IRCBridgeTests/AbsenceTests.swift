import PluginWire
import Testing

@testable import IRCBridge

/// Numerics that refuse messages and are not among the usual ones, and channels that the client turns out not to be in.
@Suite struct AbsenceTests {
    private static let caps = ":batch echo-message labeled-response message-tags"

    private func joined(labels: Bool = false) throws -> Relay {
        let begin = labels ? [":s CAP * LS \(Self.caps)", ":s CAP * ACK \(Self.caps)"] : []
        var machine = try Tables.machine(hearing: begin + [":s 001 crow :Welcome"])
        _ = machine.received(Tables.line(":crow!crow@host JOIN #room"), now: -100)
        machine.connection.lastHeard = 0
        return machine
    }

    private func rejections(_ actions: [RelayAction]) -> [String] {
        actions.compactMap { if case .plugin(.reject(_, _, let message, true)) = $0 { message } else { nil } }
    }

    private func topic(_ delivery: Int64, _ text: String) -> HostMessage.EventDelivery {
        let json = #"{"type":"CHANNEL_TOPIC_SET","userId":"ann","channelId":"general","topic":"\#(text)"}"#
        return HostMessage.EventDelivery(
            queue: "net", delivery: delivery, position: delivery, event: Array(json.utf8))
    }

    @Test(arguments: [
        ("936 crow #room damn :Your message to this channel contained a banned phrase (damn) and was blocked.", true),
        ("936 crow #room :Censored", true), ("926 crow #room :Channel is forbidden", true),
        ("972 crow #room :Cannot do that", true), ("799 crow #room :Message dropped", true),
        ("936 crow #other :Censored", false), ("710 crow #room eve!e@h :has asked for an invite.", false),
        ("728 crow #room q *!*@h op 1700000000", false), ("671 crow bob :is using a secure connection", false),
        ("900 crow crow!c@h acc :You are now logged in", false), ("742 crow :cannot", false),
    ])
    func numericsOfOtherClassesRefuseWhereTheyNameTheChannel(line: String, isRefused: Bool) throws {
        var machine = try joined()
        let said = machine.deliver(Tables.event(1), now: 0)
        let token = try #require(said.lines.last).dropFirst(6)
        _ = hear(&machine, ":s " + line)
        let ponged = hear(&machine, ":s PONG s :\(token)")
        #expect(ponged.acks == (isRefused ? [] : [1]), "\(line)")
        #expect(rejections(ponged).count == (isRefused ? 1 : 0), "\(line)")
    }

    private static let absent = [
        "442 crow #room :You're not on that channel", "403 crow #room :No such channel",
        "404 crow #room :Cannot send to channel (you are not in the channel)",
        "404 crow #room :No external channel messages (#room)",
        "404 crow #room :You cannot send external messages to this channel whilst the +n (noextmsg) mode is set.",
    ]

    @Test(arguments: absent, [true, false]) func aChannelThatTheClientIsNotInIsJoinedAgain(
        line: String, labels: Bool
    ) throws {
        var machine = try joined(labels: labels)
        _ = machine.deliver(Tables.event(1, "one"), now: 0)
        let refused = hear(&machine, (labels ? "@label=1 " : "") + ":s " + line)
        #expect(refused.acks == [] && rejections(refused) == [])
        #expect(refused.health?.level == .degraded)
        #expect(machine.health?.message.contains("not in #room: the server says that the bridge is not in it") == true)
        if !labels { _ = hear(&machine, ":s PONG s :crowbar-1") }
        let held = machine.deliver(Tables.event(2, "two"), now: 1)
        #expect(held.lines == [])
        let again = machine.tick(now: 5)
        #expect(again.lines.contains("JOIN #room"))
        var actions = hear(&machine, ":crow!crow@host JOIN #room", now: 5)
        var (acks, speech): ([Int64], [String]) = ([], [])
        while !actions.isEmpty {
            acks += actions.acks
            let lines = actions.lines
            actions = []
            for line in lines {
                if line.contains("PRIVMSG") { speech.append(String(WireLine.untagged(line))) }
                let label = line.prefix { $0 != " " }
                if line.hasPrefix("@label=") {
                    actions += hear(&machine, "\(label) :crow!crow@host \(WireLine.untagged(line))", now: 5)
                } else if line.hasPrefix("PING :") {
                    actions += hear(&machine, ":s PONG s :\(line.dropFirst(6))", now: 5)
                }
            }
        }
        #expect(acks == [1, 2])
        #expect(speech == ["PRIVMSG #room :<Ann> one", "PRIVMSG #room :<Ann> two"])
    }

    @Test func aChannelThatTakesTheClientAndThenDeniesItIsADeadLetterAfterTwoTries() throws {
        var machine = try joined()
        _ = machine.deliver(Tables.event(1), now: 0)
        var (now, all): (Instant, [RelayAction]) = (0, [])
        for _ in 0..<200 where rejections(all).isEmpty {
            var actions = machine.tick(now: now)
            if actions.lines.contains("JOIN #room") { actions += hear(&machine, ":crow!c@h JOIN #room", now: now) }
            if now == 0 || actions.lines.contains(where: { $0.hasPrefix("PRIVMSG") }) {
                actions += hear(&machine, ":s 442 crow #room :Not there", now: now)
            }
            for line in actions.lines where line.hasPrefix("PING :") {
                actions += hear(&machine, ":s PONG s :\(line.dropFirst(6))", now: now)
            }
            all += actions
            now = try #require(machine.wake(now: now))
        }
        #expect(rejections(all).first?.hasPrefix("it was written 2 times and not confirmed") == true)
    }

    @Test func a442ForATopicIsAnAbsenceToo() throws {
        var machine = try joined()
        _ = machine.deliver(topic(1, "news"), now: 0)
        let refused = hear(&machine, ":s 442 crow #room :Not there")
        #expect(rejections(refused) == [] && refused.health?.level == .degraded)
        // Where nothing was said to it there is no doubt that the client is in it.
        var idle = try joined()
        #expect(hear(&idle, ":s 442 crow #room :Not there") == [])
    }
}
