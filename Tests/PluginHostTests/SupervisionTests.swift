import Glibc
import Testing

@testable import PluginHost

@Test func restartsBackOffDoublingWithFullJitter() {
    var restartPolicy = RestartPolicy()
    var waits: [Int64] = []
    for crash in 0..<9 {
        let now = Int64(crash) * 1_000_000
        let action = restartPolicy.next(
            .crashed("x"), started: now - 10, madeProgress: true, now: now, random: 0.999_999)
        if case .restart(let wait, "x") = action { waits.append(wait) }
    }
    #expect(waits == [499, 999, 1_999, 3_999, 7_999, 15_999, 31_999, 59_999, 59_999])
    #expect(restartPolicy.restarts == 9)
    let none = restartPolicy.next(.crashed("x"), started: 0, madeProgress: true, now: 10_000_000, random: 0)
    #expect(none == .restart(after: 0, reason: "x"))
}

@Test func fiveMinutesOfHealthWithProgressResetTheDelay() {
    var restartPolicy = RestartPolicy()
    for _ in 0..<5 {
        _ = restartPolicy.next(.crashed("x"), started: 0, madeProgress: true, now: 10, random: 0.5)
    }
    let unhealthy = restartPolicy.next(.crashed("x"), started: 0, madeProgress: true, now: 299_999, random: 1)
    #expect(unhealthy == .restart(after: 16_000, reason: "x"))
    let healthy = restartPolicy.next(.crashed("x"), started: 0, madeProgress: true, now: 300_000, random: 1)
    #expect(healthy == .restart(after: 500, reason: "x"))
}

@Test func fiveCrashesWithoutProgressWithinTenMinutesEndInFailed() {
    var restartPolicy = RestartPolicy()
    for crash in 0..<4 {
        let action = restartPolicy.next(
            .crashed("boom"), started: 0, madeProgress: false, now: Int64(crash) * 1_000, random: 0)
        #expect(action == .restart(after: 0, reason: "boom"))
    }
    guard
        case .fail(let reason) = restartPolicy.next(
            .crashed("boom"), started: 0, madeProgress: false, now: 5_000, random: 0)
    else {
        Issue.record("the fifth crash must be the last")
        return
    }
    #expect(reason.contains("boom"))
}

@Test func progressOrTimeForgetsCrashes() {
    var restartPolicy = RestartPolicy()
    for crash in 0..<20 {
        // One every three minutes: never five within ten.
        let action = restartPolicy.next(
            .crashed("x"), started: 0, madeProgress: false, now: Int64(crash) * 180_000, random: 0)
        #expect(action == .restart(after: 0, reason: "x"))
    }
    for crash in 0..<20 {
        let action = restartPolicy.next(
            .crashed("x"), started: 0, madeProgress: crash % 4 == 3, now: 10_000_000, random: 0)
        #expect(action == .restart(after: 0, reason: "x"))
    }
}

@Test(arguments: [
    (RestartPolicy.End.drained, RestartPolicy.Action.stop), (.stopped, .stop), (.failed("r"), .fail("r")),
    (.diverged("r"), .diverge("r")), (.tryLater("r"), .restart(after: 30_000, reason: "r")),
])
func otherEndsAreFinalOrTriedLater(end: RestartPolicy.End, expected: RestartPolicy.Action) {
    var restartPolicy = RestartPolicy()
    let action = restartPolicy.next(end, started: 0, madeProgress: false, now: 0, random: 0.5)
    #expect(action == expected)
}

@Test func aSystemThatIsShortIsWaitedForWithoutEnd() {
    var restartPolicy = RestartPolicy()
    var waits: [Int64] = []
    for _ in 0..<20 {
        let action = restartPolicy.next(.notStarted("no files"), started: 0, madeProgress: false, now: 0, random: 0.999)
        guard case .restart(let wait, "no files") = action else {
            Issue.record("\(action)")
            return
        }
        waits.append(wait)
    }
    #expect(waits.first == 499 && waits.last == 59_940 && waits == waits.sorted())
}

@Test(arguments: [
    (EMFILE, true), (ENFILE, true), (EAGAIN, true), (ENOMEM, true), (ENOBUFS, true), (ENOSPC, true), (EINTR, true),
    (ETXTBSY, true), (ENOENT, false), (EACCES, false), (EPERM, false), (ENOEXEC, false), (E2BIG, false),
    (ENOTDIR, false), (ELOOP, false), (EINVAL, false),
])
func whatPassesByItselfIsNoFaultOfAPlugin(error: Int32, isShortage: Bool) {
    #expect(SystemShortage.isCause(of: error) == isShortage)
    let report = "cannot start a process: " + String(cString: strerror(error))
    #expect(SystemShortage.isCause(ofReport: report) == isShortage)
    #expect(!SystemShortage.isCause(ofReport: report + " and more"))
}

@Test func aShutdownGoesThroughItsStepsWithTheirGraces() {
    var shutdown = Shutdown.draining(now: 1_000)
    var steps = shutdown.due(now: 10_999)
    #expect(steps == [])
    #expect(shutdown.next == 11_000)
    steps = shutdown.due(now: 11_000)
    #expect(steps == [.closeInput])
    steps = shutdown.due(now: 12_999)
    #expect(steps == [])
    steps = shutdown.due(now: 13_000)
    #expect(steps == [.terminate])
    steps = shutdown.due(now: 17_999)
    #expect(steps == [])
    steps = shutdown.due(now: 18_000)
    #expect(steps == [.kill])
    // The launcher did not do it in all that time.
    steps = shutdown.due(now: 25_999)
    #expect(steps == [])
    steps = shutdown.due(now: 26_000)
    #expect(steps == [.killLauncher])
    #expect(shutdown.next == nil)
}

@Test(
    arguments: [
        // The time of each offence, and after which of them there were too many.
        (Array(repeating: 0, count: 25), 20), (Array(stride(from: 0, to: 60_000 * 3, by: 3_000)), 20),
        (Array(stride(from: 0, to: 60_000 * 9, by: 3_200)), nil), (Array(repeating: 0, count: 19) + [60_001], nil),
        (Array(repeating: 0, count: 19) + [60_001, 60_001] + Array(repeating: 60_002, count: 18), 39),
        (Array(repeating: 0, count: 20) + [900_000], 20),
    ] as [([Int64], Int?)])
func twentyOffencesInAMinuteAreTooMany(times: [Int64], which: Int?) {
    var strikes = Strikes()
    var found: Int?
    for (index, time) in times.enumerated() {
        strikes.add(now: time)
        if strikes.areTooMany, found == nil { found = index + 1 }
    }
    #expect(found == which)
    // It does not pass.
    #expect(strikes.areTooMany == (which != nil))
}

@Test func aTokenBucketGivesItsBurstAndThenItsRate() {
    var bucket = TokenBucket(rate: 10, burst: 3)
    let first = (0..<5).map { _ in bucket.take(now: 0) }
    #expect(first == [true, true, true, false, false])
    #expect(bucket.wait() == 100)
    let later = (1...6).map { bucket.take(now: Int64($0) * 50) }
    #expect(later == [false, true, false, true, false, true])
    // A clock that goes back gives nothing and takes nothing.
    let atRest = bucket.take(now: 0)
    #expect(!atRest)
}

@Test(arguments: [(1e-3, 1_000_000), (1e-20, 86_400_000), (.leastNonzeroMagnitude, 86_400_000)])
func aRateOfAlmostNothingIsAskedAgainInADay(rate: Double, wait: Int64) {
    var bucket = TokenBucket(rate: rate, burst: 1)
    let first = bucket.take(now: 0)
    #expect(first)
    #expect(bucket.wait() == wait)
}

@Test func theHostsOwnDelayDoublesUpToFiveMinutes() {
    let middle = (1...12).map { RetryDelay.milliseconds(attempt: $0, random: 0.5) }
    #expect(middle == [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000])
    #expect(RetryDelay.milliseconds(attempt: 2, random: 0) == 800)
    #expect(RetryDelay.milliseconds(attempt: 2, random: 0.999_999) <= 1_200)
}
