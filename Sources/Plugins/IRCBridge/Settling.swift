/// How long a channel may refuse what is said for now. Soon after a JOIN that is often so: the channel lets nobody
/// speak in their first seconds (InspIRCd's `+d`), or is moderated and the services have not given the client its
/// voice yet.
struct Settling: Equatable, Sendable {
    /// How long after the JOIN a refusal is not final, in seconds.
    static let patience = 30.0
    /// How long after the first refusal one is not final that names a time to wait, in seconds.
    static let longest = 300.0
    /// The waits between tries, the last one again and again, in seconds.
    static let waits = [2.0, 4, 6]

    /// Until when nothing is said.
    private(set) var until: Instant?
    /// Since when it refuses.
    private var since: Instant?
    private(set) var tries = 0
    /// How the server put the last refusal; nil: it refuses nothing.
    private(set) var words: String?

    /// Whether nothing is to be said now.
    func isHeld(_ now: Instant) -> Bool { until.map { now < $0 } == true }

    /// The channel refuses what was said.
    /// - Parameters:
    ///   - words: How the server puts it.
    ///   - joinedAt: When the client joined.
    ///   - patience: Until when no refusal is final for another reason; nil: there is none.
    /// - Returns: Whether it is to be said again at ``until``; else the refusal is final.
    mutating func refused(_ words: String, joinedAt: Instant, patience: Instant? = nil, now: Instant) -> Bool {
        // The answers to lines that were written together are one.
        if isHeld(now) { return true }
        let first = since ?? now
        let seconds = Remedy.seconds(words)
        let deadline = max(
            seconds == nil ? joinedAt + Self.patience : first + Self.longest, patience ?? joinedAt)
        guard now < deadline else { return false }
        var next = now + Self.waits[min(tries, Self.waits.count - 1)]
        if let seconds {
            let isSinceJoin = words.lowercased().contains("join")
            next = max(next, (isSinceJoin ? joinedAt : now) + seconds + 0.5)
            guard next <= deadline else { return false }
        }
        (since, until) = (first, min(next, deadline))
        self.words = words
        tries += 1
        return true
    }

    /// Something of the channel has changed: it is tried at once.
    mutating func changed() { until = nil }

    /// The channel has taken something.
    mutating func taken() { self = Settling() }
}
