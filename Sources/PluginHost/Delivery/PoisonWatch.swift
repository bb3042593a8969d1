/// Finds the event that brings a plugin down again and again, among all that it held when it crashed: a pure value.
///
/// Suspects are the events held at a crash, over all queues. When one of them is a suspect in three crashes one after
/// the other, events go out one at a time, suspects first; a crash then has one suspect only, which is given up.
struct PoisonWatch {
    /// Crashes one after the other that begin the isolation.
    static let crashes = 3

    /// Positions by queue.
    typealias Events = [String: Set<Int64>]

    /// How often each event was held at the last crashes, none left out.
    private var counts: [String: [Int64: Int]] = [:]
    /// The events under suspicion while one goes out at a time; empty: there is no isolation.
    private(set) var suspects: Events = [:]

    init() {}

    /// Notes a crash with what the plugin held.
    mutating func crashed(holding held: Events) {
        var next: [String: [Int64: Int]] = [:]
        for (queue, positions) in held {
            for position in positions { next[queue, default: [:]][position] = (counts[queue]?[position] ?? 0) + 1 }
        }
        // Nothing held says nothing about any event.
        if next.isEmpty { return }
        counts = next
        let often = next.mapValues { Set($0.filter { $0.value >= Self.crashes }.keys) }.filter { !$0.value.isEmpty }
        if often.isEmpty { return }
        // While one goes out at a time it may be another one that does harm: one that the suspects have to wait for.
        suspects = suspects.isEmpty ? held.filter { !$0.value.isEmpty } : suspects.merging(often) { $0.union($1) }
    }

    /// Takes over which suspects are left after a process' life.
    mutating func keep(_ left: Events) {
        if suspects.isEmpty { return }
        suspects = left.filter { !$0.value.isEmpty }
        // From here on crashes are counted from 0.
        if suspects.isEmpty { counts = [:] }
    }
}
