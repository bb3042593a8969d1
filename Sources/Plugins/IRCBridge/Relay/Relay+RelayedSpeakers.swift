// Those who speak through another bridge, in the chat.
extension Relay {
    /// The capability's name.
    static let relaying = "draft/relaymsg"

    /// Somebody has spoken who is not in the channel: those whom another bridge relays stay for a while, others leave.
    mutating func guestSpoke(
        _ message: IRCMessage, _ nick: String, _ account: String?, _ target: String, _ now: Instant
    ) -> [RelayAction] {
        let tag = message.tags["draft/relaymsg"] ?? message.tags["relaymsg"]
        guard let tag, connection.registration.enabled.contains(Self.relaying), !roster.contains(nick, in: target)
        else {
            return outsiderLeaves(nick, account, target)
        }
        let id = speaker(nick, account: account).id
        let relayer = connection.supports.casemapping.fold(tag)
        return leave(relayed.heard(RelayedSpeakers.Speaker(id: id, target: target), by: relayer, now: now))
    }

    /// Lets those leave who are silent.
    mutating func endRelayed(_ now: Instant) -> [RelayAction] { leave(relayed.silent(now: now)) }

    /// A line that says that somebody is gone or has another nick: it may be a bridge.
    mutating func relayerMoved(_ message: IRCMessage) -> [RelayAction] {
        let map = connection.supports.casemapping
        let source = map.fold(IRCSource(message.source ?? "").nick)
        switch message.verb {
        case "QUIT": return leave(relayed.relayerLeft(source, from: nil))
        case "PART":
            guard let target = message.params.first else { return [] }
            return leave(relayed.relayerLeft(source, from: fold(target)))
        case "KICK":
            guard message.params.count > 1 else { return [] }
            return leave(relayed.relayerLeft(map.fold(message.params[1]), from: fold(message.params[0])))
        case "NICK":
            if let new = message.params.first { relayed.relayerRenamed(source, map.fold(new)) }
            return []
        default: return []
        }
    }

    private mutating func leave(_ gone: [RelayedSpeakers.Speaker]) -> [RelayAction] {
        var actions: [RelayAction] = []
        for speaker in gone {
            for link in inbound(speaker.target) {
                let others = connection.links.filter { $0.channel == link.channel && $0.direction != .toIRC }
                let stays = others.map { fold($0.target) }.contains { target in
                    relayed.contains(RelayedSpeakers.Speaker(id: speaker.id, target: target))
                        || roster.members(of: target).contains {
                            self.speaker($0.nick, account: $0.account).id == speaker.id
                        }
                }
                if !stays { actions += users.leave(speaker.id, link).map { .emit($0) } }
            }
        }
        return actions
    }
}
