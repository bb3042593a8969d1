import PluginKit
import Testing

@testable import PluginHTTP
@testable import Webhook

/// The retry schedule, and what each outcome leads to.
@Suite struct PostResultTests {
    private static let hour: Int64 = 3_600_000

    /// The waits after each failed try, in seconds.
    @Test(
        arguments: [
            (1, 5), (2, 300), (3, 1800), (4, 7200), (5, 18_000), (6, 36_000), (7, 50_400), (8, 72_000), (9, 86_400),
            (10, 86_400), (99, 86_400), (0, 5),
        ] as [(Int64, Int64)])
    func theScheduleSpreadsByAFifth(_ attempt: Int64, _ seconds: Int64) {
        let wait = seconds * 1000
        let waits = [0, 0.5, 0.999_999].map { chance in
            RetrySchedule.wait(afterAttempt: attempt, retryAfter: nil, chance: chance)
        }
        #expect(waits[0] == wait * 8 / 10)
        #expect((wait - 1...wait).contains(waits[1]))
        #expect((wait * 119 / 100...wait * 12 / 10).contains(waits[2]))
    }

    @Test func tenTriesAreMade() { #expect(RetrySchedule.maxAttempts == 10) }

    @Test(
        arguments: [
            (1, 60_000, 60_000), (1, 1000, 4000), (1, 7_200_000, 3_600_000), (5, 7_200_000, 14_400_000),
        ] as [(Int64, Int64, Int64)])
    func aWaitIsNeverLessThanAskedFor(_ attempt: Int64, _ asked: Int64, _ wait: Int64) {
        #expect(RetrySchedule.wait(afterAttempt: attempt, retryAfter: asked, chance: 0) == wait)
    }

    @Test(arguments: [200, 201, 202, 204, 299])
    func successIsDelivered(_ status: Int) {
        #expect(DeliveryVerdict(.answered(status: status, retryAfter: 5000), attempt: 3, chance: 0) == .delivered())
    }

    @Test(arguments: [429, 503])
    func aReceiverThatAsksForTimeGetsIt(_ status: Int) {
        func judge(_ wait: Int64?) -> DeliveryVerdict {
            DeliveryVerdict(.answered(status: status, retryAfter: wait), attempt: 2, chance: 0)
        }
        guard case .hold(30_000, "http_\(status)", _) = judge(30_000) else {
            Issue.record("a wait is held: \(judge(30_000))")
            return
        }
        guard case .hold(Self.hour, _, _) = judge(9 * Self.hour) else {
            Issue.record("a wait is an hour at most: \(judge(9 * Self.hour))")
            return
        }
    }

    @Test func withoutAWaitOnly503CostsATry() {
        let outcome = PostResult.answered(status: 503)
        guard case .retry(240_000, "http_503", _) = DeliveryVerdict(outcome, attempt: 2, chance: 0) else {
            Issue.record("without a wait the schedule holds")
            return
        }
    }

    /// The waits after 429 without a word of how long, in milliseconds, the first to the last.
    @Test(
        arguments: [
            (0, 5000), (1, 10_000), (2, 20_000), (3, 40_000), (5, 160_000), (6, 300_000), (9999, 300_000),
        ] as [(Int, Int64)])
    func tooManyRequestsNeverCostATry(_ holds: Int, _ wait: Int64) {
        for attempt in [Int64(1), 2, 9, 10, 99] {
            let judgement = DeliveryVerdict(.answered(status: 429), attempt: attempt, holds: holds, chance: 0.5)
            guard case .hold(let ms, "http_429", _) = judgement else {
                Issue.record("429 holds the endpoint: \(judgement)")
                return
            }
            #expect((wait - 1...wait).contains(ms))
        }
    }

    @Test func goneIsGone() {
        guard case .gone = DeliveryVerdict(.answered(status: 410), attempt: 1, chance: 0) else {
            Issue.record("410 ends the endpoint")
            return
        }
    }

    @Test(arguments: [400, 401, 403, 404, 405, 413, 422, 451, 499])
    func aRefusalIsTriedTwice(_ status: Int) {
        let outcome = PostResult.answered(status: status)
        guard case .retry(4000, "http_\(status)", _) = DeliveryVerdict(outcome, attempt: 1, chance: 0) else {
            Issue.record("the first refusal is tried again")
            return
        }
        for attempt in Int64(2)...3 {
            guard case .deadLetter("http_\(status)", _) = DeliveryVerdict(outcome, attempt: attempt, chance: 0) else {
                Issue.record("the second refusal is the last")
                return
            }
        }
    }

    @Test(arguments: [408, 409, 425, 500, 502, 503, 504, 599, 300, 302, 307, 308, 304])
    func whatMayPassIsTriedToTheEnd(_ status: Int) {
        for attempt in Int64(1)...10 {
            guard case .retry = DeliveryVerdict(.answered(status: status), attempt: attempt, chance: 0) else {
                Issue.record("\(status) at attempt \(attempt) is tried again")
                return
            }
        }
    }

    @Test(arguments: [
        (PostResult.Failure.timedOut, "timeout"), (.unresolved, "dns"), (.unconnected, "connect"), (.tls, "tls"),
        (.broken, "transfer"),
    ])
    func aFailureIsTriedAgainUnderItsName(_ failure: PostResult.Failure, _ code: String) {
        let judgement = DeliveryVerdict(.failed(failure, "why"), attempt: 1, chance: 0)
        #expect(judgement == .retry(afterMs: 4000, code: code, message: "why"))
    }

    @Test func aDeniedAddressIsADeadLetterAtOnce() {
        guard case .deadLetter("address_denied", _) = DeliveryVerdict(.denied, attempt: 1, chance: 0) else {
            Issue.record("a denied address is not tried again")
            return
        }
    }

    @Test func aRedirectNamesItsHost() {
        let judgement = DeliveryVerdict(.answered(status: 302, redirect: "other.example"), attempt: 1, chance: 0)
        guard case .retry(_, "redirect", let message) = judgement else {
            Issue.record("a redirect is a failure")
            return
        }
        #expect(message.contains("'other.example'"))
    }
}
