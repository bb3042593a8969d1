import Basics
import PluginKit

/// Tells what was said before the client joined, and is only repeated, from what is said now, where no batch says so.
///
/// Servers and bouncers mark what they repeat by its time (server-time), which is before that of the JOIN. ZNC does
/// so in words where the client knows no times: between `Buffer Playback...` and `Playback Complete.` of its own user.
struct Playback: Sendable {
    /// The longest that the end of a playback is waited for, in seconds by the own monotonic clock.
    static let longest = 60.0
    /// What the tokens of the questions begin with whose answers end a playback.
    private static let questionMark = "joined-"

    /// A channel that the client has joined.
    private struct Channel {
        /// When it did, by the server's clock, in seconds of Unix; nil where the server does not say so. The own clock
        /// says nothing: the server's may be behind it, and then what is said now would be taken for old.
        var joinedAt: Double?
        /// Whether the playback that follows a JOIN may still come.
        var isOpen: Bool
        /// When that is over in any case.
        var end: Instant
        /// The question that was written behind the JOIN; nil: none was.
        var question: Int?
        /// Until when what comes is a bouncer's playback in words.
        var playingUntil: Instant?
        /// Messages of a playback that did not come into the chat.
        var dropped = 0
    }

    /// By the folded name.
    private var channels: [String: Channel] = [:]
    private var lastQuestion = 0
    /// The question that the server has not answered.
    private var openQuestion: Int?
    /// Since when nothing is read, so that what came in time is seen late.
    private var pausedAt: Instant?
    /// The latest time of a message of each channel that was relayed, and when the last one came. It stays when the
    /// connection is lost.
    private var lastHeard: [String: (time: Double, at: Instant)] = [:]
    /// The time after which what a bouncer repeats is new: that of the last message before the JOIN.
    private var missedSince: [String: Double] = [:]

    /// The client has joined.
    /// - Parameter reference: The last message of the channel that the chat has.
    mutating func joined(_ target: String, _ message: IRCMessage, after reference: String? = nil, now: Instant) {
        let joinedAt = Self.time(message)
        channels[target] = Channel(joinedAt: joinedAt, isOpen: joinedAt != nil, end: now + Self.longest)
        var stored = reference.flatMap { MessageReference(text: $0)?.time }.flatMap { Self.seconds($0) }
        var heard = lastHeard[target]?.time
        if let joinedAt, let last = lastHeard[target], last.time > joinedAt {
            // The server's clock has been set back since, so that the own one has to say how long ago that was.
            heard = joinedAt - (now - last.at)
            if let time = stored, time > joinedAt { stored = nil }
        }
        missedSince[target] = [stored, heard].compactMap(\.self).max()
    }

    /// The token of a question that ends the playbacks of all channels joined so far by its answer; nil where none is
    /// to be asked now. What a server repeats comes together with its JOIN, so before the answer to a later question.
    mutating func ask() -> String? {
        let waiting = channels.filter { $0.value.isOpen && $0.value.question == nil }.keys
        guard openQuestion == nil, !waiting.isEmpty else { return nil }
        lastQuestion += 1
        openQuestion = lastQuestion
        for target in waiting { channels[target]?.question = lastQuestion }
        return Self.questionMark + String(lastQuestion)
    }

    /// The server answers a question.
    /// - Returns: Whether it is one of these.
    mutating func answered(_ token: String) -> Bool {
        guard let question = openQuestion, token == Self.questionMark + String(question) else { return false }
        openQuestion = nil
        for (target, channel) in channels where channel.question == question { channels[target]?.isOpen = false }
        return true
    }

    /// Whether a token is that of such a question, also of one whose answer ended nothing.
    static func isQuestion(_ token: String) -> Bool { token.hasPrefix(questionMark) }

    /// Nothing is read for a while, or again.
    mutating func setListening(_ isOn: Bool, now: Instant) {
        guard isOn else { return pausedAt = pausedAt ?? now }
        guard let paused = pausedAt else { return }
        pausedAt = nil
        for target in channels.keys {
            channels[target]?.end += now - paused
            if let until = channels[target]?.playingUntil { channels[target]?.playingUntil = until + now - paused }
        }
    }

    /// A message was relayed.
    mutating func heard(_ message: IRCMessage, in target: String, now: Instant) {
        guard channels[target] != nil, let time = Self.time(message) else { return }
        lastHeard[target] = (max(time, lastHeard[target]?.time ?? time), now)
    }

    /// Whether a repeated message was said after the last one that was relayed before the JOIN.
    func isMissed(_ message: IRCMessage, _ target: String) -> Bool {
        guard let since = missedSince[target], let time = Self.time(message) else { return false }
        return time > since
    }

    /// The connection is lost.
    mutating func connectionLost() { (channels, openQuestion, pausedAt, missedSince) = ([:], nil, nil, [:]) }

    /// Whether a message was said before the client joined, or is a bouncer's word about such.
    ///
    /// A wall clock is no order: it can be set back, and each speaker's server may have another one. So a time counts
    /// only until the playback that follows the JOIN is over: with the first message that is not older than the JOIN,
    /// with the answer to a question that was written behind it, or after ``longest``.
    mutating func isOld(_ message: IRCMessage, _ target: String, now: Instant) -> Bool {
        guard let channel = channels[target] else { return false }
        if let source = message.source, source.hasPrefix("***!"), source.hasSuffix("@znc.in"),
            let text = message.params.last
        {
            // It may speak another language, so that what is not the first of two lines is the last one.
            let isEnd = channel.playingUntil != nil || text.hasPrefix("Playback Complete")
            channels[target]?.playingUntil = isEnd ? nil : now + Self.longest
            return true
        }
        if let end = channel.playingUntil {
            if now < end { return true }
            channels[target]?.playingUntil = nil
        }
        guard channel.isOpen, let joined = channel.joinedAt, let time = Self.time(message) else { return false }
        if time < joined, now < channel.end { return true }
        channels[target]?.isOpen = false
        return false
    }

    /// A message of a playback does not come into the chat.
    mutating func dropped(_ target: String) { channels[target]?.dropped += 1 }

    /// When ``takeDropped(now:)`` has something.
    var due: Instant? {
        guard pausedAt == nil else { return nil }
        return channels.values.lazy.filter { $0.dropped > 0 }.map { $0.playingUntil ?? ($0.isOpen ? $0.end : 0) }.min()
    }

    /// The channels, by their folded names, whose playback is over, and how many of its messages were dropped.
    mutating func takeDropped(now: Instant) -> [(target: String, count: Int)] {
        guard let due, due <= now else { return [] }
        var found: [(target: String, count: Int)] = []
        for (target, channel) in channels.sorted(by: { $0.key < $1.key }) where channel.dropped > 0 {
            guard channel.playingUntil ?? (channel.isOpen ? channel.end : 0) <= now else { continue }
            found.append((target, channel.dropped))
            channels[target]?.dropped = 0
            channels[target]?.playingUntil = nil
            channels[target]?.isOpen = false
        }
        return found
    }

    private static func time(_ message: IRCMessage) -> Double? {
        message.tags["time"].flatMap { Self.seconds($0) }
    }

    /// The seconds of Unix of a time as `2011-10-19T16:40:51.620Z`, from 1970 on; nil where it is none.
    static func seconds(_ text: String) -> Double? {
        let bytes = Array(text.utf8)
        // Without a fraction, or with one to nine digits of it.
        guard bytes.count == 20 || (22...30).contains(bytes.count), let whole = Timestamp.parse(text) else {
            return nil
        }
        let digits = bytes.dropFirst(20).dropLast()
        return Double(whole) + digits.reversed().reduce(0.0) { ($0 + Double($1 - 0x30)) / 10 }
    }
}
