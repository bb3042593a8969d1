import DequeModule

/// The commands that wait for their turn, network by network, so that one that floods the chat delays none of the
/// others: each has so many at once without the chat's answer, and they take turns.
struct FairCommandQueue: Sendable {
    /// A command with where it comes from.
    struct Item: Sendable {
        var network: String
        var command: ChatCommand
        /// Whether it was refused once already.
        var isSecond: Bool
    }

    /// The most of all networks without an answer.
    let most: Int
    /// The most of one network.
    let mostOfOne: Int
    private var waiting: [String: Deque<Item>] = [:]
    private var outstanding: [String: Int] = [:]
    private var total = 0
    /// The networks with something that waits, the next one first.
    private var rotation: Deque<String> = []

    /// Whether nothing waits.
    var isEmpty: Bool { waiting.isEmpty }

    init(most: Int, mostOfOne: Int) { (self.most, self.mostOfOne) = (most, mostOfOne) }

    /// Takes a command to be emitted after the network's others.
    mutating func add(_ item: Item) {
        if waiting[item.network] == nil { rotation.append(item.network) }
        waiting[item.network, default: []].append(item)
    }

    /// Takes out the next command that may be emitted; nil where all that wait have to.
    mutating func next() -> Item? {
        guard total < most else { return nil }
        for _ in 0..<rotation.count {
            let network = rotation.removeFirst()
            guard outstanding[network, default: 0] < mostOfOne, let item = waiting[network]?.popFirst() else {
                rotation.append(network)
                continue
            }
            if waiting[network]?.isEmpty == true { waiting[network] = nil } else { rotation.append(network) }
            outstanding[network, default: 0] += 1
            total += 1
            return item
        }
        return nil
    }

    /// The chat has answered a command.
    mutating func answered(_ network: String) {
        guard let count = outstanding[network], count > 0 else { return }
        outstanding[network] = count == 1 ? nil : count - 1
        total -= 1
    }

    /// Whether to stop reading from a network, because the chat does not keep up with it.
    func isBehind(_ network: String) -> Bool { waiting[network] != nil }

    /// Whether enough is answered to read on.
    func hasRoom(_ network: String) -> Bool {
        waiting[network] == nil && outstanding[network, default: 0] <= mostOfOne / 2
    }
}
