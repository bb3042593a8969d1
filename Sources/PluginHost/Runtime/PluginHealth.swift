import JSONBytes
import PluginWire

/// How well a plugin or one of its queues does, in one word for people and for monitoring: a pure value.
///
/// The word is the worst of all that is known: what the host sees of the process, what the plugin says of itself,
/// its breaker, its retries and its dead letters.
struct PluginHealth: Equatable {
    /// The words, the better ones first.
    enum Level: String, Comparable {
        /// It is not meant to run.
        case off
        case ok
        /// It works, and something is to be looked at.
        case degraded
        /// It does not do what it is for.
        case down

        static func < (a: Level, b: Level) -> Bool { a.rank < b.rank }

        private var rank: Int {
            switch self {
            case .off: 0
            case .ok: 1
            case .degraded: 2
            case .down: 3
            }
        }

        init(_ level: PluginMessage.Level) {
            switch level {
            case .ok: self = .ok
            case .degraded: self = .degraded
            case .down: self = .down
            }
        }
    }

    /// Tries of one event from which its retries are more than a hitch.
    static let manyTries: Int64 = 3

    /// Queues whose reasons are among a plugin's.
    static let namedQueues = 5

    private(set) var level: Level
    /// Why it is not `ok`, the first thing first.
    private var reasons: [String] = []
    /// The same of queues, by name.
    private var queues: [String] = []
    /// Queues that are not well beside those.
    private var otherQueues = 0

    /// The reasons in a line; nil where there is none.
    var reason: String? {
        var all = reasons + queues
        if otherQueues > 0 { all.append(otherQueues == 1 ? "1 more queue" : "\(otherQueues) more queues") }
        return all.isEmpty ? nil : all.joined(separator: "; ")
    }

    /// Judges by the state of the plugin alone.
    /// - Parameter reason: Why it is in that state, where that is not plain.
    init(_ state: Course.State, reason: String?) {
        switch state {
        case .live, .catchingUp:
            // What keeps a changed manifest from being followed.
            (level, reasons) = (reason == nil ? .ok : .degraded, reason.map { [$0] } ?? [])
        case .starting: (level, reasons) = (.degraded, [reason ?? "it is not ready yet"])
        case .draining: (level, reasons) = (.degraded, [reason ?? "it finishes what it holds"])
        case .paused: (level, reasons) = (.degraded, [reason ?? "paused by the operator"])
        case .stopped: (level, reasons) = (.off, reason.map { [$0] } ?? [])
        case .backingOff, .failed, .diverged: (level, reasons) = (.down, [reason ?? state.rawValue])
        }
    }

    /// Notes something that makes it no better. Nothing does where the plugin is not meant to run.
    mutating func note(_ level: Level, _ reason: String) {
        guard self.level != .off, level > .ok else { return }
        self.level = max(self.level, level)
        if !reasons.contains(reason) { reasons.append(reason) }
    }

    /// Notes what the plugin says of itself or of a queue.
    mutating func note(status level: PluginMessage.Level, _ message: String) {
        note(Level(level), message.isEmpty ? "it says that it is \(level.rawValue)" : message)
    }

    /// Notes that a checker is not asked any more.
    mutating func noteTrippedBreaker() {
        note(
            .down,
            "its checks are suspended: \(Breaker.Limit.failures) failures within "
                + "\(Breaker.Limit.window / 1000) s, and no good answer since")
    }

    /// Notes retries.
    mutating func note(_ waiting: DeliveryQueue.Waiting) {
        guard let reason = waiting.reason, waiting.parked > 0 || waiting.deliveries >= Self.manyTries else { return }
        note(.degraded, reason)
    }

    /// Notes that the operator paused one of its queues.
    mutating func note(pauseOf queue: String, _ plugin: String) {
        note(.degraded, "paused by the operator; 'crowbar plugins resume \(plugin)/\(queue)' lets it go on")
    }

    /// Notes dead letters.
    mutating func note(deadLetters count: Int) {
        if count > 0 { note(.degraded, count == 1 ? "1 dead letter" : "\(count) dead letters") }
    }

    /// Notes how one of the plugin's queues does.
    mutating func note(_ queue: String, _ health: PluginHealth) {
        guard level != .off, health.level > .ok else { return }
        level = max(level, health.level)
        // What is the plugin's own is known already.
        let own = health.reasons.filter { reason in !reasons.contains { $0.contains(reason) } }
        if own.isEmpty { return }
        if queues.count < Self.namedQueues {
            queues.append("\(queue): \(own.joined(separator: "; "))")
        } else {
            otherQueues += 1
        }
    }

    /// What a plugin says of one queue in its status: `details.QUEUE` with `state` and `message`.
    static func part(_ queue: String, of details: JSON?) -> (level: PluginMessage.Level, message: String)? {
        guard let part = details?[queue], let word = part["state"]?.string,
            let level = PluginMessage.Level(rawValue: word)
        else { return nil }
        return (level, part["message"]?.string ?? "")
    }
}
