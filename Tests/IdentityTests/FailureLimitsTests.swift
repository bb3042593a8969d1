import Testing

@testable import Identity

@Suite struct FailureLimitsTests {
    private static let start: Int64 = 1_700_000_000_000

    /// One attempt: at a second, of an account from an address; whether it succeeds, and the refusal.
    private struct Step {
        var at: Int64
        var account: String
        var address = "a"
        var times = 1
        var isKnown = false
        var succeeds = false
        var refusal: (FailureLimits.Refusal.Reason, Int64)?
    }

    private static let stories: [(name: String, steps: [Step])] = [
        (
            "10 a minute per account and address",
            [
                Step(at: 0, account: "ann", times: 10), Step(at: 1, account: "ann", refusal: (.pair, 59)),
                Step(at: 1, account: "bob"), Step(at: 1, account: "ann", address: "b"),
                Step(at: 59, account: "ann", refusal: (.pair, 1)), Step(at: 60, account: "ann", times: 10),
                Step(at: 60, account: "ann", refusal: (.pair, 60)),
            ]
        ),
        (
            "the case of an id does not matter",
            [
                Step(at: 0, account: "ann", times: 5), Step(at: 0, account: "ANN", times: 5),
                Step(at: 0, account: "Ann", refusal: (.pair, 60)),
            ]
        ),
        (
            "30 a minute per address",
            [
                Step(at: 0, account: "a1", times: 10), Step(at: 0, account: "a2", times: 10),
                Step(at: 0, account: "a3", times: 10), Step(at: 30, account: "a4", refusal: (.address, 30)),
                Step(at: 30, account: "a4", address: "b"), Step(at: 60, account: "a4"),
            ]
        ),
        (
            "what succeeds counts for nothing",
            [Step(at: 0, account: "ann", times: 200, succeeds: true), Step(at: 0, account: "ann", times: 10)]
        ),
        (
            "100 an hour per account, but not from where it signed in",
            (0..<10).map { Step(at: 0, account: "ann", address: "x\($0)", times: 10) } + [
                Step(at: 1, account: "ann", address: "y", refusal: (.account, 3_599)),
                Step(at: 1, account: "ann", address: "home", isKnown: true, succeeds: true),
                Step(at: 1, account: "ann", address: "home", times: 10, isKnown: true),
                Step(at: 1, account: "ann", address: "home", isKnown: true, refusal: (.pair, 60)),
                Step(at: 3_599, account: "ann", address: "y", refusal: (.account, 1)),
                Step(at: 3_600, account: "ann", address: "y"),
            ]
        ),
        (
            "failures from where it signed in do not count for the account",
            (0..<20).map { Step(at: 0, account: "ann", address: "x\($0)", times: 10, isKnown: true) } + [
                Step(at: 0, account: "ann", address: "y", times: 10)
            ]
        ),
        (
            "refused attempts do not count",
            [
                Step(at: 0, account: "ann", times: 10), Step(at: 1, account: "ann", times: 100, refusal: (.pair, 59)),
                Step(at: 1, account: "bob", times: 10), Step(at: 1, account: "cid", times: 10),
                Step(at: 1, account: "dan", refusal: (.address, 59)), Step(at: 60, account: "ann"),
            ]
        ),
        (
            "a clock that was set back",
            [Step(at: 1_000, account: "ann", times: 10), Step(at: 0, account: "ann", times: 10)]
        ),
    ]

    @Test(arguments: stories.indices) func attempts(_ story: Int) {
        var limits = FailureLimits()
        for (index, step) in Self.stories[story].steps.enumerated() {
            let now = Self.start + step.at * 1_000
            for _ in 0..<step.times {
                var refusal: FailureLimits.Refusal?
                do throws(FailureLimits.Refusal) {
                    try limits.attempt(step.account, from: step.address, isKnown: step.isKnown, now: now)
                    if step.succeeds {
                        limits.succeeded(step.account, from: step.address, isKnown: step.isKnown, now: now)
                    }
                } catch { refusal = error }
                let expected = step.refusal.map { FailureLimits.Refusal(reason: $0.0, retryAfter: $0.1) }
                #expect(refusal == expected, "\(Self.stories[story].name), step \(index)")
            }
        }
    }

    /// Before any of them is known to have failed.
    @Test func attemptsAtTheSameTimeDoNotPassTogether() {
        var limits = FailureLimits()
        let admitted = (0..<64).filter { _ in
            (try? limits.attempt("ann", from: "a", isKnown: false, now: Self.start)) != nil
        }
        #expect(admitted.count == 10)
    }

    @Test func registrationsAreLimitedByAddressAndInAll() throws {
        var limits = FailureLimits()
        for _ in 0..<10 { try limits.register(from: "a", now: Self.start) }
        #expect(throws: FailureLimits.Refusal(reason: .registrationsFromAddress, retryAfter: 3_600)) {
            try limits.register(from: "a", now: Self.start)
        }
        for index in 0..<90 { try limits.register(from: "b\(index)", now: Self.start + 1_000) }
        #expect(throws: FailureLimits.Refusal(reason: .registrations, retryAfter: 3_598)) {
            try limits.register(from: "c", now: Self.start + 2_000)
        }
        limits.registrationFailed(now: Self.start + 2_000)
        try limits.register(from: "c", now: Self.start + 2_000)
        try limits.register(from: "a", now: Self.start + 3_600_000)
    }

    @Test func aRegistrationThatFailsCountsForItsAddress() throws {
        var limits = FailureLimits()
        for _ in 0..<10 {
            try limits.register(from: "a", now: Self.start)
            limits.registrationFailed(now: Self.start)
        }
        #expect(throws: FailureLimits.Refusal.self) {
            try limits.register(from: "a", now: Self.start)
        }
        for index in 0..<100 { try limits.register(from: "b\(index)", now: Self.start) }
    }

    /// Once an hour for each that has too many failures, and 60 times in all.
    @Test func refusalsAreNotedNowAndThen() {
        typealias Refusal = FailureLimits.Refusal
        var limits = FailureLimits()
        func isNoted(_ reason: Refusal.Reason, _ account: String, _ address: String, at second: Int64 = 0) -> Bool {
            limits.shouldNote(
                Refusal(reason: reason, retryAfter: 1), of: account, from: address, now: Self.start + second * 1_000)
        }
        let rows: [(Refusal.Reason, String, String, Int64, Bool)] = [
            (.pair, "ann", "a", 0, true), (.pair, "ann", "a", 3_599, false), (.pair, "ANN", "a", 3_599, false),
            (.pair, "bob", "a", 0, true), (.pair, "ann", "b", 0, true), (.address, "x", "a", 0, true),
            (.address, "y", "a", 1, false), (.account, "ann", "c", 0, true), (.account, "ann", "d", 1, false),
            (.pair, "ann", "a", 3_600, true), (.pair, "ann", "a", 3_601, false),
        ]
        for row in rows { #expect(isNoted(row.0, row.1, row.2, at: row.3) == row.4, "\(row)") }
        let noted = (0..<1_000).count { isNoted(.address, "x", "n\($0)", at: 10_000) }
        #expect(noted == FailureLimits.Limit.notes)
    }

    @Test func memoryIsBounded() {
        var limits = FailureLimits()
        for index in 0..<50_000 {
            try? limits.attempt("u\(index)", from: "a\(index)", isKnown: false, now: Self.start)
            try? limits.register(from: "a\(index)", now: Self.start)
            let refusal = FailureLimits.Refusal(reason: .address, retryAfter: 1)
            _ = limits.shouldNote(refusal, of: "u", from: "a\(index)", now: Self.start + Int64(index) * 100_000)
        }
        #expect(limits.count <= 5 * FailureLimits.Limit.keys + 2)
    }

    @Test func aFloodOfOtherKeysDoesNotResetACount() {
        var counter = WindowCounter(limit: 10, per: 60_000, capacity: 64)
        for _ in 0..<10 { counter.add("victim", now: Self.start) }
        for index in 0..<10_000 { counter.add("k\(index)", now: Self.start + 1) }
        #expect(counter.count <= 64)
        #expect(counter.wait("victim", now: Self.start + 1) == 59_999)
        // What is over makes room first.
        counter.add("late", now: Self.start + 60_001)
        #expect(counter.count <= 64 && counter.wait("victim", now: Self.start + 60_001) == nil)
    }
}
