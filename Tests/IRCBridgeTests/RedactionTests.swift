import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// Deletions (IRCv3 message-redaction), both ways.
@Suite struct RedactionTests {
    private func machine(
        caps: String = DraftNetwork.caps, _ more: String = "", links: [LinkConfig]? = nil, state: String? = nil
    ) throws -> Relay {
        try DraftNetwork.machine(caps: caps, more, links: links, state: state)
    }

    /// Says a message `m1` of the chat on IRC, which the server shows by these ids.
    private func say(_ machine: inout Relay, _ text: String = "hello", ids: String...) -> [RelayAction] {
        let said = machine.deliver(DraftNetwork.event(1, [("message", text), ("messageId", "m1")]), now: 0)
        let labelled = said.lines.filter { $0.hasPrefix("@label=") }
        var actions: [RelayAction] = []
        for (line, id) in zip(labelled, ids) {
            let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
            actions += machine.received(
                Tables.line("\(parts[0]);msgid=\(id) :crow!crow@host \(parts[1])"), now: 0)
        }
        return actions
    }

    private let deletion = DraftNetwork.event(2, "MESSAGE_DELETED", [("messageId", "m1")])

    @Test func aRedactionDeletesWhatTheBridgeBrought() throws {
        var machine = try machine()
        let said = hear(&machine, "@msgid=a1 :bob!b@h PRIVMSG #room :spam")
        let id = try #require(try DraftNetwork.commands(said, "SEND_MESSAGE").first?.string("messageId"))
        let deleted = hear(&machine, ":op!o@h REDACT #Room a1 :no spam")
        let commands = try DraftNetwork.commands(deleted, "DELETE_MESSAGE")
        #expect(try DraftNetwork.types(deleted) == ["DELETE_MESSAGE"])
        #expect(commands.first?.string("messageId") == id)
        #expect(commands.first?.string("userId") == "irc/net/nick/bob")
        #expect(commands.first?.string("channelId") == "general")
        // Once.
        #expect(hear(&machine, ":op!o@h REDACT #room a1").commands == [])
    }

    /// Whose author is gone is let join for it, and leaves again.
    @Test func theMessageOfSomebodyWhoIsGoneIsDeletedToo() throws {
        var machine = try machine()
        _ = hear(&machine, "@msgid=a1 :bob!b@h PRIVMSG #room :spam", ":op!o@h KICK #room bob :bye")
        let deleted = hear(&machine, ":op!o@h REDACT #room a1")
        #expect(try DraftNetwork.types(deleted) == ["JOIN_CHANNEL", "DELETE_MESSAGE", "LEAVE_CHANNEL"])
        var off = try self.machine(#","presence":"off""#)
        _ = hear(&off, "@msgid=a1 :bob!b@h PRIVMSG #room :spam", ":op!o@h KICK #room bob :bye")
        #expect(try DraftNetwork.types(hear(&off, ":op!o@h REDACT #room a1")) == ["DELETE_MESSAGE"])
    }

    /// Another session of the bridge's account deletes what somebody said on IRC, and what it said itself.
    @Test(arguments: [
        ("@msgid=a1 :bob!b@h PRIVMSG #room :spam", "irc/net/nick/bob"),
        ("@msgid=a1 :crow!crow@host PRIVMSG #room :typo", "irc/net/nick/crow"),
    ])
    func anotherSessionOfTheAccountDeletesToo(line: String, author: String) throws {
        var machine = try machine()
        let said = hear(&machine, line)
        let id = try #require(try DraftNetwork.commands(said, "SEND_MESSAGE").first?.string("messageId"))
        let deleted = hear(&machine, ":crow!crow@host REDACT #room a1")
        let command = try #require(try DraftNetwork.commands(deleted, "DELETE_MESSAGE").first)
        #expect(command.string("messageId") == id && command.string("userId") == author)
    }

    /// Who may delete is for the server to say, and only what the bridge brought is deleted.
    @Test(arguments: [
        (":op!o@h REDACT #room a2", true), (":op!o@h REDACT #other a1", true), (":op!o@h REDACT #room", true),
        (":op!o@h REDACT #room c1", true), (":op!o@h REDACT crow a1", true), (":crow!crow@host REDACT #room c1", true),
        ("@batch=p :op!o@h REDACT #room a1", true), (":bad!o@h REDACT #room a1", true),
        (":bob!b@h PRIVMSG #room :REDACT #room a1", true), (":op!o@h REDACT #room a1", false),
        ("@+draft/delete=a1 :op!o@h TAGMSG #room", true), ("REDACT #room a1", true),
    ])
    func nothingElseDeletes(line: String, isEnabled: Bool) throws {
        let caps = isEnabled ? DraftNetwork.caps : "batch echo-message labeled-response message-tags"
        var machine = try machine(caps: caps, #","ignore":["bad!*@*"]"#)
        _ = say(&machine, ids: "c1")
        _ = hear(&machine, "@msgid=a1 :bob!b@h PRIVMSG #room :spam", ":s BATCH +p playback #room")
        let deleted = hear(&machine, line)
        #expect(try DraftNetwork.commands(deleted, "DELETE_MESSAGE").isEmpty, "\(line)")
    }

    @Test func theServerItselfMayDelete() throws {
        var machine = try machine()
        _ = hear(&machine, "@msgid=a1 :bob!b@h PRIVMSG #room :spam")
        #expect(try DraftNetwork.types(hear(&machine, ":s REDACT #room a1")) == ["DELETE_MESSAGE"])
    }

    /// With the history that the bridge has asked for, and as long as that is on its way after it.
    @Test func aHistoryDeletesToo() throws {
        let caps = DraftNetwork.caps + " draft/chathistory"
        let state = ##"{"last":{"#room":"msgid=a0"},"messages":["< #room a0 nick/bob"]}"##
        var machine = try machine(caps: caps, state: state)
        #expect(hear(&machine, ":op!o@h REDACT #room a1").commands == [])
        let page = hear(
            &machine, "@label=h1 :s BATCH +h chathistory #room", "@batch=h;msgid=a1 :bob!b@h PRIVMSG #room :spam",
            "@batch=h :op!o@h REDACT #room a0", ":s BATCH -h")
        #expect(try DraftNetwork.types(page).filter { $0.hasSuffix("MESSAGE") } == ["SEND_MESSAGE", "DELETE_MESSAGE"])
        let end = hear(&machine, "@label=h2 :s BATCH +h chathistory #room", ":s BATCH -h")
        #expect(try DraftNetwork.types(end) == ["DELETE_MESSAGE"])
    }

    @Test func aDeletionInTheChatRedactsWhatTheBridgeSaid() throws {
        var machine = try machine()
        #expect(say(&machine, ids: "c1").acks == [1])
        let deleted = machine.deliver(deletion, now: 0)
        #expect(deleted.lines == ["@label=2 REDACT #room c1"])
        let done = hear(&machine, ":crow!crow@host REDACT #room c1", "@label=2 :s ACK")
        #expect(done.acks == [2])
        #expect(done.commands == [])
    }

    /// Each line of it, and what an edit has said.
    @Test func allLinesAreRedacted() throws {
        var machine = try machine(caps: "batch draft/message-redaction echo-message labeled-response message-tags")
        _ = say(&machine, "a\nb", ids: "c1", "c2")
        _ = machine.deliver(
            DraftNetwork.event(2, "MESSAGE_EDITED", [("message", "another text"), ("messageId", "m1")]), now: 0)
        _ = hear(&machine, "@label=3;msgid=c3 :crow!crow@host PRIVMSG #room :<Ann> (edit) another text")
        let deleted = machine.deliver(DraftNetwork.event(3, "MESSAGE_DELETED", [("messageId", "m1")]), now: 0)
        let lines = ["c1", "c2", "c3"].enumerated().map { "@label=\($0 + 4) REDACT #room \($1)" }
        #expect(deleted.lines == lines)
        #expect(hear(&machine, "@label=4 :s ACK", "@label=5 :s ACK").acks == [])
        #expect(hear(&machine, "@label=6 :crow!crow@host REDACT #room c3").acks == [3])
    }

    @Test(arguments: [
        "@label=2 :s FAIL REDACT REDACT_FORBIDDEN #room c1 :You are not authorised",
        "@label=2 :s FAIL REDACT UNKNOWN_MSGID #room c1 :It does not exist",
        "@label=2 :s FAIL REDACT REDACT_WINDOW_EXPIRED #room c1 60 :Too late",
        "@label=2 :s 421 crow REDACT :Unknown command",
    ])
    func whatTheServerDoesNotDeleteIsSaidToBeDeleted(line: String) throws {
        var machine = try machine()
        _ = say(&machine, ids: "c1")
        _ = machine.deliver(deletion, now: 0)
        let refused = hear(&machine, line)
        #expect(refused.acks == [])
        #expect(refused.lines == ["@label=3 PRIVMSG #room :<Ann> (deleted a message)"])
        let said = hear(&machine, "@label=3 :crow!crow@host PRIVMSG #room :<Ann> (deleted a message)")
        #expect(said.acks == [2])
    }

    /// A refusal without the label; the answer to the label comes with the next PONG.
    @Test func aRefusalWithoutALabelIsOfTheDeletionThatItNames() throws {
        var machine = try machine()
        _ = say(&machine, ids: "c1")
        _ = machine.deliver(deletion, now: 0)
        _ = hear(&machine, ":s FAIL REDACT UNKNOWN_MSGID #room other :It does not exist")
        #expect(hear(&machine, "@label=2 :s ACK").acks == [2])
        _ = machine.deliver(DraftNetwork.event(3, "MESSAGE_DELETED", [("messageId", "m1")]), now: 0)
        _ = hear(&machine, ":s FAIL REDACT UNKNOWN_MSGID #room c1 :It does not exist")
        #expect(hear(&machine, "@label=3 :s ACK").lines == ["@label=4 PRIVMSG #room :<Ann> (deleted a message)"])
    }

    /// Without its id, or where the server does not know how, it is said in words.
    @Test(arguments: [
        ("batch echo-message labeled-response message-tags", "m1"),
        ("batch draft/message-redaction echo-message labeled-response", "m1"), (DraftNetwork.caps, "m2"),
    ])
    func withoutWhatItNeedsADeletionIsSaidInWords(caps: String, message: String) throws {
        var machine = try machine(caps: caps)
        _ = say(&machine, ids: "c1")
        let deleted = machine.deliver(DraftNetwork.event(2, "MESSAGE_DELETED", [("messageId", message)]), now: 0)
        #expect(
            deleted.lines == ["@label=2 PRIVMSG #room :<Ann> (deleted a message)"])
    }

    /// What somebody on IRC has said is theirs.
    @Test func whatWasSaidOnIRCIsNotRedacted() throws {
        var machine = try machine()
        let said = hear(&machine, "@msgid=a1 :bob!b@h PRIVMSG #room :spam")
        let id = try #require(try DraftNetwork.commands(said, "SEND_MESSAGE").first?.string("messageId"))
        let deleted = machine.deliver(DraftNetwork.event(2, "MESSAGE_DELETED", [("messageId", id)]), now: 0)
        #expect(deleted.lines == ["@label=1 PRIVMSG #room :<Ann> (deleted a message)"])
    }

    /// The deletion waits for the echo, which has the id.
    @Test func aDeletionWaitsForItsMessage() throws {
        var machine = try machine()
        _ = say(&machine)
        #expect(machine.deliver(deletion, now: 0).lines == [])
        let echoed = hear(&machine, "@label=1;msgid=c1 :crow!crow@host PRIVMSG #room :<Ann> hello")
        #expect(echoed.lines == ["@label=2 REDACT #room c1"])
    }

    /// What goes from one channel on IRC to another one by the chat.
    @Test func aRedactionGoesToTheOtherChannelsOfTheChat() throws {
        let links = [try Tables.link(), try Tables.link("general", "#hall")]
        var machine = try machine(links: links)
        let said = hear(&machine, "@msgid=a1 :bob!b@h PRIVMSG #room :spam")
        let id = try #require(try DraftNetwork.commands(said, "SEND_MESSAGE").first?.string("messageId"))
        let origin = (plugin: "irc", ref: "net/#room")
        let event = DraftNetwork.event(1, [("message", "spam"), ("messageId", id)], origin: origin)
        #expect(machine.deliver(event, now: 0).lines == ["@label=1 PRIVMSG #hall :<Ann> spam"])
        _ = hear(&machine, "@label=1;msgid=b1 :crow!crow@host PRIVMSG #hall :<Ann> spam", ":op!o@h REDACT #room a1")
        let deletion = DraftNetwork.event(2, "MESSAGE_DELETED", [("messageId", id)], origin: origin)
        #expect(machine.deliver(deletion, now: 0).lines == ["@label=2 REDACT #hall b1"])
    }

    /// What is known of messages outlives a restart.
    @Test func aRestartForgetsNothingOfTheLatest() throws {
        var first = try machine()
        let said = hear(&first, "@msgid=a1 :bob!b@h PRIVMSG #room :spam")
        let id = try #require(try DraftNetwork.commands(said, "SEND_MESSAGE").first?.string("messageId"))
        _ = say(&first, ids: "c1")
        let states = first.tick(now: 100).compactMap { action -> String? in
            guard case .plugin(.state(_, let state)) = action else { return nil }
            return String(decoding: state.bytes, as: UTF8.self)
        }
        let state = try #require(states.last)
        #expect(state.contains(##""messages":["< #room a1 nick/bob","> #room c1 general m1"]"##))
        var second = try machine(state: state)
        #expect(second.deliver(deletion, now: 0).lines == ["@label=1 REDACT #room c1"])
        let deleted = hear(&second, ":op!o@h REDACT #room a1")
        #expect(try DraftNetwork.commands(deleted, "DELETE_MESSAGE").first?.string("messageId") == id)
    }
}
