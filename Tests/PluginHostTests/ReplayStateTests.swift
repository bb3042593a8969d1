import CrowbarCore
import JSONBytes
import Testing

@testable import PluginHost

@Test func aReplaysRateIsKeptWhateverTheClockDoes() {
    var lifecycle = ReplayState(ReplayPlan(start: nil, through: 1_000, rate: 40))
    var sent = 0
    for now in stride(from: Int64(0), through: 10_000, by: 7) {
        let allowed = lifecycle.allowance(now: now) ?? 0
        lifecycle.spend(allowed)
        sent += allowed
        // A quarter of a second's worth at the beginning, and then the rate.
        #expect(Double(sent) <= 10 + 40 * Double(now) / 1000)
    }
    #expect(sent >= 400)
    #expect(lifecycle.wait > 0)
    // A clock that goes back gives nothing.
    #expect(lifecycle.allowance(now: 0) == 0)
    var free = ReplayState(ReplayPlan(start: nil, through: 1))
    #expect(free.allowance(now: 0) == nil)
    #expect(free.wait == 0)
}

@Test(arguments: [
    ReplayPlan(start: nil, through: 0),
    ReplayPlan(start: LogEntryID(position: 7, eventId: "e\"7"), through: 1 << 40, channels: ["a", "dev-*"], rate: 2.5),
])
func aPlanIsKeptWhole(plan: ReplayPlan) {
    #expect(ReplayPlan(kept: plan.bytes) == plan)
}

@Test func whatIsNoPlanIsNone() {
    #expect(ReplayPlan(kept: []) == nil)
    #expect(ReplayPlan(kept: Array(#"{"through":"x"}"#.utf8)) == nil)
}
