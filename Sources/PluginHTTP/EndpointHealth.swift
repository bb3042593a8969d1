import JSONBytes

/// Whether an endpoint is worth trying: one that only fails is paused, and probed now and then.
///
/// Times are milliseconds of one clock that outlives the process.
struct EndpointHealth: Equatable, Sendable {
    /// How long an endpoint may do nothing but fail.
    static let patience: Int64 = 5 * 24 * 60 * 60 * 1000
    /// Failures that this takes at least, so that two tries of a quiet endpoint are no proof.
    static let leastFailures = 10
    /// How many of the last tries are looked at.
    static let sample = 1000
    /// Failures among them from which an endpoint is paused.
    static let maxFailures = 950
    /// Between two probes.
    static let probeInterval: Int64 = 60 * 60 * 1000
    /// A time of failing that is shorter is not worth keeping over a restart.
    static let worthKeeping: Int64 = 60 * 60 * 1000

    /// Why an endpoint is paused.
    enum Reason: String, Sendable {
        case failedForDays = "days"
        case failedMostly = "share"
    }

    /// What it may be sent.
    enum Phase: Equatable, Sendable {
        case open
        /// Nothing until that time.
        case paused(Reason, until: Int64)
        /// One delivery, which decides.
        case probing(Reason)
    }

    /// What a try changed.
    enum Change: Equatable, Sendable { case paused, resumed }

    /// What it may be sent now.
    private(set) var phase = Phase.open
    /// When the first of the failures was that no success has followed.
    private(set) var failingSince: Int64?
    private var failuresInRow = 0
    private var outcomes = [UInt64](repeating: 0, count: (sample + 63) / 64)
    private var next = 0
    private var count = 0
    private var failures = 0

    /// An endpoint of which nothing is known.
    init() {}

    /// Whether nothing, or only a probe, may be sent.
    var isPaused: Bool { phase != .open }

    /// When a probe is due; nil: none is.
    var nextProbe: Int64? {
        if case .paused(_, let until) = phase { until } else { nil }
    }

    /// Notes how a try ended.
    mutating func note(isSuccess: Bool, now: Int64) -> Change? {
        if isSuccess {
            (failingSince, failuresInRow) = (nil, 0)
            if phase == .open {
                record(isFailure: false)
                return nil
            }
            self = EndpointHealth()
            return .resumed
        }
        switch phase {
        case .paused: return nil  // It was under way at the pause.
        case .probing(let reason):
            phase = .paused(reason, until: now + Self.probeInterval)
            return .paused
        case .open: break
        }
        record(isFailure: true)
        failuresInRow += 1
        let since = failingSince ?? now
        failingSince = since
        if now - since >= Self.patience, failuresInRow >= Self.leastFailures {
            phase = .paused(.failedForDays, until: now + Self.probeInterval)
        } else if count == Self.sample, failures >= Self.maxFailures {
            phase = .paused(.failedMostly, until: now + Self.probeInterval)
        } else {
            return nil
        }
        return .paused
    }

    /// Lets a probe through if its time has come.
    /// - Returns: Whether it has.
    mutating func wake(now: Int64) -> Bool {
        guard case .paused(let reason, let until) = phase, until <= now else { return false }
        phase = .probing(reason)
        return true
    }

    private mutating func record(isFailure: Bool) {
        let (word, bit) = (next / 64, UInt64(1) << UInt64(next % 64))
        if count == Self.sample {
            if outcomes[word] & bit != 0 { failures -= 1 }
        } else {
            count += 1
        }
        if isFailure {
            outcomes[word] |= bit
            failures += 1
        } else {
            outcomes[word] &= ~bit
        }
        next = (next + 1) % Self.sample
    }

    // MARK: Over a restart

    /// What of it is kept; nil: nothing is worth it. The last tries are not.
    func kept(now: Int64) -> JSON? {
        guard let since = failingSince, isPaused || now - since >= Self.worthKeeping else { return nil }
        var members = [JSON.Member("since", .int(since)), .init("failures", .int(Int64(failuresInRow)))]
        switch phase {
        case .open: break
        case .paused(let reason, let until):
            members += [.init("paused", .string(reason.rawValue)), .init("probe", .int(until))]
        case .probing(let reason):
            members += [.init("paused", .string(reason.rawValue)), .init("probe", .int(now))]
        }
        return .object(members)
    }

    /// Takes up what was kept; nothing where it is not understood.
    init(kept json: JSON, now: Int64) {
        guard let since = json["since"]?.int, since >= 0, since <= now else { return }
        failingSince = since
        failuresInRow = Int(clamping: max(1, json["failures"]?.int ?? 1))
        if let reason = json["paused"]?.string.flatMap(Reason.init) {
            // A probe is never further off than usual, whatever became of the clock.
            let probe = min(json["probe"]?.int ?? now, now + Self.probeInterval)
            phase = .paused(reason, until: probe)
        }
    }
}
