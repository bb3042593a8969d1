import Synchronization

/// A number that only grows, from the start of the process on. Adding to it is one atomic instruction.
public final class Counter: Sendable {
    private let count = Atomic<Int>(0)

    /// Makes a counter at 0.
    public init() {}

    /// Adds to the counter.
    public func add(_ number: Int = 1) { count.wrappingAdd(number, ordering: .relaxed) }

    /// The number now.
    public var value: Int { count.load(ordering: .relaxed) }
}

/// The values of a label that is an enumeration, numbered from 0.
public protocol MetricLabel: CaseIterable, RawRepresentable, Sendable where RawValue == Int {
    /// The value as it is written.
    var text: String { get }
}

/// A counter for each value of a label. Which one is counted is an index, so that nothing is looked up by its name.
public struct LabelledCounters<Label: MetricLabel>: Sendable {
    private let counters: [Counter]

    /// Makes the counters at 0.
    public init() { counters = Label.allCases.map { _ in Counter() } }

    /// Adds to the counter of a value.
    public func add(_ label: Label, _ number: Int = 1) { counters[label.rawValue].add(number) }

    /// The number of a value now.
    public subscript(label: Label) -> Int { counters[label.rawValue].value }

    /// The numbers of all values, in their order.
    public var values: [(label: Label, count: Int)] { Label.allCases.map { ($0, self[$0]) } }
}
