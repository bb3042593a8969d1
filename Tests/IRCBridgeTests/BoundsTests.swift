import Testing

@testable import IRCBridge

/// What a server can make the bridge hold, which has an end each.
@Suite(.timeLimit(.minutes(10))) struct BoundsTests {
    private func joined(_ more: String = "", links: [LinkConfig]? = nil) throws -> Relay {
        try Tables.machine(more, links: links, hearing: [":s 001 crow :x", ":crow!c@host JOIN #room"])
    }

    @Test func nobodyOfAnotherChannelIsNoted() throws {
        var machine = try joined(#","presence":"full""#)
        for line in [
            ":eve!e@h JOIN #elsewhere", ":s 353 crow = #elsewhere :zoe @bob",
            ":s 470 crow #room #elsewhere :Forwarding",
            ":crow!c@host JOIN #elsewhere", ":s 353 crow = #elsewhere :zoe", ":s 366 crow #elsewhere :End",
        ] {
            #expect(hear(&machine, line).commands == [])
        }
        #expect(["eve", "zoe", "bob"].allSatisfy { machine.roster.person($0) == nil })
        _ = hear(&machine, ":s 353 crow = #ROOM :zoe")
        #expect(machine.roster.person("zoe")?.channels == ["#room"])
    }

    @Test func namesOfAnyLengthAreNotHeld() throws {
        let most = String(repeating: "n", count: IRCSource.longestName)
        var roster = Roster()
        for (nick, user, host) in [
            (most + "n", "u", "h"), ("a", most + "u", "h"), ("b", "u", most + "h"), ("c\0", "", ""),
        ] {
            roster.join(IRCSource("\(nick)!\(user)@\(host)"), "#room")
            #expect(roster.person(nick) == nil)
        }
        roster.join(IRCSource("\(most)!\(most)@\(most)"), "#room", account: most + "a")
        #expect(roster.person(most)?.host == most && roster.person(most)?.account == nil)
        // Who speaks is heard, under an id and a name that have a limit.
        var machine = try joined()
        let said = hear(&machine, ":\(String(repeating: "x", count: 9000))!u@h PRIVMSG #room :hello").commands
        #expect(said.last?.contains(#""message":"hello""#) == true && said.allSatisfy { $0.utf8.count < 500 })
    }

    @Test func aSplitTakesSoManyAtMost() {
        var netsplit = Netsplit()
        let person = Roster.Person(nick: "a", channels: ["#room"])
        for i in 0..<Netsplit.mostGone {
            #expect(!netsplit.isFull)
            _ = netsplit.lost("n\(i)", person, now: 0)
        }
        #expect(netsplit.isFull)
        for i in 0..<Netsplit.mostGone - 1 { netsplit.joined("n\(i)", "#room") }
        #expect(!netsplit.isFull && netsplit.nextEnd == Netsplit.patience)
        // Who comes and goes all the time takes no room.
        for i in 1...100_000 {
            _ = netsplit.lost("x", person, now: Double(i) / 1000)
            netsplit.joined("x", "#room")
        }
        let (early, late) = (netsplit.givenUp(now: 299), netsplit.givenUp(now: 300))
        #expect(early == [] && late == [person])
        #expect(netsplit == Netsplit() && netsplit.nextEnd == nil)
    }

    @Test func whoIsLostAgainIsWaitedForAnew() {
        var netsplit = Netsplit()
        let person = Roster.Person(nick: "a", channels: ["#room"])
        _ = netsplit.lost("a", person, now: 0)
        _ = netsplit.lost("b", person, now: 1)
        _ = netsplit.lost("a", person, now: 100)
        #expect(netsplit.nextEnd == 301)
        let first = netsplit.givenUp(now: 301)
        #expect(first.count == 1)
        #expect(netsplit.isAwaited("a", in: "#room") && !netsplit.isAwaited("b", in: "#room"))
        #expect(netsplit.nextEnd == 400)
        let last = netsplit.givenUp(now: 400)
        #expect(last.count == 1)
    }

    @Test func pastASplitsLimitPeopleLeaveAtOnce() throws {
        var machine = try joined(#","presence":"full""#)
        _ = hear(&machine, ":s 353 crow = #room :eve")
        _ = hear(&machine, ":s 366 crow #room :End")
        let person = Roster.Person(nick: "a", channels: ["#room"])
        for i in 0..<Netsplit.mostGone { _ = machine.netsplit.lost("n\(i)", person, now: 0) }
        let gone = hear(&machine, ":eve!e@h QUIT :a.example.org b.example.org")
        #expect(gone.commands.count == 1 && gone.commands[0].contains("LEAVE_CHANNEL"))
    }

    @Test func whatIsHeldBackHasAnEndInBytes() throws {
        var catchUp = HistoryFetch()
        let reference = try #require(MessageReference(text: "msgid=0"))
        _ = catchUp.ask(
            "#room", name: "#room", after: reference, kinds: [.id], most: 0, isLabelled: false, now: 0)
        let long = IRCMessage(
            tags: ["msgid": "x"], source: "eve!e@h", "PRIVMSG", ["#room", String(repeating: "x", count: 16_000)])
        let count = HistoryFetch.mostHeldBytes / long.size
        let taken = (0..<count + 1).map { _ in catchUp.hold("#room", long) }
        #expect(taken == Array(repeating: true, count: count) + [false])
        let held = catchUp.end("#room", isCut: true)
        #expect(held.count == count + 1)
    }

    @Test func idsOfAnyLengthAreNotRemembered() throws {
        var machine = try joined()
        let most = String(repeating: "i", count: HistoryFetch.longestID)
        let fits = hear(&machine, "@msgid=\(most) :eve!e@h PRIVMSG #room :a")
        let again = hear(&machine, "@msgid=\(most) :eve!e@h PRIVMSG #room :a")
        #expect(fits.commands.count == 3 && again.commands == [])
        // As from a server without ids.
        for _ in 0..<2 {
            let long = hear(&machine, "@msgid=\(most)i;time=\(most)t :eve!e@h PRIVMSG #room :b")
            guard case .emit(let command) = try #require(long.last) else { continue }
            #expect(long.commands.count == 1 && command.key == nil && command.reference == nil)
            #expect(!long.commands[0].contains("sentAt"))
        }
    }

    @Test func tagsAndMarksAreReadUpToALimit() {
        let tags = (0..<1000).map { "t\($0)=v" }.joined(separator: ";")
        #expect(Tables.line("@\(tags) PING x").tags.count == IRCMessage.maxTags)
        var supports = ISupport()
        supports.take([
            "PREFIX=(ov)" + String(repeating: "@", count: 9000), "CHANTYPES=" + String(repeating: "#", count: 99),
        ])
        #expect(supports.prefixes.count == ISupport.mostMarks && supports.channelTypes.count == ISupport.mostMarks)
    }

    @Test func thePeopleOfALargeChannelComeInPortions() throws {
        var machine = try joined(#","presence":"full""#)
        let names = (0..<1000).map { "n\($0)" }
        for start in stride(from: 0, to: names.count, by: 50) {
            _ = hear(&machine, ":s 353 crow = #room :" + names[start..<start + 50].joined(separator: " "))
        }
        var commands = hear(&machine, ":s 366 crow #room :End").commands
        #expect(commands.count == 2 * Relay.mostArrivals)
        // The chat does not keep up.
        #expect(machine.setListening(false, now: 0) == [])
        #expect(machine.tick(now: 1).commands == [])
        _ = hear(&machine, ":n999!n@h PART #room")
        commands += machine.setListening(true, now: 2).commands
        #expect(commands.count == 4 * Relay.mostArrivals)
        // It does: time is enough.
        for _ in 0..<10 {
            guard let wake = machine.wake(now: 2), wake < 3 else { break }
            commands += machine.tick(now: wake).commands
        }
        // Who went meanwhile does not come.
        #expect(commands.filter { $0.contains("JOIN_CHANNEL") }.count == 999)
        #expect(Set(commands).count == commands.count)
        // A list that ends twice is taken once.
        #expect(hear(&machine, ":s 366 crow #room :End") == [])
        _ = hear(&machine, ":crow!c@host PART #room")
        #expect(machine.arrivals.isEmpty)
    }

    @Test(arguments: [
        (["PING a\r\nPING b\nPING"], ["PING a", "PING b"]), (["PI", "NG a\r", "\r", "\n", "\n"], ["PING a", ""]),
        // At the limit and over it: at once with its end, in pieces, without an end, and by carriage returns alone.
        (["a\n", most, "\r\nb\n"], ["a", most, "b"]), (["a\n" + most + "x\nb\n"], ["a", "too long"]),
        (["a\n" + most, "x\r\n", "b\n"], ["a", "too long", "b"]), (["a\n", most + "x"], ["a", "too long"]),
        ([String(repeating: "PING a\r", count: 3000)], ["too long"]),
        // What was over the limit is not held.
        ([most + "x", most], ["too long"]),
    ])
    func linesAreCutAndHaveALimit(pieces: [String], expected: [String]) {
        var decoder = LineDecoder()
        var taken: [String] = []
        for piece in pieces {
            let (lines, isTooLong) = Array(piece.utf8).withUnsafeBytes { decoder.take($0) }
            taken += lines.map { String(decoding: $0, as: UTF8.self) }
            if isTooLong { taken.append("too long") }
        }
        #expect(taken == expected)
    }

    private static let most = String(repeating: "x", count: LineDecoder.maxLine)

    /// Numbers that arithmetic does not end well with.
    @Test(arguments: [
        "LINELEN", "NICKLEN", "USERLEN", "HOSTLEN", "TOPICLEN", "CHATHISTORY", "TARGMAX=JOIN:", "TARGMAX=CHATHISTORY:",
    ])
    func numbersOfAnySizeDoNoHarm(name: String) throws {
        for value in ["\(Int.min)", "\(Int.max)", "-1", "0", "99999999999999999999", ""] {
            var machine = try joined()
            _ = hear(&machine, ":s 005 crow \(name)\(name.hasSuffix(":") ? "" : "=")\(value) :are supported")
            let said = machine.deliver(Tables.event(1), now: 0)
            #expect(said.lines.first == "PRIVMSG #room :<Ann> hello", "\(name) \(value)")
            #expect((510...8190).contains(machine.connection.lines.longest))
        }
    }

    @Test func anotherHostOfAnyLengthIsNotHeld() throws {
        var machine = try joined()
        _ = hear(&machine, ":eve!e@h JOIN #room")
        let long = String(repeating: "x", count: IRCSource.longestName + 1)
        for line in [":eve!e@h CHGHOST e \(long)", ":eve!e@h CHGHOST \(long) h"] { _ = hear(&machine, line) }
        #expect(machine.roster.person("eve")?.mask == "eve!e@h")
        _ = hear(&machine, ":eve!e@h CHGHOST e other")
        #expect(machine.roster.person("eve")?.mask == "eve!e@other")
    }
}
