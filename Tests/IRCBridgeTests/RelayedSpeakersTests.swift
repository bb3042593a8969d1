import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// Those who speak through another bridge by RELAYMSG, in the chat's channel.
@Suite struct RelayedSpeakersTests {
    /// A machine that has heard `alice/d` by the bridge `rel`, which is in the channel.
    private func machine(links: [LinkConfig]? = nil) throws -> Relay {
        var machine = try DraftNetwork.machine(links: links)
        let said = hear(
            &machine, ":rel!r@h JOIN #room", "@draft/relaymsg=rel :alice/d!~u@h PRIVMSG #room :hello")
        #expect(try DraftNetwork.types(said) == ["REGISTER_USER", "JOIN_CHANNEL", "SEND_MESSAGE"])
        return machine
    }

    /// Who leaves the chat's channel.
    private func left(_ actions: [RelayAction]) throws -> [String] {
        try DraftNetwork.commands(actions, "LEAVE_CHANNEL").map { $0.string("userId") ?? "" }
    }

    @Test func whoIsSilentLeaves() throws {
        var machine = try machine()
        let again = hear(&machine, "@draft/relaymsg=rel :alice/d!~u@h PRIVMSG #room :again", now: 100)
        #expect(try DraftNetwork.types(again) == ["SEND_MESSAGE"])
        machine.connection.lastHeard = 600
        #expect(try left(machine.tick(now: 600)) == [])
        #expect(machine.wake(now: 690).map { $0 <= 700 } == true)
        #expect(try left(machine.tick(now: 700)) == ["irc/net/nick/alice~2Fd"])
        #expect(machine.relayed.due == nil)
        // Heard again, they join again.
        let back = hear(&machine, "@draft/relaymsg=rel :alice/d!~u@h PRIVMSG #room :back", now: 700)
        #expect(try DraftNetwork.types(back) == ["JOIN_CHANNEL", "SEND_MESSAGE"])
    }

    /// With the bridge that relays them they are gone.
    @Test(arguments: [
        (":rel!r@h QUIT :bye", true), (":rel!r@h PART #Room", true), (":op!o@h KICK #room rel :out", true),
        (":rel!r@h PART #hall", false), (":op!o@h KICK #room bob :out", false), (":alice!a@h QUIT :bye", false),
        (":op!o@h KICK #hall rel :out", false),
    ])
    func whoseBridgeIsGoneLeaves(line: String, isGone: Bool) throws {
        var machine = try machine(links: [Tables.link(), Tables.link("other", "#hall")])
        let actions = hear(&machine, line)
        #expect(try left(actions).contains("irc/net/nick/alice~2Fd") == isGone, "\(line)")
    }

    @Test func aBridgeKeepsThemUnderAnotherNick() throws {
        var machine = try machine()
        #expect(try left(hear(&machine, ":rel!r@h NICK :relay", ":rel!r@h QUIT :who?")) == [])
        #expect(try left(hear(&machine, ":relay!r@h QUIT :bye")) == ["irc/net/nick/alice~2Fd"])
    }

    /// Those who are not in the channel leave with their message as before, where no tag says that they are relayed.
    @Test func othersLeaveAtOnce() throws {
        var machine = try machine()
        let said = hear(&machine, "@msgid=1 :eve!e@h PRIVMSG #room :from outside")
        #expect(try left(said) == ["irc/net/nick/eve"])
        let caps = "batch echo-message labeled-response message-tags"
        var other = try DraftNetwork.machine(caps: caps)
        #expect(try left(hear(&other, "@draft/relaymsg=rel :eve!e@h PRIVMSG #room :x")) == ["irc/net/nick/eve"])
        // Who is there is no guest, whatever a tag says.
        let there = hear(&machine, "@draft/relaymsg=rel :bob!b@h PRIVMSG #room :x")
        #expect(try left(there) == [])
        machine.connection.lastHeard = 900
        #expect(try left(machine.tick(now: 900)) == ["irc/net/nick/alice~2Fd"])
    }

    /// In two channels of one chat's channel they stay until they are in neither.
    @Test func whoIsThereByAnotherChannelStays() throws {
        var machine = try machine(links: [Tables.link(), Tables.link("general", "#hall")])
        _ = hear(&machine, "@draft/relaymsg=rel :alice/d!~u@h PRIVMSG #hall :hello", now: 300)
        machine.connection.lastHeard = 600
        #expect(try left(machine.tick(now: 600)) == [])
        machine.connection.lastHeard = 900
        #expect(try left(machine.tick(now: 900)) == ["irc/net/nick/alice~2Fd"])
    }

    /// A list of the channel's names does not have them, and lets nobody go who is relayed; after a new connection it
    /// lets all go whom the bridge has not heard on it.
    @Test func theListOfNamesDoesNotHaveThem() throws {
        var machine = try machine()
        #expect(try left(machine.settleMembers("#room")) == [])
        _ = machine.closed(reason: "gone", random: 0, now: 0)
        _ = machine.start(now: 0)
        _ = machine.connected(now: 0)
        let back = hear(
            &machine, ":s CAP * LS :", ":s 001 crow :Welcome", ":crow!crow@host JOIN #room",
            ":s 353 crow = #room :crow bob rel", ":s 366 crow #room :End")
        #expect(try left(back) == ["irc/net/nick/alice~2Fd"])
    }

    /// There is an end to them: who has been silent for longest leaves.
    @Test func theyAreLimited() {
        var relayed = RelayedSpeakers()
        for i in 0..<RelayedSpeakers.most {
            let speaker = RelayedSpeakers.Speaker(id: "u\(i)", target: "#room")
            #expect(relayed.heard(speaker, by: "rel", now: Double(i)) == [])
        }
        let one = RelayedSpeakers.Speaker(id: "one more", target: "#room")
        #expect(relayed.heard(one, by: "rel", now: 1000).map(\.id) == ["u0"])
        #expect(relayed.silent(now: 602).map(\.id) == ["u1", "u2"])
        #expect(relayed.due == 603)
    }
}
