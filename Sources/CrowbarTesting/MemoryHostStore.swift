import CrowbarCore
import Synchronization

/// The plugin host's bookkeeping in memory.
public final class MemoryHostStore: HostStore {
    private struct Place: Hashable {
        var id: QueueID
        var position: Int64
    }

    private struct State {
        var records: [QueueID: QueueRecord] = [:]
        var letters: [DeadLetter] = []
        var redrives: Set<Place> = []
    }

    private let state = Mutex(State())

    /// Makes an empty one.
    public init() {}

    public func queues(of plugin: String) async throws -> [String: QueueRecord] {
        state.withLock { state in
            var found: [String: QueueRecord] = [:]
            for (id, record) in state.records where id.plugin == plugin { found[id.queue] = record }
            return found
        }
    }

    public func save(
        _ records: [QueueID: QueueRecord], deadLetters: [DeadLetter], redriven: [QueueID: [Int64]]
    ) async throws {
        state.withLock { state in
            state.records.merge(records) { $1 }
            for (id, positions) in redriven {
                state.letters.removeAll { $0.id == id && positions.contains($0.entry.position) }
                for position in positions { state.redrives.remove(Place(id: id, position: position)) }
            }
            for letter in deadLetters {
                state.redrives.remove(Place(id: letter.id, position: letter.entry.position))
                if let at = state.letters.firstIndex(where: {
                    $0.id == letter.id && $0.entry.position == letter.entry.position
                }) {
                    let first = state.letters[at].first
                    state.letters[at] = letter
                    state.letters[at].first = first
                } else {
                    state.letters.append(letter)
                }
            }
        }
    }

    public func deadLetters(of plugin: String, queue: String?, limit: Int) async throws -> [DeadLetter] {
        state.withLock { state in
            let found = state.letters.filter { $0.id.plugin == plugin && (queue == nil || $0.id.queue == queue) }
            return Array(found.prefix(limit))
        }
    }

    public func deadLetterCounts() async throws -> [QueueID: Int] {
        state.withLock { $0.letters.reduce(into: [:]) { $0[$1.id, default: 0] += 1 } }
    }

    public func redrive(_ plugin: String, queue: String?, eventIds: [String]?) async throws -> Int {
        state.withLock { state in
            let before = state.redrives.count
            for letter in state.letters where Self.isMeant(letter, plugin, queue, eventIds) {
                state.redrives.insert(Place(id: letter.id, position: letter.entry.position))
            }
            return state.redrives.count - before
        }
    }

    private static func isMeant(_ letter: DeadLetter, _ plugin: String, _ queue: String?, _ ids: [String]?) -> Bool {
        letter.id.plugin == plugin && queue ?? letter.id.queue == letter.id.queue
            && ids?.contains(letter.entry.eventId) ?? true
    }

    public func redrives(of plugin: String) async throws -> [String: [Int64]] {
        state.withLock { state in
            state.redrives.filter { $0.id.plugin == plugin }.sorted { $0.position < $1.position }
                .reduce(into: [:]) { $0[$1.id.queue, default: []].append($1.position) }
        }
    }

    public func dropDeadLetters(of plugin: String, queue: String?, eventIds: [String]?) async throws -> Int {
        state.withLock { state in
            let dropped = state.letters.filter { Self.isMeant($0, plugin, queue, eventIds) }
            state.letters.removeAll { Self.isMeant($0, plugin, queue, eventIds) }
            for letter in dropped { state.redrives.remove(Place(id: letter.id, position: letter.entry.position)) }
            return dropped.count
        }
    }

    public func capDropTimes(at now: Int64) async throws {
        state.withLock { state in
            for (id, record) in state.records {
                if let droppedAt = record.droppedAt { state.records[id]?.droppedAt = min(droppedAt, now) }
            }
        }
    }

    public func purge(droppedBefore milliseconds: Int64) async throws {
        state.withLock { state in
            for (id, record) in state.records where record.droppedAt.map({ $0 < milliseconds }) ?? false {
                state.records[id] = nil
                state.letters.removeAll { $0.id == id }
                state.redrives = state.redrives.filter { $0.id != id }
            }
        }
    }

    public func plugins() async throws -> [String] {
        state.withLock { Set($0.records.keys.map(\.plugin)).sorted() }
    }

    public func forget(plugin: String) async throws {
        state.withLock { state in
            state.records = state.records.filter { $0.key.plugin != plugin }
            state.letters.removeAll { $0.id.plugin == plugin }
            state.redrives = state.redrives.filter { $0.id.plugin != plugin }
        }
    }

    public func forget(queue: QueueID) async throws {
        state.withLock { state in
            state.records[queue] = nil
            state.letters.removeAll { $0.id == queue }
            state.redrives = state.redrives.filter { $0.id != queue }
        }
    }
}
