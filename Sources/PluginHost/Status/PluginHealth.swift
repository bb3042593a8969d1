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

    /// How urgent a reason is, the most urgent first: a listing has room for one.
    enum Urgency: Int, CaseIterable {
        /// Something has stopped and needs the operator.
        case stopped
        /// An event fails and is tried again, or the plugin is on its way to work.
        case waiting
        /// The plugin says that it, or a queue of it, is degraded.
        case degraded
        /// Nothing moves by itself: dead letters, and retries of a queue that the plugin or the operator holds back.
        case pending
        /// Something in the configuration that may be a mistake.
        case hint
    }

    /// One reason why it is not `ok`.
    private struct Reason: Equatable {
        var urgency: Urgency
        var text: String
        /// The queue that it is about; nil for all of the plugin.
        var queue: String?
    }

    /// Tries of one event from which its retries are more than a hitch.
    static let manyTries: Int64 = 3

    /// Queues whose reasons are among a plugin's.
    static let namedQueues = 5

    private(set) var level: Level
    /// Why it is not `ok`, in the order of their coming.
    private var own: [Reason] = []
    /// The same of queues.
    private var ofQueues: [Reason] = []

    /// Why it is not `ok`, the most urgent reason first; in the order of their coming where they are as urgent.
    var reasons: [String] {
        let all = Urgency.allCases.flatMap { urgency in (own + ofQueues).filter { $0.urgency == urgency } }
        var named: [String] = []
        var others: Set<String> = []
        let shown = all.compactMap { reason -> String? in
            guard let queue = reason.queue else { return reason.text }
            if !named.contains(queue) {
                if named.count == Self.namedQueues {
                    others.insert(queue)
                    return nil
                }
                named.append(queue)
            }
            return "\(queue): \(reason.text)"
        }
        return shown + (others.isEmpty ? [] : [others.count == 1 ? "1 more queue" : "\(others.count) more queues"])
    }

    /// The reasons in a line; nil where there is none.
    var reason: String? {
        let all = reasons
        return all.isEmpty ? nil : all.joined(separator: "; ")
    }

    /// Judges by the state of the plugin alone.
    /// - Parameter reason: Why it is in that state, where that is not plain.
    init(_ state: PluginLifecycle.State, reason: String?) {
        let words: String?
        switch state {
        // What keeps a changed manifest from being followed.
        case .live, .catchingUp: (level, words) = (reason == nil ? .ok : .degraded, reason)
        case .starting: (level, words) = (.degraded, reason ?? "it is not ready yet")
        case .draining: (level, words) = (.degraded, reason ?? "it finishes what it holds")
        case .paused: (level, words) = (.degraded, reason ?? "paused by the operator")
        case .stopped: (level, words) = (.off, reason)
        case .backingOff, .failed, .diverged: (level, words) = (.down, reason ?? state.rawValue)
        }
        let isOnItsWay = reason == nil && (state == .starting || state == .draining)
        if let words { own = [Reason(urgency: isOnItsWay ? .waiting : .stopped, text: words)] }
    }

    /// Notes something that makes it no better. Nothing does where the plugin is not meant to run.
    mutating func note(_ level: Level, _ reason: String, _ urgency: Urgency) {
        guard self.level != .off, level > .ok else { return }
        self.level = max(self.level, level)
        if !own.contains(where: { $0.text == reason }) { own.append(Reason(urgency: urgency, text: reason)) }
    }

    /// Notes what the plugin says of itself or of a queue.
    mutating func note(status level: PluginMessage.Level, _ message: String) {
        note(
            Level(level), message.isEmpty ? "it says that it is \(level.rawValue)" : message,
            level == .down ? .stopped : .degraded)
    }

    /// Notes that a checker is not asked any more.
    mutating func noteTrippedBreaker() {
        note(
            .down,
            "its checks are suspended: \(Breaker.Limit.failures) failures within "
                + "\(Breaker.Limit.window / 1000) s, and no good answer since", .stopped)
    }

    /// Notes retries.
    /// - Parameters:
    ///   - clockOffset: What to add to the monotonic clock for Unix time, in milliseconds.
    ///   - isHeld: The queue is held back, so that a retry whose time has come waits on.
    ///   - isPrivate: As for ``DeliveryQueue/Waiting/reason(clockOffset:isPrivate:)``.
    mutating func note(
        _ waiting: DeliveryQueue.Waiting, clockOffset: Int64, isHeld: Bool = false, isPrivate: Bool = false
    ) {
        guard waiting.hasLongWait || waiting.deliveries >= Self.manyTries,
            let reason = waiting.reason(clockOffset: clockOffset, isPrivate: isPrivate)
        else { return }
        note(.degraded, reason, isHeld ? .pending : .waiting)
    }

    /// Notes that the operator paused one of its queues.
    mutating func note(pauseOf queue: String, _ plugin: String) {
        note(.degraded, "paused by the operator; 'crowbar plugins resume \(plugin)/\(queue)' lets it go on", .stopped)
    }

    /// Notes dead letters.
    mutating func note(deadLetters count: Int) {
        if count > 0 { note(.degraded, count == 1 ? "1 dead letter" : "\(count) dead letters", .pending) }
    }

    /// Notes something in the configuration that may be a mistake.
    mutating func note(hint: String) { note(.degraded, hint, .hint) }

    /// Notes how one of the plugin's queues does.
    mutating func note(_ queue: String, _ health: PluginHealth) {
        guard level != .off, health.level > .ok else { return }
        level = max(level, health.level)
        // What is the plugin's own is known already.
        let new = health.own.filter { reason in !own.contains { $0.text.contains(reason.text) } }
        ofQueues += new.map { Reason(urgency: $0.urgency, text: $0.text, queue: queue) }
    }

    /// What a plugin says of one queue in its status: `details.QUEUE` with `state` and `message`.
    static func part(_ queue: String, of details: JSON?) -> (level: PluginMessage.Level, message: String)? {
        guard let part = details?[queue], let word = part["state"]?.string,
            let level = PluginMessage.Level(rawValue: word)
        else { return nil }
        return (level, part["message"]?.string ?? "")
    }
}
