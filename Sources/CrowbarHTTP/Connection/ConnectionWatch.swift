/// What a connection is doing, and whether it takes too long over it: a value without I/O.
struct ConnectionWatch: Sendable {
    /// What is to be done about a connection.
    enum Verdict: Equatable, Sendable {
        case fine
        /// No request came in time.
        case closeIdle
        /// A body comes too slowly: the route is told, so that it can answer.
        case refuseBody
        /// The refusal of a body was not read either.
        case closeSlowBody
        /// The caller does not read what it is sent.
        case closeUnread
        /// The server shuts down and the body is not complete: the route is told, so that it can answer.
        case refuseBodyAtShutdown
        /// The server shuts down and has waited long enough for the answer to be read.
        case closeAtShutdown
    }

    private let times: ListenerRules.Times
    /// Requests that are not answered to the end.
    private var open = 0
    private var waitingSince: Int64
    private var isNew = true
    private var body: BodyPace?
    private var refusedAt: Int64?
    private var reader: ReadPace?
    /// When the shutdown of the server began.
    private var shutdownAt: Int64?

    init(_ times: ListenerRules.Times, now: Int64) {
        self.times = times
        waitingSince = now
    }

    /// Whether it waits for a request.
    var isIdle: Bool { open == 0 && body == nil }

    /// Whether the server shuts down and no further answer follows the one that is being written.
    var isLastAnswer: Bool { shutdownAt != nil && open == 1 }

    /// Whether a body is on its way.
    var isReceiving: Bool { body != nil }

    mutating func receiveHead(now: Int64) {
        open += 1
        isNew = false
        body = BodyPace(times, now: now)
    }

    mutating func receiveBody(_ count: Int) { body?.receive(count) }

    mutating func receiveEnd(now: Int64) {
        body = nil
        waitingSince = now
    }

    mutating func answered(now: Int64) {
        open = max(0, open - 1)
        waitingSince = now
    }

    /// Notes whether more can be written.
    mutating func changeWritability(_ isWritable: Bool, pending: Int, now: Int64) {
        reader = isWritable ? nil : reader ?? ReadPace(times, pending: pending, now: now)
    }

    /// Notes that the server shuts down: what is under way has a deadline now.
    mutating func shutDown(now: Int64) { shutdownAt = shutdownAt ?? now }

    /// After how many milliseconds it is worth looking again; nil: not before something happens.
    func nextCheck(now: Int64) -> Int64? {
        if body != nil || reader != nil || shutdownAt != nil { return times.tick }
        guard isIdle else { return nil }
        return max(1, waitingSince + (isNew ? times.head : times.idle) - now)
    }

    /// Looks at the connection.
    /// - Parameters:
    ///   - pending: Bytes that wait to be sent.
    ///   - isWanted: Whether the server waits for more of a body.
    mutating func check(now: Int64, pending: Int, isWanted: Bool) -> Verdict {
        if let shutdownAt {
            if now - shutdownAt >= times.shutdown { return .closeAtShutdown }
            if body != nil, refusedAt == nil, now - shutdownAt >= times.shutdownBody {
                refusedAt = now
                return .refuseBodyAtShutdown
            }
        }
        if reader?.isTooSlow(pending: pending, at: now) == true { return .closeUnread }
        if let refusedAt {
            return now - refusedAt >= times.write ? .closeSlowBody : .fine
        }
        if body?.isTooSlow(now: now, isWanted: isWanted) == true {
            refusedAt = now
            return .refuseBody
        }
        if isIdle, now - waitingSince >= (isNew ? times.head : times.idle) { return .closeIdle }
        return .fine
    }
}
