import PluginHost
import Synchronization

/// The conversation with one process, observed while it goes on.
final class Conversation: Sendable {
    /// What the kit does when a line has gone over the pipes.
    typealias Reaction = @Sendable (PluginTrial, ProtocolObserver, LineTraces.Direction, [UInt8]) -> Void

    private struct State {
        var observer: ProtocolObserver
        var report: PluginTrial.Report?
        var wasKilled = false
    }

    /// Milliseconds between two looks at a condition.
    static let interval: Int64 = 5

    let trial: PluginTrial
    private let state: Mutex<State>
    private let began: Int64
    private let ready = Atomic(false)
    private let reaction: Reaction

    init(_ trial: PluginTrial, _ expectations: ProtocolObserver.Expectations, reaction: @escaping Reaction) {
        self.trial = trial
        self.reaction = reaction
        began = trial.environment.now()
        state = Mutex(State(observer: ProtocolObserver(expectations)))
    }

    /// Milliseconds since it began.
    var time: Int64 { trial.environment.now() - began }

    /// What was observed so far.
    var observer: ProtocolObserver { state.withLock { $0.observer } }

    /// How the process ended; nil: it has not.
    var report: PluginTrial.Report? { state.withLock { $0.report } }

    /// Whether the process is ready: held, or at work.
    var isReady: Bool { ready.load(ordering: .relaxed) }

    /// Whether something was found.
    var hasFindings: Bool { state.withLock { !$0.observer.findings.isEmpty } }

    /// Notes that the kit ends the process by force, so that its end is nobody's fault.
    func noteKill() { state.withLock { $0.wasKilled = true } }

    /// Notes that the host closes the plugin's input.
    func noteClosedInput() { state.withLock { $0.observer.closeInput() } }

    func noteReady() { ready.store(true, ordering: .relaxed) }

    /// Takes a line from the trace.
    func take(_ direction: LineTraces.Direction, _ line: [UInt8]) {
        let time = time
        let observer = state.withLock { state in
            state.observer.observe(direction, line, at: time)
            return state.observer
        }
        reaction(trial, observer, direction, line)
    }

    /// The process has ended.
    func end(_ report: PluginTrial.Report) {
        let time = time
        state.withLock {
            $0.observer.ended(status: report.status, wasKilled: $0.wasKilled, reason: report.reason, at: time)
            $0.report = report
        }
    }

    /// Adds what the kit itself found.
    func find(_ rule: Rule, _ reason: String, _ lines: [Exchange] = []) {
        state.withLock { $0.observer.find(rule, reason, lines) }
    }

    /// Notes that a rule was put to the test.
    func exercise(_ rules: Rule...) { state.withLock { $0.observer.exercised.formUnion(rules) } }

    func stopReading(_ isStopped: Bool) {
        trial.stopReading(isStopped)
        let time = time
        state.withLock { $0.observer.stopReading(isStopped, at: time) }
    }

    /// Waits for a condition, which must not ask the conversation for its observer.
    /// - Returns: False where the process ended, or the time is over, or something is overdue.
    func wait(_ limit: Int64, until isMet: (borrowing ProtocolObserver) -> Bool) async -> Bool {
        let end = time + limit
        while true {
            let now = time
            let (isDone, isOver) = state.withLock { state -> (Bool, Bool) in
                if isMet(state.observer) { return (true, false) }
                state.observer.look(at: now)
                let isOverdue = state.observer.findings.contains { $0.rule == .settleEach || $0.rule == .readyInTime }
                return (false, isOverdue || state.report != nil)
            }
            if isDone { return true }
            if isOver || now > end { return false }
            if (try? await Task.sleep(for: .milliseconds(Self.interval))) == nil { return false }
        }
    }

    /// Waits for the process' end.
    func waitForEnd(_ limit: Int64) async -> Bool {
        let end = time + limit
        while report == nil {
            if time > end { return false }
            if (try? await Task.sleep(for: .milliseconds(Self.interval))) == nil { return false }
        }
        return true
    }
}
