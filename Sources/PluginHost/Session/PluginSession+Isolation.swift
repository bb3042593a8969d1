import CrowbarCore
import Logging

extension PluginSession {
    /// Makes a dead letter of the one suspect that was out when an isolated plugin crashed.
    /// - Returns: False if it is not clear which event that was, or if the dead letter was not stored.
    func giveUp(_ held: PoisonWatch.Events, _ why: String) async -> Bool {
        guard let (name, position) = isolation.culprit(among: held),
            let i = queues.firstIndex(where: { $0.id.queue == name && $0.droppedAt == nil })
        else { return false }
        let known = queues[i].queue.attempts[position]
        queues[i].queue.abandon(position: position)
        bury(
            i, position, "crash", "the plugin crashed on it again and again: \(why)",
            attempts: known?.tries ?? 1, first: known?.first ?? 0)
        // If that is not stored, the event comes again and is a suspect as before.
        guard await saveAtEnd() else { return false }
        clear(position, i)
        return true
    }

    /// Takes an event off the suspects: the plugin survived it.
    func clear(_ position: Int64, _ queue: Int) {
        if isolation.isActive, isolation.remove(position, queue: queues[queue].id.queue) { noteEndOfIsolation() }
    }

    func noteEndOfIsolation() { log.note(.notice, "every suspect is settled; events go out by the window again") }
}
