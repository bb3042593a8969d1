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
            bucket = FloodBucket(burst: new.burst, rate: new.linesPerSecond, now: now)
        }
        let dropped = relink(all.filter { $0.network == new.name })
        guard old.isReached(as: new) else { return reconnect(now) }
        guard case .registered = phase else { return [] }
        if nick != new.nick { nickKeeper.wantsAnother(now: now) }
        var actions = dropped.map { NetworkAction.send(IRCMessage("PART", [$0]).line) }
        actions += join(now)
        if new.presence == .full, old.presence != .full {
            for target in memberships.keys.sorted() where memberships[target]?.isJoined == true {
                actions += namesEnded(target)
            }
        }
        return actions + tick(now: now)
    }

    /// Takes other links.
    /// - Returns: The channels that are not linked any more.
    private mutating func relink(_ new: [LinkConfig]) -> [String] {
        links = new
        var dropped: [String] = []
        for (target, membership) in memberships.sorted(by: { $0.key < $1.key }) {
            let link = links.first { fold($0.target) == target }
            if link == nil {
                memberships[target] = nil
                roster.forget(channel: target)
                ledger.forget(target)
                backlog.forget(target)
                if membership.isJoined { dropped.append(membership.name) }
            } else if !membership.isJoined, link?.key != membership.key {
                memberships[target] = nil
            }
        }
        return dropped
    }

    private mutating func reconnect(_ now: Instant) -> [NetworkAction] {
        backOff = BackOff()
        switch phase {
        case .idle: return []
        case .waiting: return start(now: now)
        case .connecting:
            isStale = true
            return []
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
