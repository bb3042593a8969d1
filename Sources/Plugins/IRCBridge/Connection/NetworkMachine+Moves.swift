import PluginWire

// Channels that get another name, and a server that puts the client elsewhere.
extension NetworkMachine {
    /// How far apart the loss of a channel and the way into another one may be, in seconds.
    static let moveTime = 10.0
    /// The most renamings that are followed instead of a JOIN, and channels that refusals announce, on one connection.
    static let mostRedirects = 64

    /// The server has renamed a channel: `RENAME #old #new :reason`.
    mutating func renamed(_ message: IRCMessage, _ now: Instant) -> [NetworkAction] {
        guard message.params.count > 1 else { return [] }
        let (target, name) = (fold(message.params[0]), message.params[1])
        guard let membership = memberships[target], membership.isJoined, ChannelMoves.isName(name) else { return [] }
        if links.contains(where: { fold($0.target) != target && fold(presentName($0)) == fold(name) }) {
            // Two links for one channel would say everything twice.
            return lostChannel(target, "the server has renamed it to \(name), which has a link", now)
        }
        follow(target, to: name, now)
        var actions: [NetworkAction] = []
        if !isPuppet, fold(name) != fold(membership.name) {
            let reason = message.params.count > 2 && !message.params[2].isEmpty ? ": " + message.params[2] : ""
            actions.append(info("the server has renamed \(membership.name) to \(name)\(IRCText.words(reason))"))
        }
        return actions + tellHealth() + pump(now)
    }

    /// A channel goes on under another name.
    private mutating func follow(_ target: String, to name: String, _ now: Instant) {
        keptState.moves.rename(target, to: name)
        memberships[target]?.name = name
        ledger.hold(target)
        catchUp.renamed(target, to: name)
        saveSoon(now)
    }

    /// Channels that are linked by the names that the server gave them go on, and what waits for one that the client
    /// was moved out of goes to the other.
    mutating func goOnByNewName() {
        let linked = Set(links.map { fold($0.target) })
        for (old, name) in keptState.moves.renamed where !linked.contains(old) {
            let new = fold(name)
            guard linked.contains(new), memberships[new] == nil,
                let membership = memberships.removeValue(forKey: old)
            else { continue }
            memberships[new] = membership
            roster.rename(channel: old, to: new)
            ledger.retarget(old, to: new)
        }
        for (old, name) in keptState.moves.moved where !linked.contains(old) && linked.contains(fold(name)) {
            memberships[old] = nil
            ledger.retarget(old, to: fold(name))
        }
    }

    /// The name of a link's channel by now.
    func presentName(_ link: LinkConfig) -> String { keptState.moves.renamed[fold(link.target)] ?? link.target }

    /// The links with the present names of their channels, for a user's connection.
    func presentLinks(_ links: [LinkConfig]) -> [LinkConfig] {
        links.map { link in
            var link = link
            link.presentName = keptState.moves.renamed[fold(link.target)]
            return link
        }
    }

    /// Takes the present name of a link's channel from the network's own connection.
    mutating func learnName(_ link: LinkConfig) {
        let target = fold(link.target)
        guard let name = link.presentName, keptState.moves.renamed[target] != name else { return }
        keptState.moves.rename(target, to: name)
        memberships[target]?.name = name
    }

    /// A JOIN is refused because the channel has another name: `FAIL JOIN CHANNEL_RENAMED #old #new :words`.
    /// - Returns: Nil where it is not that.
    mutating func joinRenamed(_ message: IRCMessage, _ now: Instant) -> [NetworkAction]? {
        guard message.params.count > 4, message.params[1] == "CHANNEL_RENAMED", hasRenaming,
            let membership = memberships[fold(message.params[2])], membership.deadline != nil,
            ChannelMoves.isName(message.params[3]), redirects < Self.mostRedirects,
            !links.contains(where: { fold(presentName($0)) == fold(message.params[3]) })
        else { return nil }
        redirects += 1
        let target = fold(message.params[2])
        follow(target, to: message.params[3], now)
        enqueue(.join(target))
        return pump(now)
    }

    private var hasRenaming: Bool {
        registration.enabled.contains { $0 == "draft/channel-rename" || $0 == "channel-rename" }
    }

    /// The server has taken the client out of a channel: `PART` that nobody here has written.
    mutating func takenOut(_ name: String, _ message: IRCMessage, _ now: Instant) -> [NetworkAction] {
        let target = fold(name)
        forwards[fold(ChannelMoves.serversName(name))] = nil
        guard memberships[target]?.isJoined == true else { return [] }
        let words = IRCText.words(message.params.count > 1 ? message.params[1] : "")
        memberships[target]?.kicked(now: now)
        let reason = "the server took the bridge out of it" + (words.isEmpty ? "" : ": " + words)
        lastLoss = (target, now)
        if let stray = lastStray, now - stray.at <= Self.moveTime {
            return lostChannel(name, reason, now) + moved(target, to: stray.name, now)
        }
        return lostChannel(name, reason, now)
    }

    /// The client is in a channel that no link names, where it says nothing. A bouncer shows all of its channels so,
    /// and a server what another session of the same account joins: it is left only where the server moved the client.
    mutating func strayed(_ name: String, _ now: Instant) -> [NetworkAction] {
        let name = ChannelMoves.serversName(name)
        // A JOIN that a refusal has announced is answered already, unless the answer came too early.
        if let isAnswered = forwards.removeValue(forKey: fold(name)) {
            return isAnswered ? [] : [.send(IRCMessage("PART", [name]).line)]
        }
        if let loss = lastLoss, now - loss.at <= Self.moveTime, memberships[loss.target]?.isJoined == false {
            return moved(loss.target, to: name, now)
        }
        lastStray = (name, now)
        return []
    }

    /// A refusal announces that the client is put into another channel, where it has nothing to do.
    mutating func forwarded(to name: String) -> [NetworkAction] {
        let name = ChannelMoves.serversName(name)
        if forwards.count < Self.mostRedirects { forwards[fold(name)] = true }
        return [.send(IRCMessage("PART", [name]).line)]
    }

    /// A PART or something else is refused because the client is not in a channel.
    mutating func isNotThere(_ name: String) {
        if forwards[fold(name)] != nil { forwards[fold(name)] = false }
    }

    /// The client has been taken out of a channel and put into another: it stays out of both, as the one may be empty
    /// now and the other is not linked.
    private mutating func moved(_ target: String, to name: String, _ now: Instant) -> [NetworkAction] {
        (lastLoss, lastStray) = (nil, nil)
        let leave = NetworkAction.send(IRCMessage("PART", [name]).line)
        guard !isPuppet else { return [leave] }
        keptState.moves.move(target, to: name)
        saveSoon(now)
        stayOut(target, now)
        return [leave] + membershipChanged(now)
    }

    /// Does not ask for a channel that the server moved the client out of.
    mutating func stayOut(_ target: String, _ now: Instant) {
        guard let name = keptState.moves.moved[target] else { return }
        let advice = "set the link's 'irc' to \(config.name)/\(name), or invite the bridge back"
        memberships[target]?.movedAway("the server moved the bridge to \(name): \(advice)", now: now)
    }

    /// The client is in a channel again that it was moved out of.
    mutating func isBack(_ target: String, _ now: Instant) {
        guard keptState.moves.moved[target] != nil else { return }
        keptState.moves.move(target, to: nil)
        saveSoon(now)
    }

    /// The connection is gone, and with it where the client was.
    mutating func forgetStrays() {
        (forwards, redirects, lastLoss, lastStray) = ([:], 0, nil, nil)
    }

    /// What the operator is told of channels that are followed under another name.
    var renamingTold: String? {
        let told = links.reduce(into: [String: String]()) { told, link in
            guard let name = keptState.moves.renamed[fold(link.target)] else { return }
            told[link.target] = "\(link.target) is \(name) now: set the link's 'irc' to \(config.name)/\(name)"
        }
        return told.isEmpty ? nil : told.sorted { $0.key < $1.key }.map(\.value).joined(separator: "; ")
    }

    private func info(_ text: String) -> NetworkAction {
        .plugin(.log(level: "info", message: "\(config.name): \(text)", fields: nil))
    }
}
