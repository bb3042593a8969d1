import Testing

@testable import IRCBridge

@Suite struct InboundTests {
    /// The commands that each line of the server leads to.
    private func play(
        _ lines: [String], links: [LinkConfig]? = nil, more: String = ""
    ) throws -> [[String]] {
        let links = try links ?? [Tables.link()]
        var machine = try Tables.machine(more, links: links)
        _ = machine.received(Tables.line(":s 001 crow :Welcome"), now: 0)
        _ = machine.received(Tables.line(":crow!crow@host JOIN #room"), now: 0)
        return lines.map { machine.received(Tables.line($0), now: 0).commands }
    }

    private static let register = #"{"type":"REGISTER_USER","userId":"irc/net/nick/bob","name":"Bob"}"#
    private static let join = #"{"type":"JOIN_CHANNEL","userId":"irc/net/nick/bob","channelId":"general"}"#

    private static func send(_ text: String, kind: String? = nil) -> String {
        let kind = kind.map { #","kind":"\#($0)""# } ?? ""
        return
            #"{"type":"SEND_MESSAGE","userId":"irc/net/nick/bob","channelId":"general","message":"\#(text)"\#(kind)}"#
    }

    @Test func aSpeakerIsRegisteredAndJoinsOnce() throws {
        let said = try play([":Bob!b@h PRIVMSG #room :hi", ":Bob!b@h PRIVMSG #ROOM :again"])
        #expect(said == [[Self.register, Self.join, Self.send("hi")], [Self.send("again")]])
    }

    @Test func withoutPresenceOnlyTheMessageComes() throws {
        #expect(try play([":Bob!b@h PRIVMSG #room :hi"], more: #","presence":"off""#) == [[Self.send("hi")]])
    }

    @Test(
        "kinds",
        arguments: [
            ("NOTICE #room :psst", send("psst", kind: "notice")),
            ("PRIVMSG #room :\u{1}ACTION waves\u{1}", send("waves", kind: "action")),
            ("PRIVMSG #room :\u{1}ACTION no end", send("no end", kind: "action")),
            ("PRIVMSG #room :\u{2}bold\u{2} \u{3}4red", send("**bold** red")),
        ])
    func kinds(line: String, command: String) throws {
        #expect(try play([":Bob!b@h " + line])[0].last == command)
    }

    @Test(
        "what is not for the chat",
        arguments: [
            ":Bob!b@h PRIVMSG crow :in private", ":Bob!b@h PRIVMSG #other :elsewhere",
            ":crow!crow@host PRIVMSG #room :an echo", ":Bob!b@h PRIVMSG #room :\u{1}VERSION\u{1}",
            ":Bob!b@h NOTICE #room :\u{1}PING 1\u{1}", ":irc.example.org NOTICE #room :from the server",
            ":Bob!b@h PRIVMSG @#room :to the operators", ":Bob!b@h NOTICE $$* :to all",
            ":Bob!b@h PRIVMSG #room :\u{2}\u{3} ", "PRIVMSG #room :nobody", ":Bob!b@h PRIVMSG #room",
        ])
    func ignored(line: String) throws {
        #expect(try play([line]) == [[]])
    }

    @Test func anAccountIsOneUserUnderAllItsNicks() throws {
        let said = try play([
            "@account=Robert :Bob!b@h PRIVMSG #room :hi", "@account=Robert :Bob2!b@h PRIVMSG #room :hi",
        ])
        #expect(said[0].count == 3)
        #expect(said[1].first == #"{"type":"RENAME_USER","userId":"irc/net/acct/robert","name":"Bob2"}"#)
        #expect(said[1].count == 2)
    }

    @Test func theServersTimeIsKept() throws {
        let said = try play(["@time=2026-11-23T19:00:00.000Z :Bob!b@h PRIVMSG #room :hi"])
        #expect(said[0].last?.hasSuffix(#","meta":{"sentAt":"2026-11-23T19:00:00.000Z"}}"#) == true)
    }

    @Test func eachLinkOfTheChannelGetsItUnlessItIsOneWay() throws {
        let links = [
            try Tables.link(), try Tables.link("second"), try Tables.link("third", "#room", .toIRC),
        ]
        let said = try play([":Bob!b@h PRIVMSG #room :hi"], links: links)[0]
        #expect(said.filter { $0.contains("SEND_MESSAGE") }.count == 2)
        #expect(!said.contains { $0.contains("third") })
    }

    @Test func whatTheChatHasForgottenIsSaidAgain() throws {
        let link = try Tables.link()
        var speakers = UserDirectory(presence: .lazy)
        let bob = UserDirectory.Speaker(id: "irc/net/nick/bob", name: "Bob")
        func kinds(_ speakers: inout UserDirectory) -> [ChatCommand.Kind] {
            speakers.commands(bob, link, message: "hi", kind: nil, key: nil, sentAt: nil).map(\.kind)
        }
        let (first, second) = (kinds(&speakers), kinds(&speakers))
        speakers.forget(bob.id, channel: "general")
        let third = kinds(&speakers)
        #expect(first == [.register, .join, .message])
        #expect(second == [.message])
        #expect(third == first)
    }
}
