import Testing

@testable import PluginHost

@Test func theThirdCrashInARowWithAnEventBeginsTheIsolation() {
    var watch = PoisonWatch()
    watch.crashed(holding: ["main": [1, 2, 3]])
    watch.crashed(holding: ["main": [2, 4], "other": [2]])
    #expect(watch.suspects.isEmpty)
    watch.crashed(holding: ["main": [2, 5], "other": [2, 9]])
    #expect(watch.suspects == ["main": [2, 5], "other": [2, 9]])
}

@Test func anEventThatWasNotHeldAtOneCrashBeginsAnew() {
    var watch = PoisonWatch()
    for held in [[1], [1], [2], [1], [1]] as [Set<Int64>] { watch.crashed(holding: ["main": held]) }
    #expect(watch.suspects.isEmpty)
    watch.crashed(holding: ["main": [1]])
    #expect(watch.suspects == ["main": [1]])
}

@Test func aCrashWithNothingHeldSaysNothing() {
    var watch = PoisonWatch()
    for held in [[1], [], [1], [], [1]] as [Set<Int64>] { watch.crashed(holding: held.isEmpty ? [:] : ["main": held]) }
    #expect(watch.suspects == ["main": [1]])
}

@Test func anotherEventThatIsHeldAtThreeCrashesInTheIsolationBecomesASuspectToo() {
    var watch = PoisonWatch()
    for _ in 0..<3 { watch.crashed(holding: ["main": [2, 3]]) }
    for _ in 0..<2 { watch.crashed(holding: ["main": [1]]) }
    #expect(watch.suspects == ["main": [2, 3]])
    watch.crashed(holding: ["main": [1]])
    #expect(watch.suspects == ["main": [1, 2, 3]])
    for _ in 0..<3 { watch.crashed(holding: ["other": [1]]) }
    #expect(watch.suspects == ["main": [1, 2, 3], "other": [1]])
}

@Test func theIsolationEndsWithTheLastSuspectAndCountsAnew() {
    var watch = PoisonWatch()
    for _ in 0..<3 { watch.crashed(holding: ["main": [1, 2]]) }
    watch.keep(["main": [2]])
    #expect(watch.suspects == ["main": [2]])
    watch.crashed(holding: ["main": [2]])
    #expect(watch.suspects == ["main": [2]])
    watch.keep(["main": []])
    #expect(watch.suspects.isEmpty)
    watch.crashed(holding: ["main": [2]])
    #expect(watch.suspects.isEmpty)
}
