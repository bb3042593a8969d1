import PluginWire
import Testing

@testable import IRCBridge

/// Answers, deletions and messages of several lines with users' own connections.
@Suite struct DraftPuppetTests {
    /// A network's machine in which `ann` has the connection 1.
    private func network() throws -> Relay {
        var machine = try DraftNetwork.machine(#","mode":"puppets","puppets":{"limit":1}"#)
        _ = machine.deliver(DraftNetwork.event(1, [("message", "a\nb"), ("messageId", "m1")]), now: 0)
        let given = machine.puppetDid(1, .nick("Ann[c]"), now: 0)
        #expect(entries(given).map(\.message.id) == ["m1"])
        return machine
    }

    /// What the connection of a user is given.
    private func entries(_ actions: [RelayAction]) -> [OutboundQueue.Entry] {
        actions.compactMap { if case .puppet(1, .say(let entry, _)) = $0 { entry } else { nil } }
    }

    /// The machine of the connection, which is in the channel.
    private func puppet() throws -> Puppet {
        var puppet = try Tables.puppet("Ann[c]", name: "Ann")
        let names = DraftNetwork.caps.split(separator: " ").map { String($0.prefix { $0 != "=" }) }
        _ = hear(
            &puppet, ":s CAP * LS :\(DraftNetwork.caps)", ":s CAP * ACK :\(names.joined(separator: " "))",
            ":s 001 Ann[c] :Welcome")
        return puppet
    }

    /// The connection tells by which id the server shows a message, and whoever has said it deletes it.
    @Test func whoHasSaidAMessageDeletesIt() throws {
        var machine = try network()
        var puppet = try puppet()
        let entry = OutboundQueue.Entry(
            delivery: 7,
            message: try #require(
                ChatMessage(
                    event: DraftNetwork.event(
                        1,
                        [
                            ("message", "a\nb"), ("messageId", "m1"),
                        ]
                    ).event)), targets: ["#room"])
        _ = puppet.say(entry, [try Tables.link()], now: 0)
        let written = hear(&puppet, ":Ann[c]!u@h JOIN #room")
        #expect(
            written.lines == [
                "@label=1 BATCH +m draft/multiline #room", "@batch=m PRIVMSG #room :a", "@batch=m PRIVMSG #room :b",
                "BATCH -m",
            ])
        // Of the lines that the server shows the connection looks at none.
        let echo = hear(&puppet, "@label=1;msgid=c1 :Ann[c]!u@h BATCH +x draft/multiline #room", ":s BATCH -x")
        #expect(echo.confirmed == [7])
        let said = echo.compactMap { if case .said(let message, "#room", "c1") = $0 { message } else { nil } }
        let message = try #require(said.first)
        #expect(message.id == "m1")
        _ = machine.puppetDid(1, .said(message, target: "#room", id: "c1"), now: 0)
        _ = machine.puppetDid(1, .confirmed([1]), now: 0)
        // Bob, who deletes it, has no connection, and gets none for that.
        let deletion = DraftNetwork.event(
            2, "MESSAGE_DELETED", [("messageId", "m1"), ("userId", "bob"), ("userName", "Bob")])
        let given = entries(machine.deliver(deletion, now: 0))
        #expect(given.map(\.message.concerned) == [["#room": ["c1"]]])
        #expect(given.map(\.message.author) == ["Bob"])
        var next = try #require(given.first)
        next.delivery = 8
        #expect(puppet.say(next, [try Tables.link()], now: 0).lines == ["@label=2 REDACT #room c1"])
        #expect(hear(&puppet, "@label=2 :s ACK").confirmed == [8])
    }

    /// Once that connection is gone the bridge deletes, which only a server that lets operators do so accepts.
    @Test func withoutThatConnectionTheBridgeDeletes() throws {
        var machine = try network()
        let message = try #require(
            ChatMessage(event: DraftNetwork.event(1, [("message", "a\nb"), ("messageId", "m1")]).event))
        _ = machine.puppetDid(1, .said(message, target: "#room", id: "c1"), now: 0)
        _ = machine.puppetDid(1, .confirmed([1]), now: 0)
        _ = machine.puppetDid(1, .lost("gone"), now: 100)
        let deletion = DraftNetwork.event(2, "MESSAGE_DELETED", [("messageId", "m1")])
        let deleted = machine.deliver(deletion, now: 100)
        #expect(deleted.lines == ["@label=1 REDACT #room c1"])
        let refused = hear(&machine, "@label=1 :s FAIL REDACT REDACT_FORBIDDEN #room c1 :No", now: 100)
        #expect(refused.lines == ["@label=2 PRIVMSG #room :<Ann> (deleted a message)"])
    }

    /// A deletion right behind its message waits for the echo, which the connection alone has heard by then.
    @Test func aConnectionKnowsWhatItHasSaidItself() throws {
        var puppet = try puppet()
        let link = try Tables.link()
        for (delivery, event) in [
            DraftNetwork.event(1, [("message", "hi"), ("messageId", "m1")]),
            DraftNetwork.event(2, "MESSAGE_DELETED", [("messageId", "m1")]),
        ].enumerated() {
            let message = try #require(ChatMessage(event: event.event))
            let entry = OutboundQueue.Entry(delivery: Int64(delivery), message: message, targets: ["#room"])
            _ = puppet.say(entry, [link], now: 0)
        }
        #expect(hear(&puppet, ":Ann[c]!u@h JOIN #room").lines == ["@label=1 PRIVMSG #room :hi"])
        let echo = hear(&puppet, "@label=1;msgid=c1 :Ann[c]!u@h PRIVMSG #room :hi")
        #expect(echo.lines == ["@label=2 REDACT #room c1"])
    }
}
