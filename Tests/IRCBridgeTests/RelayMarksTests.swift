import Testing

@testable import IRCBridge

/// What another bridge repeats.
@Suite struct RelayMarksTests {
    @Test func aLineThatWasJustSaidIsKnown() {
        var marks = RelayMarks()
        marks.said("PRIVMSG #Room :<ann> hi", now: 0)
        marks.said("@label=7 NOTICE #room :<ann> psst", now: 0)
        #expect(marks.isRepeated("<ann> hi", in: "#room", nick: "crow", now: 5))
        #expect(marks.isRepeated("<ann> psst", in: "#room", nick: "crow", now: 5))
        marks.said("PRIVMSG #room :<\u{3}04ann\u{F}> so \u{2}bold\u{2}", now: 0)
        #expect(marks.isRepeated("<ann> so bold", in: "#room", nick: "crow", now: 5))
        #expect(!marks.isRepeated("<ann> hi", in: "#other", nick: "crow", now: 5))
        #expect(!marks.isRepeated("<ann> hi!", in: "#room", nick: "crow", now: 5))
        #expect(!marks.isRepeated("<ann> hi", in: "#room", nick: "crow", now: RelayMarks.memory + 1))
    }

    @Test func aLineThatBeginsWithACombiningMarkIsKnown() {
        var marks = RelayMarks()
        marks.said("PRIVMSG #room :\u{301}x", now: 0)
        #expect(marks.isRepeated("\u{301}x", in: "#room", nick: "crow", now: 5))
    }

    @Test func fewLinesAreRemembered() {
        var marks = RelayMarks()
        for i in 0...RelayMarks.most { marks.said("PRIVMSG #r :\(i)", now: 0) }
        #expect(!marks.isRepeated("0", in: "#r", nick: "crow", now: 0))
        #expect(marks.isRepeated("1", in: "#r", nick: "crow", now: 0))
    }

    @Test(arguments: [
        ("<crow> hi", true), ("[Crow] hi", true), ("(crow) hi", true), ("{crow}: hi", true),
        ("\u{2}<\u{3}4c\u{200B}row\u{F}>\u{2} hi", true), ("<crowd> hi", false), ("<bob> crow: hi", false),
        ("crow: hi", false), ("<crow", false), ("", false), ("<", false),
    ])
    func whoQuotesTheBridgeRepeatsIt(text: String, isQuote: Bool) {
        #expect(RelayMarks.quotes(text, "crow") == isQuote)
    }
}
