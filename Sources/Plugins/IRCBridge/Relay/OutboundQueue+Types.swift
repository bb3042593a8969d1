extension OutboundQueue {
    /// One delivery, and within the ledger its part for one target.
    struct Entry: Equatable, Sendable {
        var delivery: Int64
        var message: ChatMessage
        /// The channels on IRC that it goes to.
        var targets: [String]
        /// Why it has reached none of them, once that is known.
        var failure: String?
        /// One of them that it has not reached, and why, where it has reached another.
        var missed: Miss?
        /// Whether the relay says it, because its author's puppet could not.
        var isForRelay = false
        /// The place of the part among all, which also tells it from the other parts of its delivery.
        var order = 0
        var lane = ""
        var lines: [String]?
        var nextLine = 0
        var fence = 0
        /// The labels of its lines that the server has not answered, or has not shown.
        var labels: Set<Int> = []
        /// Whether it cannot be told which of its lines the server has passed on.
        var isUnsure = false

        init(delivery: Int64, message: ChatMessage, targets: [String]) {
            (self.delivery, self.message, self.targets) = (delivery, message, targets)
        }

        /// When it came.
        var since: Instant = 0
        /// How often its first line was written.
        var tries = 0
        /// What the server has refused of its lines, by their places, and what can be done about it.
        var refused: [Int: Remedy] = [:]
        /// The lines that are left to be said, after a refusal of some.
        var again: [String]?

        /// The message as if nothing of it was written.
        var unwritten: Entry {
            var fresh = Entry(delivery: delivery, message: message, targets: targets)
            (fresh.isForRelay, fresh.order, fresh.lane) = (isForRelay, order, lane)
            (fresh.tries, fresh.again, fresh.since) = (tries, again, since)
            return fresh
        }

        var isBegun: Bool { nextLine > 0 }
        /// Whether it was written before, or lines of it were refused.
        var isAgain: Bool { again != nil || tries > (isBegun ? 1 : 0) }

        /// The lines that the server was written for it, those of a batch each for itself.
        var lineCount = 0
    }

    /// A target that a message has not reached.
    struct Miss: Equatable, Sendable {
        var target: String
        var reason: String
    }

    /// How a target stands.
    enum TargetState: Equatable, Sendable {
        case joined
        /// Not yet joined; messages wait.
        case waiting
        /// Refused for long; messages to it fail with this reason.
        case dead(String)
    }

    /// What a turn gives.
    enum Turn: Sendable {
        /// Write this line.
        case line(String)
        /// There was nothing (more) to write for this one.
        case settled(Entry)
    }
}
