import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// A network's machine that leads users' connections, and the machine of such a connection.
@Suite struct PuppetMachineTests {
    private static let ownMask = "crow!crow@host"

    private func joined(_ more: String = #","mode":"puppets""#, links: [LinkConfig]? = nil) throws -> Relay {
        let links = try links ?? [Tables.link()]
        var machine = try Tables.machine(more, links: links)
        _ = hear(&machine, ":s 001 crow :Welcome")
        _ = hear(&machine, ":s 005 crow NICKLEN=30 :are supported")
        for link in links { _ = hear(&machine, ":\(Self.ownMask) JOIN \(link.target)") }
        return machine
    }

    private func said(_ delivery: Int64, by user: String, _ text: String) -> HostMessage.EventDelivery {
        var json = JSONWriter()
        json.beginObject()
        json.member("type", "MESSAGE_SENT")
        json.member("userId", user)
        json.member("userName", user)
        json.member("channelId", "general")
        json.member("message", text)
        json.endObject()
        return HostMessage.EventDelivery(queue: "net", delivery: delivery, position: delivery, event: json.bytes)
    }

    /// What users' connections are given to say, as `SERIAL TEXT`.
    private func given(_ actions: [RelayAction]) -> [String] {
        actions.compactMap { action in
            guard case .puppet(let serial, .say(let entry, _)) = action else { return nil }
            return "\(serial) \(entry.message.saidText ?? "")"
        }
    }

    private func ack(_ machine: inout Relay, _ serial: Int, _ delivery: Int64) -> [RelayAction] {
        machine.puppetDid(serial, .confirmed([delivery]), now: 1)
    }

    @Test func oneConnectionAtATimeSpeaksInAChannel() throws {
        var machine = try joined()
        var actions = machine.deliver(said(1, by: "ann", "one"), now: 0)
        #expect(actions.lines.isEmpty)
        guard case .puppet(1, .open(let config))? = actions.last else {
            Issue.record("no connection: \(actions)")
            return
        }
        #expect(config.nick == "ann[c]")
        #expect(config.realname == "ann")
        _ = machine.deliver(said(2, by: "ann", "two"), now: 0)
        _ = machine.deliver(said(3, by: "bob", "three"), now: 0)
        _ = machine.deliver(said(4, by: "ann", "four"), now: 0)
        actions = machine.puppetDid(1, .nick("ann[c]"), now: 1)
        #expect(given(actions) == ["1 one", "1 two"])
        actions = machine.puppetDid(2, .nick("bob[c]"), now: 1)
        #expect(given(actions).isEmpty)
        actions = ack(&machine, 1, 1)
        #expect(actions.acks == [1])
        #expect(given(actions).isEmpty)
        actions = ack(&machine, 1, 2)
        #expect(given(actions) == ["2 three"])
        actions = ack(&machine, 2, 3)
        #expect(given(actions) == ["1 four"])
    }

    @Test func theBridgeAndAUserTakeTurnsToo() throws {
        var machine = try joined(#","mode":"puppets","puppets":{"limit":1}"#)
        _ = machine.deliver(said(1, by: "ann", "one"), now: 0)
        _ = machine.deliver(said(2, by: "bob", "two"), now: 0)
        _ = machine.deliver(said(3, by: "ann", "three"), now: 0)
        var actions = machine.puppetDid(1, .nick("ann[c]"), now: 1)
        #expect(given(actions) == ["1 one"])
        #expect(actions.lines.isEmpty)
        actions = ack(&machine, 1, 1)
        #expect(actions.lines == ["PRIVMSG #room :<bob> two", "PING :crowbar-1"])
        #expect(given(actions).isEmpty)
        actions = hear(&machine, ":s PONG s :crowbar-1", now: 1)
        #expect(actions.acks == [2])
        #expect(given(actions) == ["1 three"])
    }

    @Test func whatALostConnectionDidNotConfirmIsSaidInItsPlace() throws {
        var machine = try joined()
        for i in 1...3 { _ = machine.deliver(said(Int64(i), by: "ann", "m\(i)"), now: 0) }
        _ = machine.puppetDid(1, .nick("ann[c]"), now: 1)
        _ = ack(&machine, 1, 1)
        // Its connection is lost: another one is opened, and says the rest.
        let end = 1 + PuppetPool.steady
        var actions = machine.puppetDid(1, .lost("gone"), now: end)
        #expect(actions.contains { if case .puppet(2, .open) = $0 { true } else { false } })
        // That one cannot be had: the bridge says it.
        actions = machine.puppetDid(2, .lost("refused"), now: end)
        #expect(actions.lines.dropLast() == ["PRIVMSG #room :<ann> m2", "PRIVMSG #room :<ann> m3"])
        actions = machine.tick(now: end + PuppetLosses.patience)
        #expect(
            actions.contains { if case .plugin(.log("warning", _, _)) = $0 { true } else { false } })
    }

    @Test func aUsersConnectionThatDoesNotLastIsNotOpenedAgainAtOnce() throws {
        var machine = try joined()
        for i in 1...2 { _ = machine.deliver(said(Int64(i), by: "ann", "m\(i)"), now: 0) }
        _ = machine.puppetDid(1, .nick("ann[c]"), now: 1)
        let actions = machine.puppetDid(1, .lost("Killed"), now: 2)
        #expect(!actions.contains { if case .puppet(_, .open) = $0 { true } else { false } })
        #expect(actions.lines.dropLast() == ["PRIVMSG #room :<ann> m1", "PRIVMSG #room :<ann> m2"])
    }

    /// Seconds in which a server takes one line, and the whole message is longer than a connection's patience.
    @Test func aLongMessageTellsThatItGoesOn() throws {
        let more = #","max_lines":0,"flood":{"burst":1,"lines_per_second":0.5}"#
        let json = ##"{"name":"net","host":"h","tls":false,"nick":"crow"\##(more)}"##
        let config = try NetworkConfig(JSON(parsing: Array(json.utf8)), path: "").ofPuppet("ann", name: "ann")
        var puppet = Puppet(config: config, plugin: "irc")
        _ = puppet.start(now: 0)
        _ = puppet.connected(now: 0)
        _ = hear(&puppet, ":s 001 ann :Welcome")
        let text = (0..<100).map { "line \($0)" }.joined(separator: "\n")
        let message = ChatMessage(channel: "general", author: "ann", what: .text(text))
        let entry = OutboundQueue.Entry(delivery: 1, message: message, targets: ["#room"])
        var pending = puppet.say(entry, [try Tables.link()], now: 0)
        pending += hear(&puppet, ":ann!u@h JOIN #room")
        var now: Instant = 0
        var written = 0
        var told: [Instant] = []
        func take(_ actions: [PuppetAction]) -> [String] {
            if actions.contains(.working) { told.append(now) }
            written += actions.lines.count { $0.hasPrefix("PRIVMSG") }
            return actions.lines.filter { $0.hasPrefix("PING :") }.map { String($0.dropFirst(5)) }
        }
        var asked = take(pending)
        while written < 100, now < 1000 {
            if let token = asked.popLast() {
                asked += take(hear(&puppet, ":s PONG s :" + token.dropFirst(), now: now))
            } else {
                now = try #require(puppet.wake(now: now))
                asked += take(puppet.tick(now: now))
            }
        }
        #expect(written == 100)
        #expect(now > 2 * PuppetPool.stall)
        let gaps = zip(told, told.dropFirst() + [now]).map { $1 - $0 }
        #expect(gaps.allSatisfy { $0 < PuppetPool.stall / 2 }, "\(gaps)")
        // The server takes nothing any more: there is nothing to tell.
        let short = ChatMessage(channel: "general", author: "ann", what: .text("bye"))
        _ = puppet.say(
            OutboundQueue.Entry(delivery: 2, message: short, targets: ["#room"]), [try Tables.link()], now: now)
        for i in 1...2 { _ = puppet.tick(now: now + Double(i) * 21) }
        let silent = (3...5).flatMap { puppet.tick(now: now + Double($0) * 21) }
        #expect(!silent.contains(.working))
    }

    @Test func aUserWithANewNameKeepsTheirConnection() throws {
        var machine = try joined()
        _ = machine.deliver(said(1, by: "ann", "one"), now: 0)
        _ = machine.puppetDid(1, .nick("ann[c]"), now: 1)
        _ = ack(&machine, 1, 1)
        var renamed = said(2, by: "ann", "two")
        renamed.event = Array(
            String(decoding: renamed.event, as: UTF8.self).replacing(#""userName":"ann""#, with: #""userName":"Anna""#)
                .utf8)
        let actions = machine.deliver(renamed, now: 2)
        guard case .puppet(1, .reconfigure(let config, let links))? = actions.first else {
            Issue.record("no new name: \(actions)")
            return
        }
        for (caps, lines) in [("", ["NICK Anna[c]"]), ("setname", ["SETNAME :Anna", "NICK Anna[c]"])] {
            var puppet = try Tables.puppet("ann[c]", name: "ann")
            if !caps.isEmpty { for verb in ["LS", "ACK"] { _ = hear(&puppet, ":s CAP * \(verb) :\(caps)") } }
            _ = hear(&puppet, ":s 001 ann[c] :Welcome")
            let followed = puppet.reconfigure(config, links: links, now: 3)
            #expect(followed.lines == lines)
        }
        #expect(given(actions) == ["1 two"])
    }

    @Test func whatAChannelDoesNotTakeFromAUserTheBridgeSays() throws {
        var machine = try joined()
        for i in 1...3 { _ = machine.deliver(said(Int64(i), by: "ann", "m\(i)"), now: 0) }
        _ = machine.puppetDid(1, .nick("ann[c]"), now: 1)
        var lines: [String] = []
        for i: Int64 in [1, 2, 3] {
            lines += machine.puppetDid(1, .refused(i), now: 1).lines
        }
        #expect(lines.filter { $0.hasPrefix("PRIVMSG") } == (1...3).map { "PRIVMSG #room :<ann> m\($0)" })
    }

    @Test func nothingThatUsersConnectionsDoComesIntoTheChat() throws {
        var machine = try joined(#","mode":"puppets","presence":"full""#)
        _ = machine.deliver(said(1, by: "ann", "one"), now: 0)
        _ = machine.puppetDid(1, .nick("ann[c]"), now: 0)
        for line in [
            ":ann[c]!crow@host JOIN #room", ":s 353 crow = #room :crow ann[c]", ":s 366 crow #room :End",
            ":ann[c]!crow@host PRIVMSG #room :one", ":ann[c]!crow@host NICK anna[c]",
            ":anna{c}!crow@host PRIVMSG #room :two", ":op!o@h KICK #room anna[c] :out", ":anna[c]!crow@host QUIT :gone",
        ] {
            let actions = hear(&machine, line)
            #expect(actions.commands.isEmpty, "\(line)")
        }
        // Once it is gone the nick is anybody's.
        _ = machine.puppetDid(1, .lost("gone"), now: 1)
        let actions = hear(&machine, ":anna[c]!a@h PRIVMSG #room :hello")
        // They speak from outside, and so do not stay.
        #expect(actions.commands.filter { !$0.contains("LEAVE_CHANNEL") }.count == 3)
    }

    @Test func aHistoryDoesNotBringBackWhatUsersOfAnEarlierRunSaid() throws {
        var machine = Relay(
            config: try Tables.network(#","mode":"puppets""#), links: [try Tables.link()], plugin: "irc")
        let state = ##"{"last":{"#room":"msgid=1"},"puppets":["ann{c}"]}"##
        machine.restore(NetworkState(try JSON(parsing: Array(state.utf8))))
        _ = machine.start(now: 0)
        _ = machine.connected(now: 0)
        _ = hear(&machine, ":s CAP * LS :batch chathistory message-tags server-time")
        _ = hear(&machine, ":s CAP * ACK :batch chathistory message-tags server-time")
        _ = hear(&machine, ":s 001 crow :Welcome")
        let asked = hear(&machine, ":\(Self.ownMask) JOIN #room")
        #expect(asked.lines.contains { $0.hasPrefix("CHATHISTORY AFTER #room msgid=1") })
        _ = hear(&machine, ":s BATCH +h chathistory #room")
        let own = hear(&machine, "@batch=h;msgid=2 :ann[c]!u@h PRIVMSG #room :mine")
        #expect(own.commands.isEmpty)
        let other = hear(&machine, "@batch=h;msgid=3 :eve!u@h PRIVMSG #room :hers")
        #expect(other.commands.count == 3)
        #expect(NetworkState(machine.keptState.json).nicks.contains("ann{c}"))
    }

    @Test func namesAreTranslatedToUsersNicks() throws {
        var machine = try joined()
        _ = machine.deliver(said(1, by: "Ann", "hi"), now: 0)
        _ = machine.puppetDid(1, .nick("Ann[c]"), now: 0)
        let actions = hear(&machine, ":eve!u@h PRIVMSG #room :ann[c]: hello")
        #expect(actions.commands.last?.contains(#""message":"@Ann: hello""#) == true)
        _ = machine.deliver(said(2, by: "bob", "@ann there?"), now: 0)
        _ = machine.puppetDid(2, .nick("bob[c]"), now: 0)
        guard case .puppet(2, .say(let entry, _))? = ack(&machine, 1, 1).last else {
            Issue.record("bob says nothing")
            return
        }
        #expect(entry.message.nicks == ["ann": "Ann[c]"])
    }

    @Test func aUsersConnectionJoinsSpeaksAndLeaves() throws {
        let config = try Tables.network().ofPuppet("ann[c]", name: "ann")
        var puppet = Puppet(config: config, plugin: "irc")
        _ = puppet.start(now: 0)
        _ = puppet.connected(now: 0)
        #expect(hear(&puppet, ":s 001 ann[c] :Welcome").contains(.nick("ann[c]")))
        var message = ChatMessage(channel: "general", author: "ann", what: .action("waves at @Eve"))
        message.nicks = ["Eve": "eve"]
        let entry = OutboundQueue.Entry(delivery: 7, message: message, targets: ["#room"])
        #expect(puppet.say(entry, [try Tables.link()], now: 1).lines == ["JOIN #room"])
        let lines = hear(&puppet, ":ann[c]!u@h JOIN #room").lines
        #expect(lines == ["PRIVMSG #room :\u{1}ACTION waves at eve\u{1}", "PING :crowbar-1"])
        #expect(hear(&puppet, ":eve!u@h PRIVMSG #room :hi").isEmpty)
        #expect(
            hear(&puppet, ":eve!u@h PRIVMSG ann[c] :!help").lines.first?
                .hasPrefix("NOTICE eve :ann is on the other side of a bridge") == true)
        #expect(hear(&puppet, ":eve!u@h NOTICE ann[c] :hi").isEmpty)
        #expect(hear(&puppet, ":eve!u@h PRIVMSG ann[c] :\u{1}VERSION\u{1}").isEmpty)
        // Not for each of many.
        let answers = (0..<10).flatMap { _ in hear(&puppet, ":eve!u@h PRIVMSG ann[c] :hi").lines }
        #expect(answers.count == ConnectionState.directBurst - 1)
        #expect(hear(&puppet, ":s PONG s :crowbar-1").confirmed == [7])
        #expect(puppet.drain(deadline: 10, now: 2).lines == ["QUIT :Gone from the chat"])
        #expect(puppet.closed(reason: "bye", random: 0, now: 2).last == .left)
    }

    @Test func aUsersConnectionThatMayNotJoinSaysSoAtOnce() throws {
        var puppet = try Tables.puppet("ann")
        _ = hear(&puppet, ":s 001 ann :Welcome")
        let message = ChatMessage(channel: "general", author: "ann", what: .text("hi"))
        _ = puppet.say(
            OutboundQueue.Entry(delivery: 1, message: message, targets: ["#room"]), [try Tables.link()], now: 0)
        let actions = hear(&puppet, ":s 474 ann #room :Cannot join channel (+b)")
        #expect(actions.lines.isEmpty)
        #expect(actions.contains(.refused(1)))
        #expect(puppet.closed(reason: "lost", random: 0, now: 1) == [.lost("lost")])
    }

    @Test(arguments: [
        (Array(repeating: ":s 432 * ann :Erroneous nickname", count: Registration.maxNicks), true),
        (Array(repeating: ":s 433 * ann :In use", count: Registration.maxNicks), true),
        ([":s 465 ann :You are banned"], false), (["ERROR :Too many connections"], false),
    ])
    func aUsersConnectionTellsWhetherItIsForItsNick(lines: [String], isUnfit: Bool) throws {
        var puppet = try Tables.puppet("ann")
        for line in lines { _ = hear(&puppet, line) }
        let closed = puppet.closed(reason: "closed", random: 0, now: 1)
        switch closed.first {
        case .unfit: #expect(isUnfit)
        case .lost: #expect(!isUnfit)
        default: Issue.record("nothing is reported: \(closed)")
        }
    }

    @Test func eachChannelOfAMessageIsSaidAndConfirmedByItself() throws {
        let links = [try Tables.link(), try Tables.link("general", "#shut")]
        var machine = try Tables.machine(#","mode":"puppets""#, links: links)
        for line in [":s 001 crow :Welcome", ":\(Self.ownMask) JOIN #room", ":s 474 crow #shut :No"] {
            _ = hear(&machine, line)
        }
        for i in 1...2 { _ = machine.deliver(said(Int64(i), by: "ann", "m\(i)"), now: 0) }
        var actions = machine.puppetDid(1, .nick("ann[c]"), now: 1)
        #expect(given(actions) == ["1 m1", "1 m2"])
        // They go by numbers of their own.
        let numbers = actions.compactMap { action -> Int64? in
            guard case .puppet(_, .say(let entry, let links)) = action else { return nil }
            #expect(links.map(\.target) == ["#room"])
            return entry.delivery
        }
        #expect(Set(numbers).count == 2)
        for number in numbers { #expect(ack(&machine, 1, number).acks == []) }
        actions = hear(&machine, ":\(Self.ownMask) JOIN #shut", now: 2)
        #expect(given(actions) == ["1 m1", "1 m2"])
        var acks: [Int64] = []
        for action in actions {
            guard case .puppet(_, .say(let entry, _)) = action else { continue }
            acks += ack(&machine, 1, entry.delivery).acks
        }
        #expect(acks == [1, 2])
    }

    @Test func theStateHasRoomForTheNicksOfAll() throws {
        var state = NetworkState()
        // As many as users' connections may be, by their longest name.
        for i in 0..<2000 {
            let isNew = state.noteNick("nick-\(i)-" + String(repeating: "x", count: 200))
            #expect(isNew)
        }
        for i in 0..<NetworkState.mostChannels { state.note("#\(i)", String(repeating: "r", count: 150)) }
        state.members["general"] = (0..<2000).map { "nick/\($0)-" + String(repeating: "y", count: 30) }
        #expect(state.json.bytes.count < Wire.maxState)
        let kept = NetworkState(state.json)
        let isThere = (0..<2000).allSatisfy { kept.nicks.contains("nick-\($0)-" + String(repeating: "x", count: 200)) }
        #expect(isThere)
        #expect(kept.members["general"]?.isEmpty == false)
    }

    @Test func theTurnsAreTakenUnderAFloodLimitToo() throws {
        let more = #","mode":"puppets","puppets":{"limit":1},"flood":{"burst":3,"lines_per_second":1}"#
        let json = ##"{"name":"net","host":"h","tls":false,"nick":"crow"\##(more)}"##
        var machine = Relay(
            config: try NetworkConfig(JSON(parsing: Array(json.utf8)), path: ""), links: [try Tables.link()],
            plugin: "irc")
        _ = machine.start(now: 0)
        _ = machine.connected(now: 0)
        _ = hear(&machine, ":s 001 crow :Welcome")
        _ = hear(&machine, ":\(Self.ownMask) JOIN #room")
        _ = machine.deliver(said(1, by: "ann", "1"), now: 0)
        _ = machine.puppetDid(1, .nick("ann[c]"), now: 0)
        _ = ack(&machine, 1, 1)
        var pending: [RelayAction] = []
        for i in 2...9 { pending += machine.deliver(said(Int64(i), by: i % 2 == 0 ? "bob" : "ann", "\(i)"), now: 1) }
        // All is answered at once; only the limit and the turns take time.
        var now: Instant = 1
        var order: [String] = []
        for _ in 0..<200 where order.count < 8 {
            var next: [RelayAction] = []
            for action in pending {
                switch action {
                case .send(let line) where line.hasPrefix("PING :crowbar"):
                    next += hear(&machine, ":s PONG s " + line.dropFirst(5), now: now)
                case .send(let line) where line.hasPrefix("PRIVMSG"): order.append(String(line.suffix(1)))
                case .puppet(let serial, .say(let entry, _)):
                    order.append(entry.message.saidText ?? "")
                    next += machine.puppetDid(serial, .confirmed([entry.delivery]), now: now)
                default: break
                }
            }
            if next.isEmpty, let wake = machine.wake(now: now) {
                now = wake
                next = machine.tick(now: now)
            }
            pending = next
        }
        #expect(order == (2...9).map { "\($0)" })
        #expect(now < 12)
    }
}
