// Commands of the operator.
extension PluginLifecycle {
    /// Starts the plugin, whatever kept it down.
    mutating func start() throws(ControlRefusal) {
        guard let wanted else { throw fileProblem.map { .broken($0) } ?? .noManifest(name) }
        guard wanted.isEnabled else { throw .notEnabled(wanted.file) }
        isStopped = false
        isPaused = false
        forgive()
    }

    /// Stops the plugin until ``start()``.
    mutating func stop() {
        isStopped = true
        isPaused = false
        restart = nil
        rest = .none
    }

    /// Lets the running process shut down and starts another.
    mutating func restartNow() throws(ControlRefusal) {
        try start()
        if current != nil { restart = "restarted by the operator" }
    }

    /// Pauses all deliveries, or resumes those of all queues.
    mutating func pause(_ isPaused: Bool) throws(ControlRefusal) {
        if isPaused {
            try expectRunning()
        } else {
            pausedQueues = []
        }
        self.isPaused = isPaused
    }

    /// Pauses the deliveries of one queue.
    mutating func pause(queue: String) throws(ControlRefusal) {
        try expectRunning()
        pausedQueues.insert(queue)
    }

    private func expectRunning() throws(ControlRefusal) {
        guard runs else { throw .notRunning(name) }
        switch rest {
        case .failed, .diverged: throw .notRunning(name)
        case .none, .waiting: return
        }
    }

    /// Sends the working process its paused queues if they changed.
    mutating func pauseQueues(_ steps: inout [Step]) {
        guard let current, !current.isDraining, current.pausedQueues != pausedQueues else { return }
        self.current?.pausedQueues = pausedQueues
        steps.append(.pauseQueues(id: current.id, pausedQueues))
    }

    /// Has cursors stored before anything runs again.
    mutating func askRewind() { isRewindAsked = true }

    /// Keeps it down while what is stored of it is dropped, if nothing of it runs.
    mutating func beginForgetting() throws(ControlRefusal) {
        guard current == nil, candidate == nil, !isInStore else { throw .running(name) }
        switch rest {
        case .failed, .diverged: break
        case .none, .waiting: if runs { throw .running(name) }
        }
        isStoring = true
    }

    /// What was stored of one of its queues is dropped, or could not be.
    mutating func endForgettingQueue() { isStoring = false }

    /// What was stored of it is dropped, or could not be. Without a manifest it leaves the host.
    mutating func endForgetting(isDone: Bool) {
        isStoring = false
        isForgotten = isDone && wanted == nil && fileProblem == nil
    }
}
