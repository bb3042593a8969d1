import CrowbarCore
import JSONBytes
import Synchronization

/// The histories of all queues.
final class QueueHistories: Sendable {
    private let queues = Mutex<[QueueID: QueueHistory]>([:])

    /// Adds a reading of each queue. A queue without one is forgotten.
    func add(_ readings: [QueueID: QueueHistory.Reading]) {
        queues.withLock { queues in
            queues = queues.filter { readings[$0.key] != nil }
            for (id, reading) in readings { queues[id, default: QueueHistory()].add(reading) }
        }
    }

    /// The histories of a plugin's queues by name.
    func of(_ plugin: String) -> [String: QueueHistory] {
        queues.withLock { queues in
            Dictionary(uniqueKeysWithValues: queues.filter { $0.key.plugin == plugin }.map { ($0.key.queue, $0.value) })
        }
    }
}

// How the queues did over the last hour.
extension PluginHost {
    /// Seconds between two samples.
    public static let historySeconds: Int64 = 60

    /// Samples all queues once a minute until cancelled.
    func recordHistory() async {
        repeat {
            // A sample that cannot be taken is missing; the listing says why the store or the log cannot be read.
            try? await sampleHistory()
        } while (try? await Task.sleep(for: .seconds(Self.historySeconds))) != nil
    }

    /// Takes one sample of each queue.
    func sampleHistory() async throws {
        let now = environment.unixNow()
        let head = try await environment.log.head()?.position ?? 0
        let letters = try await environment.store.deadLetterCounts()
        var readings: [QueueID: QueueHistory.Reading] = [:]
        for runtime in runtimes {
            for queue in runtime.snapshot.view.queues {
                let id = QueueID(plugin: runtime.name, queue: queue.name)
                let position = queue.cursor?.position ?? 0
                var (behind, seconds): (Int64, Int64) = (0, 0)
                if position < head {
                    behind = try await environment.log.count(after: position, through: head)
                    seconds = try await age(after: queue.cursor)
                }
                readings[id] = QueueHistory.Reading(
                    at: now, lagEvents: behind, lagSeconds: seconds, settled: queue.settlements,
                    deadLetters: letters[id] ?? 0)
            }
        }
        histories.add(readings)
    }

    /// The last hour of a plugin's queues: `{"name", "everySeconds", "queues": [{"name", "samples"}]}`.
    public func history(of plugin: String) async throws(ControlRefusal) -> JSON {
        _ = try await known(plugin)
        let queues = histories.of(plugin).sorted { $0.key < $1.key }
        return .object([
            .init("name", .string(plugin)), .init("everySeconds", .int(Self.historySeconds)),
            .init(
                "queues",
                .array(
                    queues.map { .object([.init("name", .string($0.key)), .init("samples", $0.value.json)]) })),
        ])
    }
}
