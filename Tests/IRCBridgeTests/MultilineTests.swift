import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// Messages of several lines (IRCv3 multiline), both ways.
@Suite struct MultilineTests {
    private static let open = "BATCH +m draft/multiline #room"

    private func said(_ machine: inout Relay, _ text: String, delivery: Int64 = 1, now: Instant = 0)
        -> [String]
    {
        machine.deliver(DraftNetwork.event(delivery, [("message", text), ("messageId", "m\(delivery)")]), now: now)
            .lines
    }

    /// The message that the lines of a batch are.
    private func joined(_ lines: [String]) -> String {
        var text = ""
        for line in lines.dropFirst().dropLast() {
            let part = line.split(separator: " ", maxSplits: 3).last.map { String($0.dropFirst()) } ?? ""
            if !text.isEmpty, !line.contains("multiline-concat") { text += "\n" }
            text += part
        }
        return text
    }

    @Test func aTextOfSeveralLinesIsOneMessage() throws {
        var machine = try DraftNetwork.machine()
        let lines = said(&machine, "\n one\n\n  \ntwo **bold**\n")
        #expect(
            lines == [
                "@label=1 " + Self.open, "@batch=m PRIVMSG #room :<Ann>  one", "@batch=m PRIVMSG #room :",
                "@batch=m PRIVMSG #room :", "@batch=m PRIVMSG #room :two \u{2}bold\u{2}", "BATCH -m",
            ])
        let echo = hear(
            &machine, "@label=1;msgid=c1 :crow!crow@cloak BATCH +7 draft/multiline #room",
            "@batch=7 :crow!crow@cloak PRIVMSG #room :<Ann>  one", "@batch=7 :crow!crow@cloak PRIVMSG #room :")
        #expect(echo.acks == [])
        let end = hear(&machine, ":s BATCH -7")
        #expect(end.acks == [1])
        #expect(end.commands == [])
        #expect(machine.connection.mask == "crow!crow@cloak")
        #expect(machine.connection.messageIDs.records(of: "m1", in: "#room").map(\.id) == ["c1"])
    }

    /// The echo in the answer to the label, and the line of a user's connection, which does not look at what it holds.
    @Test func anEchoWithinAnAnswerIsAReceiptToo() throws {
        var machine = try DraftNetwork.machine()
        _ = said(&machine, "a\nb")
        let echo = hear(
            &machine, "@label=1 :s BATCH +x labeled-response",
            "@batch=x;msgid=c1 :crow!crow@host BATCH +y draft/multiline #room",
            "@batch=y :crow!crow@host PRIVMSG #room :<Ann> a", "@batch=x :s BATCH -y", ":s BATCH -x")
        #expect(echo.acks == [1])
        #expect(echo.commands == [])
        #expect(machine.connection.messageIDs.record("#room", "c1") != nil)
    }

    @Test func aLongLineIsConcatenated() throws {
        var machine = try DraftNetwork.machine(
            caps: DraftNetwork.caps.replacing("max-bytes=400", with: "max-bytes=4000"), #","max_lines":0"#)
        let text = (0..<200).map { "word\($0)" }.joined(separator: " ")
        let lines = said(&machine, text + "\n" + text)
        #expect(joined(lines) == "<Ann> \(text)\n\(text)")
        #expect(lines.filter { $0.contains("multiline-concat") }.count == 6)
        for line in lines { #expect(line.drop { $0 != " " }.utf8.count <= 510 - "crow!crow@host".utf8.count) }
        // Spaces stay at the end, not at the beginning, for those who get line by line.
        #expect(!lines.contains { $0.contains("concat PRIVMSG #room : ") })
    }

    /// What does not fit is said line by line, as where the server has no such messages.
    @Test(arguments: [
        ("draft/multiline=max-bytes=12,max-lines=3", "a\nbb\nc", true),
        ("draft/multiline=max-bytes=12", "a\nbb\nc", true),
        ("draft/multiline=max-bytes=11", "a\nbb\nc", false),
        ("draft/multiline=max-bytes=99,max-lines=2", "a\nb\nc", false),
        ("draft/multiline=max-bytes=99,max-lines=3", "a\nb\n\nc", false), ("draft/multiline", "a\nb", false),
        ("draft/multiline=max-lines=9", "a\nb", false), ("draft/multiline=max-bytes=x", "a\nb", false),
        ("draft/multiline=x,max-bytes=99,y=", "a\nb", true), ("draft/multiline=max-bytes=99", "a", false),
        ("draft/multiline=max-bytes=99", "\n\n a \n\n", false), ("draft/multiline=max-bytes=40000", "é\n" + big, false),
        ("draft/multiline=max-bytes=40000", big.prefix(4000) + "", true), ("multiline=max-bytes=99", "a\nb", false),
    ])
    func theServersLimitsHold(capability: String, text: String, isBatch: Bool) throws {
        let caps = "batch echo-message labeled-response message-tags " + capability
        var machine = try DraftNetwork.machine(caps: caps, #","max_lines":0"#)
        let said = said(&machine, text)
        #expect(said.first?.contains("BATCH +m") == isBatch, "\(capability)")
        #expect(said.last == "BATCH -m" || !isBatch)
        if !isBatch { #expect(said.allSatisfy { $0.contains(" PRIVMSG #room :<Ann> ") }, "\(capability)") }
    }

    /// Longer than what may be on its way to a server that has not confirmed it.
    private static let big = String(repeating: "x", count: 7000)

    /// Without `batch` there are none.
    @Test func itNeedsBatches() throws {
        var machine = try DraftNetwork.machine(caps: "draft/multiline=max-bytes=99 message-tags")
        #expect(said(&machine, "a\nb") == ["PRIVMSG #room :<Ann> a", "PRIVMSG #room :<Ann> b", "PING :crowbar-1"])
    }

    /// `max_lines` counts lines that can be seen.
    @Test func theConfiguredLimitHoldsToo() throws {
        var machine = try DraftNetwork.machine(#","max_lines":2"#)
        #expect(joined(said(&machine, "a\n\nb")) == "<Ann> a\n\nb")
        var other = try DraftNetwork.machine(#","max_lines":2"#)
        #expect(joined(said(&other, "a\n\nb\n\nc\n\nd")) == "<Ann> a\n\nb\n(2 more lines)")
    }

    /// Actions and notices are none: a batch holds PRIVMSG only.
    @Test(arguments: ["action", "notice"])
    func onlyTextIsOne(kind: String) throws {
        var machine = try DraftNetwork.machine()
        let said = machine.deliver(DraftNetwork.event(1, [("message", "a\nb"), ("kind", kind)]), now: 0)
        #expect(said.lines.count == 2)
        #expect(!said.lines.contains { $0.contains("BATCH") })
    }

    /// Those whom the server shows the lines one by one see the author before the first one alone: no other line may
    /// look like somebody else's.
    @Test(arguments: [
        ("<{name}> {text}", "a\n<bob> I resign", false), ("<{name}> {text}", "a\n  \u{200B}＜bob＞ I resign", false),
        ("<{name}> {text}", "a\n**<bob>** I resign", false), ("<{name}> {text}", "a\nbob: x < y", true),
        ("[{name}] {text}", "a\n[bob] I resign", false), ("[{name}] {text}", "a\n<bob> I resign", false),
        ("[{name}] {text}", "a\nx [1]", true), ("{name}: {text}", "a\nbob: I resign", false),
        ("{name}: {text}", "a\nI do not", true), ("{name} {text}", "a\nI do not", false),
        ("{name} says {text}", "a\nbob says no", false), ("IRC {name}: {text}", "a\nIRC bob: no", false),
    ])
    func noLineIsInAnothersName(format: String, text: String, isBatch: Bool) throws {
        var machine = try DraftNetwork.machine(#","format":"\#(format)""#)
        #expect(said(&machine, text).first?.contains("BATCH") == isBatch, "\(format) \(text)")
    }

    @Test(arguments: [
        "@label=1 :s FAIL BATCH MULTILINE_MAX_BYTES 4 :Too long", "@label=1 :s FAIL BATCH MULTILINE_INVALID :No",
        "@label=1 :s FAIL BATCH MULTILINE_INVALID_TARGET #room #rum :No", "@label=1 :s 421 crow BATCH :Unknown command",
        "@label=1 :s ACK",
    ])
    func aRefusedOneIsSaidLineByLine(line: String) throws {
        var machine = try DraftNetwork.machine()
        _ = said(&machine, "a\n\nb")
        let refused = hear(&machine, line)
        #expect(refused.acks == [])
        #expect(refused.lines == ["@label=2 PRIVMSG #room :<Ann> a", "@label=3 PRIVMSG #room :<Ann> b"], "\(line)")
        _ = hear(&machine, "@label=2 :crow!crow@host PRIVMSG #room :<Ann> a")
        #expect(hear(&machine, "@label=3 :crow!crow@host PRIVMSG #room :<Ann> b").acks == [1])
    }

    /// In the middle of one a server does not know the label, and refuses each line that comes after.
    @Test func aRefusalWithoutALabelIsOfTheOneThatIsOpen() throws {
        var machine = try DraftNetwork.machine()
        _ = said(&machine, "a\nb")
        // One at a time, so that it is known which one is refused.
        #expect(said(&machine, "c\nd", delivery: 2) == [])
        #expect(said(&machine, "e", delivery: 3) == [])
        let refusal = ":s FAIL BATCH MULTILINE_MAX_BYTES 4 :Too long"
        #expect(hear(&machine, refusal, ":s FAIL BATCH MULTILINE_INVALID :No").lines == [])
        let asked = machine.tick(now: ConnectionState.receiptLimit)
        #expect(asked.lines == ["PING :crowbar-1"])
        let refused = hear(&machine, ":s PONG s :crowbar-1", now: 5)
        #expect(refused.lines.prefix(2) == ["@label=2 PRIVMSG #room :<Ann> a", "@label=3 PRIVMSG #room :<Ann> b"])
        #expect(refused.lines.dropFirst(2).first == "@label=4 " + Self.open)
    }

    /// Without echo and labels the PONG is the receipt, and there is one of them.
    @Test func withoutLabelsThePongIsItsReceipt() throws {
        let caps = "batch draft/multiline=max-bytes=99"
        var machine = try DraftNetwork.machine(caps: caps)
        #expect(said(&machine, "a\nb").suffix(2) == ["BATCH -m", "PING :crowbar-1"])
        #expect(hear(&machine, ":s PONG s :crowbar-1").acks == [1])
        _ = said(&machine, "c\nd", delivery: 2)
        let refused = hear(&machine, ":s FAIL BATCH MULTILINE_MAX_BYTES 4 :Too long", ":s PONG s :crowbar-2")
        #expect(refused.acks == [])
        #expect(refused.lines == ["PRIVMSG #room :<Ann> c", "PRIVMSG #room :<Ann> d", "PING :crowbar-3"])
        #expect(hear(&machine, ":s PONG s :crowbar-3").acks == [2])
    }

    /// A channel that does not take it for now gets it whole.
    @Test func aHeldOneStaysWhole() throws {
        var machine = try DraftNetwork.machine()
        _ = hear(&machine, ":crow!crow@host JOIN #room")
        _ = said(&machine, "a\nb")
        let held = hear(&machine, "@label=1 :s 404 crow #room :Cannot send to channel (+m)")
        #expect(held.lines == [])
        let again = machine.tick(now: 3)
        #expect(
            again.lines == [
                "@label=2 " + Self.open, "@batch=m PRIVMSG #room :<Ann> a", "@batch=m PRIVMSG #room :b", "BATCH -m",
            ])
    }

    /// A lost connection brings back the whole, once.
    @Test func aLostOneIsSaidAgainWholeAndOnce() throws {
        var machine = try DraftNetwork.machine()
        let lines = said(&machine, "a\nb")
        for attempt in 2...3 {
            _ = machine.closed(reason: "gone", random: 0, now: 0)
            _ = machine.start(now: 0)
            _ = machine.connected(now: 0)
            let names = DraftNetwork.caps.split(separator: " ").map { String($0.prefix { $0 != "=" }) }
            let back = hear(
                &machine, ":s CAP * LS :\(DraftNetwork.caps)", ":s CAP * ACK :\(names.joined(separator: " "))",
                ":s 001 crow :Welcome", ":crow!crow@host JOIN #room")
            let again = back.lines.filter { $0.contains("BATCH") || $0.contains("PRIVMSG") }
            // What was lost is written no faster than it is confirmed: line by line.
            #expect(again.first == (attempt == 2 ? "@label=2 PRIVMSG #room :<Ann> a" : nil))
            if attempt == 3 {
                #expect(back.contains { if case .plugin(.reject(1, _, _, true)) = $0 { true } else { false } })
            }
        }
        #expect(lines.count == 4)
    }

    /// A batch costs as many lines as it has.
    @Test func itCountsLineByLine() throws {
        var machine = try DraftNetwork.machine()
        machine.connection.bucket = FloodBucket(burst: 5, rate: 1, now: 0)
        #expect(said(&machine, "a\nb\nc").count == 5)
        #expect(machine.connection.outbound.receipts.unansweredLines == 5)
        #expect(machine.connection.outbound.sentLines == 5)
        #expect(said(&machine, "d", delivery: 2) == [])
        #expect(machine.tick(now: 0.9).lines == [])
        #expect(machine.tick(now: 1.1).lines == ["@label=2 PRIVMSG #room :<Ann> d"])
    }

    @Test func aMessageOfSeveralLinesIsOneInTheChat() throws {
        var machine = try DraftNetwork.machine()
        let tags = "msgid=a1;account=bobby;time=2026-11-24T01:00:01.000Z;+draft/reply=zz"
        let lines = hear(
            &machine, "@\(tags) :bob!b@h BATCH +1 draft/multiline #room",
            "@batch=1 :bob!b@h PRIVMSG #room :\u{2}how is ",
            ":eve!e@h PRIVMSG #room :between", "@batch=1;draft/multiline-concat :bob!b@h PRIVMSG #room :everyone\u{2}?",
            "@batch=1 :bob!b@h PRIVMSG #room :", "@batch=1 :bob!b@h PRIVMSG #room :*hm*")
        #expect(try DraftNetwork.commands(lines, "SEND_MESSAGE").map { $0.string("message") } == ["between"])
        let end = hear(&machine, ":s BATCH -1")
        let message = try #require(try DraftNetwork.commands(end, "SEND_MESSAGE").first)
        #expect(message.string("message") == "**how is everyone**?\n\n\\*hm\\*")
        #expect(message.object("meta")?.string("sentAt") == "2026-11-24T01:00:01.000Z")
        let key = end.compactMap {
            if case .emit(let command) = $0, command.kind == .message { command.key } else { nil }
        }
        #expect(key == ["net/#room/general/a1"])
        #expect(machine.connection.messageIDs.record("#room", "a1") != nil)
    }

    /// What is no message of several lines, or not one that the bridge takes.
    @Test func otherBatchesStayWhatTheyAre() throws {
        var machine = try DraftNetwork.machine(#","ignore":["bad!*@*"]"#)
        func texts(_ lines: String...) throws -> [String?] {
            let actions = lines.reduce([]) { $0 + machine.received(Tables.line($1), now: 0) }
            return try DraftNetwork.commands(actions, "SEND_MESSAGE").map { $0.string("message") }
        }
        #expect(try texts(":bob!b@h BATCH +1 draft/multiline #room", ":s BATCH -1") == [])
        #expect(
            try texts(":bob!b@h BATCH +1 draft/multiline #room", "@batch=1 :bob!b@h PRIVMSG #room :", ":s BATCH -1")
                == [])
        #expect(
            try texts(":bad!b@h BATCH +1 draft/multiline #room", "@batch=1 :bad!b@h PRIVMSG #room :x", ":s BATCH -1")
                == [])
        #expect(try texts(":s BATCH -9", "@batch=9 :bob!b@h PRIVMSG #room :x") == ["x"])
        // Repeated unasked.
        #expect(
            try texts(
                ":s BATCH +p znc.in/playback #room", "@batch=p :bob!b@h BATCH +1 draft/multiline #room",
                "@batch=1 :bob!b@h PRIVMSG #room :x", "@batch=p :s BATCH -1", ":s BATCH -p") == [])
        // What was not ended is forgotten with its connection.
        _ = try texts(":bob!b@h BATCH +1 draft/multiline #room", "@batch=1 :bob!b@h PRIVMSG #room :x")
        _ = machine.closed(reason: "gone", random: 0, now: 0)
        #expect(machine.connection.multiline.isEmpty)
    }

    /// Of a history a message of several lines is one line.
    @Test func aHistoryBringsThemToo() throws {
        let caps = DraftNetwork.caps + " draft/chathistory"
        var machine = try DraftNetwork.machine(caps: caps, state: ##"{"last":{"#room":"msgid=a0"}}"##)
        let page = hear(
            &machine, "@label=h1 :s BATCH +h chathistory #room",
            "@batch=h;msgid=a1 :bob!b@h BATCH +1 draft/multiline #room", "@batch=1 :bob!b@h PRIVMSG #room :a",
            "@batch=1 :bob!b@h PRIVMSG #room :b", "@batch=h :s BATCH -1", ":s BATCH -h")
        #expect(try DraftNetwork.commands(page, "SEND_MESSAGE").map { $0.string("message") } == ["a\nb"])
        #expect(page.lines == ["@label=h2 CHATHISTORY AFTER #room msgid=a1 100"])
    }

    /// More than the chat takes is several messages, and a redaction is of all of them.
    @Test func whatIsTooLongForTheChatIsCut() throws {
        var machine = try DraftNetwork.machine()
        let lines = (0..<60).map { "\($0)" + String(repeating: " ünïcödé*", count: 30) }
        _ = hear(&machine, "@msgid=a1 :bob!b@h BATCH +1 draft/multiline #room")
        for line in lines { _ = hear(&machine, "@batch=1 :bob!b@h PRIVMSG #room :\(line)") }
        let end = hear(&machine, ":s BATCH -1")
        let messages = try DraftNetwork.commands(end, "SEND_MESSAGE")
        let texts = messages.map { $0.string("message") ?? "" }
        #expect(texts.count > 1)
        #expect(texts.allSatisfy { $0.utf8.count <= Relay.longestChatMessage })
        #expect(texts.joined(separator: "\n").replacing("\\", with: "") == lines.joined(separator: "\n"))
        let deleted = hear(&machine, ":op!o@h REDACT #room a1")
        let ids = try DraftNetwork.commands(deleted, "DELETE_MESSAGE").map { $0.string("messageId") }
        #expect(ids == messages.map { $0.string("messageId") })
    }

    /// A server that never ends one does not fill the memory, and nothing of it is lost.
    @Test func oneWithoutAnEndIsCut() throws {
        var inbox = MultilineMessages()
        #expect(inbox.take(Tables.line("@msgid=a1 :bob!b@h BATCH +1 draft/multiline #room")) == .unrelated)
        var texts: [String] = []
        var ids: [String?] = []
        for i in 0..<9000 {
            switch inbox.take(Tables.line("@batch=1 :bob!b@h PRIVMSG #room :line \(i)")) {
            case .complete(let whole):
                texts += whole.map { $0.params[1] }
                ids += whole.map { $0.tags["msgid"] }
            case .collected: break
            case .unrelated: Issue.record("a line is lost")
            }
        }
        if case .complete(let whole) = inbox.take(Tables.line(":s BATCH -1")) { texts += whole.map { $0.params[1] } }
        #expect(texts.joined(separator: "\n") == (0..<9000).map { "line \($0)" }.joined(separator: "\n"))
        #expect(texts.count == 3)
        #expect(ids == ["a1", nil])
    }

    /// Another bridge may say it again, whole or line by line.
    @Test func whatTheBridgeHasSaidDoesNotComeBack() throws {
        var machine = try DraftNetwork.machine()
        _ = said(&machine, "one\ntwo")
        let back = hear(
            &machine, ":rel!r@h BATCH +1 draft/multiline #room", "@batch=1 :rel!r@h PRIVMSG #room :<Ann> one",
            "@batch=1 :rel!r@h PRIVMSG #room :two", ":s BATCH -1", ":rel!r@h PRIVMSG #room :<Ann> one")
        #expect(back.commands == [])
        // Anybody may say what a line behind the first one says.
        let own = hear(&machine, ":bob!b@h PRIVMSG #room :two")
        #expect(try DraftNetwork.commands(own, "SEND_MESSAGE").map { $0.string("message") } == ["two"])
    }
}
