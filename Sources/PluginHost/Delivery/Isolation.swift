import CrowbarCore

/// Delivers one event at a time, over all queues and suspects first, while an event may be what crashes the plugin: a
/// pure value. ``PoisonWatch`` decides which events are suspects.
struct Isolation {
    /// Unsettled suspects by queue. The isolation lasts while there are any.
    private(set) var suspects: PoisonWatch.Events
    /// The queue whose turn it is.
    private var turn = 0

    init(_ suspects: PoisonWatch.Events = [:]) { self.suspects = suspects }

    var isActive: Bool { !suspects.isEmpty }

    /// Whether an event is delivered, or about to be.
    static func isAnythingOut(_ queues: [QueueRunner]) -> Bool {
        queues.contains { $0.queue.held + $0.queue.taken > 0 }
    }

    /// Whether the log still has to be read for a suspect that a queue would accept. If each suspect waits for a retry,
    /// for another event of its channel or for a window, other events go out in its place; otherwise none ever would.
    func awaitsSuspects(_ queues: [QueueRunner]) -> Bool {
        queues.contains { queue in
            queue.needsPage && suspects[queue.id.queue]?.contains { $0 > queue.queue.scanned } ?? false
        }
    }

    /// The queue to serve at a step of a round, so that no queue starves the others.
    func queue(at step: Int, of count: Int) -> Int { (step + turn) % count }

    /// Notes that an event of a queue went out: the next queue is served first now.
    mutating func delivered(from queue: Int) { turn = queue + 1 }

    /// Removes suspects that are settled or whose queue is gone, so that an isolation cannot last for ever.
    /// - Returns: Whether this ended the isolation.
    mutating func removeSettled(_ queues: [QueueRunner]) -> Bool {
        if suspects.isEmpty { return false }
        var isOver = false
        for queue in queues where queue.droppedAt == nil {
            for position in suspects[queue.id.queue] ?? [] where !queue.queue.isOpen(position) {
                isOver = remove(position, queue: queue.id.queue) || isOver
            }
        }
        for name in suspects.keys
        where !queues.contains(where: { $0.id.queue == name && $0.droppedAt == nil }) {
            suspects[name] = nil
        }
        return isOver
    }

    /// Removes a suspect that the plugin survived.
    /// - Returns: Whether this ended the isolation.
    mutating func remove(_ position: Int64, queue name: String) -> Bool {
        if suspects.isEmpty { return false }
        suspects[name]?.remove(position)
        if suspects[name]?.isEmpty ?? false { suspects[name] = nil }
        return suspects.isEmpty
    }

    /// The only event that was out at a crash, if it is a suspect.
    func culprit(among held: PoisonWatch.Events) -> (queue: String, position: Int64)? {
        let open = held.flatMap { queue, positions in positions.map { (queue, $0) } }
        guard open.count == 1, let (queue, position) = open.first,
            suspects[queue]?.contains(position) ?? false
        else {
            return nil
        }
        return (queue, position)
    }
}
