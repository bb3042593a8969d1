import PluginWire

// What servers and bouncers repeat after a JOIN, without a batch that says so.
extension Relay {
    /// Notes that the client is in a channel, where a playback may follow.
    mutating func playbackFollows(_ target: String, _ message: IRCMessage, _ now: Instant) -> [RelayAction] {
        playback.joined(target, message, after: keptState.references[target], now: now)
        return inbound(target).isEmpty ? [] : askPlaybackEnd()
    }

    /// Asks where the playback ends. What a server repeats comes before its answer to what was written behind the JOIN;
    /// a bouncer answers by itself, so that it is not asked.
    private mutating func askPlaybackEnd() -> [RelayAction] {
        guard !connection.bouncer.isThere, let token = playback.ask() else { return [] }
        return [.send("PING :" + token)]
    }

    /// Handles the answer to such a question; nil for all others.
    /// - Parameter isServers: Whether the answer is the server's own.
    mutating func playbackAnswered(_ token: String, isServers: Bool) -> [RelayAction]? {
        guard Playback.isQuestion(token) else { return nil }
        guard isServers, playback.answered(token) else { return [] }
        return askPlaybackEnd()
    }

    /// Handles a message that was said before the client joined.
    mutating func relayOld(_ message: IRCMessage, _ target: String, _ now: Instant) -> [RelayAction] {
        let missed = relayMissed(message, target, now)
        let source = IRCSource(message.source ?? "")
        // A bouncer's own words, and what the bridge has said, are nothing that the chat misses.
        if missed.isEmpty, !isOurs(source.nick), !Bouncer.speaks(source) { playback.dropped(target) }
        return missed
    }

    /// Logs how much of playbacks that are over did not come into the chat.
    mutating func logPlayback(_ now: Instant) -> [RelayAction] {
        let dropped = playback.takeDropped(now: now)
        return dropped.flatMap { target, count in
            let name = connection.memberships[target]?.name ?? target
            let messages = count == 1 ? "1 message" : "\(count) messages"
            return log(
                "info",
                "\(name): \(messages) from before the bridge's JOIN came as a playback and did not go into the chat")
        }
    }

    /// Logs, once for a connection, that a message has the id of an earlier one. It is not brought into the chat, whose
    /// events are known by these ids.
    mutating func logSameID(_ message: IRCMessage, _ target: String) -> [RelayAction] {
        guard !hasToldSameID, let id = message.tags["msgid"] else { return [] }
        hasToldSameID = true
        let (name, nick) = (connection.memberships[target]?.name ?? target, IRCSource(message.source ?? "").nick)
        return log(
            "warning",
            "\(name): a message of \(nick) has the msgid '\(id)' of an earlier one, so it did not go into the chat; "
                + "the server must give each message an id of its own (logged once for a connection)")
    }
}
