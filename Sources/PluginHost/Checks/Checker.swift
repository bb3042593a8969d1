import CrowbarCore
import CrowbarMetrics

/// One plugin of the command phase as far as questions to it are concerned: a pure value.
struct Checker {
    enum Limit {
        /// Questions to one plugin that may be open.
        static let inFlight = 32
    }

    /// What has come of the questions to it since the server began.
    struct Tally: Equatable {
        var asked: Int64 = 0
        var allowed: Int64 = 0
        var changed: Int64 = 0
        var refused: Int64 = 0
        /// Asked, and not answered or by nonsense; or not asked because it could not be.
        var failed: Int64 = 0
    }

    /// Whether its process can be asked.
    enum Presence: Equatable {
        case absent
        case present
    }

    /// Whether it can be asked now.
    enum Admission: Equatable {
        case ask(isTrial: Bool)
        case no(CheckChain.Failure)
    }

    let name: String
    private(set) var priority: Int64 = 0
    private(set) var onFailure = Manifest.OnFailure.allow
    private var types: Set<CommandType>?
    private var channels: [String]?
    private var isPrivate = false
    private var breaker = Breaker()
    private var inFlight = 0
    private(set) var tally = Tally()
    /// How long it took to answer, or to fail to.
    let durations = Histogram()
    var presence = Presence.absent {
        didSet {
            // A process of its own begins with a name of its own.
            if presence == .present { breaker = Breaker() }
        }
    }

    init(_ manifest: Manifest) {
        name = manifest.name
        take(manifest)
    }

    /// Goes on by another manifest.
    mutating func take(_ manifest: Manifest) {
        priority = manifest.priority
        onFailure = manifest.onFailure
        types = manifest.commandTypes.map(Set.init)
        channels = manifest.channels
        isPrivate = manifest.isPrivate
    }

    /// Whether it is to be asked about a command. Commands without a channel are not excluded by `channels`.
    func wants(_ submission: Submission) -> Bool {
        if submission.origin?.plugin == name { return false }
        let command = submission.command
        if let types, !types.contains(command.type) { return false }
        guard command.type.hasChannel else { return true }
        if submission.isPrivate { return isPrivate && (channels?.contains(command.channelId) ?? true) }
        guard let channels else { return true }
        return channels.contains { QueueFilter.matches(command.channelId, $0) }
    }

    /// Whether it comes before another.
    func isBefore(_ other: Checker) -> Bool { (priority, name) < (other.priority, other.name) }

    /// Whether it is left in peace because it failed too often.
    func isResting(now: Int64) -> Bool { breaker.isOpen(now: now) }

    /// Whether it failed too often and has not answered since.
    var isTripped: Bool { breaker.isTripped }

    /// Says whether a question can be asked now, and counts on it where it can.
    mutating func admit(now: Int64) -> Admission {
        if presence == .absent { return refuse(.absent) }
        if inFlight >= Limit.inFlight { return refuse(.busy) }
        guard case .ask(let isTrial) = breaker.admit(now: now) else { return refuse(.breaker) }
        inFlight += 1
        tally.asked += 1
        return .ask(isTrial: isTrial)
    }

    private mutating func refuse(_ why: CheckChain.Failure) -> Admission {
        tally.failed += 1
        return .no(why)
    }

    /// An open question is over.
    mutating func settle() { inFlight -= 1 }

    /// Counts what came of a question that was asked.
    /// - Returns: Whether it is left in peace from now on, or asked again.
    mutating func note(_ outcome: CheckChain.Outcome, isTrial: Bool, now: Int64) -> Breaker.Change? {
        switch outcome {
        case .allowed: tally.allowed += 1
        case .changed: tally.changed += 1
        case .refused: tally.refused += 1
        case .failed:
            tally.failed += 1
            return breaker.failed(now: now)
        }
        return breaker.succeeded(isTrial: isTrial)
    }
}
