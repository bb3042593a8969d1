extension PluginLifecycle {
    /// The states of a plugin, as the operator sees them.
    enum State: String, Sendable, CaseIterable {
        case starting, catchingUp, live, paused, backingOff, failed, diverged, draining, stopped
    }

    /// The state to be shown, and why it is so where that is not plain.
    /// - Parameter view: How the process is that works.
    func state(_ view: SessionStatus.View) -> (state: State, reason: String?) {
        let problem = fileProblem ?? reloadProblem
        guard let current else {
            if candidate != nil { return (runs ? .starting : .draining, problem) }
            return runs ? resting(problem) : stopped
        }
        if !runs || current.isDraining || isBetweenProcesses || view.isDraining { return (.draining, problem) }
        if !view.isReady { return (isPaused ? .paused : .starting, problem ?? view.trouble) }
        if isPaused { return (.paused, problem) }
        return (view.isCaughtUp ? .live : .catchingUp, problem ?? view.trouble)
    }

    private func resting(_ problem: String?) -> (State, String?) {
        func with(_ reason: String) -> String { reason + (problem.map { "; and: \($0)" } ?? "") }
        switch rest {
        case .none: return (.starting, problem)
        case .waiting(_, let reason): return (.backingOff, with(reason))
        case .failed(let reason): return (.failed, with(reason))
        case .diverged(let reason): return (.diverged, with(reason))
        }
    }

    private var stopped: (State, String?) {
        if let fileProblem { return (wanted == nil && !isStopped ? .failed : .stopped, fileProblem) }
        if wanted == nil { return (.stopped, "it has no manifest; 'crowbar plugins forget \(name)' drops the rest") }
        if wanted?.isEnabled == false { return (.stopped, "not enabled in its manifest") }
        return (.stopped, isStopped ? "stopped by the operator" : nil)
    }

    /// When it starts again by itself, on the monotonic clock in milliseconds.
    var nextStart: Int64? { due }

    /// The manifest by which it is asked about commands, whether a process of it is there or not; nil where it is not
    /// to be asked: it is of the other phase, or the operator does not want it.
    var checker: Manifest? {
        guard let wanted, wanted.isEnabled, !isStopped, !isPaused, !isForgotten else { return nil }
        let manifest = current?.manifest.phase == .command ? current?.manifest : wanted
        return manifest?.phase == .command ? manifest : nil
    }
}
