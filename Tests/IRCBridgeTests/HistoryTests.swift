import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// What is fetched of the time away, and what is only repeated.
@Suite struct HistoryTests {
    /// A machine before it has joined, whose state is that the chat has `m1` of `#room`.
    private func registered(
        _ state: String = ##"{"last":{"#room":"msgid=m1"}}"##,
        caps: String = "batch draft/chathistory message-tags server-time", limit: Int = 2
    ) throws -> Relay {
        var machine = Relay(config: try Tables.network(), links: [try Tables.link()], plugin: "irc")
        machine.restore(NetworkState(try JSON(parsing: Array(state.utf8))))
        _ = machine.start(now: 0)
        _ = machine.connected(now: 0)
        for line in [
            ":s CAP * LS :\(caps)", ":s CAP * ACK :\(caps)", ":s 001 crow :Welcome",
            ":s 005 crow CHATHISTORY=\(limit) :are supported",
        ] { _ = machine.received(Tables.line(line), now: 0) }
        return machine
    }

    private func join(_ machine: inout Relay) -> [String] {
        machine.received(Tables.line(":crow!crow@host JOIN #room"), now: 0).lines
    }

    /// The texts that come into the chat, and the lines to the server.
    private func play(_ machine: inout Relay, _ lines: [String], now: Instant = 0) -> [String] {
        lines.flatMap { line in
            let actions = machine.received(Tables.line(line), now: now)
            let texts = actions.compactMap { action -> String? in
                guard case .emit(let command) = action, command.kind == .message else { return nil }
                return (try? JSONObject(parsing: command.json))?.string("message")
            }
            return texts + actions.lines
        }
    }

    private func said(_ id: String, _ text: String, batch: String? = nil) -> String {
        "@msgid=\(id)\(batch.map { ";batch=" + $0 } ?? "") :Bob!b@h PRIVMSG #room :\(text)"
    }

    @Test func whatWasMissedComesInOrderBeforeWhatIsNew() throws {
        var machine = try registered()
        #expect(join(&machine) == ["CHATHISTORY AFTER #room msgid=m1 2"])
        let first = play(
            &machine,
            [
                said("m5", "new"), ":s BATCH +a chathistory #room", said("m2", "two", batch: "a"),
                "@msgid=m3;batch=a :crow!crow@host PRIVMSG #room :own", ":s BATCH -a",
            ])
        #expect(first == ["two", "CHATHISTORY AFTER #room msgid=m3 2"])
        // A page that is not full is not the last: that is an empty one. What was held back and stands in the history
        // too comes once.
        let second = play(
            &machine,
            [
                ":s BATCH +b draft/chathistory #room", said("m4", "four", batch: "b"), ":s BATCH -b",
                ":s BATCH +c chathistory #room", said("m5", "new", batch: "c"), ":s BATCH -c",
                ":s BATCH +d chathistory #room", ":s BATCH -d", said("m6", "newer"), said("m5", "new"),
            ])
        let asked = ["m4", "m5"].map { "CHATHISTORY AFTER #room msgid=\($0) 2" }
        #expect(second == ["four", asked[0], "new", asked[1], "newer"])
    }

    @Test(
        "servers of which nothing is asked",
        arguments: [
            (##"{"last":{"#room":"msgid=m1"}}"##, "batch message-tags"), ("{}", "batch draft/chathistory"),
            (##"{"last":{"#other":"msgid=m1"}}"##, "batch draft/chathistory"), ("null", "batch draft/chathistory"),
            (##"{"last":{"#room":"msgid=m1"}}"##, "draft/chathistory"),
        ])
    func notAsked(state: String, caps: String) throws {
        var machine = try registered(state, caps: caps)
        #expect(join(&machine) == [])
        let new = play(&machine, [said("m2", "new")])
        #expect(new == ["new"])
    }

    @Test(
        "playback",
        arguments: [
            [":s BATCH +a chathistory #room", "@batch=a", ":s BATCH -a"],
            [":s BATCH +a znc.in/playback #room", "@batch=a", ":s BATCH -a"],
            [":s BATCH +o x", "@batch=o :s BATCH +a chathistory #room", "@batch=a", "@batch=o :s BATCH -a"],
        ])
    func playback(lines: [String]) throws {
        var machine = try registered("null")
        _ = join(&machine)
        let old = lines.map { $0 == "@batch=a" ? $0 + " :Bob!b@h PRIVMSG #room :old" : $0 }
        let topic = lines.map { $0 == "@batch=a" ? $0 + " :Bob!b@h TOPIC #room :old" : $0 }
        let none = play(&machine, old + topic)
        let other = play(&machine, [":s BATCH +q other #room", "@batch=q :Bob!b@h PRIVMSG #room :new"])
        #expect((none, other) == ([], ["new"]))
    }

    @Test func aHistoryThatDoesNotComeHoldsNothingBackForLong() throws {
        var machine = try registered()
        _ = join(&machine)
        let held = play(&machine, [said("m2", "new")])
        let wake = machine.wake(now: 0)
        let late = machine.tick(now: HistoryFetch.patience)
        #expect((held, wake) == ([], HistoryFetch.patience))
        #expect(late.commands.count == 3)
        // Bob is not there any more.
        _ = play(&machine, [":s 353 crow = #room :crow"])
        let left = machine.received(Tables.line(":s 366 crow #room :End"), now: HistoryFetch.patience)
        #expect(left.commands.count == 1 && left.commands[0].contains("LEAVE_CHANNEL"))
        var refused = try registered()
        _ = join(&refused)
        let told = play(&refused, [said("m2", "new"), ":s FAIL CHATHISTORY MESSAGE_ERROR AFTER #room :No"])
        #expect(told == ["new"])
        var flooded = try registered()
        _ = join(&flooded)
        let many = play(&flooded, (1...HistoryFetch.mostHeld).map { said("n\($0)", "t\($0)") })
        #expect(many == (1...HistoryFetch.mostHeld).map { "t\($0)" })
    }

    @Test func pagesHaveAnEnd() throws {
        var machine = try registered(limit: 1)
        var asked = join(&machine).count
        for i in 0..<HistoryFetch.mostPages * 2 {
            asked +=
                play(
                    &machine, [":s BATCH +a chathistory #room", said("p\(i)", "t", batch: "a"), ":s BATCH -a"]
                ).filter { $0.hasPrefix("CHATHISTORY") }.count
        }
        #expect(asked == HistoryFetch.mostPages)
    }

    @Test func whatTheChatHasIsStoredASecondLater() throws {
        var machine = try registered("null")
        _ = join(&machine)
        let heard = machine.received(Tables.line(said("m7", "new")), now: 0)
        let references = heard.compactMap { action in
            if case .emit(let command) = action { command.reference } else { nil }
        }
        #expect(references == ["msgid=m7"])
        let early = machine.stored("#Room", "msgid=m7", now: 5)
        let later = machine.stored("#room", "msgid=m8", now: 5.5)
        #expect((early, later) == ([], []))
        #expect(machine.wake(now: 5.5) == 6)
        let saved = machine.tick(now: 6)
        let wanted =
            ##"{"last":{"#room":"msgid=m8"},"members":{"general":["nick/bob"]},"nicks":"\##(Tables.marks("crow"))","##
            + ##""messages":["< #room m7 nick/bob"]}"##
        let state = try JSON(parsing: Array(wanted.utf8))
        #expect(saved == [.plugin(.state(queue: "net", state: state))])
        _ = machine.stored("#room", "msgid=m9", now: 6)
        let lost = machine.closed(reason: "x", random: 0, now: 6)
        #expect(lost.contains { if case .plugin(.state) = $0 { true } else { false } })
    }

    /// Who comes and goes is stored later; the place in a history does not wait for that.
    @Test func thePlaceIsStoredASecondLaterWhoeverCameBefore() throws {
        var machine = try registered("null")
        _ = join(&machine)
        _ = machine.received(Tables.line(said("m1", "new")), now: 0)
        _ = machine.tick(now: 1)
        let due = machine.stateDue
        _ = machine.stored("#room", "msgid=m1", now: 2)
        #expect(due == 1 + Relay.membersDelay && machine.stateDue == 2 + Relay.stateDelay)
    }

    @Test(
        "references",
        arguments: [
            ("@msgid=a;time=t :s X", "msgid=a timestamp=t"),
            ("@time=2026-01-01T00:00:00.000Z :s X", "timestamp=2026-01-01T00:00:00.000Z"),
            (":s X", nil), ("@msgid=a\\sb :s X", nil), ("@msgid= :s X", nil),
        ] as [(String, String?)])
    func references(line: String, reference: String?) {
        let read = MessageReference(Tables.line(line))
        #expect(read?.text == reference)
        #expect(reference.flatMap { MessageReference(text: $0) } == read)
    }
}
