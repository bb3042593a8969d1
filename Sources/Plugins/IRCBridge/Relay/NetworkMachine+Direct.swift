import PluginKit

// What people on IRC ask the bridge in private.
extension NetworkMachine {
    /// Answers at once after a rest, and a second in the long run; what is over that is not answered.
    static let directBurst = 3, directRate = 0.2
    /// Names in one answer.
    static let mostNames = 30

    private static let help = "!who: who spoke in the chat lately; !status: how the bridge is; !help: this"

    /// Answers a message to the client itself; other than commands nothing is answered.
    mutating func direct(_ source: IRCSource, _ text: String, _ now: Instant) -> [NetworkAction] {
        let word = IRCText.plain(text).split(separator: " ").first?.lowercased()
        guard let word, ["!help", "!who", "!status"].contains(word), IRCSource.isName(source.nick),
            directBucket.take(now: now)
        else { return [] }
        let answers: [String]
        switch word {
        case "!who": answers = who(source.nick)
        case "!status": answers = [status(now)]
        default: answers = [Self.help]
        }
        var actions: [NetworkAction] = []
        for answer in answers {
            guard bucket.take(now: now) else { break }
            let head = "NOTICE \(source.nick) :"
            let budget = lines.longest - (mask.utf8.count + 2) - head.utf8.count
            actions.append(.send(head + (MessageSplitter.split(answer, budget: budget).first ?? "")))
        }
        return actions
    }

    /// Who spoke lately in the chat's channels that are linked to one where the asker is.
    private func who(_ nick: String) -> [String] {
        let seen = links.filter { $0.direction != .toChat && roster.contains(nick, in: fold($0.target)) }
        if seen.isEmpty { return ["you are in no channel that shows one of the chat"] }
        return seen.prefix(Self.directBurst).map { link in
            let names = recent.speakers(link.channel).prefix(Self.mostNames).map {
                RelayFormat.short($0, without: RelayFormat.speakerSigns.adding(","))
            }
            return "\(link.target): " + (names.isEmpty ? "nobody spoke lately" : names.joined(separator: ", "))
        }
    }

    private func status(_ now: Instant) -> String {
        guard case .registered(let since) = phase else { return "not connected" }
        let joined = memberships.values.filter(\.isJoined).count
        let minutes = Int((now - since) / 60)
        let users = config.puppets == nil ? "" : "\(puppets.ready.count) users' connections, "
        let lag = figures.lag.map { "lag \($0) ms, " } ?? ""
        return "connected for \(minutes) min, \(lag)in \(joined) of \(memberships.count) channels, \(users)"
            + "\(ledger.count) message\(ledger.count == 1 ? "" : "s") waiting or unconfirmed"
    }
}
