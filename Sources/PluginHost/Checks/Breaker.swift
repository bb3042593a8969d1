/// Keeps a plugin that fails again and again from being asked for a while, so that nothing waits for it.
///
/// After the rest one question goes through as a trial, and its answer decides for all others.
struct Breaker {
    enum Limit {
        /// Failures that open it.
        static let failures = 5
        /// The time within which they count, in milliseconds.
        static let window: Int64 = 30_000
        /// How long it stays open, in milliseconds.
        static let rest: Int64 = 30_000
    }

    /// Whether a question may be asked.
    enum Admission: Equatable {
        case ask(isTrial: Bool)
        case rest
    }

    /// What an answer does to it.
    enum Change: Equatable {
        /// Questions are held back from now on.
        case opened
        /// Questions are asked again.
        case closed
    }

    private var failures: [Int64] = []
    private var openUntil: Int64?

    /// Whether questions are held back.
    func isOpen(now: Int64) -> Bool { openUntil.map { now < $0 } ?? false }

    /// Whether it opened and no trial has closed it yet, be its rest over or not.
    var isTripped: Bool { openUntil != nil }

    /// Says whether a question may be asked now.
    mutating func admit(now: Int64) -> Admission {
        guard let until = openUntil else { return .ask(isTrial: false) }
        if now < until { return .rest }
        // All others go on waiting for this one's answer.
        openUntil = now + Limit.rest
        return .ask(isTrial: true)
    }

    /// A question was answered. Only a trial closes an open breaker: another may have been asked before it opened.
    mutating func succeeded(isTrial: Bool) -> Change? {
        guard isTrial else { return nil }
        openUntil = nil
        failures = []
        return .closed
    }

    /// A question was not answered, or by nonsense.
    mutating func failed(now: Int64) -> Change? {
        if openUntil != nil { return nil }
        failures.removeAll { now - $0 >= Limit.window }
        failures.append(now)
        guard failures.count >= Limit.failures else { return nil }
        failures = []
        openUntil = now + Limit.rest
        return .opened
    }
}
