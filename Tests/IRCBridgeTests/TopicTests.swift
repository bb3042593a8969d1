import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// Topics, kicks and invitations.
@Suite struct TopicTests {
    private func joined(links: [LinkConfig]? = nil) throws -> Relay {
        let links = try links ?? [Tables.link()]
        var machine = try Tables.machine(links: links)
        _ = machine.received(Tables.line(":s 001 crow :Welcome"), now: 0)
        for link in links { _ = machine.received(Tables.line(":crow!crow@host JOIN \(link.target)"), now: 0) }
        return machine
    }

    private func topic(_ delivery: Int64, _ text: String) -> HostMessage.EventDelivery {
        let json = #"{"type":"CHANNEL_TOPIC_SET","userId":"ann","channelId":"general","topic":"\#(text)"}"#
        return HostMessage.EventDelivery(
            queue: "net", delivery: delivery, position: delivery, event: Array(json.utf8))
    }

    @Test func aTopicOfIRCIsSetInTheChatByWhoSetIt() throws {
        var machine = try joined()
        let set = machine.received(Tables.line("@msgid=m1 :Bob!b@h TOPIC #room :\u{2}all\u{2} about it"), now: 0)
        #expect(
            set.commands.map { $0.split(separator: ",")[0] } == [
                #"{"type":"REGISTER_USER""#, #"{"type":"JOIN_CHANNEL""#, #"{"type":"SET_TOPIC""#,
            ])
        #expect(set.commands.last?.hasSuffix(#""channelId":"general","topic":"all about it"}"#) == true)
        let own = machine.received(Tables.line(":crow!crow@host TOPIC #room :mine"), now: 0)
        let told = machine.received(Tables.line(":s 332 crow #room :as it was"), now: 0)
        let byServer = machine.received(Tables.line(":irc.example.org TOPIC #room :by a server"), now: 0)
        #expect((own, told, byServer) == ([], [], []))
    }

    /// Where lines have labels, a topic under the bridge's nick without one is of another session of its account.
    @Test func aTopicOfAnotherSessionIsSetInTheChat() throws {
        var machine = try DraftNetwork.machine()
        let said = machine.deliver(DraftNetwork.event(1, "CHANNEL_TOPIC_SET", [("topic", "ours")]), now: 0)
        let line = try #require(said.lines.first { $0.contains("TOPIC") })
        let label = line.prefix { $0 != " " }
        let own = machine.received(Tables.line("\(label) :crow!crow@host TOPIC #room :ours"), now: 0)
        #expect(try DraftNetwork.commands(own, "SET_TOPIC").isEmpty && own.acks == [1])
        let other = machine.received(Tables.line("@msgid=t2 :crow!crow@host TOPIC #room :theirs"), now: 0)
        let command = try #require(try DraftNetwork.commands(other, "SET_TOPIC").first)
        #expect(command.string("topic") == "theirs" && command.string("userId") == "irc/net/nick/crow")
    }

    @Test(
        "topics of the chat",
        arguments: [
            (#"news"#, ["TOPIC #room :news"]), (#"two\nlines\u0002"#, ["TOPIC #room :two lines"]),
            ("", ["TOPIC #room :"]), ("there already", []),
            (String(repeating: "x", count: 500), ["TOPIC #room :" + String(repeating: "x", count: 50)]),
        ])
    func topics(text: String, lines: [String]) throws {
        var machine = try joined()
        _ = machine.received(Tables.line(":s 005 crow TOPICLEN=50 :are supported"), now: 0)
        _ = machine.received(Tables.line(":s 332 crow #room :there already"), now: 0)
        let actions = machine.deliver(topic(1, text), now: 0)
        #expect(actions.lines.filter { $0.hasPrefix("TOPIC") } == lines)
        #expect(actions.acks == (lines.isEmpty ? [1] : []))
    }

    @Test func aTopicThatTheBridgeMayNotSetIsADeadLetterAndNoMessageIs() throws {
        var machine = try joined()
        _ = machine.deliver(Tables.event(1), now: 0)
        _ = machine.deliver(topic(2, "news"), now: 0)
        _ = machine.received(Tables.line(":s PONG s :crowbar-1"), now: 0)
        _ = machine.deliver(Tables.event(3), now: 0)
        _ = machine.received(Tables.line(":s 482 crow #room :You are not channel operator"), now: 0)
        var settled = machine.received(Tables.line(":s PONG s :crowbar-2"), now: 0)
        settled += machine.received(Tables.line(":s PONG s :crowbar-3"), now: 0)
        #expect(settled.acks == [3])
        let reject = PluginMessage.reject(
            delivery: 2, code: "channel_unavailable", message: "You are not channel operator", deadLetter: true)
        #expect(settled.contains(.plugin(reject)))
    }

    @Test func whoIsKickedAgainAndAgainStaysOut() throws {
        var machine = try joined()
        var now = 0.0
        for kick in 1...Membership.mostKicks {
            let kicked = machine.received(Tables.line(":op!o@h KICK #room crow :out"), now: now)
            #expect(kicked.health?.message.contains("it stays out") == (kick == Membership.mostKicks))
            now += 45
            let tried = machine.tick(now: now)
            #expect(tried.lines.contains("JOIN #room") == (kick < Membership.mostKicks))
            _ = machine.received(Tables.line(":crow!crow@host JOIN #room"), now: now)
        }
    }

    @Test(
        "what keeps the bridge out",
        arguments: [
            ("471", "the channel is full"), ("473", "it is invite only"), ("474", "banned"),
            ("475", "its key is missing or wrong"), ("477", "registered nicks only"),
        ])
    func refusals(numeric: String, reason: String) throws {
        var machine = try joined(links: [])
        machine.connection.memberships["#shut"] = Membership(name: "#shut", key: nil)
        machine.connection.memberships["#shut"]?.asked(now: 0)
        let refused = machine.received(Tables.line(":s \(numeric) crow #shut :words"), now: 0)
        let health = try #require(refused.health)
        #expect(health.level == .degraded)
        #expect(health.message.contains(reason) && health.message.contains("(words)"))
        let invited = machine.received(Tables.line(":op!o@h INVITE crow #shut"), now: 1)
        #expect(invited.lines == ["JOIN #shut"])
        let elsewhere = machine.received(Tables.line(":op!o@h INVITE crow #unknown"), now: 1)
        #expect(elsewhere.lines == [])
    }
}
