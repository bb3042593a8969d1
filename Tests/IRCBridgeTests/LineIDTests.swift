import Testing

@testable import IRCBridge

/// What identifies a line, and from where the next connection goes on.
@Suite struct LineIDTests {
    private static let time = "2026-11-24T01:00:01.000Z"

    private func ids(_ lines: [String], byContent: Bool = true, after: String? = nil) -> [String] {
        var ids = after.flatMap { MessageReference(text: $0) }.map { LineIDs(after: $0) } ?? LineIDs()
        return lines.map { ids.next(Tables.line($0), byContent: byContent)?.text ?? "-" }
    }

    @Test func furtherLinesOfAMessageHaveItsID() {
        let lines = [
            "@msgid=a;time=t1 :bob!b@h PRIVMSG #r :1", "@time=t1 :bob!b@h PRIVMSG #r :2",
            // Somebody else's in between.
            "@msgid=b;time=t1 :zoe!z@h PRIVMSG #r :1", "@time=t1 :bob!b@h PRIVMSG #r :3",
            "@time=t1 :zoe!z@h PRIVMSG #r :2", "@time=t2 :bob!b@h PRIVMSG #r :4", ":bob!b@h PRIVMSG #r :5",
        ]
        #expect(ids(lines) == ["a", "a 2", "b", "a 3", "b 2", "-", "-"])
        // A server that gives the rest of a message after its first line.
        #expect(ids(["@time=t1 :bob!b@h PRIVMSG #r :2"], after: "msgid=a timestamp=t1") == ["a 2"])
        #expect(ids(["@time=t2 :bob!b@h PRIVMSG #r :2"], after: "msgid=a timestamp=t1") == ["-"])
    }

    @Test func withoutAnIDALineIsItsContent() {
        func line(_ text: String, by source: String = "bob!b@h", at time: String = Self.time) -> String {
            "@time=\(time) :\(source) PRIVMSG #r :\(text)"
        }
        let found = ids([line("a"), line("b"), line("a"), line("a", by: "zoe!z@h"), line("a", by: "bob!b@other")])
        #expect(Set(found).count == 5 && found.allSatisfy { $0.hasPrefix(Self.time + " ") })
        #expect(found[2] == found[0] + " 2" && found[4] == found[0] + " 3")
        #expect(ids([line("a")]) == [found[0]])
        #expect(ids([line("a", at: "yesterday")]) == ["-"])
        #expect(ids([line("a")], byContent: false) == ["-"])
        let many = ids((0..<LineIDs.mostOfMoment + 1).map { line("\($0)") })
        #expect(many.last == "-" && Set(many).count == many.count)
    }

    @Test(
        "a millisecond earlier",
        arguments: [
            ("2026-01-01T00:00:00.000Z", "2025-12-31T23:59:59.999Z"),
            ("2024-03-01T00:00:00.000Z", "2024-02-29T23:59:59.999Z"),
            ("2026-11-24T01:02:03.004Z", "2026-11-24T01:02:03.003Z"),
            ("2026-11-24T01:02:03Z", "2026-11-24T01:02:02.999Z"),
            ("2026-11-24T01:02:03.1239Z", "2026-11-24T01:02:03.122Z"),
            ("1970-01-01T00:00:00.000Z", nil), ("t1", nil), ("2026-13-24T01:02:03.004Z", nil),
        ] as [(String, String?)])
    func earlier(time: String, before: String?) {
        #expect(MessageReference.millisecondBefore(time) == before)
    }

    @Test func aMessageIsAPlaceToGoOnFromOnceItIsWhole() {
        var places = StoredPlaces()
        func hear(_ reference: String, part: Int = 1, at now: Instant = 0) {
            places.heardLine()
            places.relayed("#r", reference, part: part, now: now)
        }
        hear("a")
        // Another line has come, whatever it says.
        places.heardLine()
        let whole = places.stored("#r", "a", part: 1)
        hear("b")
        hear("b", part: 2)
        let first = places.stored("#r", "b", part: 1)
        let second = places.stored("#r", "b", part: 2)
        #expect(whole && !first && !second && places.isWaiting)
        let early = places.settled(now: 0.9, isListening: true)
        // What is not read says nothing.
        let unread = places.settled(now: 5, isListening: false)
        let due = places.settled(now: 1, isListening: true)
        #expect(early.isEmpty && unread.isEmpty && due.map(\.reference) == ["b"] && !places.isWaiting)
        hear("c", at: 2)
        let cut = places.connectionLost(now: 2, isListening: true)
        // The chat has it after that: the rest may be missing until it came again.
        let late = places.stored("#r", "c", part: 1)
        hear("c", at: 3)
        places.heardLine()
        let again = places.stored("#r", "c", part: 1)
        #expect(cut?.reference == "c" && !late && again)
    }
}
