import PluginKit

/// Tells what was said before the client joined, and is only repeated, from what is said now, where no batch says so.
///
/// Servers and bouncers mark what they repeat by its time (server-time), which is before that of the JOIN. ZNC does
/// so in words where the client knows no times: between `Buffer Playback...` and `Playback Complete.` of its own user.
struct Playback: Sendable {
    /// The longest that the end of a bouncer's playback is waited for, in seconds.
    static let longest = 60.0

    /// The channels that the client has joined, folded.
    private var joined: Set<String> = []
    /// When it did, by the server's clock, in seconds of Unix, where the server says so. The own clock says nothing:
    /// the server's may be behind it, and then what is said now would be taken for old.
    private var joins: [String: Double] = [:]
    /// Until when what comes to a channel is a bouncer's playback.
    private var playing: [String: Instant] = [:]
    /// The time of the last message of each channel that was relayed. It stays when the connection is lost.
    private var lastHeard: [String: Double] = [:]
    /// The time after which what a bouncer repeats is new: that of the last message before the JOIN.
    private var missedSince: [String: Double] = [:]

    /// The client has joined.
    /// - Parameter reference: The last message of the channel that the chat has.
    mutating func joined(_ target: String, _ message: IRCMessage, after reference: String? = nil) {
        joined.insert(target)
        joins[target] = Self.time(message)
        let stored = reference.flatMap { MessageReference(text: $0)?.time }.flatMap { Self.seconds($0) }
        missedSince[target] = [stored, lastHeard[target]].compactMap(\.self).max()
    }

    /// A message was relayed.
    mutating func heard(_ message: IRCMessage, in target: String) {
        guard joined.contains(target), let time = Self.time(message) else { return }
        lastHeard[target] = max(time, lastHeard[target] ?? time)
    }

    /// Whether a repeated message was said after the last one that was relayed before the JOIN.
    func isMissed(_ message: IRCMessage, _ target: String) -> Bool {
        guard let since = missedSince[target], let time = Self.time(message) else { return false }
        return time > since
    }

    /// The connection is lost.
    mutating func connectionLost() { (joined, joins, playing, missedSince) = ([], [:], [:], [:]) }

    /// Whether a message was said before the client joined, or is a bouncer's word about such.
    mutating func isOld(_ message: IRCMessage, _ target: String, now: Instant) -> Bool {
        if let source = message.source, source.hasPrefix("***!"), source.hasSuffix("@znc.in"),
            let text = message.params.last, joined.contains(target)
        {
            // It may speak another language, so that what is not the first of two lines is the last one.
            let isEnd = playing[target] != nil || text.hasPrefix("Playback Complete")
            playing[target] = isEnd ? nil : now + Self.longest
            return true
        }
        if let end = playing[target] {
            if now < end { return true }
            playing[target] = nil
        }
        guard let joined = joins[target], let time = Self.time(message) else { return false }
        return time < joined
    }

    private static func time(_ message: IRCMessage) -> Double? {
        message.tags["time"].flatMap { Self.seconds($0) }
    }

    /// The seconds of Unix of a time as `2011-10-19T16:40:51.620Z`; nil where it is none.
    static func seconds(_ text: String) -> Double? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes.count <= MessageReference.mostTime, bytes.last == 0x5A,
            [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")].allSatisfy({ bytes[$0.0] == $0.1.utf8.first })
        else { return nil }
        func number(_ range: Range<Int>) -> Int? {
            guard bytes[range].allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            return Int(String(decoding: bytes[range], as: UTF8.self))
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
            let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61
        else { return nil }
        var fraction = 0.0
        if bytes.count > 20 {
            guard bytes[19] == 0x2E, bytes.count > 21, bytes.count <= 30, let digits = number(20..<(bytes.count - 1))
            else { return nil }
            fraction = (0..<(bytes.count - 21)).reduce(Double(digits)) { value, _ in value / 10 }
        }
        // Days since 1970 in the Gregorian calendar, whose year is taken to begin in March.
        let shifted = month > 2 ? year : year - 1
        let era = shifted / 400
        let ofEra = shifted - era * 400
        let ofYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let days = era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
        return Double(days * 86_400 + hour * 3600 + minute * 60 + second) + fraction
    }
}
