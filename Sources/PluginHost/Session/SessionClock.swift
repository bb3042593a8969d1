/// When a plugin's process is overdue with something: a pure value over a monotonic clock, in milliseconds.
///
/// Nothing is overdue by one look alone. A host that got no processor for half a minute finds all times past, and the
/// plugin's answers unread in the pipe; so what looks overdue is looked at again after ``SessionLimits/look``, in which
/// the host reads. Where the second look comes much later than asked for, the host was held up once more, and the
/// look starts again.
struct SessionClock {
    /// What a plugin can be overdue with.
    enum Overdue: Equatable {
        case ready
        /// Any byte at all.
        case silence
        case configured
        /// Taking anything of what waits for it.
        case reading
        /// A settlement in a queue.
        case queue(String)
    }

    /// What is watched besides `ready` and `configured`.
    struct Watch: Equatable {
        /// Whether it is sent pings and must therefore say something.
        var pings = false
        /// When it must have taken something of what waits for it.
        var reading: Int64?
        /// The deadlines of queues that hold something.
        var deadlines: [Deadline] = []

        struct Deadline: Equatable {
            var queue: String
            var time: Int64
        }
    }

    /// A second look that comes so many times later than asked for is none.
    private static let heldUp: Int64 = 4

    let limits: SessionLimits
    private var lastByte: Int64
    private var nextPing: Int64
    private var readyUntil: Int64?
    private var configuredUntil: Int64?
    private var suspicion: (what: Overdue, since: Int64)?

    /// The process has been sent `hello`.
    init(limits: SessionLimits, now: Int64) {
        self.limits = limits
        lastByte = now
        nextPing = Self.ping(after: now, limits)
        readyUntil = now + limits.ready
    }

    /// Something came from the plugin, or it could not have been heard until now.
    mutating func heard(now: Int64) { lastByte = now }

    /// It needs longer to get ready.
    mutating func extendReady(to time: Int64) { readyUntil = readyUntil.map { max($0, time) } }

    /// It said `ready`, and is to wait.
    mutating func hold() { readyUntil = nil }

    /// It is at work.
    mutating func begin(now: Int64) {
        readyUntil = nil
        lastByte = now
        nextPing = Self.ping(after: now, limits)
    }

    /// It was sent `config`.
    mutating func awaitConfigured(now: Int64) { configuredUntil = now + limits.ready }

    /// It answered that, or nobody waits for it any more.
    mutating func configured() { configuredUntil = nil }

    /// Says whether a ping is to be sent now, and counts on it.
    mutating func takePing(now: Int64) -> Bool {
        guard now >= nextPing else { return false }
        nextPing = Self.ping(after: now, limits)
        return true
    }

    private static func ping(after now: Int64, _ limits: SessionLimits) -> Int64 {
        let grid = max(1, min(1_000, limits.ping / 10))
        return (now + limits.ping) / grid * grid
    }

    /// What the plugin is overdue with for certain, or nil.
    mutating func judge(_ watch: Watch, now: Int64) -> Overdue? {
        guard let found = times(watch).first(where: { $0.time <= now })?.what else {
            suspicion = nil
            return nil
        }
        guard let known = suspicion, known.what == found, now - known.since <= Self.heldUp * limits.look else {
            suspicion = (found, now)
            return nil
        }
        guard now - known.since >= limits.look else { return nil }
        suspicion = nil
        return found
    }

    /// When ``judge(_:now:)`` or ``takePing(now:)`` is to be asked next though nothing happened; nil: never.
    func next(_ watch: Watch) -> Int64? {
        var next = watch.pings ? nextPing : nil
        for (_, time) in times(watch) {
            let time = suspicion.map { time <= $0.since ? $0.since + limits.look : time } ?? time
            next = min(next ?? time, time)
        }
        return next
    }

    private func times(_ watch: Watch) -> [(what: Overdue, time: Int64)] {
        var times: [(what: Overdue, time: Int64)] = []
        if let readyUntil { times.append((.ready, readyUntil)) }
        if let configuredUntil { times.append((.configured, configuredUntil)) }
        if watch.pings { times.append((.silence, lastByte + limits.silence)) }
        if let reading = watch.reading { times.append((.reading, reading)) }
        for deadline in watch.deadlines { times.append((.queue(deadline.queue), deadline.time)) }
        return times
    }
}
