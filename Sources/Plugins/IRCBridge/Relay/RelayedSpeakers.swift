/// Who speaks through another bridge by RELAYMSG (IRCv3 draft/relaymsg): under a nick of their own, without being in
/// the channel, so that the server never says that they leave it.
struct RelayedSpeakers: Equatable, Sendable {
    /// How long after their last word they stay members of the chat's channel, in seconds.
    static let patience = 600.0
    /// The most of them; the one silent for longest leaves before another one comes.
    static let most = 1000

    /// Somebody in a channel on IRC.
    struct Speaker: Hashable, Sendable {
        /// The id in the chat.
        var id: String
        /// The channel, folded.
        var target: String
    }

    private struct Entry: Equatable {
        /// The nick of the bridge that relays them, folded.
        var relayer: String
        var heard: Instant
    }

    private var entries: [Speaker: Entry] = [:]
    private var nextCheck: Instant?

    /// Somebody was heard.
    /// - Parameter relayer: The nick of the bridge that relays them, folded.
    /// - Returns: Those who leave for it.
    mutating func heard(_ speaker: Speaker, by relayer: String, now: Instant) -> [Speaker] {
        entries[speaker] = Entry(relayer: relayer, heard: now)
        nextCheck = nextCheck ?? now + Self.patience
        guard entries.count > Self.most, let oldest = entries.min(by: { $0.value.heard < $1.value.heard })?.key else {
            return []
        }
        entries[oldest] = nil
        return [oldest]
    }

    /// Whether somebody is there by a channel on IRC.
    func contains(_ speaker: Speaker) -> Bool { entries[speaker] != nil }

    /// The ids of those in a channel on IRC.
    func ids(in target: String) -> [String] { entries.keys.filter { $0.target == target }.map(\.id) }

    /// When ``silent(now:)`` is due.
    var due: Instant? { nextCheck }

    /// Takes out those who have said nothing for long.
    mutating func silent(now: Instant) -> [Speaker] {
        guard let due, now >= due else { return [] }
        let gone = remove { $1.heard + Self.patience <= now }
        nextCheck = entries.values.map { $0.heard + Self.patience }.min()
        return gone
    }

    /// Takes out those who are relayed by a bridge that is gone.
    /// - Parameters:
    ///   - relayer: Its nick, folded.
    ///   - target: The channel that it has left, folded; nil: all.
    mutating func relayerLeft(_ relayer: String, from target: String?) -> [Speaker] {
        remove { $1.relayer == relayer && (target == nil || target == $0.target) }
    }

    /// A bridge has another nick. Both are folded.
    mutating func relayerRenamed(_ old: String, _ new: String) {
        for (speaker, entry) in entries where entry.relayer == old { entries[speaker]?.relayer = new }
    }

    private mutating func remove(where isGone: (Speaker, Entry) -> Bool) -> [Speaker] {
        let gone = entries.filter(isGone).keys.sorted { ($0.target, $0.id) < ($1.target, $1.id) }
        for speaker in gone { entries[speaker] = nil }
        return gone
    }
}
