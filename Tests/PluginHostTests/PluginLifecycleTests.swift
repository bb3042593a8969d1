import JSONBytes
import Testing

@testable import PluginHost

/// A plugin's lifecycle as a table: what happened, and what is done about it.
struct PluginLifecycleTests {
    private static func manifest(_ command: String = "a", config: String = "", enabled: Bool = true) -> Manifest {
        var manifest = Manifest(name: "p", file: "p.toml", command: [command])
        manifest.config = .string(config)
        manifest.isEnabled = enabled
        return manifest
    }

    /// A lifecycle whose first process works.
    private static func running(_ manifest: Manifest = manifest(), takesConfig: Bool = false) -> PluginLifecycle {
        var lifecycle = PluginLifecycle(name: "p")
        lifecycle.take(manifest)
        _ = lifecycle.steps(now: 0)
        lifecycle.heardReady(1, takesConfig: takesConfig)
        return lifecycle
    }

    private static func end(_ lifecycle: inout PluginLifecycle, _ id: Int, _ end: RestartPolicy.End) -> PluginLifecycle
        .Notice?
    {
        lifecycle.heardEnd(id, end, madeProgress: true, now: 1_000, unixNow: 5, random: 0.5)
    }

    private static func state(_ lifecycle: PluginLifecycle) -> PluginLifecycle.State {
        var view = SessionStatus.View()
        view.isReady = lifecycle.current?.isReady == true
        view.isCaughtUp = view.isReady
        return lifecycle.state(view).state
    }

    @Test func nothingRunsWithoutAManifestOrOneThatIsNotEnabled() {
        var lifecycle = PluginLifecycle(name: "p")
        #expect(lifecycle.steps(now: 0) == [])
        lifecycle.take(Self.manifest(enabled: false))
        #expect(lifecycle.steps(now: 0) == [])
        #expect(Self.state(lifecycle) == .stopped)
        lifecycle.take(Self.manifest())
        #expect(lifecycle.steps(now: 0) == [.launch(id: 1, Self.manifest(), isHeld: false)])
        #expect(lifecycle.steps(now: 0) == [])
        #expect(Self.state(lifecycle) == .starting)
        lifecycle.heardReady(1, takesConfig: false)
        #expect(Self.state(lifecycle) == .live)
        lifecycle.take(Self.manifest(enabled: false))
        #expect(lifecycle.steps(now: 0) == [.drain(id: 1, why: "it is not enabled any more")])
        #expect(Self.state(lifecycle) == .draining)
        #expect(Self.end(&lifecycle, 1, .stopped) == nil)
        #expect(lifecycle.steps(now: 0) == [])
        #expect(Self.state(lifecycle) == .stopped)
    }

    @Test func aCrashWaitsAndAFailureStaysUntilSomethingChanges() {
        var lifecycle = Self.running()
        #expect(
            Self.end(&lifecycle, 1, .crashed("boom")) == .init(isError: false, text: "starts again in 250 ms: boom"))
        #expect(lifecycle.steps(now: 1_000) == [])
        #expect(lifecycle.due == 1_250)
        #expect(Self.state(lifecycle) == .backingOff)
        #expect(lifecycle.steps(now: 1_250) == [.launch(id: 2, Self.manifest(), isHeld: false)])
        let failed = "failed and stays down: bad; once that is mended, 'crowbar plugins start p' starts it"
        #expect(Self.end(&lifecycle, 2, .failed("bad")) == .init(isError: true, text: failed))
        #expect(lifecycle.steps(now: 1 << 40) == [])
        #expect(Self.state(lifecycle) == .failed)
        lifecycle.take(Self.manifest())
        #expect(lifecycle.steps(now: 1 << 40) == [])
        lifecycle.take(Self.manifest("b"))
        #expect(lifecycle.steps(now: 1 << 40) == [.launch(id: 3, Self.manifest("b"), isHeld: false)])
    }

    @Test func onlyANewConfigurationIsTold() {
        var lifecycle = Self.running(takesConfig: true)
        let new = Self.manifest(config: "new")
        lifecycle.take(new)
        #expect(lifecycle.steps(now: 0) == [.configure(id: 1, new)])
        #expect(lifecycle.steps(now: 0) == [])
        lifecycle.heardConfigured(1, .taken)
        #expect(lifecycle.steps(now: 0) == [])
        #expect(lifecycle.manifest == new)
        // More than that is a handover.
        lifecycle.take(Self.manifest("b", config: "newer"))
        #expect(lifecycle.steps(now: 0) == [.launch(id: 2, Self.manifest("b", config: "newer"), isHeld: true)])
    }

    @Test func aRefusedConfigurationIsNotTriedAgainUntilItChanges() {
        var lifecycle = Self.running(takesConfig: true)
        lifecycle.take(Self.manifest(config: "bad"))
        _ = lifecycle.steps(now: 0)
        lifecycle.heardConfigured(1, .refused("p.toml:3: config.x: no"))
        #expect(lifecycle.steps(now: 0) == [])
        #expect(lifecycle.manifest == Self.manifest())
        let (state, reason) = lifecycle.state(SessionStatus.View())
        #expect(state == .starting && reason?.contains("p.toml:3: config.x: no") == true)
        // After a crash the one that worked is started.
        _ = Self.end(&lifecycle, 1, .crashed("x"))
        #expect(lifecycle.steps(now: 9_000) == [.launch(id: 2, Self.manifest(), isHeld: false)])
        lifecycle.heardReady(2, takesConfig: true)
        lifecycle.take(Self.manifest(config: "good"))
        #expect(lifecycle.steps(now: 9_000) == [.configure(id: 2, Self.manifest(config: "good"))])
    }

    @Test func silenceAboutAConfigurationBecomesAHandover() {
        var lifecycle = Self.running(takesConfig: true)
        let new = Self.manifest(config: "new")
        lifecycle.take(new)
        _ = lifecycle.steps(now: 0)
        lifecycle.heardConfigured(1, .silent)
        #expect(lifecycle.steps(now: 0) == [.launch(id: 2, new, isHeld: true)])
    }

    @Test func aHandoverNeverHasTwoAtWork() {
        var lifecycle = Self.running()
        let new = Self.manifest("b")
        lifecycle.take(new)
        #expect(lifecycle.steps(now: 0) == [.launch(id: 2, new, isHeld: true)])
        #expect(lifecycle.steps(now: 0) == [])
        lifecycle.heardReady(2, takesConfig: false)
        #expect(lifecycle.steps(now: 0) == [.drain(id: 1, why: "its manifest changed")])
        #expect(lifecycle.steps(now: 0) == [])
        #expect(Self.end(&lifecycle, 1, .stopped) == nil)
        #expect(lifecycle.steps(now: 0) == [.release(id: 2)])
        lifecycle.heardReady(2, takesConfig: false)
        #expect(lifecycle.steps(now: 0) == [])
        #expect(lifecycle.manifest == new)
    }

    @Test func aSuccessorThatDoesNotGetReadyLeavesTheOldOneAlone() {
        var lifecycle = Self.running()
        lifecycle.take(Self.manifest("b"))
        _ = lifecycle.steps(now: 0)
        let notice = Self.end(&lifecycle, 2, .crashed("no 'ready'"))
        #expect(notice?.text.contains("no 'ready'") == true && notice?.text.contains("goes on") == true)
        #expect(lifecycle.steps(now: 0) == [])
        #expect(lifecycle.current?.id == 1 && Self.state(lifecycle) == .live)
        // Told to, it is tried again.
        #expect(throws: Never.self) { try lifecycle.restartNow() }
        #expect(lifecycle.steps(now: 0) == [.drain(id: 1, why: "restarted by the operator")])
        _ = Self.end(&lifecycle, 1, .stopped)
        #expect(lifecycle.steps(now: 0) == [.launch(id: 3, Self.manifest("b"), isHeld: false)])
    }

    @Test func aSuccessorThatDiesWhileTheOldOneDrainsIsFollowedByTheOld() {
        var lifecycle = Self.running()
        lifecycle.take(Self.manifest("b"))
        _ = lifecycle.steps(now: 0)
        lifecycle.heardReady(2, takesConfig: false)
        _ = lifecycle.steps(now: 0)
        #expect(Self.end(&lifecycle, 2, .crashed("x"))?.text.contains("started again") == true)
        #expect(lifecycle.steps(now: 0) == [])
        _ = Self.end(&lifecycle, 1, .stopped)
        #expect(lifecycle.steps(now: 0) == [.launch(id: 3, Self.manifest(), isHeld: false)])
    }

    @Test func anOldOneThatFallsIsFollowedAtOnceByItsSuccessor() {
        var lifecycle = Self.running()
        lifecycle.take(Self.manifest("b"))
        _ = lifecycle.steps(now: 0)
        _ = Self.end(&lifecycle, 1, .crashed("x"))
        #expect(lifecycle.steps(now: 0).last == .release(id: 2))
        lifecycle.heardReady(2, takesConfig: false)
        #expect(lifecycle.steps(now: 0) == [])
        #expect(Self.state(lifecycle) == .live)
    }

    @Test func aSecondChangeDropsTheFirstSuccessor() {
        var lifecycle = Self.running()
        lifecycle.take(Self.manifest("b"))
        _ = lifecycle.steps(now: 0)
        lifecycle.take(Self.manifest("c"))
        #expect(lifecycle.steps(now: 0) == [.drain(id: 2, why: "its manifest changed again")])
        #expect(Self.end(&lifecycle, 2, .stopped) == nil)
        #expect(lifecycle.steps(now: 0) == [.launch(id: 3, Self.manifest("c"), isHeld: true)])
        // And back to what runs: nothing is to be handed over any more.
        lifecycle.take(Self.manifest())
        #expect(lifecycle.steps(now: 0) == [.drain(id: 3, why: "its manifest changed again")])
        _ = Self.end(&lifecycle, 3, .stopped)
        #expect(lifecycle.steps(now: 0) == [])
    }

    /// A lifecycle whose checker works and whose successor has just been let begin beside it.
    private static func succeeding() -> PluginLifecycle {
        var (old, new) = (manifest(), manifest("b"))
        (old.phase, new.phase) = (.command, .command)
        var lifecycle = running(old)
        lifecycle.take(new)
        _ = lifecycle.steps(now: 0)
        lifecycle.heardReady(2, takesConfig: false)
        return lifecycle
    }

    @Test func aCheckerGoesOnlyWhenItsSuccessorIsAtWork() {
        var lifecycle = Self.succeeding()
        #expect(lifecycle.steps(now: 0) == [.release(id: 2)])
        #expect(lifecycle.current?.id == 2 && lifecycle.candidate?.id == 1)
        #expect(lifecycle.steps(now: 0) == [])
        lifecycle.heardReady(2, takesConfig: false)
        #expect(lifecycle.steps(now: 0) == [.drain(id: 1, why: "its successor is at work")])
        #expect(Self.end(&lifecycle, 1, .stopped) == nil)
        #expect(lifecycle.steps(now: 0) == [])
        #expect(lifecycle.manifest?.command == ["b"] && Self.state(lifecycle) == .live)
    }

    @Test func aCheckersSuccessorThatFallsBeforeItsWorkLeavesTheOldOneAlone() {
        var lifecycle = Self.succeeding()
        _ = lifecycle.steps(now: 0)
        #expect(Self.end(&lifecycle, 2, .crashed("x"))?.text.contains("the old one goes on") == true)
        #expect(lifecycle.steps(now: 0) == [])
        #expect(lifecycle.current?.id == 1 && lifecycle.candidate == nil && Self.state(lifecycle) == .live)
    }

    @Test func aCheckerThatFallsWhileItsSuccessorBeginsIsNotMissed() {
        var lifecycle = Self.succeeding()
        _ = lifecycle.steps(now: 0)
        #expect(Self.end(&lifecycle, 1, .crashed("x")) == nil)
        lifecycle.heardReady(2, takesConfig: false)
        #expect(lifecycle.steps(now: 0) == [])
        #expect(lifecycle.current?.id == 2 && Self.state(lifecycle) == .live)
    }

    @Test func aStopEndsACheckerAndItsSuccessor() {
        var lifecycle = Self.succeeding()
        _ = lifecycle.steps(now: 0)
        lifecycle.isStopped = true
        let why = "stopped by the operator"
        #expect(lifecycle.steps(now: 0) == [.drain(id: 1, why: why), .drain(id: 2, why: why)])
        _ = Self.end(&lifecycle, 2, .stopped)
        #expect(lifecycle.steps(now: 0) == [])
        _ = Self.end(&lifecycle, 1, .stopped)
        #expect(lifecycle.steps(now: 0) == [])
        #expect(lifecycle.current == nil && lifecycle.candidate == nil)
        #expect(Self.state(lifecycle) == .stopped)
    }

    @Test func aStopEndsBothAndPauseIsTaughtToEveryProcess() throws {
        var lifecycle = Self.running()
        try lifecycle.pause(true)
        #expect(lifecycle.steps(now: 0) == [.pause(id: 1, true)])
        #expect(Self.state(lifecycle) == .paused)
        lifecycle.take(Self.manifest("b"))
        _ = lifecycle.steps(now: 0)
        lifecycle.heardReady(2, takesConfig: false)
        _ = lifecycle.steps(now: 0)
        _ = Self.end(&lifecycle, 1, .stopped)
        #expect(lifecycle.steps(now: 0) == [.pause(id: 2, true), .release(id: 2)])
        lifecycle.heardReady(2, takesConfig: false)
        lifecycle.take(Self.manifest("c"))
        _ = lifecycle.steps(now: 0)
        lifecycle.stop()
        #expect(
            lifecycle.steps(now: 0) == [
                .drain(id: 3, why: "stopped by the operator"), .drain(id: 2, why: "stopped by the operator"),
            ])
        _ = Self.end(&lifecycle, 2, .stopped)
        _ = Self.end(&lifecycle, 3, .stopped)
        #expect(lifecycle.steps(now: 0) == [])
        #expect(throws: ControlRefusal.notRunning("p")) { try lifecycle.pause(true) }
        try lifecycle.start()
        #expect(lifecycle.steps(now: 0) == [.launch(id: 4, Self.manifest("c"), isHeld: false)])
    }

    @Test func aPauseOfAQueueIsTaughtToEveryProcess() throws {
        var lifecycle = Self.running()
        try lifecycle.pause(queue: "a")
        #expect(lifecycle.steps(now: 0) == [.pauseQueues(id: 1, ["a"])])
        #expect(lifecycle.steps(now: 0) == [] && Self.state(lifecycle) == .live)
        // To one that takes over, before it is let go.
        lifecycle.take(Self.manifest("b"))
        _ = lifecycle.steps(now: 0)
        lifecycle.heardReady(2, takesConfig: false)
        _ = lifecycle.steps(now: 0)
        _ = Self.end(&lifecycle, 1, .stopped)
        #expect(lifecycle.steps(now: 0) == [.pauseQueues(id: 2, ["a"]), .release(id: 2)])
        lifecycle.heardReady(2, takesConfig: false)
        // A restart does not end it; the end of the whole plugin's pause does.
        try lifecycle.restartNow()
        _ = lifecycle.steps(now: 0)
        _ = Self.end(&lifecycle, 2, .stopped)
        #expect(
            lifecycle.steps(now: 0) == [.launch(id: 3, Self.manifest("b"), isHeld: false), .pauseQueues(id: 3, ["a"])])
        try lifecycle.pause(false)
        #expect(lifecycle.steps(now: 0) == [.pauseQueues(id: 3, [])])
        lifecycle.stop()
        #expect(throws: ControlRefusal.notRunning("p")) { try lifecycle.pause(queue: "a") }
    }

    @Test func cursorsAreStoredWhileNothingRuns() throws {
        var lifecycle = Self.running()
        lifecycle.askRewind()
        #expect(lifecycle.steps(now: 0) == [.drain(id: 1, why: "its cursor is set")])
        #expect(throws: ControlRefusal.running("p")) { try lifecycle.beginForgetting() }
        _ = Self.end(&lifecycle, 1, .stopped)
        #expect(lifecycle.steps(now: 0) == [.rewind])
        // Asked for once more while the first is being stored.
        lifecycle.askRewind()
        #expect(lifecycle.steps(now: 0) == [])
        lifecycle.heardRewound(problem: nil)
        #expect(lifecycle.steps(now: 0) == [.rewind])
        lifecycle.heardRewound(problem: nil)
        #expect(lifecycle.steps(now: 0) == [.launch(id: 2, Self.manifest(), isHeld: false)])
    }

    @Test func settingACursorClearsDivergedAndWakesNoStoppedOne() {
        var lifecycle = Self.running()
        _ = Self.end(&lifecycle, 1, .diverged("other log"))
        #expect(lifecycle.steps(now: 0) == [] && Self.state(lifecycle) == .diverged)
        lifecycle.askRewind()
        #expect(lifecycle.steps(now: 0) == [.rewind])
        lifecycle.heardRewound(problem: nil)
        #expect(lifecycle.steps(now: 0) == [.launch(id: 2, Self.manifest(), isHeld: false)])
        lifecycle.stop()
        _ = lifecycle.steps(now: 0)
        _ = Self.end(&lifecycle, 2, .stopped)
        lifecycle.askRewind()
        #expect(lifecycle.steps(now: 0) == [.rewind])
        lifecycle.heardRewound(problem: nil)
        #expect(lifecycle.steps(now: 0) == [] && Self.state(lifecycle) == .stopped)
    }

    @Test func theEndComesWhenNothingRunsAnyMore() throws {
        var lifecycle = Self.running()
        lifecycle.end(why: "over")
        #expect(lifecycle.steps(now: 0) == [.drain(id: 1, why: "over")])
        #expect(!lifecycle.isOver)
        _ = Self.end(&lifecycle, 1, .stopped)
        #expect(lifecycle.isOver && lifecycle.steps(now: 0) == [])
        var removed = Self.running()
        removed.takeRemoval()
        #expect(removed.steps(now: 0) == [.drain(id: 1, why: "its manifest was removed")])
        _ = Self.end(&removed, 1, .stopped)
        #expect(!removed.isOver && Self.state(removed) == .stopped)
        try removed.beginForgetting()
        #expect(throws: ControlRefusal.running("p")) { try removed.beginForgetting() }
        removed.endForgetting(isDone: true)
        #expect(removed.isOver)
    }
}
