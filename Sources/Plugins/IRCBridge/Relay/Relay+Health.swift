import PluginWire

// The network's health, for the operator: in the status, and changes in the log.
extension Relay {
    /// Reports the network's health where it has changed.
    mutating func setHealth(_ level: PluginMessage.Level, _ message: String) -> [RelayAction] {
        let new = NetworkHealth(level: level, message: IRCText.words(message, most: Self.longestHealth))
        if health == new { return [] }
        health = new
        return [.health(new)]
    }

    /// Reports the health of a registered connection.
    mutating func tellHealth() -> [RelayAction] {
        guard case .registered = connection.phase, !waitsForServices else { return [] }
        if let words = connection.bouncer.lost {
            let told = "the bouncer at \(connection.config.host) is not connected to IRC: \(words)"
            return logProblem(told) + setHealth(.down, told)
        }
        let problems = problems
        let holds = connection.delays.holdsTold
        let silence = connection.delays.silentSince.map { ["the server has said nothing since \(shown($0))"] } ?? []
        // What is wrong, what waits, what may be a mistake in the configuration, and what the bridge does about it by
        // itself: the text is cut where it is long.
        let degraded = problems + silence + connection.delays.lateTold + holds.degraded + hints
        let notes =
            holds.notes
            + [connection.delays.doubt?.told, slownessTold, renamingTold, connection.account.note].compactMap(\.self)
        let lasting = problems + hints
        if lasting.isEmpty { loggedProblem = nil }
        guard !degraded.isEmpty else {
            let all = ["connected to \(connection.config.host) as \(connection.nick)"] + notes
            return setHealth(.ok, all.joined(separator: "; "))
        }
        let logged = lasting.isEmpty ? [] : logProblem(lasting.joined(separator: "; "))
        return logged
            + setHealth(.degraded, (["connected as \(connection.nick)"] + degraded + notes).joined(separator: "; "))
    }

    /// What of the configuration cannot be had on this connection.
    private var problems: [String] {
        var problems = servicesProblems
        let refused = connection.memberships.values.filter { !$0.isJoined }.sorted { $0.name < $1.name }
            .compactMap { membership in membership.refusal.map { "\(membership.name): \($0)" } }
        if !refused.isEmpty { problems.append("not in " + refused.joined(separator: ", ")) }
        let unheard = silenced.sorted { $0.key < $1.key }.compactMap { target, reason in
            connection.memberships[target].flatMap { $0.isJoined ? "\($0.name): \(reason)" : nil }
        }
        if !unheard.isEmpty { problems.append("messages refused in " + unheard.joined(separator: ", ")) }
        return problems
    }

    /// Channels that links name and the chat does not have.
    private var hints: [String] {
        let there = Set(connection.links.map(\.channel))
        let unknown = missing.filter { there.contains($0) }.sorted()
        return unknown.isEmpty ? [] : ["the chat has no channel " + unknown.joined(separator: ", ")]
    }

    /// Logs what is wrong, once until it is something else or over.
    mutating func logProblem(_ problem: String) -> [RelayAction] {
        guard problem != loggedProblem else { return [] }
        loggedProblem = problem
        return log("warning", problem)
    }

    /// Logs that the server has accepted the client.
    mutating func logConnected() -> [RelayAction] {
        loggedProblem = nil
        return log("info", "connected to \(connection.config.host) as \(connection.nick)")
    }

    /// Notes which channels took of these what was said, and which did not.
    mutating func noteHeard(_ entries: [OutboundQueue.Entry]) -> [RelayAction] {
        let before = silenced
        for entry in entries where !entry.message.isTopic {
            let miss = entry.failure.flatMap { reason in
                entry.targets.first.map { OutboundQueue.Miss(target: $0, reason: reason) }
            }
            if entry.failure == nil, !silenced.isEmpty {
                for target in entry.targets { silenced[target] = nil }
            }
            if entry.failure == nil {
                for target in entry.targets where connection.memberships[target]?.heldUntil != nil {
                    connection.memberships[target]?.taken(hasMore: connection.outbound.hasMoreAgain(target))
                }
            }
            if let miss = miss ?? entry.missed { silenced[miss.target] = miss.reason }
        }
        var hasChanged = silenced != before
        if !connection.delays.isQuiet {
            let taken = entries.filter { $0.failure == nil }.flatMap(\.targets)
            if connection.delays.taken(taken, isAll: connection.outbound.count == 0) { hasChanged = true }
        }
        return hasChanged ? tellHealth() : []
    }

    /// The chat has no such channel, or has it after all.
    mutating func chatChannel(_ name: String, isThere: Bool) -> [RelayAction] {
        let hasChanged = isThere ? missing.remove(name) != nil : missing.insert(name).inserted
        return hasChanged ? tellHealth() : []
    }

    mutating func shareChanged(_ now: Instant) {
        guard keptState.share != connection.flow.share else { return }
        keptState.share = connection.flow.share
        saveSoon(now)
        // The status has it; not with each step.
        connection.delays.look(at: now + DelayWatch.interval)
    }

    /// The note for the status; nil where the server is written to at the configured rate.
    var slownessTold: String? {
        guard connection.flow.share < 1, rate > 0 else { return nil }
        let cause =
            connection.flow.hasThrottled
            ? "drops messages that come too fast"
            : connection.flow.hasFlooded ? "ended a connection for flooding" : "answers late"
        return "the server \(cause), so that it gets \((rate * 100).rounded() / 100) lines a second for now"
    }

    /// The server has said something after a message of which it is not known whether it is about that.
    mutating func doubt(_ words: String, of target: String, _ now: Instant) -> [RelayAction] {
        let isNew = connection.delays.doubts(words, of: connection.memberships[target]?.name ?? target, now: now)
        guard isNew, let told = connection.delays.doubt?.told else { return tellHealth() }
        return log("warning", told) + tellHealth()
    }
}
