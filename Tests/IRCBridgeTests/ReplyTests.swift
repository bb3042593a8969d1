import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// Answers by the id of what they answer (`+draft/reply`), both ways.
@Suite struct ReplyTests {
    /// A machine whose channel has `a1` of bob, which is `brought` in the chat, and whose chat has `m1` of ann, which
    /// is `c1` on IRC.
    private func machine(
        caps: String = DraftNetwork.caps, supports: String = "CHANTYPES=#"
    ) throws -> (machine: Relay, brought: String) {
        var machine = try DraftNetwork.machine(caps: caps, supports: supports)
        let said = hear(&machine, "@msgid=a1 :bob!b@h PRIVMSG #room :a question")
        let brought = try #require(try DraftNetwork.commands(said, "SEND_MESSAGE").first?.string("messageId"))
        let origin = (plugin: "irc", ref: "net/#room")
        let event = DraftNetwork.event(
            1,
            [("userId", "irc/net/nick/bob"), ("userName", "bob"), ("message", "a question"), ("messageId", brought)],
            origin: origin)
        #expect(machine.deliver(event, now: 0).acks == [1])
        _ = machine.deliver(DraftNetwork.event(2, [("message", "hello"), ("messageId", "m1")]), now: 0)
        let echo = caps.contains("labeled") ? "@label=1;msgid=c1 :crow!crow@host PRIVMSG #room :<Ann> hello" : ""
        _ = hear(&machine, echo, ":s PONG s :crowbar-1")
        return (machine, brought)
    }

    @Test(arguments: [
        ("@+draft/reply=c1", true), ("@+reply=c1", true), ("@+draft/reply=a1", true), ("@+draft/reply=zz", false),
        ("@+draft/reply", false), ("@draft/reply=c1", false), ("@+draft/reply=c1\\s", false), ("@account=x", false),
    ])
    func anAnswerOnIRCIsOneInTheChat(tags: String, isKnown: Bool) throws {
        var (machine, brought) = try machine()
        let said = hear(&machine, "\(tags);msgid=a2 :eve!e@h PRIVMSG #room :an answer")
        let message = try #require(try DraftNetwork.commands(said, "SEND_MESSAGE").first)
        let wanted = isKnown ? (tags.hasSuffix("a1") ? brought : "m1") : nil
        #expect(message.string("replyTo") == wanted, "\(tags)")
        // And an answer to that one, at once.
        let again = hear(&machine, "@+draft/reply=a2 :bob!b@h PRIVMSG #room :thanks")
        let thanks = try DraftNetwork.commands(again, "SEND_MESSAGE").first
        #expect(thanks?.string("replyTo") == message.string("messageId"))
    }

    /// Ids are of one channel.
    @Test func anAnswerToAnotherChannelsMessageIsNone() throws {
        var (machine, _) = try machine()
        machine.connection.links.append(try Tables.link("general", "#hall"))
        let said = hear(&machine, "@+draft/reply=c1 :eve!e@h PRIVMSG #hall :an answer")
        let messages = try DraftNetwork.commands(said, "SEND_MESSAGE")
        #expect(messages.count == 1)
        #expect(messages.first?.string("replyTo") == nil)
    }

    @Test func anAnswerInTheChatIsOneOnIRC() throws {
        var (machine, brought) = try machine()
        let toBob = machine.deliver(DraftNetwork.event(3, [("message", "a\nb"), ("replyTo", brought)]), now: 0)
        #expect(
            toBob.lines == [
                "@label=2;+draft/reply=a1 BATCH +m draft/multiline #room", "@batch=m PRIVMSG #room :<Ann> a",
                "@batch=m PRIVMSG #room :b", "BATCH -m",
            ])
        let toAnn = machine.deliver(DraftNetwork.event(4, [("message", "x"), ("replyTo", "m1")]), now: 0)
        #expect(toAnn.lines == ["@label=3;+draft/reply=c1 PRIVMSG #room :<Ann> x"])
        let notice = machine.deliver(
            DraftNetwork.event(5, [("message", "x"), ("kind", "notice"), ("replyTo", "m1")]), now: 0)
        #expect(notice.lines == ["@label=4;+draft/reply=c1 NOTICE #room :<Ann> x"])
        // Refused as a NOTICE, it is said as a message and still an answer.
        let again = hear(&machine, "@label=4 :s 404 crow #room :Cannot send NOTICE to channel (+T)")
        #expect(again.lines == ["@label=5;+draft/reply=c1 PRIVMSG #room :<Ann> x"])
    }

    /// Only the first of several lines is an answer.
    @Test func ofSeveralLinesTheFirstAnswers() throws {
        var (machine, _) = try machine(caps: "batch echo-message labeled-response message-tags")
        let said = machine.deliver(DraftNetwork.event(3, [("message", "a\nb"), ("replyTo", "m1")]), now: 0)
        #expect(
            said.lines == [
                "@label=2;+draft/reply=c1 PRIVMSG #room :<Ann> a", "@label=3 PRIVMSG #room :<Ann> b",
            ])
    }

    /// Where the id is not known, or does not get through, the beginning of the message stands before the answer.
    @Test(arguments: [
        ("batch echo-message labeled-response message-tags", "CHANTYPES=#", "m1", "@label=2;+draft/reply=c1 "),
        ("batch echo-message labeled-response message-tags", "CLIENTTAGDENY=*", "m1", nil),
        ("batch echo-message labeled-response message-tags", "CLIENTTAGDENY=typing,draft/reply", "m1", nil),
        (
            "batch echo-message labeled-response message-tags", "CLIENTTAGDENY=*,-draft/reply", "m1",
            "@label=2;+draft/reply=c1 "
        ),
        (
            "batch echo-message labeled-response message-tags", "CLIENTTAGDENY=draft/react", "m1",
            "@label=2;+draft/reply=c1 "
        ),
        ("batch echo-message labeled-response", "CHANTYPES=#", "m1", nil), ("message-tags", "CHANTYPES=#", "m1", nil),
        ("batch echo-message labeled-response message-tags", "CHANTYPES=#", "m9", nil),
    ])
    func withoutTheIDTheMessageIsQuoted(caps: String, supports: String, message: String, tags: String?) throws {
        var (machine, _) = try machine(caps: caps, supports: supports)
        let said = machine.deliver(DraftNetwork.event(3, [("message", "yes"), ("replyTo", message)]), now: 0)
        let label = caps.contains("labeled") ? "@label=2 " : ""
        let quote = message == "m1" ? "(re Ann: “hello”) " : ""
        let line = tags.map { "\($0)PRIVMSG #room :<Ann> yes" } ?? "\(label)PRIVMSG #room :<Ann> \(quote)yes"
        #expect(said.lines.first == line, "\(caps) \(supports) \(message)")
    }

    @Test func aMessageIsAnsweredWithTheNewestThousand() throws {
        var map = MessageIDMap()
        for i in 0...MessageIDMap.most {
            map.insert(
                MessageIDMap.Record(
                    target: "#room", id: "i\(i)", source: .irc(author: "irc/net/nick/bob"),
                    messages: ["general": ["m\(i)"]]))
        }
        #expect(map.record("#room", "i0") == nil)
        #expect(map.records(of: "m0", in: "#room").isEmpty)
        #expect(map.record("#room", "i1")?.messages == ["general": ["m1"]])
        #expect(map.records(of: "m1000", in: "#room").map(\.id) == ["i1000"])
    }

    /// An id that is no word is not remembered: it could not be written.
    @Test(arguments: ["", "a b", ":a", "a\rb", String(repeating: "x", count: 201)])
    func whatIsNoIDIsNotRemembered(id: String) {
        var map = MessageIDMap()
        let source = MessageIDMap.Source.chat(speaker: nil)
        map.insert(MessageIDMap.Record(target: "#room", id: id, source: source, messages: ["general": ["m1"]]))
        #expect(map.record("#room", id) == nil)
    }

    /// The stored ones keep to their limit, the newest first, and nonsense is not read.
    @Test func whatIsStoredHasALimit() {
        var map = MessageIDMap()
        for i in 0..<MessageIDMap.most {
            let source: MessageIDMap.Source = i % 2 == 0 ? .irc(author: "irc/net/nick/bob") : .chat(speaker: "ann")
            map.insert(
                MessageIDMap.Record(
                    target: "#room", id: "id-of-a-message-\(i)", source: source, messages: ["general": ["m\(i)"]]))
        }
        let stored = map.stored(without: "irc/net/", room: 60_000)
        #expect(stored.reduce(0) { $0 + $1.utf8.count } < MessageIDMap.mostStoredBytes)
        #expect(stored.last == "> #room id-of-a-message-999 general m999 ann")
        #expect(stored.count > 250)
        #expect(map.stored(without: "irc/net/", room: 100).count == 2)
        #expect(map.stored(without: "irc/net/", room: -1) == [])
        var other = MessageIDMap()
        let nonsense = ["", "< ", "> #room x", "? #room x y z", "< #room x", "> #room a general"]
        other.restore(nonsense + stored, prefix: "irc/net/") { _, id, _ in
            ["general": ["m" + id.dropFirst(16)]]
        }
        #expect(other.stored(without: "irc/net/", room: 60_000) == stored)
    }

    /// What a refused command is said without.
    @Test func aCommandLosesAMember() throws {
        let json = #"{"type":"SEND_MESSAGE","message":"hi","replyTo":"m1","meta":{"replyTo":1}}"#
        let command = ChatCommand(kind: .message, json: Array(json.utf8), userID: "u", ref: "net/#room")
        let without = try #require(command.without("replyTo"))
        #expect(
            String(decoding: without.json, as: UTF8.self)
                == #"{"type":"SEND_MESSAGE","message":"hi","meta":{"replyTo":1}}"#)
        #expect(without.without("replyTo") == nil)
    }
}
