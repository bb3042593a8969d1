import Testing

@testable import PluginHTTP

/// How long the parts of a try may take.
@Suite struct TimeLimitTableTests {
    @Test(
        arguments: [
            (.connecting, 4999, nil), (.connecting, 5000, "no connection within 5 s"), (.securing, 4999, nil),
            (.securing, 5000, "TLS was not ready within 5 s"), (.waiting, 14_999, nil),
            (.waiting, 15_000, "no answer began within 15 s"), (.reading, 29_999, nil), (.reading, 99_999, nil),
        ] as [(TimeLimits.Phase, Int64, String?)])
    func eachPartHasItsLimit(phase: TimeLimits.Phase, elapsed: Int64, text: String?) {
        let found = TimeLimits().overrun(phase, elapsed: elapsed)
        #expect((found == nil) == (text == nil))
        #expect(found?.contains(text ?? "") != false)
        #expect(!TimeLimits().isBodyOver(phase, elapsed: elapsed))
    }

    @Test(arguments: [(0, false), (999, false), (1000, true), (99_999, true)] as [(Int64, Bool)])
    func aBodyThatDoesNotEndIsNoFailure(elapsed: Int64, isOver: Bool) {
        #expect(TimeLimits().overrun(.body, elapsed: elapsed) == nil)
        #expect(TimeLimits().isBodyOver(.body, elapsed: elapsed) == isOver)
    }
}
