import PluginWire

// When the plugin is listened to, and what becomes of one that talks and does not listen.
extension PluginSession {
    /// Lets the next piece of the plugin's output be read, unless too much that it said before has no answer yet, or it
    /// takes none.
    func readOutput(_ now: Int64) {
        deafness = outgoing.isOverfull ? (outgoing.taken, now) : nil
        isReadingPaused = deafness != nil || !hasRoom || trial?.isReadingStopped == true
        if !isReadingPaused { output?.next() }
    }

    /// Whether more of the plugin may wait for the log.
    private var hasRoom: Bool {
        settlements.unanswered < Wire.commandsInFlight && settlements.stateBytes < Limit.heldStates
    }

    /// Reads on, if that was paused and what it was paused for is over.
    func resumeReading(_ now: Int64) {
        guard isReadingPaused else { return }
        readOutput(now)
        if isReadingPaused { return }
        clock.heard(now: now)
        renewDeadlines(now)
    }

    /// When a plugin that is not listened to, because it takes nothing of what it is owed, counts as hung.
    ///
    /// It may be waiting itself, for what it writes to be read. So one that takes something is given all the time it
    /// needs, and one that takes nothing is not left as it is for ever.
    func deafDeadline(_ now: Int64) -> Int64? {
        guard let known = deafness else { return nil }
        if outgoing.taken != known.taken { deafness = (outgoing.taken, now) }
        return (deafness?.since ?? now) + clock.limits.silence
    }
}
