import CrowbarCore
import PluginWire
import Synchronization

/// Runs one plugin's processes one after the other, each in a session as a server has it, for whoever develops the
/// plugin: nothing is restarted unless asked for, and what a server leaves to chance can be caused.
public final class PluginTrial: Sendable {
    /// What a process is started for.
    public enum Purpose: Sendable {
        /// It follows the log.
        case live
        /// It waits after `ready` until ``PluginTrial/release()``, as in a handover.
        case held
        /// It checks its configuration.
        case check
    }

    /// What becomes of a line of the plugin's.
    public enum Fate: Sendable {
        /// The host handles it.
        case handled
        /// The process is killed, and this line is lost.
        case killedBefore
        /// The process is killed; this line is the last that the host reads.
        case killedAfter
    }

    /// How a process ended.
    public struct Report: Sendable, Equatable {
        /// What the host makes of it.
        public enum End: String, Sendable {
            /// It ended as asked.
            case stopped
            /// It ended of its own accord, or was killed.
            case crashed
            /// It said that it cannot run now.
            case tryLater
            /// It cannot run at all.
            case failed
            /// It could not be started.
            case notStarted
        }

        /// What the host makes of it.
        public var end: End
        /// Why, for people.
        public var reason: String
        /// The exit status; nil: ended by a signal, or there was no process.
        public var status: Int32?
        /// What the plugin said is wrong with its configuration.
        public var problems: [String] = []
    }

    /// A queue as it is.
    public struct Queue: Sendable, Equatable {
        /// Its name.
        public var name: String
        /// All up to this position is settled, or nothing for it.
        public var settledThrough: Int64
        /// Events delivered and not settled.
        public var inFlight: Int
        /// Events and lanes that wait for another try.
        public var waiting: Int
        /// The plugin wants nothing of it for now.
        public var isHeld: Bool
    }

    private struct State {
        var mailbox: Mailbox?
        var status = SessionStatus()
        var attempts: [String: [Int64: DeliveryQueue.Attempts]] = [:]
    }

    /// The manifest that is run.
    public let manifest: Manifest
    /// What the processes work with.
    public let environment: HostEnvironment
    /// The last lines of the plugin's log.
    public let log: TrialLog
    private let state = Mutex(State())

    /// Makes a trial.
    /// - Parameter environment: Its store and data folder must be the trial's own.
    public init(manifest: Manifest, environment: HostEnvironment) {
        self.manifest = manifest
        self.environment = environment
        log = TrialLog(environment.unixNow)
    }

    /// The path of a manifest's program; nil where it is not found.
    public static func program(of manifest: Manifest, _ environment: HostEnvironment) -> String? {
        try? ProgramPath.find(
            manifest.command[0], folder: SessionFactory.folder(of: manifest.file), searchPath: environment.searchPath)
    }

    /// Runs a process to its end.
    /// - Parameters:
    ///   - fate: Decides about each line of the plugin's, in order.
    ///   - onReady: Is told when the plugin is ready: held, or at work.
    public func run(
        _ purpose: Purpose, fate: @escaping @Sendable ([UInt8]) -> Fate = { _ in .handled },
        onReady: @escaping @Sendable () -> Void = {}
    ) async -> Report {
        let (mailbox, status) = (Mailbox(), SessionStatus())
        let earlier = state.withLock {
            $0.mailbox = mailbox
            $0.status = status
            return $0.attempts
        }
        defer { state.withLock { $0.mailbox = nil } }
        let report: PluginSession.Report
        do {
            let session = try await SessionFactory(name: manifest.name, environment: environment, lines: log.ring).make(
                manifest, purpose: purpose.session, status: status, mailbox: mailbox, earlier: earlier,
                tell: { if case .ready = $0 { onReady() } })
            session.trial = SessionTrial(fate: { fate($0).session })
            report = await session.run()
        } catch {
            return Report(end: error.isTransient ? .notStarted : .failed, reason: error.reason)
        }
        if purpose != .check { state.withLock { $0.attempts = report.attempts } }
        return Report(report)
    }

    /// Its process' id while it is ready.
    public var pid: Int32? { state.withLock { $0.status.current.pid } }

    /// Its queues as they were at most 100 ms ago.
    public var queues: [Queue] {
        state.withLock { $0.status.current.queues }.map {
            Queue(
                name: $0.name, settledThrough: $0.settledThrough, inFlight: $0.inFlight, waiting: $0.waiting.count,
                isHeld: $0.isHeld)
        }
    }

    private func post(_ input: Mailbox.Input) { state.withLock { $0.mailbox }?.post(input) }

    /// Asks the process to finish and end.
    public func drain(why: String) { post(.drain(why: why)) }

    /// Kills the process as a crash would end it.
    public func kill() { post(.kill) }

    /// Lets a held process begin.
    public func release() { post(.release(earlier: state.withLock { $0.attempts }, suspects: [:])) }

    /// Hands the process its configuration once more.
    /// - Throws: ``TrialRefusal`` where a secret of it cannot be read.
    public func configure() throws(TrialRefusal) {
        do {
            let factory = SessionFactory(name: manifest.name, environment: environment, lines: nil)
            post(.configure(try factory.secrets(manifest)))
        } catch {
            throw TrialRefusal(reason: error.reason)
        }
    }

    /// Asks the plugin something that its `ready` names in `asks`.
    public func ask(_ what: String) { post(.ask(Question(what: what, queue: nil, reply: { _ in }))) }

    /// Writes a line to the plugin that no host writes.
    public func write(_ line: [UInt8]) { post(.write(line)) }

    /// Stops reading what the plugin writes, or reads on.
    public func stopReading(_ isStopped: Bool) { post(.stopReading(isStopped)) }
}

/// Why a trial cannot do something, for people.
public struct TrialRefusal: Error, CustomStringConvertible {
    /// What is wrong, and where.
    public var reason: String
    public var description: String { reason }
}

extension PluginTrial.Purpose {
    fileprivate var session: PluginSession.Purpose {
        switch self {
        case .live: .live(isHeld: false)
        case .held: .live(isHeld: true)
        case .check: .check
        }
    }
}

extension PluginTrial.Fate {
    fileprivate var session: SessionTrial.Fate {
        switch self {
        case .handled: .handled
        case .killedBefore: .killedBefore
        case .killedAfter: .killedAfter
        }
    }
}

extension PluginTrial.Report {
    fileprivate init(_ report: PluginSession.Report) {
        (end, reason) =
            switch report.end {
            case .stopped, .drained: (.stopped, report.how?.text ?? "")
            case .crashed(let reason): (.crashed, reason)
            case .tryLater(let reason): (.tryLater, reason)
            case .notStarted(let reason): (.notStarted, reason)
            case .failed(let reason), .diverged(let reason): (.failed, reason)
            }
        status = if case .exited(let status)? = report.how { status } else { nil }
        problems = report.problems
    }
}
