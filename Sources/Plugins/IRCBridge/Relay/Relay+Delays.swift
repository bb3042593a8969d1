import Basics
import DequeModule
import PluginKit
import PluginWire

// Messages that wait for long and servers that are silent, for the operator.
extension Relay {
    /// An instant as it is shown: `2026-11-24T01:02:03Z`.
    func shown(_ instant: Instant) -> String {
        Timestamp.seconds(Int64((connection.unixStart + instant) * 1000))
    }

    /// When the oldest message came that waits or is unconfirmed.
    var waitingSince: String? { connection.ledger.oldest.map { shown($0) } }

    /// Tells that there is no connection, and what has waited for long meanwhile.
    mutating func tellDown(_ text: String, _ now: Instant) -> [RelayAction] {
        connection.delays.down = text
        connection.delays.due = nil
        guard let oldest = connection.ledger.oldest else { return setHealth(.down, text) }
        guard now >= oldest + DelayWatch.patience else {
            connection.delays.look(at: oldest + DelayWatch.patience)
            return setHealth(.down, text)
        }
        return setHealth(.down, "\(text); \(DelayWatch.waiting(connection.ledger.count, since: shown(oldest)))")
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
            actions.append(warning("the server has said nothing since \(shown(connection.lastHeard))"))
            isDue = true
        }
        guard isDue else { return actions }
        let waits = connection.ledger.waits
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
        return [warning("messages wait for over \(Int(DelayWatch.patience)) s to \(named)\(more)")]
    }

    private func warning(_ text: String) -> RelayAction {
        let line = IRCText.words("\(connection.config.name): \(text)", most: Self.longestHealth)
        return .plugin(.log(level: "warning", message: line, fields: nil))
    }

    private func cause(of wait: OutboundLedger.Wait, _ now: Instant) -> String {
        if connection.delays.silentSince != nil { return "the server answers nothing" }
        guard let membership = connection.memberships[wait.target], membership.isJoined else {
            return "the bridge is not in the channel"
        }
        if let hold = membership.hold { return "the channel refuses them for now (\(hold.words))" }
        switch wait.stage {
        case .delegated: return "the user's own connection has not confirmed them"
        case .retried: return "they are written again, one at a time (\(IRCText.words(connection.ledger.lastLoss)))"
        case .queued, .written:
            // The limit holds them up only as long as the server answers.
            if let token = connection.ledger.fenceToken, now >= connection.delays.fenceAt + DelayWatch.answerTime {
                let missing = connection.bouncer.isThere ? "the server's answer to NAMES" : "the PONG to PING \(token)"
                return "the server has not confirmed what was written (\(missing) is missing)"
            }
            return connection.bucket.isLimited
                ? "the server gets at most \((rate * 100).rounded() / 100) lines a second"
                : "the server has not confirmed what was written"
        }
    }
}

extension OutboundLedger {
    /// How far the oldest message is that waits.
    enum Stage: Equatable, Sendable {
        /// Not written.
        case queued
        /// Not written again, after it was written in vain.
        case retried
        /// Written, or a part of it.
        case written
        /// Given to its author's own connection.
        case delegated
    }

    /// Messages that wait or are unconfirmed for a target.
    struct Wait: Equatable, Sendable {
        var target: String
        var count: Int
        /// When the oldest came, and how far it is.
        var since: Instant
        var stage: Stage
    }

    /// What waits for each target, the oldest first.
    var waits: [Wait] {
        var found: [String: Wait] = [:]
        func note(_ entry: Entry, _ stage: Stage) {
            guard let target = entry.targets.first else { return }
            var wait = found[target] ?? Wait(target: target, count: 0, since: entry.since, stage: stage)
            wait.count += 1
            if entry.since < wait.since { (wait.since, wait.stage) = (entry.since, stage) }
            found[target] = wait
        }
        for entry in sent { note(entry, .written) }
        for entries in abroad.values { for one in entries { note(one.entry, .delegated) } }
        for lane in lanes.values {
            for entry in lane { note(entry, entry.isBegun ? .written : entry.tries > 0 ? .retried : .queued) }
        }
        return found.values.sorted { ($0.since, $0.target) < ($1.since, $1.target) }
    }

    /// When the oldest message came that waits or is unconfirmed.
    var oldest: Instant? {
        let waiting = lanes.values.lazy.joined().map(\.since).min()
        let delegated = abroad.values.lazy.joined().map(\.entry.since).min()
        return [waiting, delegated, sent.lazy.map(\.since).min()].compactMap { $0 }.min()
    }
}
