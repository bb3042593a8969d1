/// Who is in the channels that the client is in, as the server tells it: only so do QUIT, NICK and ACCOUNT, which
/// name no channel, reach the right ones.
struct Roster: Equatable, Sendable {
    /// The most people held; those past it are not tracked, and so leave no channel of the chat by a QUIT.
    static let mostPeople = 100_000

    /// Somebody on the network.
    struct Person: Equatable, Sendable {
        /// The nick, as the person writes it.
        var nick: String
        /// The account with the network's services, where it is known.
        var account: String?
        /// The user name and the host, empty where the server has not told them.
        var user = ""
        var host = ""
        /// `nick!user@host`.
        var mask: String { "\(nick)!\(user)@\(host)" }
        /// The folded names of the channels that both are in.
        var channels: Set<String> = []
    }

    /// How nicks are compared.
    var casemapping = Casemapping.rfc1459
    private var people: [String: Person] = [:]
    private var channels: [String: Set<String>] = [:]
    private var accounts: [String: Set<String>] = [:]

    /// Somebody by their nick.
    func person(_ nick: String) -> Person? { people[casemapping.fold(nick)] }

    /// Whether somebody is in a channel, by its folded name.
    func contains(_ nick: String, in channel: String) -> Bool {
        channels[channel]?.contains(casemapping.fold(nick)) == true
    }

    /// Whether there may be people who are not tracked.
    var isFull: Bool { people.count >= Self.mostPeople }

    /// Those in a channel, by nick.
    func members(of channel: String) -> [Person] { (channels[channel] ?? []).sorted().compactMap { people[$0] } }

    /// Whether another nick of this account is in a channel.
    func contains(account: String, in channel: String) -> Bool {
        accounts[casemapping.fold(account)]?.contains { people[$0]?.channels.contains(channel) == true } == true
    }

    /// Somebody is in a channel.
    /// - Parameter account: Their account; nil where the server does not tell it.
    mutating func join(_ who: IRCSource, _ channel: String, account: String? = nil) {
        let key = casemapping.fold(who.nick)
        // No names of any length, and none that would be more than a word where they are written.
        guard IRCSource.isName(who.nick), who.user.utf8.count <= IRCSource.longestName,
            who.host.utf8.count <= IRCSource.longestName, people[key] != nil || people.count < Self.mostPeople
        else { return }
        people[key, default: Person(nick: who.nick)].channels.insert(channel)
        people[key]?.nick = who.nick
        if !who.host.isEmpty {
            people[key]?.user = who.user
            people[key]?.host = who.host
        }
        channels[channel, default: []].insert(key)
        if let account { _ = setAccount(who.nick, account) }
    }

    /// Somebody has left a channel.
    /// - Returns: Who; nil where they were not in it.
    mutating func leave(_ nick: String, _ channel: String) -> Person? {
        let key = casemapping.fold(nick)
        guard let person = people[key], channels[channel]?.remove(key) != nil else { return nil }
        people[key]?.channels.remove(channel)
        if people[key]?.channels.isEmpty == true { remove(key) }
        return person
    }

    /// Somebody has left the network.
    /// - Returns: Who, with the channels they were in.
    mutating func quit(_ nick: String) -> Person? {
        let key = casemapping.fold(nick)
        guard let person = people[key] else { return nil }
        for channel in person.channels { channels[channel]?.remove(key) }
        remove(key)
        return person
    }

    /// Somebody has another nick.
    /// - Returns: Who they were before.
    mutating func rename(_ old: String, to new: String) -> Person? {
        guard let before = quit(old) else { return nil }
        var who = IRCSource(before.mask)
        who.nick = new
        for channel in before.channels { join(who, channel, account: before.account) }
        return before
    }

    /// Somebody is shown with another user name and host (IRCv3 chghost).
    mutating func setHost(_ nick: String, user: String, host: String) {
        guard user.utf8.count <= IRCSource.longestName, host.utf8.count <= IRCSource.longestName else { return }
        let key = casemapping.fold(nick)
        people[key]?.user = user
        people[key]?.host = host
    }

    /// Somebody has logged in, or out where nil.
    /// - Returns: Who they were before, where that is something new.
    mutating func setAccount(_ nick: String, _ account: String?) -> Person? {
        let key = casemapping.fold(nick)
        let account = account.flatMap { $0.utf8.count <= IRCSource.longestName ? $0 : nil }
        guard let before = people[key], before.account != account else { return nil }
        dropAccount(key)
        people[key]?.account = account
        if let account { accounts[casemapping.fold(account), default: []].insert(key) }
        return before
    }

    /// A channel is known by another name, both folded.
    mutating func rename(channel old: String, to new: String) {
        for key in channels.removeValue(forKey: old) ?? [] {
            people[key]?.channels.remove(old)
            people[key]?.channels.insert(new)
            channels[new, default: []].insert(key)
        }
    }

    /// The client is in a channel no more.
    mutating func forget(channel: String) {
        for key in channels.removeValue(forKey: channel) ?? [] {
            people[key]?.channels.remove(channel)
            if people[key]?.channels.isEmpty == true { remove(key) }
        }
    }

    private mutating func remove(_ key: String) {
        dropAccount(key)
        people[key] = nil
    }

    private mutating func dropAccount(_ key: String) {
        guard let account = people[key]?.account.map({ casemapping.fold($0) }) else { return }
        accounts[account]?.remove(key)
        if accounts[account]?.isEmpty == true { accounts[account] = nil }
    }
}
