import CrowbarCore
import Logging

// Where an event may be what brings the plugin down, one goes out at a time, over all queues, suspects first.
extension PluginSession {
    /// Whether an event is out, or about to be.
    var isAnythingOut: Bool { queues.contains { $0.queue.held + $0.queue.taken > 0 } }

    /// Whether the log has a suspect for a queue that wants to be read for. Where none can come, as each waits for a
    /// retry, for another event of its channel or for a window, others go out in its place: else nothing ever would.
    var awaitsSuspects: Bool {
        queues.contains { queue in
            queue.needsPage && suspects[queue.id.queue]?.contains { $0 > queue.queue.scanned } ?? false
        }
    }

    /// Takes off the suspects what is not there any more, so that an isolation cannot last for ever.
    func forgetSettledSuspects() {
        if suspects.isEmpty { return }
        for i in queues.indices where queues[i].droppedAt == nil {
            for position in suspects[queues[i].id.queue] ?? [] where !queues[i].queue.isOpen(position) {
                clear(position, i)
            }
        }
        for name in suspects.keys where !queues.contains(where: { $0.id.queue == name && $0.droppedAt == nil }) {
            suspects[name] = nil
        }
    }

    /// Gives up the one suspect that was out when an isolated plugin crashed; false where it was not that clear.
    func giveUp(_ held: PoisonWatch.Events, _ why: String) async -> Bool {
        let open = held.flatMap { queue, positions in positions.map { (queue, $0) } }
        guard open.count == 1, let (name, position) = open.first, suspects[name]?.contains(position) ?? false,
            let i = queues.firstIndex(where: { $0.id.queue == name && $0.droppedAt == nil })
        else { return false }
        let known = queues[i].queue.attempts[position]
        queues[i].queue.abandon(position: position)
        bury(
            i, position, "crash", "the plugin crashed on it again and again: \(why)",
            attempts: max(1, known?.deliveries ?? 1), first: known?.first ?? 0)
        // Where that is not stored it comes again, and is under suspicion as before.
        guard await saveAtEnd() else { return false }
        clear(position, i)
        return true
    }

    /// Takes an event off the suspects: the plugin survived it.
    func clear(_ position: Int64, _ queue: Int) {
        if suspects.isEmpty { return }
        let name = queues[queue].id.queue
        suspects[name]?.remove(position)
        if suspects[name]?.isEmpty ?? false { suspects[name] = nil }
        if suspects.isEmpty { log.note(.notice, "every suspect is settled; events go out by the window again") }
    }
}
