import JSONBytes
import Testing

@testable import PluginHost

/// A plugin's course as a table: what happened, and what is done about it.
struct CourseTests {
    private static func manifest(_ command: String = "a", config: String = "", enabled: Bool = true) -> Manifest {
        var manifest = Manifest(name: "p", file: "p.toml", command: [command])
        manifest.config = .string(config)
        manifest.isEnabled = enabled
        return manifest
    }

    /// A course whose first process works.
    private static func running(_ manifest: Manifest = manifest(), takesConfig: Bool = false) -> Course {
        var course = Course(name: "p")
        course.take(manifest)
        _ = course.steps(now: 0)
        course.heardReady(1, takesConfig: takesConfig)
        return course
    }

    private static func end(_ course: inout Course, _ id: Int, _ end: Supervisor.End) -> Course.Notice? {
        course.heardEnd(id, end, madeProgress: true, now: 1_000, unixNow: 5, random: 0.5)
    }

    private static func state(_ course: Course) -> Course.State {
        var view = SessionBoard.View()
        view.isReady = course.current?.isReady == true
        view.isCaughtUp = view.isReady
        return course.state(view).state
    }

    @Test func nothingRunsWithoutAManifestOrOneThatIsNotEnabled() {
        var course = Course(name: "p")
        #expect(course.steps(now: 0) == [])
        course.take(Self.manifest(enabled: false))
        #expect(course.steps(now: 0) == [])
        #expect(Self.state(course) == .stopped)
        course.take(Self.manifest())
        #expect(course.steps(now: 0) == [.launch(id: 1, Self.manifest(), isHeld: false)])
        #expect(course.steps(now: 0) == [])
        #expect(Self.state(course) == .starting)
        course.heardReady(1, takesConfig: false)
        #expect(Self.state(course) == .live)
        course.take(Self.manifest(enabled: false))
        #expect(course.steps(now: 0) == [.drain(id: 1, why: "it is not enabled any more")])
        #expect(Self.state(course) == .draining)
        #expect(Self.end(&course, 1, .stopped) == nil)
        #expect(course.steps(now: 0) == [])
        #expect(Self.state(course) == .stopped)
    }

    @Test func aCrashWaitsAndAFailureStaysUntilSomethingChanges() {
        var course = Self.running()
        #expect(Self.end(&course, 1, .crashed("boom")) == .init(isError: false, text: "starts again in 250 ms: boom"))
        #expect(course.steps(now: 1_000) == [])
        #expect(course.due == 1_250)
        #expect(Self.state(course) == .backingOff)
        #expect(course.steps(now: 1_250) == [.launch(id: 2, Self.manifest(), isHeld: false)])
        let failed = "failed and stays down: bad; once that is mended, 'crowbar plugins start p' starts it"
        #expect(Self.end(&course, 2, .failed("bad")) == .init(isError: true, text: failed))
        #expect(course.steps(now: 1 << 40) == [])
        #expect(Self.state(course) == .failed)
        course.take(Self.manifest())
        #expect(course.steps(now: 1 << 40) == [])
        course.take(Self.manifest("b"))
        #expect(course.steps(now: 1 << 40) == [.launch(id: 3, Self.manifest("b"), isHeld: false)])
    }

    @Test func onlyANewConfigurationIsTold() {
        var course = Self.running(takesConfig: true)
        let new = Self.manifest(config: "new")
        course.take(new)
        #expect(course.steps(now: 0) == [.configure(id: 1, new)])
        #expect(course.steps(now: 0) == [])
        course.heardConfigured(1, .taken)
        #expect(course.steps(now: 0) == [])
        #expect(course.manifest == new)
        // More than that is a handover.
        course.take(Self.manifest("b", config: "newer"))
        #expect(course.steps(now: 0) == [.launch(id: 2, Self.manifest("b", config: "newer"), isHeld: true)])
    }

    @Test func aRefusedConfigurationIsNotTriedAgainUntilItChanges() {
        var course = Self.running(takesConfig: true)
        course.take(Self.manifest(config: "bad"))
        _ = course.steps(now: 0)
        course.heardConfigured(1, .refused("p.toml:3: config.x: no"))
        #expect(course.steps(now: 0) == [])
        #expect(course.manifest == Self.manifest())
        let (state, reason) = course.state(SessionBoard.View())
        #expect(state == .starting && reason?.contains("p.toml:3: config.x: no") == true)
        // After a crash the one that worked is started.
        _ = Self.end(&course, 1, .crashed("x"))
        #expect(course.steps(now: 9_000) == [.launch(id: 2, Self.manifest(), isHeld: false)])
        course.heardReady(2, takesConfig: true)
        course.take(Self.manifest(config: "good"))
        #expect(course.steps(now: 9_000) == [.configure(id: 2, Self.manifest(config: "good"))])
    }

    @Test func silenceAboutAConfigurationBecomesAHandover() {
        var course = Self.running(takesConfig: true)
        let new = Self.manifest(config: "new")
        course.take(new)
        _ = course.steps(now: 0)
        course.heardConfigured(1, .silent)
        #expect(course.steps(now: 0) == [.launch(id: 2, new, isHeld: true)])
    }

    @Test func aHandoverNeverHasTwoAtWork() {
        var course = Self.running()
        let new = Self.manifest("b")
        course.take(new)
        #expect(course.steps(now: 0) == [.launch(id: 2, new, isHeld: true)])
        #expect(course.steps(now: 0) == [])
        course.heardReady(2, takesConfig: false)
        #expect(course.steps(now: 0) == [.drain(id: 1, why: "its manifest changed")])
        #expect(course.steps(now: 0) == [])
        #expect(Self.end(&course, 1, .stopped) == nil)
        #expect(course.steps(now: 0) == [.release(id: 2)])
        course.heardReady(2, takesConfig: false)
        #expect(course.steps(now: 0) == [])
        #expect(course.manifest == new)
    }

    @Test func aSuccessorThatDoesNotGetReadyLeavesTheOldOneAlone() {
        var course = Self.running()
        course.take(Self.manifest("b"))
        _ = course.steps(now: 0)
        let notice = Self.end(&course, 2, .crashed("no 'ready'"))
        #expect(notice?.text.contains("no 'ready'") == true && notice?.text.contains("goes on") == true)
        #expect(course.steps(now: 0) == [])
        #expect(course.current?.id == 1 && Self.state(course) == .live)
        // Told to, it is tried again.
        #expect(throws: Never.self) { try course.restartNow() }
        #expect(course.steps(now: 0) == [.drain(id: 1, why: "restarted by the operator")])
        _ = Self.end(&course, 1, .stopped)
        #expect(course.steps(now: 0) == [.launch(id: 3, Self.manifest("b"), isHeld: false)])
    }

    @Test func aSuccessorThatDiesWhileTheOldOneDrainsIsFollowedByTheOld() {
        var course = Self.running()
        course.take(Self.manifest("b"))
        _ = course.steps(now: 0)
        course.heardReady(2, takesConfig: false)
        _ = course.steps(now: 0)
        #expect(Self.end(&course, 2, .crashed("x"))?.text.contains("started again") == true)
        #expect(course.steps(now: 0) == [])
        _ = Self.end(&course, 1, .stopped)
        #expect(course.steps(now: 0) == [.launch(id: 3, Self.manifest(), isHeld: false)])
    }

    @Test func anOldOneThatFallsIsFollowedAtOnceByItsSuccessor() {
        var course = Self.running()
        course.take(Self.manifest("b"))
        _ = course.steps(now: 0)
        _ = Self.end(&course, 1, .crashed("x"))
        #expect(course.steps(now: 0).last == .release(id: 2))
        course.heardReady(2, takesConfig: false)
        #expect(course.steps(now: 0) == [])
        #expect(Self.state(course) == .live)
    }

    @Test func aSecondChangeDropsTheFirstSuccessor() {
        var course = Self.running()
        course.take(Self.manifest("b"))
        _ = course.steps(now: 0)
        course.take(Self.manifest("c"))
        #expect(course.steps(now: 0) == [.drain(id: 2, why: "its manifest changed again")])
        #expect(Self.end(&course, 2, .stopped) == nil)
        #expect(course.steps(now: 0) == [.launch(id: 3, Self.manifest("c"), isHeld: true)])
        // And back to what runs: nothing is to be handed over any more.
        course.take(Self.manifest())
        #expect(course.steps(now: 0) == [.drain(id: 3, why: "its manifest changed again")])
        _ = Self.end(&course, 3, .stopped)
        #expect(course.steps(now: 0) == [])
    }

    /// A course whose checker works and whose successor has just been let begin beside it.
    private static func succeeding() -> Course {
        var (old, new) = (manifest(), manifest("b"))
        (old.phase, new.phase) = (.command, .command)
        var course = running(old)
        course.take(new)
        _ = course.steps(now: 0)
        course.heardReady(2, takesConfig: false)
        return course
    }

    @Test func aCheckerGoesOnlyWhenItsSuccessorIsAtWork() {
        var course = Self.succeeding()
        #expect(course.steps(now: 0) == [.release(id: 2)])
        #expect(course.current?.id == 2 && course.candidate?.id == 1)
        #expect(course.steps(now: 0) == [])
        course.heardReady(2, takesConfig: false)
        #expect(course.steps(now: 0) == [.drain(id: 1, why: "its successor is at work")])
        #expect(Self.end(&course, 1, .stopped) == nil)
        #expect(course.steps(now: 0) == [])
        #expect(course.manifest?.command == ["b"] && Self.state(course) == .live)
    }

    @Test func aCheckersSuccessorThatFallsBeforeItsWorkLeavesTheOldOneAlone() {
        var course = Self.succeeding()
        _ = course.steps(now: 0)
        #expect(Self.end(&course, 2, .crashed("x"))?.text.contains("the old one goes on") == true)
        #expect(course.steps(now: 0) == [])
        #expect(course.current?.id == 1 && course.candidate == nil && Self.state(course) == .live)
    }

    @Test func aCheckerThatFallsWhileItsSuccessorBeginsIsNotMissed() {
        var course = Self.succeeding()
        _ = course.steps(now: 0)
        #expect(Self.end(&course, 1, .crashed("x")) == nil)
        course.heardReady(2, takesConfig: false)
        #expect(course.steps(now: 0) == [])
        #expect(course.current?.id == 2 && Self.state(course) == .live)
    }

    @Test func aStopEndsACheckerAndItsSuccessor() {
        var course = Self.succeeding()
        _ = course.steps(now: 0)
        course.isStopped = true
        let why = "stopped by the operator"
        #expect(course.steps(now: 0) == [.drain(id: 1, why: why), .drain(id: 2, why: why)])
        _ = Self.end(&course, 2, .stopped)
        #expect(course.steps(now: 0) == [])
        _ = Self.end(&course, 1, .stopped)
        #expect(course.steps(now: 0) == [])
        #expect(course.current == nil && course.candidate == nil)
        #expect(Self.state(course) == .stopped)
    }

    @Test func aStopEndsBothAndPauseIsTaughtToEveryProcess() throws {
        var course = Self.running()
        try course.pause(true)
        #expect(course.steps(now: 0) == [.pause(id: 1, true)])
        #expect(Self.state(course) == .paused)
        course.take(Self.manifest("b"))
        _ = course.steps(now: 0)
        course.heardReady(2, takesConfig: false)
        _ = course.steps(now: 0)
        _ = Self.end(&course, 1, .stopped)
        #expect(course.steps(now: 0) == [.pause(id: 2, true), .release(id: 2)])
        course.heardReady(2, takesConfig: false)
        course.take(Self.manifest("c"))
        _ = course.steps(now: 0)
        course.stop()
        #expect(
            course.steps(now: 0) == [
                .drain(id: 3, why: "stopped by the operator"), .drain(id: 2, why: "stopped by the operator"),
            ])
        _ = Self.end(&course, 2, .stopped)
        _ = Self.end(&course, 3, .stopped)
        #expect(course.steps(now: 0) == [])
        #expect(throws: ControlRefusal.notRunning("p")) { try course.pause(true) }
        try course.start()
        #expect(course.steps(now: 0) == [.launch(id: 4, Self.manifest("c"), isHeld: false)])
    }

    @Test func aPauseOfAQueueIsTaughtToEveryProcess() throws {
        var course = Self.running()
        try course.pause(queue: "a")
        #expect(course.steps(now: 0) == [.pauseQueues(id: 1, ["a"])])
        #expect(course.steps(now: 0) == [] && Self.state(course) == .live)
        // To one that takes over, before it is let go.
        course.take(Self.manifest("b"))
        _ = course.steps(now: 0)
        course.heardReady(2, takesConfig: false)
        _ = course.steps(now: 0)
        _ = Self.end(&course, 1, .stopped)
        #expect(course.steps(now: 0) == [.pauseQueues(id: 2, ["a"]), .release(id: 2)])
        course.heardReady(2, takesConfig: false)
        // A restart does not end it; the end of the whole plugin's pause does.
        try course.restartNow()
        _ = course.steps(now: 0)
        _ = Self.end(&course, 2, .stopped)
        #expect(
            course.steps(now: 0) == [.launch(id: 3, Self.manifest("b"), isHeld: false), .pauseQueues(id: 3, ["a"])])
        try course.pause(false)
        #expect(course.steps(now: 0) == [.pauseQueues(id: 3, [])])
        course.stop()
        #expect(throws: ControlRefusal.notRunning("p")) { try course.pause(queue: "a") }
    }

    @Test func cursorsAreStoredWhileNothingRuns() throws {
        var course = Self.running()
        course.askRewind()
        #expect(course.steps(now: 0) == [.drain(id: 1, why: "its cursor is set")])
        #expect(throws: ControlRefusal.running("p")) { try course.beginForgetting() }
        _ = Self.end(&course, 1, .stopped)
        #expect(course.steps(now: 0) == [.rewind])
        // Asked for once more while the first is being stored.
        course.askRewind()
        #expect(course.steps(now: 0) == [])
        course.heardRewound(problem: nil)
        #expect(course.steps(now: 0) == [.rewind])
        course.heardRewound(problem: nil)
        #expect(course.steps(now: 0) == [.launch(id: 2, Self.manifest(), isHeld: false)])
    }

    @Test func settingACursorClearsDivergedAndWakesNoStoppedOne() {
        var course = Self.running()
        _ = Self.end(&course, 1, .diverged("other log"))
        #expect(course.steps(now: 0) == [] && Self.state(course) == .diverged)
        course.askRewind()
        #expect(course.steps(now: 0) == [.rewind])
        course.heardRewound(problem: nil)
        #expect(course.steps(now: 0) == [.launch(id: 2, Self.manifest(), isHeld: false)])
        course.stop()
        _ = course.steps(now: 0)
        _ = Self.end(&course, 2, .stopped)
        course.askRewind()
        #expect(course.steps(now: 0) == [.rewind])
        course.heardRewound(problem: nil)
        #expect(course.steps(now: 0) == [] && Self.state(course) == .stopped)
    }

    @Test func theEndComesWhenNothingRunsAnyMore() throws {
        var course = Self.running()
        course.end(why: "over")
        #expect(course.steps(now: 0) == [.drain(id: 1, why: "over")])
        #expect(!course.isOver)
        _ = Self.end(&course, 1, .stopped)
        #expect(course.isOver && course.steps(now: 0) == [])
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
