import PluginWire

// A new configuration while the network is connected.
extension NetworkMachine {
    /// Takes a new configuration of this network. It is left and joined again only where it is reached in another way.
    /// - Parameter links: All links; those of other networks are left out.
    mutating func reconfigure(_ new: NetworkConfig, links all: [LinkConfig], now: Instant) -> [NetworkAction] {
        let old = config
        config = new
        lines = RelayLines(format: new.format, maxLines: new.maxLines, mask: mask)
        lines.topicLength = supports.topicLength
        lines.longest = supports.longestLine
        lines.style = new.style
        speakers.presence = new.presence
        if (old.burst, old.linesPerSecond) != (new.burst, new.linesPerSecond), !supports.isSafeRate {
            bucket = newBucket(now)
        }
        let before = links.filter { $0.direction != .toIRC }
        let dropped = relink(all.filter { $0.network == new.name })
        let left = leaveUnlinked(before)
        guard old.isReached(as: new), old.realname == new.realname || canRename else { return left + reconnect(now) }
        guard case .registered = phase else {
            // It may be for its nick that the server did not take the client.
            if case .waiting = phase, old.nick != new.nick { return left + reconnect(now) }
            return left
        }
        if nick != new.nick { nickKeeper.wantsAnother(now: now) }
        var actions = left + dropped.map { NetworkAction.send(IRCMessage("PART", [$0]).line) }
        if old.realname != new.realname, hasSetName {
            actions.append(.send(SafeLine.of("SETNAME :\(new.realname)", longest: lines.longest)))
        }
        actions += join(now)
        if new.presence == .full, old.presence != .full {
            for target in memberships.keys.sorted() where memberships[target]?.isJoined == true {
                actions += namesEnded(target)
            }
        }
        return actions + tick(now: now)
    }

    private var hasSetName: Bool { registration.enabled.contains("setname") }

    /// Whether another real name is no reason to connect anew: that of a user is shown from their next connection on
    /// where the server knows no `SETNAME`.
    private var canRename: Bool { isPuppet || hasSetName }

    /// Takes other links.
    /// - Returns: The channels that are not linked any more.
    private mutating func relink(_ new: [LinkConfig]) -> [String] {
        links = new
        var dropped: [String] = []
        goOnByNewName()
        defer { keptState.relinked(Set(links.map { fold($0.target) })) }
        for (target, membership) in memberships.sorted(by: { $0.key < $1.key }) {
            let theirs = links.filter { fold($0.target) == target }
            let key = theirs.lazy.compactMap(\.key).first
            if theirs.isEmpty {
                memberships[target] = nil
                roster.forget(channel: target)
                ledger.forget(target)
                backlog.forget(target)
                if membership.isJoined { dropped.append(membership.name) }
            } else if key != membership.key {
                if membership.isJoined { memberships[target]?.key = key } else { memberships[target] = nil }
            }
        }
        return dropped
    }

    /// Lets everybody of the network leave the chat's channels, as it is not wanted any more.
    mutating func leaveChat() -> [NetworkAction] {
        links.filter { $0.direction != .toIRC }.flatMap { leaveChannel($0) }
    }

    private mutating func leaveChannel(_ link: LinkConfig) -> [NetworkAction] {
        speakers.members(of: link.channel).flatMap { speakers.leave($0, link) }.map { .emit($0) }
    }

    /// Lets those leave the chat's channels who were there by a link that is gone, and by no other.
    private mutating func leaveUnlinked(_ before: [LinkConfig]) -> [NetworkAction] {
        var actions: [NetworkAction] = []
        for old in before where !inbound(fold(old.target)).contains(where: { $0.channel == old.channel }) {
            if let other = links.first(where: { $0.channel == old.channel && $0.direction != .toIRC }) {
                actions += settleMembers(fold(other.target))
            } else {
                actions += leaveChannel(old)
            }
        }
        return actions
    }

    private mutating func reconnect(_ now: Instant) -> [NetworkAction] {
        backOff = BackOff()
        switch phase {
        case .idle: return []
        // One that is being opened is to a server that is not wanted any more, or not so.
        case .waiting, .connecting: return start(now: now)
        case .registering, .registered:
            refusal = ("the configuration has changed", false)
            return [.send("QUIT :The configuration has changed"), .close]
        }
    }

    /// The host has begun this network's queue anew: what it had delivered is void and comes again.
    mutating func requeued() -> [NetworkAction] {
        ledger.clear()
        backlog.clear()
        window = Self.fullWindow
        return clearPuppets() + (isWindowOpen ? [.plugin(.window(queue: config.name, events: Int64(window)))] : [])
    }
}
