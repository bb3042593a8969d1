import PluginWire

// A new configuration, and channels that the server renames or moves.
extension Relay {
    /// Applies a new configuration of this network. It reconnects only where the server is reached in another way.
    /// - Parameter links: All links; those of other networks are left out.
    mutating func reconfigure(_ new: NetworkConfig, links all: [LinkConfig], now: Instant) -> [RelayAction] {
        let old = connection.config
        adopt(new, now)
        users.presence = new.presence
        let before = connection.links.filter { $0.direction != .toIRC }
        let dropped = relink(all.filter { $0.network == new.name })
        return leaveUnlinked(before) + continueSession(from: old, leaving: dropped, now)
    }

    /// Lets everybody of the network leave the chat's channels, because the network is no longer configured.
    mutating func leaveChat() -> [RelayAction] {
        connection.links.filter { $0.direction != .toIRC }.flatMap { leaveChannel($0) }
    }

    mutating func leaveChannel(_ link: LinkConfig) -> [RelayAction] {
        users.members(of: link.channel).flatMap { users.leave($0, link) }.map { .emit($0) }
    }

    /// Lets those leave the chat's channels who were there by a link that is gone, and by no other.
    mutating func leaveUnlinked(_ before: [LinkConfig]) -> [RelayAction] {
        var actions: [RelayAction] = []
        for old in before where !inbound(fold(old.target)).contains(where: { $0.channel == old.channel }) {
            if let other = connection.links.first(where: { $0.channel == old.channel && $0.direction != .toIRC }) {
                actions += settleMembers(fold(other.target))
            } else {
                actions += leaveChannel(old)
            }
        }
        return actions
    }

    /// The host has restarted this network's queue: it delivers again what was not settled.
    mutating func requeued() -> [RelayAction] {
        connection.outbound.clear()
        backlog.clear()
        window = Self.fullWindow
        return clearPuppets()
            + (isWindowOpen ? [.plugin(.window(queue: connection.config.name, events: Int64(window)))] : [])
    }

    /// The client is in a channel again that it was moved out of.
    mutating func isBack(_ target: String, _ now: Instant) {
        guard connection.moves.moved[target] != nil else { return }
        connection.moves.move(target, to: nil)
        saveSoon(now)
    }

    /// The note for the status about renamed channels.
    var renamingTold: String? {
        let told = connection.links.reduce(into: [String: String]()) { told, link in
            guard let name = connection.moves.renamed[fold(link.target)] else { return }
            told[link.target] =
                "\(link.target) is \(name) now: set the link's 'irc' to \(connection.config.name)/\(name)"
        }
        return told.isEmpty ? nil : told.sorted { $0.key < $1.key }.map(\.value).joined(separator: "; ")
    }

    mutating func channelRenamed(_ target: String, to name: String, _ now: Instant) {
        history.renamed(target, to: name)
        saveSoon(now)
    }

    mutating func movedAway(_ target: String, to name: String, _ now: Instant) -> [RelayAction] {
        connection.moves.move(target, to: name)
        saveSoon(now)
        stayOut(target, now)
        return membershipChanged(now)
    }

    mutating func channelRelinked(_ old: String, to new: String) { roster.rename(channel: old, to: new) }

    mutating func channelUnlinked(_ target: String) {
        roster.forget(channel: target)
        backlog.forget(target)
    }

    mutating func linksChanged(_ targets: Set<String>) {
        keptState.moves = connection.moves
        keptState.relinked(targets)
        connection.moves = keptState.moves
    }

    mutating func configurationChanged(from old: NetworkConfig) -> [RelayAction] {
        guard connection.config.presence == .full, old.presence != .full else { return [] }
        return connection.memberships.filter(\.value.isJoined).keys.sorted().flatMap { namesEnded($0) }
    }
}
