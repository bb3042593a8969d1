import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// What the operator is told of a network.
@Suite struct FiguresTests {
    private func register(_ machine: inout Relay, caps: String? = nil, now: Instant = 0) {
        _ = machine.connected(now: now)
        if let caps {
            _ = hear(&machine, ":s CAP * LS :\(caps)", now: now)
            _ = hear(&machine, ":s CAP * ACK :\(caps)", now: now)
        }
        for line in [":s 001 crow :Welcome", ":crow!crow@host JOIN #room"] { _ = hear(&machine, line, now: now) }
    }

    private func machine(caps: String? = nil) throws -> Relay {
        var machine = Relay(config: try Tables.network(), links: [try Tables.link()], plugin: "irc")
        _ = machine.start(now: 0)
        register(&machine, caps: caps)
        return machine
    }

    @Test func theLagIsThatOfTheLastAnswer() throws {
        var machine = try machine()
        #expect(machine.connection.figures.lag == nil)
        let said = machine.deliver(Tables.event(1), now: 10)
        let ping = try #require(said.lines.last { $0.hasPrefix("PING :") }).dropFirst(6)
        // One that nobody asked for tells nothing.
        _ = hear(&machine, ":s PONG s :other", now: 10.1)
        #expect(machine.connection.figures.lag == nil)
        _ = hear(&machine, ":s PONG s :\(ping)", now: 10.25)
        #expect(machine.connection.figures.lag == 250)
        _ = hear(&machine, ":s PONG s :\(ping)", now: 12)
        #expect(machine.connection.figures.lag == 250)
        let asked = machine.tick(now: 72)
        #expect(asked.lines == ["PING :alive"])
        _ = hear(&machine, ":s PONG s :alive", now: 73)
        #expect(machine.connection.figures.lag == 1000)
    }

    @Test func anAnswerToALabelTellsTheLagToo() throws {
        var machine = try machine(caps: "batch echo-message labeled-response message-tags")
        let said = machine.deliver(Tables.event(1), now: 10)
        #expect(said.lines == ["@label=1 PRIVMSG #room :<Ann> hello"])
        _ = hear(&machine, "@label=1 :crow!crow@host PRIVMSG #room :<Ann> hello", now: 10.04)
        #expect(machine.connection.figures.lag == 40)
    }

    @Test func reconnectsAndNetsplitsAreCounted() throws {
        var machine = try machine()
        #expect(machine.connection.figures.reconnects == 0)
        for line in [":s 353 crow = #room :crow Bob Eve Zoe", ":s 366 crow #room :x"] { _ = hear(&machine, line) }
        for (nick, at) in [("Bob", 1.0), ("Eve", 2), ("Zoe", 30)] {
            _ = hear(&machine, ":\(nick)!u@h QUIT :a.example.org b.example.org", now: at)
        }
        #expect(machine.connection.figures.netsplits == 2)
        // What was asked on the lost connection is answered on no other.
        let said = machine.deliver(Tables.event(1), now: 40)
        let ping = try #require(said.lines.last { $0.hasPrefix("PING :") }).dropFirst(6)
        _ = machine.closed(reason: "lost", random: 0, now: 41)
        _ = machine.start(now: 42)
        register(&machine, now: 42)
        _ = hear(&machine, ":s PONG s :\(ping)", now: 50)
        #expect(machine.connection.figures.reconnects == 1 && machine.connection.figures.lag == nil)
    }

    @Test func theReportHasItAll() throws {
        let machine = try machine()
        let report = NetworkReport(
            health: machine.health, nick: machine.connection.nick, figures: machine.connection.figures, waiting: 3,
            linesIn: 5, linesOut: 4)
        let json = String(decoding: report.json.bytes, as: UTF8.self)
        #expect(
            json == #"{"state":"ok","message":"connected to irc.example.org as crow","nick":"crow","lagMs":null,"#
                + #""waiting":3,"linesIn":5,"linesOut":4,"netsplits":0,"reconnects":0}"#)
    }
}
