import CrowbarCore
import Glibc
import PluginConformance
import PluginHost
import Synchronization

/// The conversation with one process of the plugin, printed while it goes on.
final class TryConversation: Sendable {
    private struct State {
        var observer = ProtocolObserver()
        var printed = 0
        var logged: Int64 = 0
        var wasKilled = false
    }

    private let trial: PluginTrial
    private let printer: TryPrinter
    private let began: Int64
    private let state = Mutex(State())

    init(_ trial: PluginTrial, _ printer: TryPrinter) {
        self.trial = trial
        self.printer = printer
        began = trial.environment.now()
        var expectations = ProtocolObserver.Expectations()
        expectations.isChecker = trial.manifest.phase == .command
        expectations.settle = trial.manifest.ackDeadline
        let observer = ProtocolObserver(expectations)
        state.withLock { $0.observer = observer }
    }

    var observer: ProtocolObserver { state.withLock { $0.observer } }

    func noteKill() { state.withLock { $0.wasKilled = true } }

    /// Takes a line from the trace.
    func take(_ direction: LineTraces.Direction, _ line: [UInt8]) {
        let time = trial.environment.now() - began
        state.withLock { state in
            state.observer.observe(direction, line, at: time)
            printer.exchange(
                Exchange(number: state.observer.count, milliseconds: time, direction: direction, line: line))
            tell(&state)
        }
    }

    /// Finds what is overdue, and prints what was logged.
    func look() {
        let time = trial.environment.now() - began
        state.withLock { state in
            state.observer.look(at: time)
            tell(&state)
            for line in trial.log.lines(after: state.logged) {
                state.logged = line.number
                // What was printed to standard output stands among the lines.
                if line.source != "stdout" { printer.log(line) }
            }
        }
    }

    /// The process has ended.
    func end(_ report: PluginTrial.Report) {
        look()
        let time = trial.environment.now() - began
        state.withLock { state in
            state.observer.ended(
                status: report.status, wasKilled: state.wasKilled, reason: report.reason, at: time)
            tell(&state)
        }
    }

    private func tell(_ state: inout State) {
        for finding in state.observer.findings[state.printed...] { printer.finding(finding) }
        state.printed = state.observer.findings.count
    }
}

/// Prints a trial, and records it.
final class TryPrinter: Sendable {
    private let transcript: Transcript
    private let record: Int32?
    private let began = Clock.monotonic()
    private let findings = Mutex(0)

    /// - Parameter record: The descriptor of the file that gets the lines.
    init(hasColors: Bool, record: Int32?) {
        transcript = Transcript(hasColors: hasColors)
        self.record = record
    }

    /// Whether nothing was found.
    var isClean: Bool { findings.withLock { $0 == 0 } }

    func exchange(_ exchange: Exchange) {
        let time = DisplayTime.text(Clock.milliseconds()).dropFirst(11).dropLast()
        print(transcript.line(exchange, time: String(time)))
        guard let record else { return }
        var kept = exchange
        kept.milliseconds = Clock.monotonic() - began
        let bytes = Recording.line(kept)
        _ = bytes.withUnsafeBytes { Glibc.write(record, $0.baseAddress, $0.count) }
    }

    func finding(_ finding: Finding) {
        findings.withLock { $0 += 1 }
        print(transcript.finding(finding))
    }

    func log(_ line: TrialLog.Line) { print(transcript.log(line)) }

    func note(_ text: String) { print(transcript.note(text)) }

    private func print(_ line: String) { StandardStream.output.write(raw: Array((line + "\n").utf8)) }
}
