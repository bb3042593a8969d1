import PluginWire
import Testing

@testable import IRCBridge

/// What a server says that is longer, or holds other bytes, than it should, and what is written and told of it.
@Suite struct SafeLineTests {
    @Test(arguments: [
        ("PRIVMSG #a :hello", 510, "PRIVMSG #a :hello"), ("a\0b\rc\nd", 510, "abcd"), ("abcdef", 4, "abcd"),
        // Between code points, and the tags not counted.
        ("ab\u{e5}", 3, "ab"), ("ab\u{1F642}c", 5, "ab"), ("@label=1 abcdef", 4, "@label=1 abcd"),
        ("@label=1\0 ab\ncdef", 4, "@label=1 abcd"), ("@abcdef", 4, "@abc"), ("", 4, ""),
    ])
    func aLineIsOneLineAndFits(line: String, longest: Int, expected: String) {
        #expect(SafeLine.of(line, longest: longest) == expected)
    }

    @Test(arguments: [
        ("Bad password", 300, "Bad password"), ("\u{1b}[31mred\u{7}\u{9b}", 300, "[31mred"),
        ("\u{3}04,05x\u{2}y", 300, "xy"), ("a\u{202E}b\u{2066}c", 300, "abc"), ("abcdef", 5, "ab…"),
        ("\u{e5}\u{e5}\u{e5}", 5, "\u{e5}…"),
    ])
    func wordsOfAServerAreSafeToShow(words: String, most: Int, expected: String) {
        #expect(IRCText.words(words, most: most) == expected)
    }

    private func registered(_ mask: String = "crow!c@host") throws -> Relay {
        var machine = try Tables.machine()
        for line in [":s 001 crow :x", ":\(mask) JOIN #room"] { _ = machine.received(Tables.line(line), now: 0) }
        return machine
    }

    @Test func theAnswerToAPingFits() throws {
        var machine = try registered()
        let long = String(repeating: "\u{e5}", count: 4000)
        let line = try #require(machine.received(IRCMessage("PING", ["a\0\r" + long]), now: 0).lines.first)
        #expect(line.utf8.count == 510 && line.hasPrefix("PONG a\u{e5}"))
        #expect(machine.received(Tables.line("PING :x"), now: 0).lines == ["PONG x"])
    }

    @Test func whoHasNoNickIsNotAnswered() throws {
        var machine = try registered()
        let long = String(repeating: "n", count: 400)
        for nick in [long, "a\0b", "a\rQUIT"] {
            let asked = IRCMessage(source: nick + "!u@h", "PRIVMSG", ["crow", "!help"])
            #expect(machine.received(asked, now: 100).lines == [])
        }
        #expect(machine.received(Tables.line(":bob!b@h PRIVMSG crow :!help"), now: 100).lines.count == 1)
    }

    @Test func aMaskThatLeavesNoRoomIsNotBelieved() throws {
        var machine = try registered()
        let host = String(repeating: "h", count: 600)
        for line in [
            ":crow!c@\(host) JOIN #room", ":s 396 crow \(host) :is your host", ":crow!c@h CHGHOST u \(host)",
            ":crow!c@h NICK \(host)",
        ] {
            _ = machine.received(Tables.line(line), now: 0)
            #expect(machine.connection.mask == "crow!c@host")
        }
        let said = machine.deliver(Tables.event(1, String(repeating: "text ", count: 80)), now: 0)
        #expect(said.lines.filter { $0.hasPrefix("PRIVMSG") }.count == 1)
    }

    @Test func wordsOfServersReachTheStatusWithoutControlsAndCut() throws {
        let evil = "\u{1b}]0;title\u{7}" + String(repeating: "x", count: 9000)
        func isSafe(_ text: String?) -> Bool {
            guard let text else { return false }
            return text.utf8.count < 500 && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
        }
        var machine = try registered()
        let kicked = machine.received(IRCMessage(source: "eve!e@h", "KICK", ["#room", "crow", evil]), now: 0)
        #expect(isSafe(kicked.health?.message) && kicked.health?.message.contains("kicked by eve: ]0;title") == true)
        _ = machine.received(IRCMessage("ERROR", [evil]), now: 0)
        let closed = machine.closed(reason: "x", random: 0, now: 0)
        // The end of it is not cut off.
        #expect(isSafe(closed.health?.message) && closed.health?.message.contains("; next try at") == true)
        var puppet = try Tables.puppet("ann", name: "Ann")
        _ = puppet.received(IRCMessage("465", ["*", evil]), now: 0)
        guard case .lost(let reason) = puppet.closed(reason: "x", random: 0, now: 0).last else {
            Issue.record("no news")
            return
        }
        #expect(isSafe(reason) == true)
    }
}
