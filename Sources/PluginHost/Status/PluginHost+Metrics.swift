import CrowbarCore
import CrowbarMetrics
import Synchronization

/// What a plugin and its queues were like when they were last looked at.
struct PluginReading: Sendable {
    var state: PluginLifecycle.State
    var counters: PluginCounters
    var checks: Histogram?
    var usage: ProcessUsage?
    var details: [PluginDetails.Number] = []

    /// The reading of a plugin that is not there any more.
    var afterRemoval: PluginReading {
        PluginReading(state: .stopped, counters: counters, checks: checks)
    }
}

/// What a queue was like when it was last looked at.
struct QueueReading: Sendable {
    var lagEvents: Int64
    var lagSeconds: Int64
    var inFlight: Int
    var parked: Int
    var deadLetters: Int
}

/// What is remembered between two reports on plugins.
final class PluginMetricsMemory: Sendable {
    /// How long the series of a removed plugin or queue are still reported, in milliseconds.
    static let lifetime: Int64 = 600_000

    private let plugins = Mutex(Retained<String, PluginReading>(lifetime: lifetime))
    private let queues = Mutex(Retained<QueueID, QueueReading>(lifetime: lifetime))
    let dropped = Counter()

    /// Notes what there is, and adds what was removed a short while ago.
    func update(
        _ current: [String: PluginReading], _ queues: [QueueID: QueueReading], now: Int64
    ) -> (plugins: [String: PluginReading], queues: [QueueID: QueueReading]) {
        let plugins = self.plugins.withLock { $0.update(current, now: now) }
        return (
            Dictionary(uniqueKeysWithValues: plugins.map { ($0, current[$0] ?? $1.afterRemoval) }),
            self.queues.withLock { $0.update(queues, now: now) }
        )
    }
}

// Metrics of plugins: read when somebody asks, from the host's own state and store; no plugin is asked.
extension PluginHost {
    /// Adds the metrics of all plugins to a report.
    /// - Throws: The log's or the store's error.
    public func write(to report: inout MetricsReport) async throws {
        let head = try await environment.log.head()?.position ?? 0
        let letters = try await environment.store.deadLetterCounts()
        // One without a manifest was removed; it is only there because its queues are.
        let present = runtimes.map { ($0, $0.snapshot) }.filter {
            $0.1.lifecycle.wanted != nil || $0.1.lifecycle.fileProblem != nil
        }.sorted { $0.0.name < $1.0.name }
        let usage = ProcessUsage.of(Set(present.compactMap { $0.1.view.pid }))
        var plugins: [String: PluginReading] = [:]
        var queues: [QueueID: QueueReading] = [:]
        var room = PluginDetails.Limit.numbers
        for (runtime, (lifecycle, view)) in present {
            let own = try await readings(of: runtime.name, view, head, letters)
            queues.merge(own) { $1 }
            let status = view.pid == nil ? nil : view.status
            let details = PluginDetails(status?.details, queues: Set(own.keys.map(\.queue)), room: room)
            room -= details.numbers.count
            metrics.dropped.add(details.dropped)
            plugins[runtime.name] = PluginReading(
                state: lifecycle.state(view).state, counters: runtime.counters,
                checks: environment.checks.snapshot(runtime.name)?.durations,
                usage: view.pid.flatMap { usage[$0] }, details: details.numbers)
        }
        let all = metrics.update(plugins, queues, now: environment.now())
        for (name, plugin) in all.plugins.sorted(by: { $0.key < $1.key }) { Self.write(name, plugin, to: &report) }
        for (id, queue) in all.queues.sorted(by: { ($0.key.plugin, $0.key.queue) < ($1.key.plugin, $1.key.queue) }) {
            Self.write(id, queue, to: &report)
        }
        report.add(.metricsDropped, count: metrics.dropped.value)
    }

    /// The queues of a plugin, without those that were dropped.
    private func readings(
        of plugin: String, _ view: SessionStatus.View, _ head: Int64, _ letters: [QueueID: Int]
    ) async throws -> [QueueID: QueueReading] {
        let running = Dictionary(view.queues.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        let stored = try await environment.store.queues(of: plugin).filter {
            $0.value.droppedAt == nil || running[$0.key] != nil
        }
        var readings: [QueueID: QueueReading] = [:]
        for name in Set(running.keys).union(stored.keys) {
            let (queue, id) = (running[name], QueueID(plugin: plugin, queue: name))
            let cursor = view.pid == nil ? stored[name]?.cursor : queue.map(\.cursor) ?? stored[name]?.cursor
            let behind = try await lag(cursor, head)
            readings[id] = QueueReading(
                lagEvents: behind, lagSeconds: behind > 0 ? try await age(after: cursor) : 0,
                inFlight: queue?.inFlight ?? 0, parked: queue?.parked ?? stored[name]?.parked.count ?? 0,
                deadLetters: letters[id] ?? 0)
        }
        return readings
    }

    private static func write(_ name: String, _ plugin: PluginReading, to report: inout MetricsReport) {
        report.add(
            .pluginState, name, state: plugin.state.rawValue, of: PluginLifecycle.State.allCases.map(\.rawValue))
        report.add(.pluginRestarts, name, counts: plugin.counters.restarts)
        report.add(.deliveries, name, counts: plugin.counters.deliveries)
        report.add(.strikes, name, count: plugin.counters.strikes.value)
        if let checks = plugin.checks { report.add(.checkSeconds, name, durations: checks.snapshot) }
        if let usage = plugin.usage {
            report.add(.pluginMemory, name, count: usage.memory)
            report.add(.pluginCPU, name, value: usage.seconds)
        }
        for number in plugin.details { report.add(.pluginDetail, name, number.queue, number.name, value: number.value) }
    }

    private static func write(_ id: QueueID, _ queue: QueueReading, to report: inout MetricsReport) {
        let (plugin, name) = (id.plugin, id.queue)
        report.add(.queueLagEvents, plugin, name, count: queue.lagEvents)
        report.add(.queueLagSeconds, plugin, name, count: queue.lagSeconds)
        report.add(.queueInFlight, plugin, name, count: queue.inFlight)
        report.add(.queueParked, plugin, name, count: queue.parked)
        report.add(.deadLetters, plugin, name, count: queue.deadLetters)
    }
}
