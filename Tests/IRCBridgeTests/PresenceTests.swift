import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// Who comes into the chat's channels and leaves them.
@Suite struct PresenceTests {
    /// A machine that has registered with a server of IRCv3 and joined `#room`, where Bob and Eve are.
    private func machine(_ presence: String, links: [LinkConfig]? = nil) throws -> Relay {
        let links = try links ?? [Tables.link()]
        var machine = try Tables.machine(#","presence":"\#(presence)""#, links: links)
        let caps = "account-tag extended-join account-notify"
        _ = play(&machine, [":s CAP * LS :\(caps)", ":s CAP * ACK :\(caps)", ":s 001 crow :Welcome"])
        _ = play(&machine, [":s 005 crow PREFIX=(ov)@+ CHANTYPES=# :are supported"])
        return machine
    }

    private static let join = [
        ":crow!c@h JOIN #room * :x", ":s 353 crow = #room :crow @+Bob!b@h Eve", ":s 366 crow #room :End",
    ]

    /// What the lines lead to, each command as `TYPE user channel` with the part of an id before the name left out.
    private func play(_ machine: inout Relay, _ lines: [String], now: Instant = 0) -> [String] {
        lines.flatMap { brief(machine.received(Tables.line($0), now: now)) }
    }

    private func brief(_ actions: [RelayAction]) -> [String] {
        actions.compactMap { action in
            guard case .emit(let command) = action else { return nil }
            let id = command.userID.dropFirst("irc/net/".count)
            return "\(command.kind.rawValue.prefix { $0 != "_" }) \(id)" + (command.channel.map { " " + $0 } ?? "")
        }
    }

    @Test func allOfTheChannelComeWhenThePresenceIsFull() throws {
        var full = try machine("full")
        let came = play(&full, Self.join)
        #expect(
            came == [
                "REGISTER nick/bob", "JOIN nick/bob general", "REGISTER nick/eve", "JOIN nick/eve general",
            ])
        for presence in ["lazy", "off"] {
            var other = try machine(presence)
            let came = play(&other, Self.join)
            #expect(came == [])
        }
    }

    /// With the presence, what happens in the channel and what comes of it in the chat.
    @Test(
        "comings and goings",
        arguments: [
            ("full", [":Ann!a@h JOIN #room * :Ann"], ["REGISTER nick/ann", "JOIN nick/ann general"]),
            ("full", [":Ann!a@h JOIN #room acc :Ann"], ["REGISTER acct/acc", "JOIN acct/acc general"]),
            ("full", [":Bob!b@h PART #room :bye"], ["LEAVE nick/bob general"]),
            ("full", [":Bob!b@h QUIT :bye"], ["LEAVE nick/bob general"]),
            ("full", [":Bob!b@h QUIT"], ["LEAVE nick/bob general"]), ("full", [":Bob!b@h PART"], []),
            ("full", [":Eve!e@h KICK #room Bob :out"], ["LEAVE nick/bob general"]),
            ("full", [":Bob!b@h PART #other"], []), ("full", [":Zoe!z@h QUIT :unknown"], []),
            (
                "full", [":Bob!b@h NICK Rob"],
                ["LEAVE nick/bob general", "REGISTER nick/rob", "JOIN nick/rob general"]
            ),
            ("full", [":Bob!b@h NICK BOB"], ["RENAME nick/bob"]),
            (
                "full", [":Bob!b@h ACCOUNT robert", ":Bob!b@h NICK Rob", ":Rob!b@h QUIT :bye"],
                [
                    "LEAVE nick/bob general", "REGISTER acct/robert", "JOIN acct/robert general", "RENAME acct/robert",
                    "LEAVE acct/robert general",
                ]
            ),
            // Two clients of one account are one user, who is there as long as one of them is.
            (
                "full",
                [":A1!a@h JOIN #room acc :A", ":A2!a@h JOIN #room acc :A", ":A1!a@h QUIT :x", ":A2!a@h QUIT :x"],
                ["REGISTER acct/acc", "JOIN acct/acc general", "RENAME acct/acc", "LEAVE acct/acc general"]
            ),
            ("lazy", [":Bob!b@h QUIT :bye", ":Eve!e@h PART #room"], []),
            (
                "lazy", [":Bob!b@h PRIVMSG #room :hi", ":Bob!b@h NICK Rob", ":Rob!b@h PRIVMSG #room :hi"],
                [
                    "REGISTER nick/bob", "JOIN nick/bob general", "SEND nick/bob general", "LEAVE nick/bob general",
                    "REGISTER nick/rob", "JOIN nick/rob general", "SEND nick/rob general",
                ]
            ),
            (
                "lazy", ["@account=robert :Bob!b@h PRIVMSG #room :hi", ":Bob!b@h NICK Rob"],
                ["REGISTER acct/robert", "JOIN acct/robert general", "SEND acct/robert general", "RENAME acct/robert"]
            ),
            ("off", [":Bob!b@h PRIVMSG #room :hi", ":Bob!b@h QUIT :bye"], ["SEND nick/bob general"]),
        ] as [(String, [String], [String])])
    func comingsAndGoings(presence: String, lines: [String], commands: [String]) throws {
        var machine = try machine(presence)
        _ = play(&machine, Self.join)
        let came = play(&machine, lines)
        #expect(came == commands)
    }

    @Test func whoIsInTwoLinkedChannelsLeavesWithTheLast() throws {
        var machine = try machine("full", links: [Tables.link(), Tables.link("general", "#two")])
        _ = play(&machine, Self.join)
        _ = play(&machine, [":crow!c@h JOIN #two * :x", ":s 353 crow = #two :Bob", ":s 366 crow #two :End"])
        let first = play(&machine, [":Bob!b@h PART #room"])
        let second = play(&machine, [":Bob!b@h PART #two"])
        #expect((first, second) == ([], ["LEAVE nick/bob general"]))
    }

    @Test func whoWentWhileTheClientWasAwayLeavesWhenItIsBack() throws {
        var machine = try machine("full")
        _ = play(&machine, Self.join)
        _ = play(&machine, [":Eve!e@h KICK #room crow :out"])
        let back = play(
            &machine, [":crow!c@h JOIN #room * :x", ":s 353 crow = #room :crow Eve Zoe", ":s 366 crow #room :End"])
        #expect(back == ["LEAVE nick/bob general", "REGISTER nick/zoe", "JOIN nick/zoe general"])
    }

    @Test func whoWentWhileTheBridgeWasStoppedLeavesOnceItIsBack() throws {
        var machine = try machine("full")
        _ = play(&machine, Self.join)
        let stopped = machine.closed(reason: "x", random: 0, now: 0)
        let states = stopped.compactMap { if case .plugin(.state(_, let state)) = $0 { state } else { nil } }
        let state = try #require(states.first)
        let wanted = #"{"last":{},"members":{"general":["nick/bob","nick/eve"]},"nicks":"\#(Tables.marks("crow"))"}"#
        #expect(String(decoding: state.bytes, as: UTF8.self) == wanted)
        var next = try self.machine("full")
        next.restore(NetworkState(state))
        let back = play(&next, [":crow!c@h JOIN #room * :x", ":s 353 crow = #room :crow Eve", ":s 366 crow #room :x"])
        #expect(back == ["LEAVE nick/bob general", "REGISTER nick/eve"])
    }

    @Test func theStateIsOfBoundedLength() throws {
        var state = NetworkState()
        state.members = ["general": (0..<5000).map { "nick/somebody\($0)" }]
        for i in 0..<1000 { state.note("#\"channel\(i)", "msgid=" + String(repeating: "x", count: 100)) }
        #expect(state.json.bytes.count < Wire.maxState)
        #expect(NetworkState(state.json).members["general"]?.first == "nick/somebody0")
    }

    @Test func whoIsThereComesIntoAChannelThatIsMadeLater() throws {
        var machine = try machine("full")
        _ = play(&machine, Self.join)
        let json = #"{"type":"CHANNEL_CREATED","userId":"ann","channelId":"general"}"#
        let event = HostMessage.EventDelivery(queue: "net", delivery: 7, position: 7, event: Array(json.utf8))
        let made = machine.deliver(event, now: 0)
        #expect(brief(made).filter { $0.hasPrefix("JOIN") } == ["JOIN nick/bob general", "JOIN nick/eve general"])
        #expect(made.acks == [7])
    }

    @Test func accountsAreAskedForWhereTheServerTellsThem() throws {
        var machine = try machine("full")
        _ = play(&machine, [":s 005 crow WHOX :are supported"] + Self.join.dropLast())
        let asked = machine.received(Tables.line(Self.join[2]), now: 0)
        #expect(asked.lines == ["WHO #room %tuhna,42"])
        let came = play(
            &machine, [":s 354 crow 42 b h Bob robert", ":s 354 crow 42 e h Eve 0", ":s 315 crow #room :End"])
        #expect(
            came == [
                "REGISTER acct/robert", "JOIN acct/robert general", "REGISTER nick/eve", "JOIN nick/eve general",
            ])
    }

    /// Robert is in the chat by his account, which no list of names shows; with WHOX it can be asked for.
    @Test(arguments: ["lazy", "full"], [true, false])
    func whoIsKnownByAnAccountStaysWhileTheyAreThere(presence: String, hasWHOX: Bool) throws {
        for isThere in [true, false] {
            var machine = try machine(presence)
            if hasWHOX { _ = play(&machine, [":s 005 crow WHOX :are supported"]) }
            _ = play(&machine, Self.join + [":s 315 crow #room :End"])
            _ = play(&machine, ["@account=robert :Bob!b@h PRIVMSG #room :hi"])
            _ = play(&machine, [":op!o@h KICK #room crow :out"])
            let names = ":s 353 crow = #room :crow Eve" + (isThere ? " Bob" : "")
            _ = play(&machine, [":crow!c@h JOIN #room * :x", names])
            let end = machine.received(Tables.line(":s 366 crow #room :End"), now: 0)
            #expect(end.lines.contains { $0.hasPrefix("WHO ") } == hasWHOX)
            let who = [":s 354 crow 42 e h Eve 0"] + (isThere ? [":s 354 crow 42 b h Bob robert"] : [])
            let back = brief(end) + play(&machine, who + [":s 315 crow #room :End"])
            #expect(back.contains("LEAVE acct/robert general") == (hasWHOX && !isThere))
        }
    }

    @Test func nobodyLeavesUntilAllChannelsAreListed() throws {
        var machine = try machine("lazy", links: [Tables.link(), Tables.link("general", "#two")])
        _ = play(&machine, Self.join)
        _ = play(&machine, [":crow!c@h JOIN #two * :x", ":s 353 crow = #two :Zoe", ":s 366 crow #two :End"])
        _ = play(&machine, [":Zoe!z@h PRIVMSG #two :hi", ":Eve!e@h PRIVMSG #room :hi"])
        for channel in ["#room", "#two"] { _ = play(&machine, [":op!o@h KICK \(channel) crow :out"]) }
        let first = play(
            &machine,
            [
                ":crow!c@h JOIN #room * :x", ":crow!c@h JOIN #two * :x", ":s 353 crow = #room :crow",
                ":s 366 crow #room :End",
            ])
        let second = play(&machine, [":s 353 crow = #two :crow Zoe", ":s 366 crow #two :End"])
        #expect((first, second) == ([], ["LEAVE nick/eve general"]))
    }

    /// After a restart the chat knows her by the name of then.
    @Test(arguments: [("Alice", true), ("alice_away", false)])
    func whoWasKnownByAnotherNameGetsTheNewOne(before: String, isOther: Bool) throws {
        var machine = try machine("lazy")
        _ = play(&machine, Self.join + [":alice_away!a@h JOIN #room alice :x"])
        let said = play(&machine, ["@account=alice :alice_away!a@h PRIVMSG #room :hi"])
        #expect(said == ["REGISTER acct/alice", "JOIN acct/alice general", "SEND acct/alice general"])
        machine.users.existed("irc/net/acct/alice")
        let who = #""userId":"irc/net/acct/alice","userName":"\#(before)","channelId":"general""#
        let json = ##"{"type":"MESSAGE_SENT",\##(who),"message":"hi","origin":{"plugin":"irc","ref":"net/#room"}}"##
        let event = HostMessage.EventDelivery(queue: "net", delivery: 7, position: 7, event: Array(json.utf8))
        let (first, second) = (machine.deliver(event, now: 0), machine.deliver(event, now: 0))
        #expect(brief(first) == (isOther ? ["RENAME acct/alice"] : []))
        #expect(first.commands.allSatisfy { $0.contains(#""name":"alice_away""#) })
        #expect(first.acks == [7] && brief(second) == [])
    }

    @Test func aNetsplitThatHealsIsNotSeen() throws {
        var machine = try machine("full")
        _ = play(&machine, Self.join)
        let split = play(&machine, [":Bob!b@h QUIT :a.example.org b.example.org", ":Eve!e@h QUIT :*.net *.split"])
        #expect(split == [])
        let healed = play(&machine, [":Bob!b@h JOIN #room * :Bob"], now: 299)
        #expect(healed == [])
        #expect(machine.netsplit.nextEnd == 300)
        let ended = brief(machine.tick(now: 300))
        #expect(ended == ["LEAVE nick/eve general"])
        #expect(machine.netsplit.nextEnd == nil)
    }

    @Test func aNetsplitThatIsABatchNeedsNoSuchReason() throws {
        var machine = try machine("full")
        _ = play(&machine, Self.join)
        let split = play(&machine, [":s BATCH +x netsplit a b", "@batch=x :Bob!b@h QUIT :gone", ":s BATCH -x"])
        let quit = play(&machine, ["@batch=x :Eve!e@h QUIT :gone"])
        #expect((split, quit) == ([], ["LEAVE nick/eve general"]))
    }

    @Test(
        "reasons of a QUIT",
        arguments: [
            ("a.example.org b.example.org", true), ("*.net *.split", true), ("a.org a.org", false),
            ("Quit: a.org b.org", false), ("bye bye", false), ("a.org", false), ("a.org  b.org", false), ("", false),
            ("see example.org", false),
        ])
    func reasons(reason: String, isSplit: Bool) {
        #expect(Netsplit.isReason(reason) == isSplit)
    }
}
