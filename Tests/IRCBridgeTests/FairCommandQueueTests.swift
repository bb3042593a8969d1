import Testing

@testable import IRCBridge

/// Whose command is next.
@Suite struct FairCommandQueueTests {
    private func item(_ network: String, _ number: Int) -> FairCommandQueue.Item {
        let command = ChatCommand(kind: .message, json: [], userID: "\(number)", ref: network)
        return FairCommandQueue.Item(network: network, command: command, isSecond: false)
    }

    /// All that may be emitted now, as `NETWORK NUMBER`.
    private func emitted(_ turns: inout FairCommandQueue) -> [String] {
        var emitted: [String] = []
        while let item = turns.next() { emitted.append("\(item.network) \(item.command.userID)") }
        return emitted
    }

    @Test func aFloodOfOneNetworkDelaysNoOther() {
        var turns = FairCommandQueue(most: 6, mostOfOne: 3)
        for i in 0..<100 { turns.add(item("a", i)) }
        let first = emitted(&turns)
        #expect(first == ["a 0", "a 1", "a 2"])
        #expect(turns.isBehind("a"))
        turns.add(item("b", 0))
        let second = emitted(&turns)
        #expect(second == ["b 0"])
        #expect(!turns.isBehind("b"))
    }

    @Test func networksTakeTurnsAndEachKeepsItsOrder() {
        var turns = FairCommandQueue(most: 4, mostOfOne: 3)
        for i in 0..<3 { turns.add(item("a", i)) }
        for i in 0..<3 { turns.add(item("b", i)) }
        let first = emitted(&turns)
        #expect(first == ["a 0", "b 0", "a 1", "b 1"])
        turns.answered("a")
        let second = emitted(&turns)
        #expect(second == ["a 2"])
        turns.answered("b")
        let third = emitted(&turns)
        #expect(third == ["b 2"])
    }

    @Test func aNetworkIsReadAgainOnceHalfIsAnswered() {
        var turns = FairCommandQueue(most: 100, mostOfOne: 4)
        for i in 0..<5 { turns.add(item("a", i)) }
        _ = emitted(&turns)
        #expect(turns.isBehind("a") && !turns.hasRoom("a"))
        turns.answered("a")
        _ = emitted(&turns)
        #expect(!turns.isBehind("a") && !turns.hasRoom("a"))
        turns.answered("a")
        #expect(!turns.hasRoom("a"))
        turns.answered("a")
        #expect(turns.hasRoom("a"))
        // An answer too many changes nothing.
        turns.answered("b")
        #expect(turns.hasRoom("b"))
    }
}
