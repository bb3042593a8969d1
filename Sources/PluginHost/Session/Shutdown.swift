/// The steps by which a plugin is brought to its end, each after its grace: a pure value.
struct Shutdown {
    /// The graces in milliseconds.
    enum Grace {
        static let drain: Int64 = 10_000
        static let closed: Int64 = 2_000
        static let terminate: Int64 = 5_000
        /// How long the launcher may take to kill everything before it is killed itself. With all before it, and what
        /// follows, it is below the 30 seconds that a stop may take.
        static let kill: Int64 = 8_000
    }

    /// What to do to the process.
    enum Step: Equatable { case closeInput, terminate, kill, killLauncher }

    private var steps: [(at: Int64, step: Step)]

    /// A shutdown that begins with `drain` being sent now.
    static func draining(now: Int64) -> Shutdown {
        let closed = now + Grace.drain
        let terminated = closed + Grace.closed
        return Shutdown(
            steps: [(closed, .closeInput), (terminated, .terminate)] + kill(at: terminated + Grace.terminate))
    }

    /// A shutdown of a process that answers no more: it is killed at once.
    static func killing(now: Int64) -> Shutdown { Shutdown(steps: kill(at: now)) }

    /// A shutdown of a process that said that it ends by itself.
    static func awaitingExit(now: Int64) -> Shutdown {
        Shutdown(steps: [(now + Grace.closed, .terminate)] + kill(at: now + Grace.closed + Grace.terminate))
    }

    private static func kill(at time: Int64) -> [(at: Int64, step: Step)] {
        [(time, .kill), (time + Grace.kill, .killLauncher)]
    }

    /// When the next step is due, on the monotonic clock in milliseconds; nil when all are done.
    var next: Int64? { steps.first?.at }

    /// The steps due by now, in order.
    mutating func due(now: Int64) -> [Step] {
        let due = steps.prefix { $0.at <= now }
        steps.removeFirst(due.count)
        return due.map(\.step)
    }
}
