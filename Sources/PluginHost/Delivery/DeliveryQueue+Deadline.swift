import DequeModule

// How many events the plugin wants, and when it counts as hung on those that it holds.
extension DeliveryQueue {
    /// Sets the number of unsettled events wanted.
    mutating func setWindow(_ events: Int, now: Int64) {
        if window == 0, events > 0 {
            (deadlineFrom, openSince) = (now, now)
            if stoppedAt != nil { stoppedAt = now }
        }
        window = events
    }

    /// Moves the deadline on: the plugin said that it needs longer.
    mutating func extendDeadline(to time: Int64) { deadlineFrom = max(deadlineFrom, time) }

    /// When the plugin counts as hung on this queue, on the monotonic clock; nil while the plugin has answered all that
    /// is out, or waits for commands with the rest, or the queue is on hold.
    var deadline: Int64? {
        guard held > answered + waiting, window > 0 else { return nil }
        // A plugin that waits for a command may have read nothing of the others.
        var deadline = waiting > 0 ? nil : deadlineFrom + settings.ackDeadline
        if let oldest = inFlight.first(where: { $0.state == .held && !$0.isWaiting }) {
            // What was held while the window was 0 is no fault of the plugin's.
            let since = max(oldest.launched, openSince)
            let last = max(since + Limit.heldDeadlines * settings.ackDeadline, deadlineFrom)
            deadline = min(deadline ?? last, last)
        }
        return deadline
    }

    /// Something was settled or failed: the deadline runs from now, or from when the plugin said that it needs longer.
    mutating func progress(_ now: Int64) {
        deadlineFrom = max(deadlineFrom, now)
        stoppedAt = waiting > 0 ? now : nil
    }

    /// A delivery caused a command. Its deadline stands still until the command is decided: the plugin may be waiting
    /// for the result, and may have read none of the queue's other deliveries. The longest time for which one of those
    /// may be held runs on.
    mutating func awaitCommands(of delivery: Int64, now: Int64) {
        guard let at = flight(delivery), inFlight[at].state == .held, !inFlight[at].isWaiting else { return }
        inFlight[at].isWaiting = true
        // Meanwhile the distance from now, so that the time in between is no part of it.
        inFlight[at].launched -= now
        waiting += 1
        if waiting == 1 { stoppedAt = now }
    }

    /// All commands of a delivery are decided: its deadline goes on where it stood.
    mutating func commandsDecided(of delivery: Int64, now: Int64) {
        guard let at = flight(delivery), inFlight[at].isWaiting else { return }
        inFlight[at].isWaiting = false
        inFlight[at].launched += now
        waiting -= 1
        guard waiting == 0, let since = stoppedAt else { return }
        deadlineFrom += max(0, now - since)
        stoppedAt = nil
    }

    /// Notes that a delivery is not with the plugin any more, whatever it waits for.
    mutating func endWait(_ at: Int) {
        guard inFlight[at].isWaiting else { return }
        inFlight[at].isWaiting = false
        waiting -= 1
    }
}
