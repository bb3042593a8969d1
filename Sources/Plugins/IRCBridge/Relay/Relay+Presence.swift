import DequeModule
import JSONBytes
import PluginKit

// Membership: who of the channels on IRC is in those of the chat.
extension Relay {
    /// People who are introduced to the chat at once, the others following as it takes them (``Presence/full``).
    static let mostArrivals = 256

    /// The links by which a channel on IRC, by its folded name, comes into the chat.
    func inbound(_ target: String) -> [LinkConfig] {
        connection.links.filter { $0.direction != .toIRC && fold($0.target) == target }
    }

    /// Somebody as the chat sees them.
    func speaker(_ nick: String, account: String?) -> UserDirectory.Speaker {
        let id: String
        if let account, !account.isEmpty {
            id = BridgeUserID.account(
                account, plugin: connection.plugin, network: connection.config.name, connection.supports.casemapping)
        } else {
            id = BridgeUserID.nick(
                nick, plugin: connection.plugin, network: connection.config.name, connection.supports.casemapping)
        }
        // The id, where a server lets somebody have a nick of which nothing can be seen.
        let name = ShownText.name(IRCText.plain(nick), most: IRCSource.longestName)
        return UserDirectory.Speaker(id: id, name: name.isEmpty ? id : name)
    }

    private func speaker(_ person: Roster.Person) -> UserDirectory.Speaker {
        speaker(person.nick, account: person.account)
    }

    /// A line that says who is where.
    mutating func presence(_ message: IRCMessage, _ source: IRCSource, _ now: Instant) -> [RelayAction] {
        let params = message.params
        guard !isOfPuppet(message, source, now) else { return [] }
        // Of these lines only QUIT may say nothing more.
        guard let first = params.first ?? (message.verb == "QUIT" ? "" : nil) else { return [] }
        switch message.verb {
        case "JOIN":
            // Where the client is not to be nobody is of interest, as in the channel that a full one forwards to.
            guard connection.memberships[fold(first)] != nil else { return [] }
            // extended-join: the account, or a star.
            let account = params.count > 2 && params[1] != "*" ? params[1] : message.tags["account"]
            roster.join(source, fold(first), account: account)
            netsplit.joined(connection.supports.casemapping.fold(source.nick), fold(first))
            return appear(source.nick, in: [fold(first)])
        case "PART": return left(source.nick, fold(first))
        case "KICK": return params.count > 1 ? left(params[1], fold(first)) : []
        case "QUIT":
            guard let person = roster.quit(source.nick) else { return [] }
            if !netsplit.isFull, Netsplit.isReason(first) || isSplitBatch(message) {
                if netsplit.lost(connection.supports.casemapping.fold(source.nick), person, now: now) {
                    connection.figures.netsplits += 1
                }
                return []
            }
            return disappear(person)
        case "NICK":
            guard let before = roster.rename(source.nick, to: first) else { return [] }
            return changed(before, now: first)
        case "ACCOUNT": return accountIs(source.nick, first == "*" ? nil : first)
        case "353":
            guard params.count > 2, connection.memberships[fold(params[params.count - 2])] != nil else { return [] }
            for name in params[params.count - 1].split(separator: " ") {
                let who = IRCSource(String(name.drop { connection.supports.prefixes.contains($0) }))
                if !isOurs(who.nick), !who.nick.isEmpty { roster.join(who, fold(params[params.count - 2])) }
            }
            return []
        case "354":
            guard params.count == 6, params[1] == ConnectionState.whoToken, params[5] != "0" else { return [] }
            return accountIs(params[4], params[5])
        default: return []
        }
    }

    /// Whether a line is about a user's connection; such a one is nobody on IRC.
    private mutating func isOfPuppet(_ message: IRCMessage, _ source: IRCSource, _ now: Instant) -> Bool {
        let map = connection.supports.casemapping
        switch message.verb {
        case "QUIT":
            let isOwn = puppets.isOwn(map.fold(source.nick))
            if isOwn { puppets.quit(map.fold(source.nick)) }
            return isOwn
        case "NICK":
            let isOwn = puppets.isOwn(map.fold(source.nick))
            if isOwn { puppets.renamed(map.fold(source.nick), map.fold(message.params.first ?? ""), now: now) }
            return isOwn
        case "KICK": return message.params.count > 1 && puppets.isOwn(map.fold(message.params[1]))
        case "JOIN", "PART", "ACCOUNT": return puppets.isOwn(map.fold(source.nick))
        default: return false
        }
    }

    private func isSplitBatch(_ message: IRCMessage) -> Bool {
        message.tags["batch"].map { connection.batches.type(of: $0) == "netsplit" } == true
    }

    /// The list of who is in a channel has ended, by NAMES or WHO.
    mutating func listEnded(_ target: String, isNames: Bool) -> [RelayAction] {
        guard let membership = connection.memberships[target], membership.isJoined else { return [] }
        guard isNames ? !membership.hasNames : membership.isAskingWho && !membership.hasWho else { return [] }
        if isNames {
            connection.memberships[target]?.hasNames = true
        } else {
            connection.memberships[target]?.hasWho = true
        }
        return namesEnded(target)
    }

    /// All names of a channel have come: who is missing in the chat comes, and who went meanwhile goes.
    mutating func namesEnded(_ target: String) -> [RelayAction] {
        var actions: [RelayAction] = []
        if connection.supports.hasWHOX, connection.config.presence == .full || hasAccounts(target) {
            // NAMES does not tell the accounts; the end of WHO brings us here once more.
            if connection.memberships[target]?.isAskingWho == false {
                connection.memberships[target]?.isAskingWho = true
                enqueue(.who(target))
                return []
            }
        }
        actions += settleMembers(target)
        if connection.config.presence == .full {
            for person in roster.members(of: target) { arrivals.append((person.nick, target)) }
        }
        return actions + introduceArrivals()
    }

    /// Whether somebody is in the chat by their account who came from a channel on IRC.
    private func hasAccounts(_ target: String) -> Bool {
        inbound(target).contains { users.members(of: $0.channel).contains(where: isAccount) }
    }

    private func isAccount(_ id: String) -> Bool {
        BridgeUserID.isAccount(id, plugin: connection.plugin, network: connection.config.name)
    }

    /// Lets go those in the chat who are in none of the channels on IRC any more, once all of these are known.
    mutating func settleMembers(_ target: String) -> [RelayAction] {
        var actions: [RelayAction] = []
        for link in inbound(target) {
            let sources = Set(
                connection.links.filter { $0.channel == link.channel && $0.direction != .toIRC }.map { fold($0.target) }
            )
            let there = sources.compactMap { connection.memberships[$0] }.filter { $0.isJoined && $0.hasNames }
            guard there.count == sources.count, !there.contains(where: { $0.isAskingWho && !$0.hasWho }) else {
                continue
            }
            // Who is there with an account can look like somebody without one where only the names were told.
            let knowsAccounts = there.allSatisfy(\.hasWho)
            var present: Set<String> = []
            for source in sources {
                for person in roster.members(of: source) + netsplit.awaited(in: source) {
                    present.insert(speaker(person).id)
                }
                present.formUnion(relayed.ids(in: source))
            }
            for id in users.members(of: link.channel)
            where !present.contains(id) && (knowsAccounts || !isAccount(id)) {
                actions += users.leave(id, link).map { .emit($0) }
            }
        }
        return actions
    }

    private mutating func left(_ nick: String, _ target: String) -> [RelayAction] {
        guard let person = roster.leave(nick, target) else { return [] }
        var here = person
        here.channels = [target]
        return disappear(here)
    }

    /// Somebody who is present by the server's word appears in the chat, where the configuration says so.
    private mutating func appear(_ nick: String, in targets: [String]) -> [RelayAction] {
        guard connection.config.presence == .full, let person = roster.person(nick), !isIgnored(person.mask) else {
            return []
        }
        var actions: [RelayAction] = []
        for target in targets {
            for link in inbound(target) {
                actions += users.introduce(speaker(person), link.channel, link.ref).map { .emit($0) }
            }
        }
        return actions
    }

    /// Lets the next ones appear who are in a channel, unless the chat does not keep up: what is queued for it is held
    /// in memory, and the names of a large channel would be some hundred thousand commands at once.
    mutating func introduceArrivals() -> [RelayAction] {
        guard connection.isListening else { return [] }
        var actions: [RelayAction] = []
        for _ in 0..<Self.mostArrivals {
            guard let (nick, target) = arrivals.popFirst() else { break }
            if roster.contains(nick, in: target) { actions += appear(nick, in: [target]) }
        }
        return actions
    }

    /// A channel of the chat was created, maybe again: nobody is in it yet, and the relay introduces people again.
    mutating func channelCreated(_ event: [UInt8]) -> [RelayAction] {
        guard let object = try? JSONObject(parsing: event), object.string("type") == "CHANNEL_CREATED",
            let channel = object.string("channelId")
        else { return [] }
        let told = chatChannel(channel, isThere: true)
        for id in users.members(of: channel) { users.forget(id, channel: channel) }
        for link in connection.links where link.channel == channel && link.direction != .toIRC {
            let target = fold(link.target)
            if connection.config.presence == .full { arrivals += roster.members(of: target).map { ($0.nick, target) } }
        }
        return told + introduceArrivals()
    }

    /// Somebody is gone from some channels: they leave those of the chat which no other way keeps them in.
    mutating func disappear(_ person: Roster.Person) -> [RelayAction] {
        let id = speaker(person).id
        var actions: [RelayAction] = []
        for target in person.channels.sorted() {
            for link in inbound(target) {
                let others = connection.links.filter { $0.channel == link.channel && $0.direction != .toIRC }
                let stays = others.contains { isPresent(person, id, in: fold($0.target)) }
                if !stays { actions += users.leave(id, link).map { .emit($0) } }
            }
        }
        return actions
    }

    private func isPresent(_ person: Roster.Person, _ id: String, in target: String) -> Bool {
        if let account = person.account { return roster.contains(account: account, in: target) }
        guard roster.contains(person.nick, in: target), let other = roster.person(person.nick) else { return false }
        return speaker(other).id == id
    }

    /// Somebody has logged in or out.
    mutating func accountIs(_ nick: String, _ account: String?) -> [RelayAction] {
        guard let before = roster.setAccount(nick, account) else { return [] }
        return changed(before, now: nick)
    }

    /// Somebody has another nick or account: the same user under another name, or another user.
    private mutating func changed(_ before: Roster.Person, now nick: String) -> [RelayAction] {
        guard let after = roster.person(nick) else { return [] }
        let (old, new) = (speaker(before), speaker(after))
        if old.id == new.id { return users.rename(new, ref: connection.config.name).map { .emit($0) } }
        return disappear(before) + appear(nick, in: after.channels.sorted())
    }

    /// Those whom a netsplit took and did not bring back have left.
    mutating func endNetsplits(_ now: Instant) -> [RelayAction] {
        netsplit.givenUp(now: now).flatMap { disappear($0) }
    }
}
