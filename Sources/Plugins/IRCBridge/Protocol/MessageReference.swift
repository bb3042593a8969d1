/// How a server can be asked for what came after a message (IRCv3 chathistory): by its id, its time, or either.
struct MessageReference: Equatable, Sendable {
    /// The kinds of references, as ISUPPORT `MSGREFTYPES` names them.
    enum Kind: String, Sendable {
        case id = "msgid"
        case time = "timestamp"
    }

    /// The longest id and the longest time, in bytes.
    static let mostID = 200, mostTime = 40

    var id: String?
    var time: String?

    /// That of a message; nil where it has neither.
    init?(_ message: IRCMessage) {
        id = message.tags["msgid"].flatMap { Self.isWord($0, Self.mostID) ? $0 : nil }
        time = message.tags["time"].flatMap { Self.canBeTime($0) ? $0 : nil }
        if id == nil, time == nil { return nil }
    }

    /// Reads ``text``; nil where it is none.
    init?(text: String) {
        for word in text.split(separator: " ") {
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { continue }
            switch Kind(rawValue: parts[0]) {
            case .id: if Self.isWord(parts[1], Self.mostID) { id = parts[1] }
            case .time: if Self.canBeTime(parts[1]) { time = parts[1] }
            case nil: break
            }
        }
        if id == nil, time == nil { return nil }
    }

    /// What of it a request carries.
    func selector(_ kind: Kind) -> String? {
        (kind == .id ? id : time).map { "\(kind.rawValue)=\($0)" }
    }

    /// A reference by time to the moment before the message; nil where its time is none that can be computed with.
    ///
    /// A time has milliseconds, and in one of them much can be said: what came after the message in the same one is
    /// found from the one before only.
    var momentBefore: MessageReference? {
        guard let time, let before = Self.millisecondBefore(time) else { return nil }
        return MessageReference(text: "\(Kind.time.rawValue)=\(before)")
    }

    /// The time one millisecond earlier.
    static func millisecondBefore(_ time: String) -> String? {
        guard let seconds = Playback.seconds(time), seconds >= 1 else { return nil }
        // Finer times are cut, as servers do.
        let milliseconds = Int((seconds * 1000 + 0.01).rounded(.down)) - 1
        let (days, ofDay) = (milliseconds / 86_400_000, milliseconds % 86_400_000)
        // The Gregorian calendar, whose year begins in March here so that a leap day is its last one.
        let shifted = days + 719_468
        let era = shifted / 146_097
        let ofEra = shifted % 146_097
        let yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * ofYear + 2) / 153
        let day = ofYear - (153 * month + 2) / 5 + 1
        let civilMonth = month < 10 ? month + 3 : month - 9
        let year = yearOfEra + era * 400 + (civilMonth <= 2 ? 1 : 0)
        func digits(_ number: Int, _ count: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
        }
        let (hour, minute) = (ofDay / 3_600_000, ofDay / 60_000 % 60)
        return "\(digits(year, 4))-\(digits(civilMonth, 2))-\(digits(day, 2))T\(digits(hour, 2)):\(digits(minute, 2))"
            + ":\(digits(ofDay / 1000 % 60, 2)).\(digits(ofDay % 1000, 3))Z"
    }

    /// All of it, as it is kept.
    var text: String { [selector(.id), selector(.time)].compactMap(\.self).joined(separator: " ") }

    /// The kinds that a server takes, the best first: an id tells messages of the same moment apart.
    /// - Parameter told: What the server says; where it says nothing it takes both.
    static func kinds(_ told: [String]) -> [Kind] {
        let known = [Kind.id, .time].filter { told.contains($0.rawValue) }
        return known.isEmpty ? [.id, .time] : known
    }

    /// Whether a text is a time as servers tell it: `2026-01-31T23:59:59.123Z` (IRCv3 server-time). One that no
    /// calendar has is none.
    static func isTime(_ text: String) -> Bool { Playback.seconds(text) != nil }

    /// Whether a text can be told to a server as a time. What a server has made of it is its own affair, but one that
    /// looks like a time is one.
    private static func canBeTime(_ text: String) -> Bool {
        guard isWord(text, mostTime) else { return false }
        let bytes = Array(text.utf8)
        return bytes.count < 20 || bytes[4] != 0x2D || bytes[10] != 0x54 || isTime(text)
    }

    private static func isWord(_ text: String, _ most: Int) -> Bool {
        !text.isEmpty && text.utf8.count <= most && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }
    }
}
