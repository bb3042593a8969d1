import CrowbarCore
import PluginWire

/// Decides which processes of one plugin run: a pure value.
///
/// It records what happened (in the folder, by the operator, to processes) and then returns the steps to execute now.
/// Each step follows from the whole wanted state and the whole actual state, not from the last event, so that
/// simultaneous events do not interfere.
struct PluginLifecycle {
    /// An action for the supervisor. The lifecycle already counts it as executed.
    enum Step: Equatable {
        /// Start a process. A held process waits after its `ready`.
        case launch(id: Int, Manifest, isHeld: Bool)
        /// Let a held process start its work.
        case release(id: Int)
        /// Ask a process to shut down gracefully.
        case drain(id: Int, why: String)
        /// Send a process a new `[config]`.
        case configure(id: Int, Manifest)
        /// Pause or resume a process' deliveries.
        case pause(id: Int, Bool)
        /// Pause these queues and resume all others.
        case pauseQueues(id: Int, Set<String>)
        /// Store the cursors that the operator set. No process runs meanwhile.
        case rewind
        /// Write a line to the log.
        case note(String)
    }

    /// A process as far as its lifecycle is concerned.
    struct Process: Equatable {
        let id: Int
        var manifest: Manifest
        let started: Int64
        /// It is held and has sent `ready`, or it works.
        var isReady = false
        /// It accepts a new `[config]` without a restart.
        var takesConfig = false
        /// The configuration that was sent and is not answered yet.
        var asked: Manifest?
        var isDraining = false
        /// Its successor takes over, and it still answers open questions.
        var isRetiring = false
        /// Whether the process was last told to pause.
        var isPaused = false
        var pausedQueues: Set<String> = []
    }

    /// Why no process runs.
    enum Rest: Equatable {
        /// Nothing keeps it from starting.
        case none
        /// It starts again at a time of the monotonic clock.
        case waiting(until: Int64, String)
        case failed(String)
        case diverged(String)
    }

    /// A log line about the end of a process.
    struct Notice: Equatable {
        var isError: Bool
        var text: String
    }

    let name: String
    /// The manifest from the folder; nil if there is none or it was never valid.
    private(set) var wanted: Manifest?
    /// The error in the current file.
    private(set) var fileProblem: String?
    /// Why the wanted manifest is not the running one.
    private(set) var reloadProblem: String?
    var isStopped = false
    var isPaused = false
    /// The queues that are paused one by one.
    var pausedQueues: Set<String> = []
    private(set) var restartPolicy = RestartPolicy()
    var current: Process?
    private(set) var candidate: Process?
    var rest = Rest.none
    private(set) var lastEnd: (reason: String, at: Int64)?
    private var ending: String?
    var isForgotten = false
    var restart: String?
    /// Cursors wait to be stored until no process runs.
    var isRewindAsked = false
    /// Its stored state is being changed. No process runs meanwhile.
    var isStoring = false
    /// A manifest that failed beside the running one. It is not tried again until something changes.
    private var refused: Manifest?
    /// The manifest that worked last.
    private var accepted: Manifest?
    private var nextID = 1

    init(name: String) { self.name = name }

    /// Whether the host stops or the plugin was forgotten, and no process runs any more.
    var isOver: Bool { (ending != nil || isForgotten) && current == nil && candidate == nil && !isInStore }

    /// When to call ``steps(now:)`` again even if nothing happens.
    var due: Int64? {
        guard runs, current == nil, case .waiting(let until, _) = rest else { return nil }
        return until
    }

    /// Whether the plugin should run.
    var runs: Bool { wanted?.isEnabled == true && !isStopped && ending == nil && !isForgotten }

    /// Whether what runs is to go and another is to come.
    var isBetweenProcesses: Bool { restart != nil || isInStore }

    var isInStore: Bool { isRewindAsked || isStoring }

    /// What runs or is on its way out, the manifest that is in force included.
    var manifest: Manifest? { current?.manifest ?? wanted }

    // MARK: Steps

    /// The steps to execute now. They count as executed.
    mutating func steps(now: Int64) -> [Step] {
        var steps: [Step] = []
        guard runs else {
            drainAll(ending ?? reasonNotToRun, &steps)
            store(&steps)
            return steps
        }
        if let candidate, !candidate.isDraining, !candidate.isRetiring, candidate.manifest != wanted,
            current?.isDraining != true
        {
            drainCandidate("its manifest changed again", &steps)
        }
        if isInStore || restart != nil {
            drainAll(restart ?? "its cursor is set", &steps)
            store(&steps)
            guard current == nil, candidate == nil, !isInStore else { return steps }
            restart = nil
        }
        if current == nil { start(now, &steps) } else { reload(now, &steps) }
        if let current, !current.isDraining, current.isPaused != isPaused {
            self.current?.isPaused = isPaused
            steps.append(.pause(id: current.id, isPaused))
        }
        pauseQueues(&steps)
        return steps
    }

    private var reasonNotToRun: String {
        if isStopped { return "stopped by the operator" }
        return wanted == nil ? "its manifest was removed" : "it is not enabled any more"
    }

    private mutating func store(_ steps: inout [Step]) {
        guard current == nil, candidate == nil, isRewindAsked, !isStoring else { return }
        isRewindAsked = false
        isStoring = true
        steps.append(.rewind)
    }

    private mutating func drainAll(_ why: String, _ steps: inout [Step]) {
        drainCandidate(why, &steps)
        drainCurrent(why, &steps)
    }

    private mutating func drainCandidate(_ why: String, _ steps: inout [Step]) {
        guard let candidate, !candidate.isDraining else { return }
        self.candidate?.isDraining = true
        steps.append(.drain(id: candidate.id, why: why))
    }

    private mutating func drainCurrent(_ why: String, _ steps: inout [Step]) {
        guard let current, !current.isDraining else { return }
        self.current?.isDraining = true
        steps.append(.drain(id: current.id, why: why))
    }

    /// Nothing works: what was held takes over, or a process is started when nothing speaks against it.
    private mutating func start(_ now: Int64, _ steps: inout [Step]) {
        if let held = candidate {
            // What is on its way out is not brought back.
            if held.isDraining { return }
            if held.isRetiring { return drainCandidate("its successor fell", &steps) }
            candidate = nil
            current = held
            current?.isReady = false
            current?.isPaused = isPaused
            rest = .none
            if isPaused { steps.append(.pause(id: held.id, true)) }
            pauseQueues(&steps)
            if !held.isReady { steps.append(.note("it fell while its successor was getting ready, which takes over")) }
            steps.append(.release(id: held.id))
            return
        }
        switch rest {
        case .none: break
        case .waiting(let until, _): if now < until { return }
        case .failed, .diverged: return
        }
        guard let manifest = wanted == refused ? accepted ?? wanted : wanted else { return }
        rest = .none
        current = launch(manifest, isHeld: false, now, &steps)
    }

    /// In the command phase a successor begins before the old one goes, so that there is always somebody to ask: there
    /// is nothing that the one would have to take over from the other.
    private mutating func succeed(_ old: Process, _ successor: Process, _ steps: inout [Step]) {
        candidate = old
        candidate?.isRetiring = true
        current = successor
        current?.isReady = false
        current?.isPaused = isPaused
        if isPaused { steps.append(.pause(id: successor.id, true)) }
        steps.append(.release(id: successor.id))
    }

    private mutating func launch(_ manifest: Manifest, isHeld: Bool, _ now: Int64, _ steps: inout [Step]) -> Process {
        let process = Process(id: nextID, manifest: manifest, started: now)
        nextID += 1
        steps.append(.launch(id: process.id, manifest, isHeld: isHeld))
        return process
    }

    /// Something works: if that is not what is wanted, it is told, or its successor is started beside it.
    private mutating func reload(_ now: Int64, _ steps: inout [Step]) {
        guard let current, let wanted, !current.isDraining, current.asked == nil else { return }
        if let candidate {
            if candidate.isRetiring, current.isReady { drainCandidate("its successor is at work", &steps) }
            guard candidate.isReady, !candidate.isDraining, !candidate.isRetiring else { return }
            if current.manifest.phase == .command, candidate.manifest.phase == .command {
                return succeed(current, candidate, &steps)
            }
            return drainCurrent("its manifest changed", &steps)
        }
        guard current.manifest != wanted, wanted != refused else { return }
        var configured = current.manifest
        configured.config = wanted.config
        if !current.isReady {
            // It has begun nothing yet that a successor would have to take over.
            drainCurrent("its manifest changed", &steps)
        } else if configured == wanted, current.takesConfig {
            self.current?.asked = wanted
            steps.append(.configure(id: current.id, wanted))
        } else {
            candidate = launch(wanted, isHeld: true, now, &steps)
        }
    }
}

// MARK: - What happened

extension PluginLifecycle {
    /// The folder has a manifest for it.
    mutating func take(_ manifest: Manifest) {
        fileProblem = nil
        isForgotten = false
        if manifest == wanted { return }
        wanted = manifest
        // Whatever kept the last one down, this one may do better.
        forgive()
    }

    /// The folder's file is invalid. A running process continues.
    mutating func takeProblem(_ problem: String) {
        fileProblem = problem
        isForgotten = false
    }

    /// The folder has no file for it any more.
    mutating func takeRemoval() {
        wanted = nil
        pausedQueues = []
        fileProblem = nil
        reloadProblem = nil
        refused = nil
        accepted = nil
        rest = .none
    }

    /// The host stops.
    mutating func end(why: String) { ending = ending ?? why }

    /// Clears what kept the plugin down, because something changed.
    mutating func forgive() {
        rest = .none
        refused = nil
        reloadProblem = nil
        restartPolicy.forgive()
    }

    /// A process said `ready`.
    /// - Parameter takesConfig: Whether it takes a new `[config]` as it runs.
    mutating func heardReady(_ id: Int, takesConfig: Bool) {
        if candidate?.id == id {
            candidate?.isReady = true
            candidate?.takesConfig = takesConfig
        } else if current?.id == id {
            current?.isReady = true
            current?.takesConfig = takesConfig
            accepted = current?.manifest
            if accepted == wanted { reloadProblem = nil }
        }
    }

    /// How a process took its new configuration.
    enum Answer {
        case taken
        case refused(String)
        /// It said nothing in time: nobody knows which one it works by, so a new process is to know for sure.
        case silent
    }

    /// A process answered `config`, or did not.
    mutating func heardConfigured(_ id: Int, _ answer: Answer) {
        guard current?.id == id, let asked = current?.asked else { return }
        current?.asked = nil
        switch answer {
        case .taken:
            current?.manifest = asked
            accepted = asked
            reloadProblem = nil
        case .refused(let reason):
            refused = asked
            reloadProblem = "the changed configuration was refused: \(reason); the old one goes on"
        case .silent: current?.takesConfig = false
        }
    }

    /// A process ended.
    /// - Returns: What the operator is to be told, or nil.
    mutating func heardEnd(
        _ id: Int, _ end: RestartPolicy.End, madeProgress: Bool, now: Int64, unixNow: Int64, random: Double
    ) -> Notice? {
        if let held = candidate, held.id == id {
            candidate = nil
            if held.isDraining || held.isRetiring { return nil }
            refused = held.manifest
            let isUndisturbed = current?.isDraining == false
            let reason =
                "the changed manifest does not work: \(end.reason ?? "its process ended"); the old one "
                + (isUndisturbed ? "goes on" : "is started again")
            reloadProblem = reason
            return Notice(isError: true, text: reason)
        }
        guard let process = current, process.id == id else { return nil }
        if let old = candidate, old.isRetiring, !old.isDraining, !process.isReady, !process.isDraining {
            candidate = nil
            current = old
            current?.isRetiring = false
            refused = process.manifest
            let reason = "the changed manifest does not work: \(end.reason ?? "its process ended"); the old one goes on"
            reloadProblem = reason
            return Notice(isError: true, text: reason)
        }
        current = nil
        if let reason = end.reason { lastEnd = (reason, unixNow) }
        if process.isDraining {
            rest = .none
            return nil
        }
        let action = restartPolicy.next(
            end, started: process.started, madeProgress: madeProgress, now: now, random: random)
        switch action {
        case .stop: rest = .none
        case .fail(let reason):
            rest = .failed(reason)
            return Notice(isError: true, text: "failed and stays down: \(reason); \(startAdvice)")
        case .diverge(let reason):
            rest = .diverged(reason)
            let advice = "'crowbar cursor set \(name) PLACE' puts its cursors to a place of this log"
            return Notice(isError: true, text: "diverged, nothing is delivered: \(reason); \(advice)")
        case .restart(let wait, let reason):
            rest = .waiting(until: now + wait, reason)
            return Notice(isError: false, text: "starts again in \(wait) ms: \(reason)")
        }
        return nil
    }

    private var startAdvice: String { "once that is mended, 'crowbar plugins start \(name)' starts it" }

    /// The cursors were stored, or could not be.
    mutating func heardRewound(problem: String?) {
        isStoring = false
        if case .diverged = rest { rest = .none }
        reloadProblem = problem ?? reloadProblem
    }
}

extension RestartPolicy.End {
    /// Why, for people; nil where there was nothing wrong.
    var reason: String? {
        switch self {
        case .drained, .stopped: nil
        case .crashed(let reason), .notStarted(let reason), .tryLater(let reason), .failed(let reason),
            .diverged(let reason):
            reason
        }
    }
}
