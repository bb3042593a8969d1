import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// New configurations while the bridge runs, and whom it ignores.
@Suite struct ReloadTests {
    private func joined(_ more: String = "", links: [LinkConfig]? = nil) throws -> Relay {
        let links = try links ?? [Tables.link()]
        var machine = try Tables.machine(more, links: links)
        _ = machine.received(Tables.line(":s 001 crow :Welcome"), now: 0)
        for link in links {
            _ = machine.received(Tables.line(":crow!crow@host JOIN \(link.target)"), now: 0)
            _ = machine.received(Tables.line(":s 353 crow = \(link.target) :crow Bob"), now: 0)
            _ = machine.received(Tables.line(":s 366 crow \(link.target) :x"), now: 0)
        }
        return machine
    }

    @Test func theSameConfigurationDoesNothing() throws {
        var machine = try joined()
        let actions = machine.reconfigure(try Tables.network(), links: [try Tables.link()], now: 1)
        #expect(actions == [])
    }

    @Test func linksAndFormatsChangeOverTheSameConnection() throws {
        var machine = try joined()
        let links = [try Tables.link("general", "#new"), try Tables.link("other", "#more")]
        let actions = machine.reconfigure(
            try Tables.network(#","format":"[{name}] {text}""#), links: links, now: 1)
        #expect(actions.lines == ["PART #room", "JOIN #more,#new"])
        #expect(machine.queue.channels == ["general", "other"])
        #expect(machine.queue.window == 1024)
        _ = machine.received(Tables.line(":crow!crow@host PART #room"), now: 1)
        _ = machine.received(Tables.line(":crow!crow@host JOIN #new"), now: 1)
        let said = machine.deliver(Tables.event(1), now: 1)
        #expect(said.lines.first == "PRIVMSG #new :[Ann] hello")
    }

    @Test func whatWaitsForALinkThatIsGoneIsDoneWithTheOthers() throws {
        var machine = try joined(links: [Tables.link()])
        machine.connection.links.append(try Tables.link("general", "#shut"))
        machine.connection.memberships["#shut"] = Membership(name: "#shut", key: nil)
        let waits = machine.deliver(Tables.event(1), now: 0)
        #expect(waits.lines == ["PRIVMSG #room :<Ann> hello", "PING :crowbar-1"])
        let answered = machine.received(Tables.line(":s PONG s :crowbar-1"), now: 0)
        #expect(answered.acks == [])
        let actions = machine.reconfigure(try Tables.network(), links: [try Tables.link()], now: 1)
        #expect(actions.acks == [1])
    }

    @Test(
        "what needs another connection",
        arguments: [
            (#","port":7000"#, true), (#","realname":"x""#, true), (#","server_password":"x""#, true),
            (#","sasl":{"account":"a","password":"b"}"#, true), (#","max_lines":9"#, false),
            (#","presence":"off""#, false), (#","ignore":["x"]"#, false), (#","anti_ping":true"#, false),
        ])
    func reconnects(more: String, isNew: Bool) throws {
        var machine = try joined()
        let actions = machine.reconfigure(try Tables.network(more), links: [try Tables.link()], now: 1)
        #expect(actions.contains(.close) == isNew)
        if isNew {
            let closed = machine.closed(reason: "closed", random: 1, now: 1)
            #expect(closed.health?.message == "the configuration has changed; next try at 1970-01-01T00:00:02Z")
        }
        // One that is being opened was to the old server.
        var early = Relay(config: try Tables.network(), links: [try Tables.link()], plugin: "irc")
        _ = early.start(now: 0)
        let changed = early.reconfigure(try Tables.network(more), links: [try Tables.link()], now: 0)
        #expect(changed.contains(.connect) == isNew)
    }

    @Test func aNewNickIsAskedFor() throws {
        var machine = try joined()
        var config = try Tables.network()
        config.nick = "raven"
        let actions = machine.reconfigure(config, links: [try Tables.link()], now: 1)
        #expect(actions.lines == ["NICK raven"])
    }

    @Test func aFullPresenceThatIsNewBringsThoseWhoAreThere() throws {
        var machine = try joined()
        let actions = machine.reconfigure(
            try Tables.network(#","presence":"full""#), links: [try Tables.link()], now: 1)
        #expect(actions.commands.count == 2)
    }

    @Test func aQueueThatBeginsAnewIsServedAnew() throws {
        var machine = try joined()
        _ = machine.deliver(Tables.event(1), now: 0)
        let again = machine.requeued()
        #expect(again.windows == [1024])
        let stale = machine.received(Tables.line(":s PONG s :crowbar-1"), now: 0)
        #expect(stale.acks == [])
        let said = machine.deliver(Tables.event(7), now: 0)
        #expect(said.lines == ["PRIVMSG #room :<Ann> hello", "PING :crowbar-2"])
    }

    @Test(
        "masks",
        arguments: [
            ("bob", true), ("b*", true), ("BOB!*@*", true), ("*!*@bad.host", true), ("*!~user@*", true),
            ("*@other", false), ("bo", false), ("/^b[o0]b!/", true), ("/^ob/", false), ("/bad\\.host$/", true),
            ("/b?b/", true),
        ])
    func masks(text: String, isMeant: Bool) throws {
        #expect(try #require(IgnoreMask(text)).matches("Bob!~user@bad.host") == isMeant)
    }

    @Test func whoIsIgnoredSaysAndDoesNothing() throws {
        var machine = try joined(#","presence":"full","ignore":["*!*@bad.host"]"#)
        for line in [
            ":Eve!e@bad.host JOIN #room", ":Eve!e@bad.host PRIVMSG #room :hi", ":Eve!e@bad.host TOPIC #room :x",
            ":Eve!e@bad.host NICK Eva", ":Eva!e@bad.host QUIT :bye",
        ] {
            let actions = machine.received(Tables.line(line), now: 0)
            #expect(actions == [], "\(line)")
        }
    }

    @Test(arguments: [
        ("", "must not be empty"), (String(repeating: "x", count: 201), "must not be over 200 bytes long"),
        ("/a", "is an expression where it begins with '/', and must end with one too"),
        ("/", "is an expression where it begins with '/', and must end with one too"),
        ("//", "is an expression where it begins with '/', and must end with one too"),
        ("/(/", "is no regular expression (POSIX extended): a '(' is not closed"),
    ])
    func masksThatAreNone(text: String, problem: String) throws {
        let config = #","ignore":["ok!*@*","\#(text)"]"#
        #expect(throws: ConfigError(path: "networks[0].ignore[1]", message: problem)) { try Tables.network(config) }
    }

    @Test func anotherNickIsTriedAtOnceWhereTheServerTookNone() throws {
        var machine = try Tables.machine()
        _ = machine.received(Tables.line(":s 432 * crow :Erroneous nickname"), now: 0)
        _ = machine.closed(reason: "closed", random: 0, now: 0)
        var config = try Tables.network()
        let same = machine.reconfigure(config, links: [try Tables.link()], now: 1)
        #expect(same == [])
        config.nick = "raven"
        let other = machine.reconfigure(config, links: [try Tables.link()], now: 1)
        #expect(other.contains(.connect))
        let begun = machine.connected(now: 2)
        #expect(begun.lines.contains("NICK raven"))
    }

    @Test func aNewKeyIsForTheNextJoin() throws {
        func link(_ key: String) throws -> LinkConfig {
            let json = ##"{"channel":"general","irc":"net/#room","key":"\##(key)"}"##
            return try LinkConfig(JSON(parsing: Array(json.utf8)), path: "links[0]", networks: ["net"])
        }
        var machine = try joined(links: [try link("old")])
        let reloaded = machine.reconfigure(try Tables.network(), links: [try link("new")], now: 1)
        #expect(reloaded == [])
        _ = machine.received(Tables.line(":op!o@h KICK #room crow :out"), now: 2)
        let wake = try #require(machine.wake(now: 2))
        let again = machine.tick(now: wake)
        #expect(again.lines.contains("JOIN #room new"))
    }

    @Test func aServerThatTakesARealNameIsToldIt() throws {
        var machine = try Tables.machine()
        for line in [":s CAP * LS :setname", ":s CAP * ACK :setname", ":s 001 crow :Welcome"] {
            _ = machine.received(Tables.line(line), now: 0)
        }
        let new = try Tables.network(#","realname":"A raven""#)
        let actions = machine.reconfigure(new, links: [try Tables.link()], now: 1)
        #expect(actions.lines == ["SETNAME :A raven"])
    }

    /// Eve spoke in one channel and Bob in both; the chat's channel is linked to both, and then to the second alone.
    @Test func whoWasThereByALinkThatIsGoneLeaves() throws {
        let both = [try Tables.link(), try Tables.link("general", "#two")]
        for (kept, gone) in [(both.suffix(1), ["eve"]), (both.prefix(0), ["bob", "eve"]), (both.suffix(2), [])] {
            var machine = try joined(links: both)
            for line in [
                ":Eve!e@h JOIN #room", ":Eve!e@h PRIVMSG #room :hi", ":Bob!b@h PRIVMSG #room :hi",
                ":Bob!b@h PRIVMSG #two :hi",
            ] { _ = machine.received(Tables.line(line), now: 0) }
            let actions = machine.reconfigure(try Tables.network(), links: Array(kept), now: 1)
            let ids = gone.map { #""userId":"irc/net/nick/\#($0)""# }
            #expect(actions.commands.count == ids.count)
            for (command, id) in zip(actions.commands, ids) {
                #expect(command.contains("LEAVE_CHANNEL") && command.contains(id))
            }
        }
    }
}
