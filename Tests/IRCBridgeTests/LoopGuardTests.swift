import Testing

@testable import IRCBridge

/// What another bridge repeats.
@Suite struct LoopGuardTests {
    @Test func aLineThatWasJustSaidIsKnown() {
        var marks = LoopGuard()
        marks.said("PRIVMSG #Room :<ann> hi", now: 0)
        marks.said("@label=7 NOTICE #room :<ann> psst", now: 0)
        #expect(isRepeated(marks, "<ann> hi", in: "#room", now: 5))
        #expect(isRepeated(marks, "<ann> psst", in: "#room", now: 5))
        marks.said("PRIVMSG #room :<\u{3}04ann\u{F}> so \u{2}bold\u{2}", now: 0)
        #expect(isRepeated(marks, "<ann> so bold", in: "#room", now: 5))
        #expect(!isRepeated(marks, "<ann> hi", in: "#other", now: 5))
        #expect(!isRepeated(marks, "<ann> hi!", in: "#room", now: 5))
        #expect(!isRepeated(marks, "<ann> hi", in: "#room", now: LoopGuard.memory + 1))
    }

    @Test func aLineThatBeginsWithACombiningMarkIsKnown() {
        var marks = LoopGuard()
        marks.said("PRIVMSG #room :\u{301}x", now: 0)
        #expect(isRepeated(marks, "\u{301}x", in: "#room", now: 5))
    }

    @Test func fewLinesAreRemembered() {
        var marks = LoopGuard()
        for i in 0...LoopGuard.most { marks.said("PRIVMSG #r :\(i)", now: 0) }
        #expect(!isRepeated(marks, "0", in: "#r", now: 0))
        #expect(isRepeated(marks, "1", in: "#r", now: 0))
    }

    @Test(arguments: [
        ("<crow> hi", true), ("[Crow] hi", true), ("(crow) hi", true), ("{crow}: hi", true), ("<ann{c}> hi", true),
        ("\u{2}<\u{3}4c\u{200B}row\u{F}>\u{2} hi", true), ("<crowd> hi", false), ("<bob> crow: hi", false),
        ("crow: hi", false), ("<crow", false), ("", false), ("<", false),
        ("\u{1}ACTION crow bob waves\u{1}", true), ("\u{1}ACTION c\u{200B}row waves\u{1}", true),
        ("\u{1}ACTION waves at crow\u{1}", false), ("\u{1}ACTION ann[c] waves\u{1}", true),
        ("\u{1}ACTION crowd waves\u{1}", false),
    ])
    func whoQuotesTheBridgeRepeatsIt(text: String, isQuote: Bool) {
        #expect(isRepeated(LoopGuard(), text, in: "#room", now: 0) == isQuote)
    }

    /// Another bridge's line of one that this one has said in whatever channel, in formats of all kinds.
    @Test(arguments: [
        ("* <crow> * <ann> hi", true), ("crow: * <ann> hi", true), ("\u{2}crow\u{2}> * <ann> hi", true),
        ("* <c\u{200B}row> * <ann> hi", true), ("* <CROW> * <ann> hi", true), ("* <crow> * <ann> hi there", false),
        ("* <bob> * <ann> hi", false), ("what is that, crow?", false), ("crow: bob: * <ann> hi", true),
        ("crow said * <ann> ho", false), ("\u{1}ACTION says crow * <ann> hi\u{1}", false),
        ("\u{1}ACTION * crow bob waves\u{1}", true), ("\u{1}ACTION * eve bob waves\u{1}", false),
    ])
    func whoSaysWhatTheBridgeSaidOfItRepeatsIt(text: String, isQuote: Bool) {
        var marks = LoopGuard()
        marks.said("PRIVMSG #elsewhere :* <ann> hi", now: 0)
        marks.said("PRIVMSG #elsewhere :\u{1}ACTION bob waves\u{1}", now: 0)
        #expect(isRepeated(marks, text, in: "#room", now: LoopGuard.longMemory) == isQuote)
        #expect(!isRepeated(marks, text, in: "#room", now: LoopGuard.longMemory + 1))
    }

    private func isRepeated(_ marks: LoopGuard, _ text: String, in target: String, now: Instant) -> Bool {
        let own: Set<String> = ["crow", "ann{c}"]
        return marks.isRepeated(text, in: target, nick: "crow", now: now) { own.contains(Casemapping.rfc1459.fold($0)) }
    }
}
