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

    /// How far apart lines are said again of which the server has dropped some, in seconds: at first, and where it goes
    /// on to.
    static let firstPause = 4.0, longestPause = 60.0

    /// Until when nothing is said.
    private(set) var until: Instant?
    /// Since when it refuses.
    private var since: Instant?
    private(set) var tries = 0
    /// Whether the server drops what comes too fast.
    private(set) var isThrottled = false
    /// How far apart lines are then that are said again, in seconds.
    private var pause = Self.firstPause
    /// How the server put the last refusal; nil: it refuses nothing.
    private(set) var words: String?

    /// Whether to write nothing now.
    func isHeld(_ now: Instant) -> Bool { until.map { now < $0 } == true }

    /// The channel refuses what was said.
    /// - Parameters:
    ///   - words: How the server puts it.
    ///   - joinedAt: When the client joined.
    ///   - registeredAt: When the client was registered.
    ///   - patience: Until when no refusal is final for another reason; nil: there is none.
    /// - Returns: Whether to retry at ``until``; else the refusal is final.
    mutating func refused(
        _ words: String, joinedAt: Instant, registeredAt: Instant, patience: Instant? = nil, now: Instant
    ) -> Bool {
        // The answers to lines that were written together are one.
        if isHeld(now) { return true }
        let first = since ?? now
        let wait = NamedWait(words)
        let deadline = max(wait == nil ? joinedAt + Self.patience : first + Self.longest, patience ?? joinedAt)
        guard now < deadline else { return false }
        var next = now + Self.waits[min(tries, Self.waits.count - 1)]
        if let wait {
            let from =
                switch wait.origin {
                case .answer: now
                case .join: joinedAt
                case .registration: registeredAt
                }
            next = max(next, from + wait.seconds + 0.5)
            guard next <= deadline else { return false }
        }
        (since, until) = (first, min(next, deadline))
        self.words = words
        tries += 1
        return true
    }

    /// The server drops what is said there because it comes too fast.
    /// - Parameters:
    ///   - seconds: How long to wait, where the server says so.
    ///   - isAgain: Whether what it has dropped was said again already.
    /// - Returns: Whether that is news, as the answers to lines that were written together are one; nil: the server
    ///   wants more time than is waited.
    mutating func throttled(_ words: String, seconds: Double?, isAgain: Bool, now: Instant) -> Bool? {
        let isNews = !isThrottled || isAgain || !isHeld(now)
        if let seconds {
            let (first, wait) = (since ?? now, seconds + 0.5)
            guard now + wait <= first + Self.longest else { return nil }
            since = first
            pause = isThrottled ? max(pause, wait) : wait
            until = max(until ?? 0, now + wait)
        } else {
            if isNews, isAgain { pause = min(pause * 2, Self.longestPause) }
            until = max(until ?? 0, now + pause)
        }
        (isThrottled, self.words) = (true, words)
        if isNews { tries += 1 }
        return isNews
    }

    /// Something is said again there: what is said again next comes after a pause.
    mutating func saidAgain(now: Instant) {
        if isThrottled { until = now + pause }
    }

    /// Something of the channel has changed: it is tried at once, unless it was for too much at once.
    mutating func changed() {
        if !isThrottled { until = nil }
    }

    /// The channel has taken something.
    /// - Parameter hasMore: Whether more waits that is said again.
    mutating func taken(hasMore: Bool) {
        guard isThrottled, hasMore else { return self = Settling() }
        since = nil
    }
}
