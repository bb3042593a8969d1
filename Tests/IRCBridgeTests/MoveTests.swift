import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// A server that renames channels or puts the client elsewhere, line by line.
@Suite struct MoveTests {
    private static let start = [
        ":s CAP * LS :draft/channel-rename", ":s CAP * ACK :draft/channel-rename", ":s 001 crow :Welcome",
        ":crow!c@h JOIN #room", ":s 353 crow = #room :crow bob", ":s 366 crow #room :End",
    ]
    private static let moved = "not in #room: the server moved the bridge to #hall"
    private static let renamed = "#room is #hall now: set the link's 'irc' to net/#hall"
    private static let fine = "connected to irc.example.org as crow"
    private static let taken = "#room: the server took the bridge out of it"

    /// A machine that is in `#room` and hears these lines, and what it writes.
    private func play(_ lines: [String], links: [LinkConfig]? = nil) throws -> (Relay, [String]) {
        var machine = try Tables.machine(links: links, hearing: Self.start)
        let actions = lines.flatMap { machine.received(Tables.line($0), now: 100) }
        return (machine, actions.lines)
    }

    /// What the server says, what is left, what is told, and where the chat's messages go.
    struct Case: Sendable {
        var lines: [String]
        var left: [String] = []
        var told: String
        var said: String?
    }

    @Test(arguments: [
        Case(lines: [":bob!b@h RENAME #room #hall :Why not"], told: renamed, said: "#hall"),
        Case(lines: [":crow!c@h RENAME #ROOM #Hall"], told: "#room is #Hall now", said: "#Hall"),
        Case(lines: [":b RENAME #room #x :", ":b RENAME #x #hall :"], told: renamed, said: "#hall"),
        Case(lines: [":b RENAME #room #x :", ":b RENAME #x #room :"], told: fine, said: "#room"),
        Case(lines: [":b RENAME #room #Room :"], told: fine, said: "#Room"),
        // Of other channels, or to none.
        Case(lines: [":b RENAME #other #hall :"], told: fine, said: "#room"),
        Case(lines: [":b RENAME #room"], told: fine, said: "#room"),
        Case(lines: [":b RENAME #room #a,#b :"], told: fine, said: "#room"),
        // Another channel that has the former name now is none of the link's.
        Case(
            lines: [
                ":b RENAME #room #hall :", ":crow!c@h JOIN #room", ":s 353 crow = #room :eve",
                ":s 366 crow #room :End",
            ], told: renamed, said: "#hall"),
        // Moved: nothing is said.
        Case(
            lines: [":crow!c@h PART #room :Channel renamed", ":crow!c@h JOIN #hall"], left: ["PART #hall"],
            told: moved),
        Case(lines: [":crow!c@h JOIN #hall", ":crow!c@h PART #room"], left: ["PART #hall"], told: moved),
        Case(lines: [":op!o@h KICK #room crow :moved", ":crow!c@h JOIN #hall"], left: ["PART #hall"], told: moved),
        // Only taken out, or only put elsewhere.
        Case(lines: [":crow!c@h PART #room"], told: taken),
        Case(lines: [":crow!c@h PART #room :Go"], told: taken + ": Go"),
        Case(lines: [":crow!c@h JOIN #hall"], told: fine, said: "#room"),
        Case(lines: [":bob!b@h JOIN #hall"], told: fine, said: "#room"),
    ])
    func whereTheClientGoes(_ test: Case) throws {
        var (machine, written) = try play(test.lines)
        #expect(written.filter { !$0.hasPrefix("JOIN") } == test.left)
        #expect(machine.health?.message.contains(test.told) == true, "\(machine.health?.message ?? "")")
        #expect(machine.roster.person("eve") == nil)
        let said = machine.deliver(Tables.event(1), now: 100).lines.filter { $0.hasPrefix("PRIVMSG") }
        #expect(said == (test.said.map { ["PRIVMSG \($0) :<Ann> hello"] } ?? []))
    }

    @Test func whoWasMovedComesBackByAnInvitationAlone() throws {
        var (machine, _) = try play([":crow!c@h PART #room", ":crow!c@h JOIN #hall"])
        for now in stride(from: 100.0, to: 1000, by: 10) {
            let lines = machine.tick(now: now).lines
            #expect(!lines.contains { $0.hasPrefix("JOIN") })
            _ = machine.received(Tables.line(":s PONG s x"), now: now)
        }
        // Also by the next connection.
        _ = machine.closed(reason: "x", random: 0, now: 1000)
        _ = machine.connected(now: 1010)
        let again = machine.received(Tables.line(":s 001 crow :Welcome"), now: 1010)
        #expect(again.lines == [] && again.windows == [1024])
        #expect(machine.health?.message.contains(Self.moved) == true)
        let invited = machine.received(Tables.line(":bob!b@h INVITE crow #room"), now: 1011)
        #expect(invited.lines == ["JOIN #room"])
        let back = machine.received(Tables.line(":crow!c@h JOIN #room"), now: 1011)
        #expect(back.health?.level == .ok && machine.connection.moves.moved.isEmpty)
    }

    /// A bouncer shows all channels that it is in, and a server what another session of the account joins.
    @Test func channelsOfOthersAreNotLeft() throws {
        let (machine, written) = try play((0..<10).map { ":crow!c@h JOIN #hall\($0)" })
        #expect(written == [] && machine.health?.level == .ok)
    }

    /// What a refusal announces is left once, also where the client comes there later than that.
    @Test func whereARefusalSendsTheClientItDoesNotStay() throws {
        var machine = try Tables.machine(hearing: [":s 001 crow :Welcome"])
        let lines = [
            ":s 470 crow #room #hall :Forwarding", ":crow!c@h JOIN #hall", ":crow!c@h PART #hall", "tick",
            ":s 470 crow #room #hall :Forwarding", ":s 442 crow #hall :Not there", ":crow!c@h JOIN #hall",
        ]
        let answers = lines.map { line in
            line == "tick" ? machine.tick(now: 20).lines : machine.received(Tables.line(line), now: 5).lines
        }
        #expect(answers == [["PART #hall"], [], [], ["JOIN #room"], ["PART #hall"], [], ["PART #hall"]])
    }

    @Test func aChannelRenamedToALinkedOneIsNotFollowed() throws {
        let links = [try Tables.link(), try Tables.link("hall", "#hall")]
        let (machine, _) = try play([":s 471 crow #hall :Full", ":b RENAME #room #hall :"], links: links)
        let told = "#room: the server has renamed it to #hall, which has a link"
        #expect(machine.health?.message.contains(told) == true)
        #expect(machine.connection.moves.isEmpty)
    }

    @Test(
        "a JOIN by a former name",
        arguments: [
            (":s FAIL JOIN CHANNEL_RENAMED #room #hall :Renamed", true, ["JOIN #hall"]),
            (":s FAIL JOIN CHANNEL_RENAMED #room #hall :Renamed", false, []),
            (":s FAIL JOIN CHANNEL_RENAMED #room :Renamed", true, []),
            (":s FAIL JOIN CHANNEL_RENAMED #other #hall :Renamed", true, []),
        ])
    func joinsByAFormerName(line: String, hasRenaming: Bool, written: [String]) throws {
        let caps = Array(Self.start.prefix(hasRenaming ? 2 : 0)) + [":s 001 crow :Welcome"]
        var machine = try Tables.machine(hearing: caps)
        let joined = machine.received(Tables.line(line), now: 0).lines
        #expect(joined == written)
        // Two names that refer to each other are followed for a while only.
        guard !written.isEmpty else { return }
        var joins = 0
        for pair in (0..<100).flatMap({ _ in ["#hall #room", "#room #hall"] }) {
            let line = ":s FAIL JOIN CHANNEL_RENAMED \(pair) :Renamed"
            joins += machine.received(Tables.line(line), now: 0).lines.count
        }
        #expect(joins == ConnectionState.mostRedirects - 1)
    }

    @Test func whatIsStoredHasALimit() throws {
        var state = NetworkState()
        for i in 0..<100 { state.moves.rename("#channel-\(i)", to: "#another-name-\(i)") }
        for i in 0..<100 { state.moves.move("#left-\(i)", to: "#name-\(i)") }
        #expect(state.json.bytes.count <= ChannelMoves.mostBytes + 64)
        let read = NetworkState(state.json).moves
        #expect(read.renamed["#channel-0"] == "#another-name-0" && read.renamed.count > 20)
        // Only what is linked is kept, and the place of a channel that is linked by its new name goes with it.
        var kept = NetworkState()
        kept.note("#a", "msgid=1")
        kept.moves.rename("#a", to: "#B")
        kept.moves.move("#c", to: "#d")
        kept.keep(["#b"])
        #expect(kept.references == ["#b": "msgid=1"] && kept.moves == ChannelMoves())
        let odd = try JSON(parsing: Array(##"{"renamed":{"#a":"b c","#b":7},"moved":["#a"]}"##.utf8))
        #expect(NetworkState(odd).moves == ChannelMoves())
    }

    /// A user's connection, which learns the name with what it is given to say.
    @Test func usersConnectionsSpeakUnderTheNewName() throws {
        var puppet = try Tables.puppet("ann")
        _ = puppet.received(Tables.line(":s 001 ann :Welcome"), now: 0)
        let message = ChatMessage(channel: "general", author: "ann", what: .text("hi"))
        func entry(_ delivery: Int64) -> OutboundQueue.Entry {
            OutboundQueue.Entry(delivery: delivery, message: message, targets: ["#room"])
        }
        var link = try Tables.link()
        link.presentName = "#hall"
        let asked = puppet.say(entry(1), [link], now: 0)
        let joined = puppet.received(Tables.line(":ann!a@h JOIN #hall"), now: 0)
        link.presentName = "#attic"
        let later = puppet.say(entry(2), [link], now: 0)
        #expect(asked.lines == ["JOIN #hall"])
        #expect(joined.lines.first == "PRIVMSG #hall :hi" && later.lines.first == "PRIVMSG #attic :hi")
    }
}
