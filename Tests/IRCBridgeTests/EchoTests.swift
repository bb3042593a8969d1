import PluginWire
import Testing

@testable import IRCBridge

/// Echoes without labels as receipts, and what comes under the client's own nick without being one.
@Suite struct EchoTests {
    private static let caps = ":batch echo-message server-time"
    private static let begin = [
        ":s CAP * LS \(caps)", ":s CAP * ACK \(caps)", ":s 001 crow :Welcome", ":crow!crow@host JOIN #room",
        ":s 366 crow #room :x",
    ]
    private static let mask = ":crow!crow@cloak"

    private func joined(_ begin: [String] = begin) throws -> Relay {
        var machine = try Tables.machine(hearing: begin)
        // Soon after a JOIN refusals are not final.
        _ = machine.received(Tables.line(":s PING x"), now: 100)
        return machine
    }

    private func rejected(_ actions: [RelayAction]) -> [Int64: String] {
        var found: [Int64: String] = [:]
        for case .plugin(.reject(let delivery, _, let message, true)) in actions { found[delivery] = message }
        return found
    }

    /// Answers the PING that is due.
    private func answer(_ machine: inout Relay, _ actions: [RelayAction]) throws -> [RelayAction] {
        let fence = try #require(actions.lines.last { $0.hasPrefix("PING :") })
        return hear(&machine, ":s PONG s :" + fence.dropFirst(6), now: 100)
    }

    @Test func theOwnEchoIsTheReceipt() throws {
        var machine = try joined()
        #expect(machine.deliver(Tables.event(1), now: 100).lines == ["PRIVMSG #room :<Ann> hello"])
        let echoed = hear(&machine, "\(Self.mask) PRIVMSG #room :<Ann> hello", now: 100)
        #expect(echoed.acks == [1])
        #expect(echoed.commands == [])
        #expect(machine.connection.mask == "crow!crow@cloak")
        #expect(machine.tick(now: 106).lines == [])
    }

    @Test(arguments: [
        ("**bold** _it_ x", "<Ann> bold it x"), ("you fool", "<Ann> you ****"), ("  a  b ", "<Ann> a b"),
        ("long", "<Ann> lo"),
    ])
    func aMessageThatTheServerAltersIsConfirmed(text: String, shown: String) throws {
        var machine = try joined()
        _ = machine.deliver(Tables.event(1, text), now: 100)
        var actions = hear(&machine, "\(Self.mask) PRIVMSG #room :\(shown)", now: 100)
        if actions.acks.isEmpty { actions = try answer(&machine, actions) }
        #expect(actions.acks == [1])
        #expect(actions.commands == [])
    }

    @Test func aLineWithoutItsEchoDoesNotEndTheTiming() throws {
        var machine = try joined()
        _ = machine.deliver(Tables.event(1, "you fool"), now: 100)
        _ = try answer(&machine, hear(&machine, "\(Self.mask) PRIVMSG #room :<Ann> you ****", now: 100))
        _ = machine.deliver(Tables.event(2), now: 101)
        _ = hear(&machine, "\(Self.mask) PRIVMSG #room :<Ann> hello", now: 102)
        #expect(machine.connection.figures.lag == 1000)
    }

    @Test func whatTheServerShowsNobodyIsADeadLetter() throws {
        var machine = try joined()
        _ = machine.deliver(Tables.event(1), now: 100)
        #expect(machine.wake(now: 100) == 100 + ConnectionState.receiptLimit)
        let actions = try answer(&machine, machine.tick(now: 105))
        #expect(actions.acks == [])
        #expect(rejected(actions) == [1: ConnectionState.showedNobody])
    }

    /// What the server does with each of some lines, and what follows at once when it shows the last one.
    @Test(arguments: [
        (["shown", "refused", "shown"], [1, 3], [2]), (["dropped", "shown"], [2], [1]),
        (["altered", "refused", "shown"], [1, 3], [2]), (["refused", "altered", "shown"], [2, 3], [1]),
        (["refused", "dropped", "refused", "shown"], [4], [1, 2, 3]),
        // It is not known which of the first two is the one that was altered.
        (["altered", "dropped", "shown"], [3], []), (["dropped", "refused", "altered", "shown"], [4], []),
    ])
    func linesBeforeOneThatIsShownAreDecided(course: [String], acked: [Int64], lost: [Int64]) throws {
        var machine = try joined()
        for i in course.indices { _ = machine.deliver(Tables.event(Int64(i + 1), "line \(i)"), now: 100) }
        var actions: [RelayAction] = []
        for (i, what) in course.enumerated() {
            switch what {
            case "shown": actions += hear(&machine, "\(Self.mask) PRIVMSG #room :<Ann> line \(i)", now: 100)
            case "altered": actions += hear(&machine, "\(Self.mask) PRIVMSG #room :<Ann> ****", now: 100)
            case "refused": actions += hear(&machine, ":s 404 crow #room :No \(i)", now: 100)
            default: break
            }
        }
        #expect(actions.acks.sorted() == acked)
        #expect(rejected(actions).keys.sorted() == lost)
        #expect(actions.commands == [])
    }

    /// A server that does anything with lines: nothing that it showed to nobody counts as said, all is decided, and
    /// nothing is written more than twice.
    @Test(arguments: 0..<40) func nothingIsConfirmedThatWasNotShown(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var machine = try joined()
        var now = 100.0
        var pending: [RelayAction] = []
        for i in 1...30 {
            let text = Int.random(in: 0..<4, using: &random) == 0 ? "line \(i)\nmore \(i)" : "line \(i)"
            pending += machine.deliver(Tables.event(Int64(i), text), now: now)
        }
        var written: [String: Int] = [:]
        var shown: Set<String> = []
        var (acked, dead): (Set<Int64>, Set<Int64>) = ([], [])
        var lines = pending.lines
        for _ in 0..<2000 where acked.count + dead.count < 30 {
            guard !lines.isEmpty else {
                now = try #require(machine.wake(now: now))
                lines = machine.tick(now: now).lines
                continue
            }
            let line = lines.removeFirst()
            var actions: [RelayAction] = []
            if line.hasPrefix("PING :") {
                actions = hear(&machine, ":s PONG s :\(line.dropFirst(6))", now: now)
            } else if line.hasPrefix("PRIVMSG") {
                written[line, default: 0] += 1
                let chance = Int.random(in: 0..<10, using: &random)
                switch chance {
                case 0: break
                case 1: actions = hear(&machine, ":s 404 crow #room :No", now: now)
                default:
                    shown.insert(line)
                    let text = chance == 2 ? "PRIVMSG #room :<Ann> ****" : line
                    actions = hear(&machine, "\(Self.mask) \(text)", now: now)
                }
            }
            #expect(actions.commands == [])
            acked.formUnion(actions.acks)
            dead.formUnion(rejected(actions).keys)
            lines += actions.lines
        }
        #expect(acked.count + dead.count == 30)
        for i in acked { #expect(shown.contains("PRIVMSG #room :<Ann> line \(i)"), "\(i)") }
        #expect(written.values.allSatisfy { $0 <= 2 })
    }

    @Test func aTopicIsConfirmedByTheAnswerToAPing() throws {
        var machine = try joined()
        let json = #"{"type":"CHANNEL_TOPIC_SET","userId":"ann","userName":"Ann","channelId":"general","topic":"new"}"#
        let event = HostMessage.EventDelivery(queue: "net", delivery: 1, position: 1, event: Array(json.utf8))
        let said = machine.deliver(event, now: 100)
        #expect(said.lines == ["TOPIC #room :new", "PING :crowbar-1"])
        #expect(try answer(&machine, said).acks == [1])
    }

    // MARK: - Another session of the same account

    private static let labels = ":batch echo-message labeled-response message-tags"

    /// The texts and authors of what comes into the chat.
    private func messages(_ actions: [RelayAction]) -> [String] {
        actions.commands.filter { $0.contains("SEND_MESSAGE") }
    }

    @Test(arguments: [
        ["batch echo-message server-time"], ["batch echo-message labeled-response message-tags"],
        // A bouncer: ZNC, and bip, which shows no host.
        ["echo-message znc.in/self-message", "server-time"], [],
    ])
    func whatAnotherSessionOfTheAccountSaysIsHeard(caps: [String]) throws {
        let offered = caps.first.map { [":s CAP * LS :\($0)", ":s CAP * ACK :\(caps.last ?? "")"] } ?? []
        var machine = try joined(offered + Self.begin.dropFirst(2))
        if caps.isEmpty { _ = hear(&machine, ":local PONG x", now: 100) }
        for source in ["crow!crow@host", "crow"] {
            for (line, kind) in [
                ("PRIVMSG #room :from the phone", ""), ("NOTICE #room :from the phone", "notice"),
                ("PRIVMSG #room :\u{1}ACTION from the phone\u{1}", "action"),
            ] {
                let said = messages(hear(&machine, ":\(source) \(line)", now: 100))
                #expect(said.count == 1, "\(source) \(line)")
                #expect(said.first?.contains(#""userId":"irc/net/nick/crow""#) == true)
                #expect(said.first?.contains(#""message":"from the phone""#) == true)
                #expect(kind.isEmpty || said.first?.contains(#""kind":"\#(kind)""#) == true)
            }
        }
        // What it says in private is not for the chat, and nothing is answered to it.
        for target in ["bob", "crow", "@#room", "#elsewhere"] {
            let actions = hear(&machine, ":crow!crow@host PRIVMSG \(target) :!help", now: 100)
            #expect(messages(actions) == [] && actions.lines == [], "\(target)")
        }
        #expect(hear(&machine, ":crow!crow@host PRIVMSG #room :\u{1}VERSION\u{1}", now: 100).isEmpty)
    }

    @Test func whatTheBridgeItselfSaidIsNotHeard() throws {
        for labels in [false, true] {
            let caps = labels ? Self.labels : Self.caps
            var machine = try joined([":s CAP * LS \(caps)", ":s CAP * ACK \(caps)"] + Self.begin.dropFirst(2))
            let said = machine.deliver(Tables.event(1), now: 100).lines
            let label = labels ? "@label=1 " : ""
            #expect(said == ["\(label)PRIVMSG #room :<Ann> hello"])
            let echoed = hear(&machine, "\(label)\(Self.mask) PRIVMSG #room :<Ann> hello", now: 100)
            #expect(echoed.acks == [1])
            #expect(messages(echoed) == [])
        }
    }

    /// Until the echo has come it may be that of the bridge's own line, altered.
    @Test func whatIsSaidBesideAnUnconfirmedLineIsHeardOnceThatIsConfirmed() throws {
        var machine = try joined()
        _ = machine.deliver(Tables.event(1), now: 100)
        let held = hear(&machine, ":crow!crow@host PRIVMSG #room :from the phone", now: 100)
        #expect(messages(held) == [])
        let echoed = hear(&machine, "\(Self.mask) PRIVMSG #room :<Ann> hello", now: 100)
        #expect(echoed.acks == [1])
        #expect(messages(echoed).count == 1)
    }

    @Test func aUsersConnectionHearsNothingOfTheKind() throws {
        let config = try Tables.network().ofPuppet("ann", name: "ann")
        var puppet = Puppet(config: config, plugin: "irc")
        _ = puppet.start(now: 0)
        _ = puppet.connected(now: 0)
        _ = hear(&puppet, ":s 001 ann :Welcome", now: 0)
        let entry = OutboundQueue.Entry(
            delivery: 1, message: ChatMessage(channel: "general", author: "ann", what: .text("x")), targets: ["#room"])
        _ = puppet.say(entry, [try Tables.link()], now: 0)
        _ = hear(&puppet, ":ann!u@h JOIN #room", now: 0)
        for target in ["#room", "ann"] {
            let actions = hear(&puppet, ":ann!u@h PRIVMSG \(target) :from the phone", now: 0)
            #expect(actions.isEmpty)
        }
        // Nor does the bridge hear what users' connections say.
        var machine = try Tables.machine(
            #","mode":"puppets""#, hearing: [":s 001 crow :Welcome", ":crow!crow@host JOIN #room"])
        _ = machine.deliver(Tables.event(1), now: 0)
        _ = machine.puppetDid(1, .nick("ann"), now: 1)
        #expect(messages(hear(&machine, ":ann!u@h PRIVMSG #room :hello", now: 100)) == [])
    }
}
