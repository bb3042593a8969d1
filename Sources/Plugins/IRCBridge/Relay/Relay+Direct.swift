import PluginKit

// Commands that people on IRC send to the bridge in private.
extension Relay {
    /// Answers at once after a rest, and a second in the long run; what is over that is not answered.
    /// Names in one answer.
    static let mostNames = 30

    private static let help = "!who: who spoke in the chat lately; !status: the bridge's status; !help: this"

    /// Answers a message to the client itself; other than commands nothing is answered.
    mutating func direct(_ source: IRCSource, _ text: String, _ now: Instant) -> [RelayAction] {
        let word = IRCText.plain(text).split(separator: " ").first?.lowercased()
        guard let word, ["!help", "!who", "!status"].contains(word), IRCSource.isName(source.nick),
            connection.directBucket.take(now: now)
        else { return [] }
        let answers: [String]
        switch word {
        case "!who": answers = who(source.nick)
        case "!status": answers = [status(now)]
        default: answers = [Self.help]
        }
        var actions: [RelayAction] = []
        for answer in answers {
            guard connection.bucket.take(now: now) else { break }
            let head = "NOTICE \(source.nick) :"
            let budget = connection.lines.longest - (connection.mask.utf8.count + 2) - head.utf8.count
            actions.append(.send(head + (MessageSplitter.split(answer, budget: budget).first ?? "")))
        }
        return actions
    }

    /// Who spoke lately in the chat's channels that are linked to one where the asker is.
    private func who(_ nick: String) -> [String] {
        let seen = connection.links.filter { $0.direction != .toChat && roster.contains(nick, in: fold($0.target)) }
        if seen.isEmpty { return ["you are in no channel that shows one of the chat"] }
        return seen.prefix(ConnectionState.directBurst).map { link in
            let names = recent.speakers(link.channel).prefix(Self.mostNames).map {
                RelayFormat.short($0, without: RelayFormat.speakerSigns.adding(","))
            }
            return "\(link.target): " + (names.isEmpty ? "nobody spoke lately" : names.joined(separator: ", "))
        }
    }

    private func status(_ now: Instant) -> String {
        guard case .registered(let since) = connection.phase else { return "not connected" }
        let joined = connection.memberships.values.filter(\.isJoined).count
        let minutes = Int((now - since) / 60)
        let users = connection.config.puppets == nil ? "" : "\(puppets.ready.count) users' connections, "
        let lag = connection.figures.lag.map { "lag \($0) ms, " } ?? ""
        return "connected for \(minutes) min, \(lag)in \(joined) of \(connection.memberships.count) channels, \(users)"
            + "\(connection.outbound.count) message\(connection.outbound.count == 1 ? "" : "s") waiting or unconfirmed"
    }
}
