import CrowbarCore

/// Decides when cursors and dead letters are stored, and keeps what a failed save has to repeat: a value without I/O.
/// ``CursorStore`` does the writing.
struct CursorWriter {
    /// What a finished save changed.
    enum Change: Equatable {
        case none
        /// The store can be written again.
        case recovered
        /// The store cannot be written, for the first time or still.
        case failed(String, isFirst: Bool)
    }

    /// Dead letters that no save contains yet.
    private(set) var deadLetters: [CursorStore.PendingDeadLetter] = []
    private var deadLettersUnderSave: [CursorStore.PendingDeadLetter] = []
    /// A save is under way. The queues must not change meanwhile.
    private(set) var isSaving = false
    /// The last save failed. Nothing is delivered until one succeeds.
    private(set) var hasFailed = false
    private var nextSave: Int64 = 0

    /// All dead letters that are not known to be stored.
    var unstored: [CursorStore.PendingDeadLetter] { deadLettersUnderSave + deadLetters }

    mutating func add(_ letter: CursorStore.PendingDeadLetter) { deadLetters.append(letter) }

    /// Notes that a save outside the schedule stored ``deadLetters``.
    mutating func storedDeadLetters() { deadLetters = [] }

    /// Starts the next save; nil if none is due or one is under way.
    mutating func start(_ queues: inout [QueueRunner], now: Int64, unixNow: () -> Int64) -> CursorStore.Job? {
        guard !isSaving, now >= nextSave else { return nil }
        let due = queues.indices.filter {
            queues[$0].isDirty && queues[$0].droppedAt == nil
                && (hasFailed || now - queues[$0].lastSave >= CursorStore.interval)
        }
        if due.isEmpty, deadLetters.isEmpty { return nil }
        let unixNow = unixNow()
        for i in due {
            queues[i].isDirty = false
            queues[i].lastSave = now
            queues[i].redrivenUnderSave = queues[i].redriven.count
        }
        deadLettersUnderSave = deadLetters
        deadLetters = []
        isSaving = true
        return .init(changes: due.map { queues[$0].change(unixNow: unixNow, now: now) }, letters: deadLettersUnderSave)
    }

    /// Applies the outcome of the save that ``start(_:now:unixNow:)`` began.
    mutating func finish(_ outcome: CursorStore.Outcome, _ queues: inout [QueueRunner], now: Int64) -> Change {
        isSaving = false
        switch outcome {
        case .saved(let cursors):
            for i in queues.indices {
                queues[i].redriven.removeFirst(queues[i].redrivenUnderSave)
                queues[i].redrivenUnderSave = 0
                if let cursor = cursors[queues[i].id] { queues[i].savedCursor = cursor }
            }
            deadLettersUnderSave = []
            defer { hasFailed = false }
            return hasFailed ? .recovered : .none
        case .failed(let why):
            deadLetters = deadLettersUnderSave + deadLetters
            deadLettersUnderSave = []
            for i in queues.indices where queues[i].droppedAt == nil {
                queues[i].isDirty = true
                queues[i].redrivenUnderSave = 0
            }
            nextSave = now + CursorStore.failedInterval
            defer { hasFailed = true }
            return .failed(why, isFirst: !hasFailed)
        }
    }

    /// When the next save is due, on the monotonic clock.
    func nextDue(_ queues: [QueueRunner]) -> Int64? {
        if isSaving { return nil }
        // A dropped queue is not saved, so its time would never pass.
        return queues.lazy.filter { $0.isDirty && $0.droppedAt == nil }
            .map { max(nextSave, $0.lastSave + CursorStore.interval) }.min()
    }
}
