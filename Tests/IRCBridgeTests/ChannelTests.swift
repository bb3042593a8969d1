import PluginWire
import Testing

@testable import IRCBridge

/// Channels that let the bridge in, do not, or do not say.
@Suite struct ChannelTests {
    private func registered(
        _ targets: [String], flood: FloodBucket? = nil, supports: String? = nil
    ) throws -> (machine: Relay, asked: [RelayAction]) {
        let links = try targets.map { try Tables.link(String($0.dropFirst()), $0) }
        var machine = try Tables.machine(links: links)
        if let flood { machine.connection.bucket = flood }
        if let supports { machine.connection.supports.take(supports.split(separator: " ").map(String.init)) }
        let asked = hear(&machine, ":s 001 crow :Welcome")
        return (machine, asked)
    }

    @Test(
        "refusals",
        arguments: [
            "403", "405", "407", "437", "448", "470", "471", "473", "474", "475", "476", "477", "479", "480", "489",
            "495", "500", "520", "926",
        ])
    func refusals(numeric: String) throws {
        var (machine, _) = try registered(["#room"])
        let refused = hear(&machine, ":s \(numeric) crow #room :No")
        #expect(refused.health?.level == .degraded)
        #expect(refused.windows == [1024])
        let again = machine.tick(now: 5)
        #expect(again.lines == ["JOIN #room"])
    }

    @Test func aStandardReplyRefusesToo() throws {
        var (machine, _) = try registered(["#room"])
        let refused = hear(&machine, ":s FAIL JOIN CHANNEL_BLOCKED #room :Not here")
        #expect(refused.health?.message.hasSuffix("#room: Not here") == true)
    }

    @Test(
        "no refusals",
        arguments: [
            ":s 403 crow #other :No such channel", ":s 401 crow bob :No such nick", ":s 480 crow",
            ":s 375 crow #room :x",
            ":s FAIL JOIN X", ":s 332 crow #room :a topic",
        ])
    func noRefusals(line: String) throws {
        var (machine, _) = try registered(["#room"])
        let heard = hear(&machine, line)
        #expect(heard.health == nil && heard.windows == [])
    }

    @Test func aServerThatDoesNotAnswerIsAskedAgain() throws {
        var (machine, asked) = try registered(["#room"])
        #expect(asked.lines == ["JOIN #room"])
        _ = machine.tick(now: Relay.joinLimit)
        #expect(machine.wake(now: 20) == Membership.answerLimit)
        let late = machine.tick(now: Membership.answerLimit)
        #expect(late.health?.message.hasSuffix("not in #room: the server does not answer") == true)
        let again = machine.tick(now: Membership.answerLimit + Membership.firstWait)
        #expect(again.lines == ["JOIN #room"])
        let joined = hear(&machine, ":crow!c@h JOIN #room", now: 40)
        #expect(joined.health?.level == .ok)
    }

    @Test func aUsersConnectionIsNotStuckEither() throws {
        var puppet = try Tables.puppet("ann")
        _ = hear(&puppet, ":s 001 ann :Welcome")
        let message = ChatMessage(channel: "general", author: "ann", what: .text("hi"))
        let entry = OutboundQueue.Entry(delivery: 1, message: message, targets: ["#room"])
        let asked = puppet.say(entry, [try Tables.link()], now: 0)
        #expect(asked.lines == ["JOIN #room"])
        let late = puppet.tick(now: Membership.answerLimit)
        #expect(late.contains(.refused(1)))
    }

    @Test(
        "lists",
        arguments: [
            (["#a", "#b", "#c"], nil, ["JOIN #a,#b,#c"]),
            (["#a", "#b", "#c"], "TARGMAX=JOIN:2", ["JOIN #a,#b", "JOIN #c"]),
            (["#a", "#b", "#c"], "TARGMAX=PRIVMSG:1,JOIN:", ["JOIN #a,#b,#c"]),
            (["#a", "#b"], "TARGMAX=JOIN:1", ["JOIN #a", "JOIN #b"]),
            (
                (0..<12).map { "#\($0 + 10)" }, nil,
                [
                    "JOIN #10,#11,#12,#13,#14,#15,#16,#17,#18,#19", "JOIN #20,#21",
                ]
            ),
        ] as [([String], String?, [String])])
    func lists(targets: [String], supports: String?, lines: [String]) throws {
        let (_, asked) = try registered(targets, supports: supports)
        #expect(asked.lines == lines)
    }

    @Test func keysStandBeforeTheOthersAndNoLineIsTooLong() throws {
        var machine = Relay(config: try Tables.network(), links: [], plugin: "irc")
        machine.connection.phase = .registered(since: 0)
        let long = "#" + String(repeating: "x", count: 190)
        let wanted: [(String, String?)] = [
            ("#a", nil), ("#b", "kb"), ("#c", nil), ("#d", "kd"), ("#e", "with,comma"), (long + "1", nil),
            (long + "2", nil), (long + "3", nil),
        ]
        for (name, key) in wanted {
            machine.connection.memberships[name] = Membership(name: name, key: key)
            machine.enqueue(.join(name))
        }
        let lines = machine.pump(0).lines
        #expect(
            lines == [
                "JOIN #b,#d,#a,#c,\(long)1,\(long)2 kb,kd", "JOIN #e with,comma", "JOIN \(long)3",
            ])
    }

    @Test func manyChannelsAreNoFlood() throws {
        let targets = (0..<50).map { "#\($0 + 100)" }
        var (machine, asked) = try registered(targets, flood: FloodBucket(burst: 2, rate: 1, now: 0))
        machine.connection.config.presence = .full
        _ = hear(&machine, ":s 005 crow WHOX :are supported")
        var (lines, now) = (asked.lines, 0.0)
        var (answered, toAnswer): (Int, [String]) = (0, lines)
        while now < 200, answered < 50 || lines.filter({ $0.hasPrefix("WHO") }).count < 50 {
            // All is answered at once.
            var next: [RelayAction] = []
            for line in toAnswer where line.hasPrefix("JOIN") {
                for name in line.dropFirst(5).split(separator: ",") {
                    next += hear(&machine, ":crow!c@h JOIN \(name)", now: now)
                    next += hear(&machine, ":s 366 crow \(name) :End", now: now)
                    answered += 1
                }
            }
            if next.isEmpty {
                now = try #require(machine.wake(now: now))
                next = machine.tick(now: now)
            }
            toAnswer = next.lines
            lines += toAnswer
            #expect(Double(lines.count) <= 2 + now + 1e-3, "at \(now)")
        }
        #expect(answered == 50)
        #expect(lines.prefix(5).allSatisfy { $0.hasPrefix("JOIN") })
    }

    @Test func messagesTakeTurnsWithQuestions() throws {
        var (machine, _) = try registered(["#a"])
        _ = hear(&machine, ":crow!c@h JOIN #a")
        machine.connection.bucket = FloodBucket(burst: 1, rate: 1, now: 0)
        _ = machine.connection.bucket.take(now: 0)
        for i in 0..<5 {
            machine.connection.memberships["#w\(i)"] = Membership(name: "#w\(i)", key: nil)
            machine.connection.memberships["#w\(i)"]?.joined(now: 0)
            machine.enqueue(.who("#w\(i)"))
        }
        for i in Int64(1)...3 { _ = machine.deliver(Tables.event(i, "m\(i)", channel: "a"), now: 0) }
        var said: [String] = []
        for now in 1...6 { said += machine.tick(now: Double(now)).lines.map { String($0.prefix(3)) } }
        #expect(said == ["PRI", "WHO", "PRI", "WHO", "PRI", "WHO"])
    }

    @Test func aHistoryIsWaitedForFromItsQuestionOn() throws {
        var catchUp = HistoryFetch()
        let reference = try #require(MessageReference(text: "msgid=1"))
        _ = catchUp.ask(
            "#room", name: "#room", after: reference, kinds: [.id], most: 0, isLabelled: false, now: 0)
        catchUp.waits("#room", from: .infinity)
        #expect(catchUp.isAsked("#room"))
        #expect(catchUp.waiting(overdue: 1_000_000).isEmpty)
        catchUp.waits("#room", from: 100)
        #expect(catchUp.nextEnd == 100 + HistoryFetch.patience)
    }

    @Test func whatAChannelRefusedBeforeIsNotForgottenWithTheConnection() throws {
        var (machine, _) = try registered(["#room"])
        _ = hear(&machine, ":s 474 crow #room :banned")
        _ = machine.deliver(Tables.event(1, channel: "room"), now: 0)
        _ = machine.closed(reason: "lost", random: 0, now: 290)
        _ = machine.connected(now: 300)
        _ = hear(&machine, ":s 001 crow :Welcome", now: 300)
        let refused = hear(&machine, ":s 474 crow #room :banned", now: 301)
        #expect(
            refused.contains { if case .plugin(.reject(1, _, _, _)) = $0 { true } else { false } })
    }

    @Test func theChannelThatIsForwardedToIsLeft() throws {
        var (machine, _) = try registered(["#room"])
        let away = hear(&machine, ":s 470 crow #room ##overflow :Forwarding to another channel")
        #expect(away.lines == ["PART ##overflow"])
        #expect(away.health?.message.contains("the server sends all to another channel") == true)
        // Where it is linked itself it is no stranger.
        var (both, _) = try registered(["#room", "#hall"])
        let here = hear(&both, ":s 470 crow #room #hall :Forwarding to another channel")
        #expect(here.lines == [])
    }
}
