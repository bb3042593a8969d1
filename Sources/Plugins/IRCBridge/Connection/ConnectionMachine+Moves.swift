import PluginWire

// Channels that get another name, and a server that puts the client elsewhere.
extension ConnectionMachine {
    /// The server has renamed a channel: `RENAME #old #new :reason`.
    mutating func renamed(_ message: IRCMessage, _ now: Instant) -> [Action] {
        guard message.params.count > 1 else { return [] }
        let (target, name) = (fold(message.params[0]), message.params[1])
        guard let membership = connection.memberships[target], membership.isJoined, ChannelMoves.isName(name) else {
            return []
        }
        if connection.links.contains(where: { fold($0.target) != target && fold(presentName($0)) == fold(name) }) {
            // Two links for one channel would say everything twice.
            return lostChannel(target, "the server has renamed it to \(name), which has a link", now)
        }
        follow(target, to: name, now)
        var actions: [Action] = []
        if fold(name) != fold(membership.name) {
            let reason = message.params.count > 2 && !message.params[2].isEmpty ? ": " + message.params[2] : ""
            actions += log("info", "the server has renamed \(membership.name) to \(name)\(IRCText.words(reason))")
        }
        return actions + tellHealth() + pump(now)
    }

    /// A channel goes on under another name.
    private mutating func follow(_ target: String, to name: String, _ now: Instant) {
        connection.moves.rename(target, to: name)
        connection.memberships[target]?.name = name
        connection.outbound.hold(target)
        channelRenamed(target, to: name, now)
    }

    /// Channels that are linked by the names that the server gave them go on, and what waits for one that the client
    /// was moved out of goes to the other.
    mutating func goOnByNewName() {
        let linked = Set(connection.links.map { fold($0.target) })
        for (old, name) in connection.moves.renamed where !linked.contains(old) {
            let new = fold(name)
            guard linked.contains(new), connection.memberships[new] == nil,
                let membership = connection.memberships.removeValue(forKey: old)
            else { continue }
            connection.memberships[new] = membership
            channelRelinked(old, to: new)
            connection.outbound.retarget(old, to: new)
        }
        for (old, name) in connection.moves.moved where !linked.contains(old) && linked.contains(fold(name)) {
            connection.memberships[old] = nil
            connection.outbound.retarget(old, to: fold(name))
        }
    }

    /// The name of a link's channel by now.
    func presentName(_ link: LinkConfig) -> String { connection.moves.renamed[fold(link.target)] ?? link.target }

    /// The links with the present names of their channels, for a user's connection.
    func presentLinks(_ links: [LinkConfig]) -> [LinkConfig] {
        links.map { link in
            var link = link
            link.presentName = connection.moves.renamed[fold(link.target)]
            return link
        }
    }

    /// A JOIN is refused because the channel has another name: `FAIL JOIN CHANNEL_RENAMED #old #new :words`.
    /// - Returns: Nil where it is not that.
    mutating func joinRenamed(_ message: IRCMessage, _ now: Instant) -> [Action]? {
        guard message.params.count > 4, message.params[1] == "CHANNEL_RENAMED", hasRenaming,
            let membership = connection.memberships[fold(message.params[2])], membership.deadline != nil,
            ChannelMoves.isName(message.params[3]), connection.strays.redirects < ConnectionState.mostRedirects,
            !connection.links.contains(where: { fold(presentName($0)) == fold(message.params[3]) })
        else { return nil }
        connection.strays.redirects += 1
        let target = fold(message.params[2])
        follow(target, to: message.params[3], now)
        enqueue(.join(target))
        return pump(now)
    }

    private var hasRenaming: Bool {
        connection.registration.enabled.contains { $0 == "draft/channel-rename" || $0 == "channel-rename" }
    }

    /// The server has taken the client out of a channel: `PART` that nobody here has written.
    mutating func takenOut(_ name: String, _ message: IRCMessage, _ now: Instant) -> [Action] {
        let target = fold(name)
        connection.strays.forwards[fold(ChannelMoves.serversName(name))] = nil
        guard connection.memberships[target]?.isJoined == true else { return [] }
        let words = IRCText.words(message.params.count > 1 ? message.params[1] : "")
        connection.memberships[target]?.kicked(now: now)
        let reason = "the server took the bridge out of it" + (words.isEmpty ? "" : ": " + words)
        connection.strays.lastLoss = (target, now)
        if let stray = connection.strays.lastStray, now - stray.at <= ConnectionState.moveTime {
            return lostChannel(name, reason, now) + moved(target, to: stray.name, now)
        }
        return lostChannel(name, reason, now)
    }

    /// The client is in a channel that no link names, where it says nothing. A bouncer shows all of its channels so,
    /// and a server what another session of the same account joins: it is left only where the server moved the client.
    mutating func strayed(_ name: String, _ now: Instant) -> [Action] {
        let name = ChannelMoves.serversName(name)
        // A JOIN that a refusal has announced is answered already, unless the answer came too early.
        if let isAnswered = connection.strays.forwards.removeValue(forKey: fold(name)) {
            return isAnswered ? [] : [.send(IRCMessage("PART", [name]).line)]
        }
        if let loss = connection.strays.lastLoss, now - loss.at <= ConnectionState.moveTime,
            connection.memberships[loss.target]?.isJoined == false
        {
            return moved(loss.target, to: name, now)
        }
        connection.strays.lastStray = (name, now)
        return []
    }

    /// A refusal announces that the client is put into another channel, where it has nothing to do.
    mutating func forwarded(to name: String) -> [Action] {
        let name = ChannelMoves.serversName(name)
        if connection.strays.forwards.count < ConnectionState.mostRedirects {
            connection.strays.forwards[fold(name)] = true
        }
        return [.send(IRCMessage("PART", [name]).line)]
    }

    /// A PART or something else is refused because the client is not in a channel.
    mutating func isNotThere(_ name: String) {
        if connection.strays.forwards[fold(name)] != nil { connection.strays.forwards[fold(name)] = false }
    }

    /// The client has been taken out of a channel and put into another: it stays out of both, as the one may be empty
    /// now and the other is not linked.
    private mutating func moved(_ target: String, to name: String, _ now: Instant) -> [Action] {
        (connection.strays.lastLoss, connection.strays.lastStray) = (nil, nil)
        let leave = Action.send(IRCMessage("PART", [name]).line)
        return [leave] + movedAway(target, to: name, now)
    }

    /// Does not ask for a channel that the server moved the client out of.
    mutating func stayOut(_ target: String, _ now: Instant) {
        guard let name = connection.moves.moved[target] else { return }
        let advice = "set the link's 'irc' to \(connection.config.name)/\(name), or invite the bridge back"
        connection.memberships[target]?.movedAway("the server moved the bridge to \(name): \(advice)", now: now)
    }
}
