import DequeModule
import PluginWire

/// A question to the server beside what the chat says. Each waits its turn, as a server counts these lines too.
enum ControlLine: Equatable, Sendable {
    /// JOIN of the channel of this folded name, with as many others as go into one line.
    case join(String)
    /// WHO is in this channel.
    case who(String)
    /// WHO the client itself is, as others see it.
    case own
    /// A command of the configuration.
    case perform(String)
    /// The history of this channel, by this line.
    case history(String, String)

    /// Whether it goes before what is said.
    var isFirst: Bool {
        switch self {
        case .join, .perform: true
        case .who, .own, .history: false
        }
    }
}

extension ConnectionMachine {
    /// Lets a question wait for its turn, once.
    mutating func enqueue(_ line: ControlLine) {
        if case .join(let target) = line { connection.memberships[target]?.wanted() }
        if !connection.controls.contains(line) { connection.controls.append(line) }
    }

    /// Whether a question goes out before the next line of a message: JOIN always, the others in turn with these.
    var isControlNext: Bool {
        guard !connection.isDraining, let first = connection.controls.first else { return false }
        return first.isFirst || !connection.wasControl || !mayWrite
    }

    /// The next question; nil where none is of use any more.
    mutating func nextControl(_ now: Instant) -> String? {
        while let line = connection.controls.popFirst() {
            switch line {
            case .join(let target):
                if let line = joinLine(target, now) { return line }
            case .who(let target):
                guard let membership = connection.memberships[target], membership.isJoined else { continue }
                return "WHO \(membership.name) %tuhna,\(ConnectionState.whoToken)"
            case .own: return IRCMessage("WHO", [connection.nick]).line
            case .perform(let line):
                let line = line.replacing("{nick}", with: connection.nick)
                return SafeLine.of(line, longest: connection.lines.longest)
            case .history(let target, let line):
                guard historyQueryDue(target, now) else { continue }
                return line
            }
        }
        return nil
    }

    /// Asks for a channel, and in the same line for others that wait for it: those with keys first, as the first key
    /// is of the first channel and so on (RFC 2812 3.2.1).
    private mutating func joinLine(_ target: String, _ now: Instant) -> String? {
        guard let first = connection.memberships[target], !first.isJoined else { return nil }
        var picked = [target]
        if !first.isAskedAlone {
            let most = min(connection.supports.most(of: "JOIN") ?? ConnectionState.mostJoins, ConnectionState.mostJoins)
            let others = connection.controls.compactMap { line -> String? in
                guard case .join(let other) = line, let membership = connection.memberships[other] else { return nil }
                return membership.isJoined || membership.isAskedAlone ? nil : other
            }
            for other in others where picked.count < most {
                if joinLine(picked + [other]).utf8.count <= RelayLines.maxLine { picked.append(other) }
            }
        }
        for one in picked { connection.memberships[one]?.asked(now: now) }
        connection.controls.removeAll { if case .join(let other) = $0 { picked.contains(other) } else { false } }
        return joinLine(picked)
    }

    private func joinLine(_ targets: [String]) -> String {
        let all = targets.compactMap { connection.memberships[$0] }
        let keyed = all.filter { $0.key != nil }
        let names = (keyed + all.filter { $0.key == nil }).map(\.name).joined(separator: ",")
        return IRCMessage("JOIN", [names] + (keyed.isEmpty ? [] : [keyed.compactMap(\.key).joined(separator: ",")]))
            .line
    }

    /// Time has passed: asks again for channels, and waits no longer for answers that do not come.
    mutating func tickMemberships(_ now: Instant) -> [Action] {
        var hasChanged = false
        for key in connection.memberships.keys.sorted() {
            if let deadline = connection.memberships[key]?.deadline, deadline <= now {
                connection.memberships[key]?.refused("the server does not answer", now: now)
                hasChanged = true
            }
            if let next = connection.memberships[key]?.nextTry, next <= now { enqueue(.join(key)) }
        }
        return hasChanged ? membershipChanged(now) : []
    }
}
