// A new configuration while the connection is open, and the end of the plugin.
extension ConnectionMachine {
    /// Uses a new configuration from now on.
    mutating func adopt(_ new: NetworkConfig, _ now: Instant) {
        let old = connection.config
        connection.config = new
        var lines = RelayLines(format: new.format, maxLines: new.maxLines, mask: connection.mask)
        lines.topicLength = connection.supports.topicLength
        lines.longest = connection.supports.longestLine
        lines.style = new.style
        connection.lines = lines
        if (old.burst, old.linesPerSecond) != (new.burst, new.linesPerSecond), !connection.supports.isSafeRate {
            connection.bucket = newBucket(now)
        }
    }

    /// Continues the session with a new configuration, or connects again where the server is reached in another way.
    mutating func continueSession(from old: NetworkConfig, leaving dropped: [String], _ now: Instant) -> [Action] {
        let new = connection.config
        guard old.isReached(as: new), old.realname == new.realname || canRename else { return reconnect(now) }
        guard case .registered = connection.phase else {
            // The server may have refused the client for its nick.
            if case .waiting = connection.phase, old.nick != new.nick { return reconnect(now) }
            return []
        }
        if connection.nick != new.nick { connection.nickKeeper.wantsAnother(now: now) }
        var actions = dropped.map { Action.send(IRCMessage("PART", [$0]).line) }
        if old.realname != new.realname, connection.registration.enabled.contains("setname") {
            actions.append(.send(SafeLine.of("SETNAME :\(new.realname)", longest: connection.lines.longest)))
        }
        actions += join(now) + configurationChanged(from: old)
        return actions + tick(now: now)
    }

    /// Stops accepting messages.
    mutating func beginDrain(deadline: Double, now: Instant) {
        connection.isDraining = true
        connection.drainEnds = now + min(ConnectionState.drainLimit, deadline / 2)
    }

    /// Takes other links.
    /// - Returns: The channels that are not linked any more.
    mutating func relink(_ new: [LinkConfig]) -> [String] {
        connection.links = new
        var dropped: [String] = []
        goOnByNewName()
        defer { linksChanged(Set(connection.links.map { fold($0.target) })) }
        for (target, membership) in connection.memberships.sorted(by: { $0.key < $1.key }) {
            let theirs = connection.links.filter { fold($0.target) == target }
            let key = theirs.lazy.compactMap(\.key).first
            if theirs.isEmpty {
                connection.memberships[target] = nil
                connection.outbound.forget(target)
                channelUnlinked(target)
                if membership.isJoined { dropped.append(membership.name) }
            } else if key != membership.key {
                if membership.isJoined {
                    connection.memberships[target]?.key = key
                } else {
                    connection.memberships[target] = nil
                }
            }
        }
        return dropped
    }

    private mutating func reconnect(_ now: Instant) -> [Action] {
        connection.backOff = BackOff()
        switch connection.phase {
        case .idle: return []
        // One that is being opened is to a server that is not wanted any more, or not so.
        case .waiting, .connecting: return start(now: now)
        case .registering, .registered:
            connection.refusal = ("the configuration has changed", false)
            return [.send("QUIT :The configuration has changed"), .close]
        }
    }
}
