import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// Histories that do not come as they should, and what is in them that is not to be taken.
@Suite struct HistoryGapTests {
    private static let caps = "batch draft/chathistory message-tags server-time"
    private static let both = ##"{"last":{"#room":"msgid=m1 timestamp=t1"}}"##

    private func registered(
        _ state: String = both, caps: String = caps, more: String = "", supports: String = "CHATHISTORY=2",
        nick: String = "crow"
    ) throws -> Relay {
        var machine = Relay(config: try Tables.network(more), links: [try Tables.link()], plugin: "irc")
        machine.restore(NetworkState(try JSON(parsing: Array(state.utf8))))
        _ = machine.start(now: 0)
        _ = register(&machine, caps: caps, supports: supports, nick: nick)
        return machine
    }

    private func register(
        _ machine: inout Relay, caps: String = caps, supports: String = "CHATHISTORY=2", nick: String = "crow",
        now: Instant = 0
    ) -> [String] {
        _ = machine.connected(now: now)
        return play(
            &machine,
            [
                ":s CAP * LS :\(caps)", ":s CAP * ACK :\(caps)", ":s 001 \(nick) :Welcome",
                ":s 005 \(nick) \(supports) :are supported",
            ], now: now)
    }

    private func join(_ machine: inout Relay, nick: String = "crow", now: Instant = 0) -> [String] {
        play(&machine, [":\(nick)!crow@host JOIN #room"], now: now)
    }

    /// The texts that come into the chat with the references that are kept, and the lines to the server but PINGs.
    private func play(_ machine: inout Relay, _ lines: [String], now: Instant = 0) -> [String] {
        lines.flatMap { line in
            let actions = machine.received(Tables.line(line), now: now)
            let texts = actions.compactMap { action -> String? in
                guard case .emit(let command) = action, command.kind == .message else { return nil }
                let text = (try? JSONObject(parsing: command.json))?.string("message") ?? ""
                return "\(text) (\(command.reference ?? "-"))"
            }
            return texts + actions.lines.filter { !$0.hasPrefix("PING") && !$0.hasPrefix("CAP") }
        }
    }

    private func said(_ id: String, batch: String? = nil, by source: String = "Bob!b@h", tags: String = "") -> String {
        let batch = batch.map { ";batch=" + $0 } ?? ""
        return "@msgid=\(id);time=t\(id.dropFirst())\(batch)\(tags) :\(source) PRIVMSG #room :\(id)"
    }

    private func page(_ lines: [String]) -> [String] { [":s BATCH +a chathistory #room"] + lines + [":s BATCH -a"] }

    @Test(
        "how a server is asked",
        arguments: [
            ("CHATHISTORY=2", "msgid=m1 2"), ("CHATHISTORY=0 MSGREFTYPES=msgid,timestamp", "msgid=m1 100"),
            ("CHATHISTORY=2 MSGREFTYPES=timestamp", "timestamp=t1 2"), ("MSGREFTYPES=timestamp,msgid", "msgid=m1 100"),
            ("MSGREFTYPES=", "msgid=m1 100"), ("MSGREFTYPES=other", "msgid=m1 100"),
        ])
    func references(supports: String, asked: String) throws {
        var machine = try registered(supports: supports)
        #expect(join(&machine) == ["CHATHISTORY AFTER #room " + asked])
    }

    @Test func aServerThatCannotBeAskedByWhatIsKnownIsNot() throws {
        var machine = try registered(##"{"last":{"#room":"msgid=m1"}}"##, supports: "MSGREFTYPES=timestamp")
        #expect(join(&machine) == [])
        let new = play(&machine, [said("m2")])
        #expect(new == ["m2 (msgid=m2 timestamp=t2)"])
    }

    @Test(
        "an id that the server does not take",
        arguments: [
            [":s FAIL CHATHISTORY INVALID_MSGREFTYPE AFTER #room msgid=m1 :No"],
            [":s FAIL CHATHISTORY MESSAGE_ERROR AFTER #ROOM :No"], [":s FAIL CHATHISTORY INVALID_PARAMS AFTER :No"],
            [":s 461 crow CHATHISTORY :Not enough parameters"],
            [":s BATCH +x chathistory #room", ":s BATCH -x"],
        ])
    func byTimeThen(answer: [String]) throws {
        var machine = try registered()
        _ = join(&machine)
        let again = play(&machine, [said("m9")] + answer)
        #expect(again == ["CHATHISTORY AFTER #room timestamp=t1 2"])
        let next = play(&machine, page([said("m2", batch: "a"), said("m3", batch: "a")]))
        let kept = ["m2", "m3", "m9"].map { "\($0) (msgid=\($0) timestamp=t\($0.dropFirst()))" }
        // By the time for this one page: of what was said in one millisecond a time tells nothing apart.
        #expect(next == [kept[0], kept[1], "CHATHISTORY AFTER #room msgid=m3 2"])
        var last = play(&machine, page([]))
        if answer.last == ":s BATCH -x" {
            // A server that gives nothing where it does not know an id may do so again.
            #expect(last == ["CHATHISTORY AFTER #room timestamp=t3 2"])
            last = play(&machine, page([]))
        }
        #expect(last == [kept[2]])
    }

    /// What ends a history before its end, or leaves it open where that is.
    @Test(
        "gaps",
        arguments: [
            [":s FAIL CHATHISTORY MESSAGE_ERROR AFTER #room :No", ":s FAIL CHATHISTORY MESSAGE_ERROR AFTER #room :No"],
            [":s 421 crow CHATHISTORY :Unknown command", ":s 421 crow CHATHISTORY :Unknown command"], [],
        ])
    func theOldReferenceIsKeptUntilAGapIsClosed(answers: [String]) throws {
        var machine = try registered()
        _ = join(&machine)
        let failed = play(&machine, answers)
        #expect(failed.count == min(answers.count, 1))
        _ = machine.tick(now: HistoryFetch.patience)
        // What is new comes, and does not become the place to go on from.
        let new = play(&machine, [said("m5")])
        #expect(new == ["m5 (-)"])
        _ = machine.closed(reason: "x", random: 0, now: 40)
        _ = machine.tick(now: 50)
        _ = register(&machine, now: 50)
        #expect(join(&machine, now: 50) == ["CHATHISTORY AFTER #room msgid=m1 2"])
        let missed = play(&machine, page([said("m2", batch: "a"), said("m5", batch: "a")]), now: 50)
        #expect(missed == ["m2 (msgid=m2 timestamp=t2)", "CHATHISTORY AFTER #room msgid=m5 2"])
        let closed = play(&machine, page([]) + [said("m6")], now: 50)
        #expect(closed == ["m6 (msgid=m6 timestamp=t6)"])
    }

    @Test func aGapIsGivenUpWhereItWouldDoubleOrIsFarBehind() throws {
        var machine = try registered()
        _ = join(&machine)
        _ = machine.tick(now: HistoryFetch.patience)
        let bare = play(&machine, ["@time=t5 :Bob!b@h PRIVMSG #room :x", said("m6")])
        #expect(bare == ["x (timestamp=t5)", "m6 (msgid=m6 timestamp=t6)"])
        var other = try registered()
        _ = join(&other)
        _ = other.tick(now: HistoryFetch.patience)
        let many = play(&other, (2...HistoryFetch.mostBehindGap + 2).map { said("m\($0)") })
        #expect(many.filter { $0.hasSuffix("(-)") }.count == HistoryFetch.mostBehindGap)
        #expect(many.last?.hasSuffix("(-)") == false)
    }

    @Test func aHistoryThatGoesInACircleEnds() throws {
        var machine = try registered()
        _ = join(&machine)
        let lines = [said("m1", batch: "a"), said("m2", batch: "a")]
        let first = play(&machine, page(lines))
        #expect(first.last == "CHATHISTORY AFTER #room msgid=m2 2")
        let second = play(&machine, page(lines) + [said("m3")])
        #expect(second == ["m3 (msgid=m3 timestamp=t3)"])
    }

    @Test func whatIsNoSpeechIsCountedAndNotTaken() throws {
        var machine = try registered(more: #","presence":"full""#)
        _ = join(&machine)
        let events = play(
            &machine,
            page([
                "@batch=a;msgid=e1;time=t2 :Bob!b@h JOIN #room", "@batch=a;msgid=e2;time=t3 :Bob!b@h QUIT :bye",
            ]))
        #expect(events == ["CHATHISTORY AFTER #room msgid=e2 2"])
        #expect(machine.roster.person("Bob") == nil)
        let words = play(
            &machine,
            page([
                said("m4", batch: "a", by: "HistServ!HistServ@localhost"),
                "@batch=a;draft/chathistory-context;msgid=c1 :Bob!b@h TAGMSG #room",
            ]))
        #expect(words == ["CHATHISTORY AFTER #room msgid=m4 2"])
    }

    @Test func historyIsRequestedAsItWas() throws {
        var machine = try Tables.machine()
        let asked = machine.received(Tables.line(":s CAP * LS :batch draft/event-playback event-playback"), now: 0)
        #expect(asked.lines == ["CAP REQ :batch draft/event-playback event-playback"])
    }

    @Test func aLabelTellsTheAnswerFromWhatIsRepeatedUnasked() throws {
        let caps = Self.caps + " echo-message labeled-response"
        var machine = try registered(caps: caps)
        #expect(join(&machine) == ["@label=h1 CHATHISTORY AFTER #room msgid=m1 2"])
        let unasked = play(&machine, page([said("m0", batch: "a")]))
        #expect(unasked == [])
        // The label may stand on a batch around it.
        let asked = play(
            &machine,
            [
                "@label=h1 :s BATCH +o labeled-response", "@batch=o :s BATCH +a chathistory #room",
                said("m2", batch: "a"), ":s BATCH -a", ":s BATCH -o",
            ])
        #expect(asked == ["m2 (msgid=m2 timestamp=t2)", "@label=h2 CHATHISTORY AFTER #room msgid=m2 2"])
        let late = play(&machine, ["@label=h1 :s FAIL CHATHISTORY MESSAGE_ERROR AFTER #room :No"])
        #expect(late == [])
        let end = play(&machine, [said("m4"), "@label=h2 :s BATCH +e chathistory #room", ":s BATCH -e"])
        #expect(end == ["m4 (msgid=m4 timestamp=t4)"])
    }

    @Test(
        "labels answered by nothing",
        arguments: [["@label=h2 :s ACK"], ["@label=h2 :s BATCH +o labeled-response", ":s BATCH -o"]])
    func labelsAnsweredByNothing(answer: [String]) throws {
        var machine = try registered(caps: Self.caps + " echo-message labeled-response")
        _ = join(&machine)
        let byTime = play(&machine, [said("m4"), "@label=h1 :s ACK"])
        #expect(byTime == ["@label=h2 CHATHISTORY AFTER #room timestamp=t1 2"])
        let end = play(&machine, answer)
        #expect(end == ["m4 (msgid=m4 timestamp=t4)"])
    }

    /// Whoever has a nick or an account now may not be who had it then.
    @Test func aHistoryChangesNobodysAccount() throws {
        var machine = try registered(caps: Self.caps + " account-tag extended-join", more: #","presence":"full""#)
        _ = join(&machine)
        _ = machine.received(Tables.line(":Bob!b@h JOIN #room bobby :x"), now: 0)
        var ids: [String] = []
        for line in page([
            said("m2", batch: "a"), said("m3", batch: "a", tags: ";account=other"),
            said("m4", batch: "a", tags: ";account=bobby"),
        ]) {
            for case .emit(let command) in machine.received(Tables.line(line), now: 0) {
                #expect(command.kind != .leave)
                if command.kind == .message { ids.append(command.userID) }
            }
        }
        #expect(ids == ["irc/net/nick/bob", "irc/net/acct/other", "irc/net/acct/bobby"])
        #expect(machine.roster.person("Bob")?.account == "bobby")
    }

    @Test func ownLinesUnderAnEarlierNickAreNotNew() throws {
        var machine = try registered(nick: "crow_")
        _ = join(&machine, nick: "crow_")
        _ = play(&machine, page([]) + page([]))
        // The other nick is kept at once.
        let saved = machine.tick(now: Relay.stateDelay)
        let states = saved.compactMap { if case .plugin(.state(_, let state)) = $0 { state } else { nil } }
        let state = try #require(states.first)
        _ = play(&machine, [":crow_!crow@host NICK crow"])
        for var later in [machine, try registered(String(decoding: state.bytes, as: UTF8.self))] {
            if case .registered = later.connection.phase { _ = later.closed(reason: "x", random: 0, now: 40) }
            _ = later.tick(now: 50)
            _ = register(&later, now: 50)
            #expect(join(&later, now: 50).first?.hasPrefix("CHATHISTORY") == true)
            let heard = play(
                &later,
                page([
                    said("m2", batch: "a", by: "crow_!crow@host"), said("m3", batch: "a", by: "crow!crow@host"),
                    said("m4", batch: "a"),
                ]), now: 50)
            #expect(heard.first == "m4 (msgid=m4 timestamp=t4)")
            // Who has it now is somebody else.
            let live = play(&later, page([]) + [said("m5", by: "crow_!eve@host")], now: 50)
            #expect(live == ["m5 (msgid=m5 timestamp=t5)"])
        }
    }

    /// Before the server says how it compares names, it does as it did before.
    @Test func usersNicksAreComparedAsTheServerDoesAcrossConnections() throws {
        var machine = try registered("null", more: #","mode":"puppets""#, supports: "CASEMAPPING=ascii NICKLEN=30")
        _ = join(&machine)
        _ = machine.deliver(Tables.event(1), now: 0)
        _ = machine.closed(reason: "x", random: 0, now: 1)
        _ = machine.tick(now: 10)
        _ = machine.connected(now: 10)
        _ = machine.puppetDid(1, .nick("Ann[c]"), now: 10)
        _ = play(&machine, [":s 001 crow :Welcome", ":s 005 crow CASEMAPPING=ascii :x"], now: 10)
        _ = join(&machine, now: 10)
        let own = play(&machine, [said("m2", by: "Ann[c]!a@h"), said("m3", by: "Ann{c}!a@h")], now: 10)
        #expect(own == ["m3 (msgid=m3 timestamp=t3)"])
    }

    @Test func theLatestNicksAreRemembered() {
        var marks = SeenNicks()
        #expect(marks.text.isEmpty && SeenNicks(text: "").isEmpty)
        let isNew = [marks.note("a"), marks.note("b"), marks.note("a"), marks.note("a")]
        #expect(isNew == [true, true, false, false])
        for i in 0..<SeenNicks.most - 1 { _ = marks.note("n\(i)") }
        // "a" was noted after "b".
        #expect(marks.contains("a") && !marks.contains("b"))
        #expect(SeenNicks(text: marks.text) == marks)
        for text in ["x", "AAAA", "AAAAAA==AAAA", String(repeating: "A", count: SeenNicks.most * 6 + 4)] {
            #expect(SeenNicks(text: text).isEmpty, "\(text.prefix(20))")
        }
    }
}
