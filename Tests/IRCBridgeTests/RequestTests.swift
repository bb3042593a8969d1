import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// What the bridge tells servers, services and people of itself.
@Suite struct RequestTests {
    private static let begin = [":s 001 crow :Welcome", ":crow!crow@host JOIN #room", ":s 353 crow = #room :crow Bob"]
    private static let names = ":s 366 crow #room :x"

    @Test(arguments: [
        ("PRIVMSG crow :\u{1}VERSION\u{1}", "VERSION Crowbar \(CrowbarIRC.version)"),
        ("PRIVMSG crow :\u{1}version", "VERSION Crowbar \(CrowbarIRC.version)"),
        ("PRIVMSG #room :\u{1}VERSION\u{1}", "VERSION Crowbar \(CrowbarIRC.version)"),
        ("PRIVMSG crow :\u{1}PING 1234 567\u{1}", "PING 1234 567"),
        ("PRIVMSG crow :\u{1}PING a\u{1}b\u{2}c\u{1}", "PING abc"),
        (
            "PRIVMSG crow :\u{1}PING \(String(repeating: "x", count: 400))\u{1}",
            "PING " + String(repeating: "x", count: 100)
        ),
        ("NOTICE crow :\u{1}VERSION\u{1}", nil), ("PRIVMSG crow :\u{1}TIME\u{1}", nil),
        ("PRIVMSG crow :VERSION", nil), ("PRIVMSG #other :\u{1}VERSION\u{1}", nil),
    ])
    func clientsRequestsAreAnswered(line: String, answer: String?) throws {
        var machine = try Tables.machine(hearing: Self.begin)
        let said = hear(&machine, ":Bob!b@h \(line)")
        #expect(said.lines == (answer.map { ["NOTICE Bob :\u{1}\($0)\u{1}"] } ?? []))
        #expect(said.commands.isEmpty)
    }

    @Test func clientsRequestsAreAnsweredThreeTimesAtOnce() throws {
        var machine = try Tables.machine(hearing: Self.begin)
        var answers = 0
        for _ in 0..<20 { answers += hear(&machine, ":Bob!b@h PRIVMSG crow :\u{1}VERSION\u{1}").lines.count }
        #expect(answers == ConnectionState.directBurst)
        #expect(hear(&machine, ":Bob!b@h PRIVMSG crow :\u{1}PING 1\u{1}", now: 5).lines.count == 1)
    }

    @Test func whoSpeaksFromOutsideLeavesTheChatsChannelAgain() throws {
        var machine = try Tables.machine(hearing: Self.begin + [Self.names])
        func types(_ line: String) -> [String] {
            hear(&machine, line).commands.compactMap { json in
                ["REGISTER_USER", "JOIN_CHANNEL", "SEND_MESSAGE", "LEAVE_CHANNEL"].first { json.contains($0) }
            }
        }
        #expect(
            types(":eve!e@h PRIVMSG #room :hi") == ["REGISTER_USER", "JOIN_CHANNEL", "SEND_MESSAGE", "LEAVE_CHANNEL"])
        #expect(types(":eve!e@h PRIVMSG #room :hi") == ["JOIN_CHANNEL", "SEND_MESSAGE", "LEAVE_CHANNEL"])
        #expect(types(":Bob!b@h PRIVMSG #room :hi") == ["REGISTER_USER", "JOIN_CHANNEL", "SEND_MESSAGE"])
        _ = hear(&machine, ":eve!e@h JOIN #room")
        #expect(types(":eve!e@h PRIVMSG #room :hi") == ["JOIN_CHANNEL", "SEND_MESSAGE"])
        #expect(types(":eve!e@h PART #room") == ["LEAVE_CHANNEL"])
    }

    @Test func beforeTheNamesAreKnownNobodyIsTakenToBeOutside() throws {
        var machine = try Tables.machine(hearing: Self.begin)
        let said = hear(&machine, ":eve!e@h PRIVMSG #room :hi")
        #expect(!said.commands.contains { $0.contains("LEAVE_CHANNEL") })
        #expect(hear(&machine, Self.names).commands.contains { $0.contains("LEAVE_CHANNEL") })
    }

    @Test func theServerIsAskedWhoTheClientIsWhereItDoesNotShowWhatItSays() throws {
        var machine = try Tables.machine(hearing: Self.begin)
        let said = machine.deliver(Tables.event(1), now: 1)
        for line in said.lines where line.hasPrefix("PING") {
            _ = hear(&machine, ":s PONG s \(line.dropFirst(5))", now: 1)
        }
        // The look at what waits, by which time nothing does.
        _ = machine.tick(now: 31)
        _ = hear(&machine, ":s PING x", now: 100)
        let due = try #require(machine.wake(now: 100))
        #expect(due == ConnectionState.maskInterval)
        #expect(machine.tick(now: due).lines == ["WHO crow"])
        _ = hear(&machine, ":s 352 crow #room longident cloaked.example s crow H :0 Crowbar", now: due)
        _ = hear(&machine, ":s 315 crow crow :End", now: due)
        #expect(machine.connection.mask == "crow!longident@cloaked.example")
        // Another's mask is not the own.
        _ = hear(&machine, ":s 352 crow #room b h s Bob H :0 Bob", now: due)
        #expect(machine.connection.mask == "crow!longident@cloaked.example")
        // While nothing is said nothing is asked.
        #expect(machine.tick(now: due + 130).lines.allSatisfy { !$0.hasPrefix("WHO") })
    }

    @Test func commandsGoOutAtConnectBeforeTheJoin() throws {
        var machine = try Tables.machine(#","perform":["MODE {nick} +B","PRIVMSG X :hello"]"#)
        let begun = hear(&machine, ":s 001 crow_ :Welcome")
        #expect(begun.lines == ["MODE crow_ +B", "PRIVMSG X :hello", "JOIN #room"])
    }

    @Test(arguments: [
        #""MODE {nick} +B""#, #"[1]"#, #"["a\nQUIT"]"#, #"[""]"#, #"[":x y"]"#, #"["@a=b PRIVMSG x"]"#,
        "[\(Array(repeating: #""A""#, count: 21).joined(separator: ","))]",
    ])
    func commandsThatAreNoneAreRefused(value: String) {
        #expect(throws: ConfigError.self) { try Tables.network(#","perform":\#(value)"#) }
    }

    @Test(arguments: [
        (#""service":"Q@CServe.quakenet.org""#, "PRIVMSG Q@CServe.quakenet.org :AUTH bridge sesame"),
        (#""service":"AuthServ""#, "PRIVMSG AuthServ :AUTH bridge sesame"),
        (#""service":"X@channels.undernet.org""#, "PRIVMSG X@channels.undernet.org :LOGIN bridge sesame"),
        (#""service":"S","command":"LOGON {password} {account}""#, "PRIVMSG S :LOGON sesame bridge"),
        (#""service":"NickServ@services.example""#, "PRIVMSG NickServ@services.example :IDENTIFY bridge sesame"),
    ])
    func otherServicesAreTold(service: String, line: String) throws {
        let account = #","nickserv":{"account":"bridge","password":"sesame",\#(service)}"#
        var machine = try Tables.machine(account, hearing: [])
        let begun = hear(&machine, ":s 001 crow_ :Welcome")
        #expect(begun.lines == [line])
        let name = line.split(separator: " ")[1].prefix { $0 != "@" }
        // Nobody else's words count.
        #expect(hear(&machine, ":Eve!e@h NOTICE crow_ :You are now logged in as bridge.").lines.isEmpty)
        let known = hear(&machine, ":\(name)!s@services NOTICE crow_ :You are now logged in as bridge.")
        #expect(known.lines.contains("JOIN #room"))
        #expect(known.lines.contains { $0.contains("REGAIN") } == (name == "NickServ"))
    }

    @Test(arguments: [
        ##""account":"a","password":"p","service":"#room""##, #""account":"a","password":"p","service":"@x""#,
        #""account":"a","password":"p","command":"AUTH {account}""#, #""password":"p","service":"Q""#,
    ])
    func servicesThatCannotBeToldAreRefused(members: String) {
        #expect(throws: ConfigError.self) { try Tables.network(#","nickserv":{\#(members)}"#) }
    }
}
