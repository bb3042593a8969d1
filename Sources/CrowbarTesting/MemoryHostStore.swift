import CrowbarCore
import Synchronization

/// The plugin host's bookkeeping in memory.
public final class MemoryHostStore: HostStore {
    private struct State {
        var records: [QueueID: QueueRecord] = [:]
        var letters: [DeadLetter] = []
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

    public func save(_ records: [QueueID: QueueRecord], deadLetters: [DeadLetter]) async throws {
        state.withLock { state in
            state.records.merge(records) { $1 }
            for letter in deadLetters {
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

    public func deadLetterCounts() async throws -> [String: Int] {
        state.withLock { $0.letters.reduce(into: [:]) { $0[$1.id.plugin, default: 0] += 1 } }
    }

    public func plugins() async throws -> [String] {
        state.withLock { Set($0.records.keys.map(\.plugin)).sorted() }
    }

    public func forget(plugin: String) async throws {
        state.withLock { state in
            state.records = state.records.filter { $0.key.plugin != plugin }
            state.letters.removeAll { $0.id.plugin == plugin }
        }
    }
}
