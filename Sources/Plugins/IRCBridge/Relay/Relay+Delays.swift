import Basics
import PluginKit
import PluginWire

// Delayed messages and silent servers, for the operator.
extension Relay {
    /// An instant as it is shown: `2026-11-24T01:02:03Z`.
    func shown(_ instant: Instant) -> String {
        Timestamp.seconds(Int64((connection.unixStart + instant) * 1000))
    }

    /// When the oldest message came that waits or is unconfirmed.
    var waitingSince: String? { connection.outbound.oldest.map { shown($0) } }

    /// Tells that there is no connection, and what has waited for long meanwhile.
    mutating func tellDown(_ text: String, _ now: Instant) -> [RelayAction] {
        connection.delays.down = text
        connection.delays.due = nil
        guard let oldest = connection.outbound.oldest else { return setHealth(.down, text) }
        guard now >= oldest + DelayWatch.patience else {
            connection.delays.look(at: oldest + DelayWatch.patience)
            return setHealth(.down, text)
        }
        return setHealth(.down, "\(text); \(DelayWatch.waiting(connection.outbound.count, since: shown(oldest)))")
    }

    /// Looks at what waits for a connection, where it is time to.
    mutating func checkDelaysWhileDown(_ now: Instant) -> [RelayAction] {
        guard let due = connection.delays.due, due <= now else { return [] }
        return tellDown(connection.delays.down, now)
    }

    /// When the server's silence means something.
    var silenceDue: Instant? {
        connection.isListening ? connection.delays.silenceDue(lastHeard: connection.lastHeard) : nil
    }

    /// Looks at what waits now: the server has been silent and is not any more.
    mutating func recheckDelays(_ now: Instant) -> [RelayAction] {
        connection.delays.look(at: now)
        return checkDelays(now)
    }

    /// Looks at what waits, where it is time to.
    mutating func checkDelays(_ now: Instant) -> [RelayAction] {
        var actions: [RelayAction] = []
        var isDue = connection.delays.due.map { $0 <= now } ?? false
        if let due = silenceDue, due <= now {
            connection.delays.isSilent(since: connection.lastHeard)
            actions += log("warning", "the server has said nothing since \(shown(connection.lastHeard))")
            isDue = true
        }
        guard isDue else { return actions }
        let waits = connection.outbound.waits
        connection.delays.late = waits.filter { now >= $0.since + DelayWatch.patience }.map { wait in
            DelayWatch.Delay(
                target: wait.target, name: connection.memberships[wait.target]?.name ?? wait.target, count: wait.count,
                since: shown(wait.since), cause: cause(of: wait, now))
        }
        connection.delays.holds = [:]
        for wait in waits {
            guard let membership = connection.memberships[wait.target], membership.isJoined,
                let hold = membership.hold
            else { continue }
            connection.delays.holds[wait.target] = DelayWatch.Hold(
                name: membership.name, words: hold.words, tries: hold.tries)
        }
        let isInteresting = !connection.delays.late.isEmpty || !connection.delays.holds.isEmpty
        connection.delays.due =
            isInteresting ? now + DelayWatch.interval : waits.map(\.since).min().map { $0 + DelayWatch.patience }
        connection.delays.endDoubt(now)
        if let end = connection.delays.doubtEnds { connection.delays.look(at: end) }
        return actions + logDelays() + tellHealth()
    }

    /// Logs of which channels messages wait for long, each once until none does.
    private mutating func logDelays() -> [RelayAction] {
        let new = connection.delays.late.filter { !connection.delays.logged.contains($0.target) }
        connection.delays.logged = Set(connection.delays.late.map(\.target))
        guard !new.isEmpty else { return [] }
        let named = new.prefix(DelayWatch.mostNamed).map { "\($0.name) (\($0.cause))" }.joined(separator: ", ")
        let more = new.count > DelayWatch.mostNamed ? " and \(new.count - DelayWatch.mostNamed) more channels" : ""
        return log("warning", "messages have waited for over \(Int(DelayWatch.patience)) s to \(named)\(more)")
    }

    private func cause(of wait: OutboundQueue.Wait, _ now: Instant) -> String {
        if connection.delays.silentSince != nil { return "the server answers nothing" }
        guard let membership = connection.memberships[wait.target], membership.isJoined else {
            return "the bridge is not in the channel"
        }
        if let hold = membership.hold { return "the channel refuses them for now (\(hold.words))" }
        switch wait.stage {
        case .delegated: return "the user's puppet has not confirmed them"
        case .retried: return "they are written again, one at a time (\(IRCText.words(connection.outbound.lastLoss)))"
        case .queued, .written:
            // The limit holds them up only as long as the server answers.
            if let token = connection.outbound.receipts.fenceToken,
                now >= connection.delays.fenceAt + DelayWatch.answerTime
            {
                let missing = connection.bouncer.isThere ? "the server's answer to NAMES" : "the PONG to PING \(token)"
                return "the server has not confirmed what was written (\(missing) is missing)"
            }
            return connection.bucket.isLimited
                ? "the server gets at most \((rate * 100).rounded() / 100) lines a second"
                : "the server has not confirmed what was written"
        }
    }
}
