import Testing

@testable import PluginHost

/// A queue over a log of lanes, with a plugin's and a store's part played beside it. It checks at every delivery that
/// order is kept and nothing settled comes again, and at every turn that the cursor passed no open event but parked
/// ones.
final class QueueWorld {
    let settings: DeliveryQueue.Settings
    let window: Int
    var queue: DeliveryQueue
    var now: Int64 = 0
    /// The lane of each position from 1.
    private(set) var lanes: [String] = []
    private(set) var settled: Set<Int64> = []
    private(set) var held: [(delivery: Int64, position: Int64)] = []
    /// Those of them that the plugin has answered.
    private var answered: Set<Int64> = []
    private(set) var launches: [String] = []
    private var nextDelivery: Int64 = 1
    private var revivals: [(key: String, from: Int64, through: Int64)] = []

    init(order: DeliveryQueue.Order = .channel, pipelined: Bool = false, window: Int = 256, maxAttempts: Int64 = 1_000)
    {
        settings = .init(order: order, isPipelined: pipelined, maxAttempts: maxAttempts)
        self.window = window
        queue = DeliveryQueue(settings: settings, window: window, resuming: .init(position: 0))
    }

    var head: Int64 { Int64(lanes.count) }

    func append(_ names: String...) { lanes += names.map { "#" + $0 } }

    private func lane(_ position: Int64) -> String { lanes[Int(position) - 1] }

    private var keepsOrder: Bool { settings.order != .none }

    private func isSameLane(_ a: Int64, _ b: Int64) -> Bool { settings.order == .total || lane(a) == lane(b) }

    /// Reads the log, parked lanes too, and delivers all that may go out.
    func turn() {
        queue.wakeRetries(now: now)
        repeat {
            while queue.scanned < head, queue.wantsEvents {
                let position = queue.scanned + 1
                queue.offer(position: position, lane: queue.lane(lane(position)))
            }
            while let part = queue.revival() { revivals.append(part) }
            for part in revivals {
                let all = part.key.hasPrefix("=") ? [part.from] : (1...head).filter { lane($0) == part.key }
                let found = all.filter { $0 >= part.from && $0 <= part.through }.prefix(7)
                queue.takeIn(part.key, Array(found), through: found.last ?? part.through)
            }
            revivals = []
        } while deliver() > 0
        let open = held.filter { !answered.contains($0.delivery) }.map(\.position).sorted()
        #expect(queue.heldPositions == open)
        #expect((queue.deadline == nil) == open.isEmpty)
        let parked = Dictionary(uniqueKeysWithValues: queue.parkedStates.map { ($0.key, $0.position) })
        if queue.settledThrough < 1 { return }
        for position in 1...queue.settledThrough where !settled.contains(position) {
            let first = parked[lane(position)] ?? parked["=\(position)"] ?? .max
            #expect(first <= position, "the cursor passed \(position)")
        }
    }

    private func deliver() -> Int {
        var count = 0
        while let taken = queue.take() {
            let attempt = queue.launch(slot: taken.slot, delivery: nextDelivery, now: now)
            check(taken.position)
            launches.append(attempt == 1 ? "\(taken.position)" : "\(taken.position)#\(attempt)")
            held.append((nextDelivery, taken.position))
            nextDelivery += 1
            count += 1
        }
        #expect(queue.unsettled <= window)
        return count
    }

    private func check(_ position: Int64) {
        #expect(!settled.contains(position), "position \(position) was settled and comes again")
        #expect(!held.contains { $0.position == position }, "position \(position) is out twice")
        guard keepsOrder else { return }
        for earlier in 1..<position where !settled.contains(earlier) && isSameLane(earlier, position) {
            let isOut = queue.pipelines && held.contains { $0.position == earlier }
            #expect(isOut, "position \(position) went out before \(earlier)")
        }
    }

    func ack(_ at: Int) {
        let (delivery, position) = held.remove(at: at)
        if queue.settle(delivery, now: now) { settled.insert(position) }
    }

    /// The plugin settles what has to wait for what it caused; ``ack(_:)`` follows once that is decided.
    func answer(_ at: Int) {
        if queue.answer(held[at].delivery, now: now) { answered.insert(held[at].delivery) }
    }

    func retry(_ at: Int, after: Int64) {
        // What it has answered it cannot take back.
        if answered.contains(held[at].delivery) { return }
        let (delivery, position) = held.remove(at: at)
        let outcome = queue.fail(
            delivery, due: now + after, isCounted: true, code: "x", message: "", now: now, unixNow: now)
        if case .exhausted = outcome { settled.insert(position) }
        if case .retrying(let through?) = outcome { void(position, above: delivery, through) }
        if case .exhausted(_, _, let through?) = outcome { void(position, above: delivery, through) }
    }

    private func void(_ position: Int64, above delivery: Int64, _ through: Int64) {
        held.removeAll { isSameLane($0.position, position) && $0.delivery > delivery && $0.delivery <= through }
    }

    /// The plugin crashes, or host and plugin, and the next life begins with what was stored.
    func crash() {
        var resumption = DeliveryQueue.Resumption(
            position: queue.settledThrough, settled: queue.settledRanges, attempts: queue.openAttempts)
        for parked in queue.parkedStates {
            resumption.add(
                parked: parked.key, first: parked.position, due: parked.due, attempts: parked.attempts,
                settled: parked.settled)
        }
        queue = DeliveryQueue(settings: settings, window: window, resuming: resumption)
        held = []
    }

    /// All that went out since the last call, as `position` or `position#attempt`.
    func delivered() -> [String] {
        turn()
        defer { launches = [] }
        return launches
    }
}
