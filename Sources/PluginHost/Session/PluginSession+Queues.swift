import CrowbarCore
import JSONBytes
import Logging
import PluginWire

// The plugin's queues change while it runs: some go, some come, the others notice nothing.
extension PluginSession {
    /// Takes a plugin's word on its queues; it is acted upon once no save is under way, which would know the old ones.
    func take(queues asked: [PluginMessage.Queue], _ now: Int64) {
        guard manifest.phase == .event else {
            return strike("queues", "in phase 'command' a plugin has no queues", now)
        }
        guard case .working = phase else { return strike("queues", "'queues' before 'start'", now) }
        guard askedQueues.count < Limit.changesOfQueues else {
            return kill(.crashed("it changed its queues faster than they can be stored"), now)
        }
        // Each is acted upon: a queue that went and came again must be told its place again.
        askedQueues.append(asked)
    }

    /// A plugin's word on a window that overtakes the change of its queues that was asked for before.
    func setWindow(_ queue: String, to events: Int64, _ now: Int64) {
        for i in askedQueues.indices {
            for k in askedQueues[i].indices where askedQueues[i][k].name == queue { askedQueues[i][k].window = events }
        }
        guard let i = index(of: queue) else { return ignore("window", queue: queue, now) }
        queues[i].queue.setWindow(Int(events), now: now)
    }

    /// Acts on what was asked for by `queues`.
    func changeQueues(_ now: Int64) async {
        while !askedQueues.isEmpty, !cursorWriter.isSaving, !isDraining, shutdown == nil {
            await change(to: askedQueues.removeFirst(), now)
        }
    }

    private func change(to asked: [PluginMessage.Queue], _ now: Int64) async {
        do {
            guard queues.count + asked.count <= Limit.queues * 4 else {
                throw Refusal(.crashed("it changed its queues too often; a new process starts with a clean table"))
            }
            let wanted = try specifications(asked)
            let namedBefore = namedChannels
            noteChannels(wanted)
            let kept = wanted.filter { known in index(of: known.name).map { queues[$0].isServing(known) } ?? false }
            try await dropQueues(but: Set(kept.map(\.name)), of: Set(wanted.map(\.name)), now)
            for specification in kept {
                guard let i = index(of: specification.name) else { continue }
                queues[i].specification = specification
                queues[i].queue.setWindow(specification.window, now: now)
            }
            let fresh = wanted.filter { new in !kept.contains { $0.name == new.name } }
            let added = try await place(fresh, besides: Set(kept.map(\.name)))
            queues += added
            if !added.isEmpty { Self.starts(added).forEach(send) }
            log.remark(.info, "queues: \(wanted.count), new or changed: \(added.count)")
            if !added.isEmpty || namedChannels != namedBefore { await warnOfMissingChannels() }
        } catch let refusal as Refusal {
            kill(refusal.end, now)
        } catch {
            kill(.tryLater("the queues could not be changed: \(error)"), now)
        }
    }

    /// Ends queues: what they have out is void, and where they stand is kept.
    private func dropQueues(but kept: Set<String>, of wanted: Set<String>, _ now: Int64) async throws {
        let unixNow = environment.unixNow()
        let dropped = queues.indices.filter { queues[$0].droppedAt == nil && !kept.contains(queues[$0].id.queue) }
        var changes: [CursorStore.Change] = []
        for i in dropped {
            var change = queues[i].change(unixNow: unixNow, now: now)
            // One that only changed goes on at once from where it stands.
            change.droppedAt = wanted.contains(queues[i].id.queue) ? nil : unixNow
            changes.append(change)
            earlier[queues[i].id.queue] = queues[i].queue.openAttempts
        }
        if changes.isEmpty { return }
        if case .failed(let why) = await store.save(changes, cursorWriter.deadLetters) {
            throw Refusal(.tryLater(why))
        }
        cursorWriter.storedDeadLetters()
        for i in dropped { queues[i].drop(at: unixNow) }
    }

    /// The `start` lines of queues.
    static func starts(_ queues: [QueueRunner]) -> [HostMessage] {
        HostMessage.starts(
            queues.map {
                let state = $0.state.flatMap { try? JSON(parsing: $0) } ?? .null
                return .init(name: $0.id.queue, cursor: $0.savedCursor?.eventId, state: state)
            })
    }
}
