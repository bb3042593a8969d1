import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// Servers that say what no server should.
@Suite struct NonsenseTests {
    private static let sources = ["", ":s ", ":Bob!b@h ", ":crow!c@h ", ":Eve ", ":!@ ", ":a.org ", ":Bob!b@ "]
    private static let verbs = [
        "PRIVMSG", "NOTICE", "JOIN", "PART", "QUIT", "NICK", "KICK", "TOPIC", "MODE", "ACCOUNT", "CHGHOST", "SETNAME",
        "INVITE", "BATCH", "FAIL", "PONG", "PING", "ACK", "353", "366", "354", "315", "332", "396", "404", "433", "473",
        "474", "482", "470", "005", "001", "ERROR",
    ]
    private static let words = [
        "#room", "#ROOM", "#other", "crow", "Bob", "Eve", "*", "+a", "-a", "chathistory", "netsplit", "a.org b.org", "",
        "\u{1}ACTION x\u{1}", "\u{1}", "!who", "!help", "\u{2}b\u{2} *i* `c", "bob: hi", "@bob", "42", "CHATHISTORY",
        "CHATHISTORY=3", "PREFIX=(ov)@+", "NICKLEN=-1", "TOPICLEN=x", "WHOX", "CASEMAPPING=ascii", "@+Bob!b@h @ +Eve",
        "crowbar-1", "labeled-response", "MSGREFTYPES=timestamp", "\0", "a\u{301}\u{85}", "acc",
    ]
    private static let tags = [
        "", "@label=h1 ", "@label=h2;batch=a ", "@batch=a;msgid=2;time=t ", "@label=1 ", "@label=x ", "@batch=a ",
        "@msgid=1 ", "@account=acc ", "@time=; ",
    ]

    @Test(arguments: ["off", "lazy", "full"]) func nothingOfItBreaks(presence: String) throws {
        var seed: UInt64 = 7
        func random(_ below: Int) -> Int {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(seed >> 33) % below
        }
        let caps = Registration.wanted.joined(separator: " ")
        var machine = Relay(
            config: try Tables.network(#","presence":"\#(presence)","catch_up":{"max_lines":2}"#),
            links: [try Tables.link(), try Tables.link("general", "#other"), try Tables.link("two", "#room")],
            plugin: "irc")
        machine.restore(NetworkState(try JSON(parsing: Array(##"{"last":{"#room":"msgid=0"}}"##.utf8))))
        var now: Instant = 0
        var commands = 0
        func check(_ actions: [RelayAction]) throws {
            for line in actions.lines {
                #expect(line.unicodeScalars.allSatisfy { $0 != "\r" && $0 != "\n" }, "\(line)")
                let untagged = line.hasPrefix("@") ? String(line.drop { $0 != " " }.dropFirst()) : line
                #expect(untagged.utf8.count <= RelayLines.maxLine)
            }
            for command in actions.commands {
                commands += 1
                #expect(try JSONObject(parsing: Array(command.utf8)).string("type") != nil)
            }
        }
        for round in 0..<20 {
            try check(machine.start(now: now))
            try check(machine.connected(now: now))
            for line in [":s CAP * LS :" + caps, ":s CAP * ACK :" + caps, ":s 001 crow :x", ":crow!c@h JOIN #room"] {
                try check(machine.received(Tables.line(line), now: now))
            }
            for step in 0..<500 {
                var line = Self.tags[random(Self.tags.count)] + Self.sources[random(Self.sources.count)]
                line += Self.verbs[random(Self.verbs.count)]
                for _ in 0..<random(4) {
                    let word = Self.words[random(Self.words.count)]
                    if !word.isEmpty, !word.contains(" ") { line += " " + word }
                }
                line += " :" + Self.words[random(Self.words.count)]
                try check(machine.received(Tables.line(line), now: now))
                if random(5) == 0 {
                    let text = Self.words[random(Self.words.count)].filter {
                        $0 != "\0" && $0 != "\u{1}" && $0 != "\u{2}"
                    }
                    try check(machine.deliver(Tables.event(Int64(round * 500 + step), text), now: now))
                }
                now += Double(random(100)) / 50
                if let wake = machine.wake(now: now), wake <= now + 1 { try check(machine.tick(now: wake)) }
            }
            try check(machine.closed(reason: "x", random: 0, now: now))
            now += 700
        }
        #expect(commands > 5)
    }
}
