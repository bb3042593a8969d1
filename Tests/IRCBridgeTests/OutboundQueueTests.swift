import Testing

@testable import IRCBridge

@Suite struct OutboundQueueTests {
    private func entry(
        _ delivery: Int64, _ channel: String = "general", to targets: [String] = ["#room"]
    ) -> OutboundQueue.Entry {
        OutboundQueue.Entry(
            delivery: delivery, message: ChatMessage(channel: channel, author: "ann", what: .text("\(delivery)")),
            targets: targets)
    }

    /// Writes up to `most` lines, two for each message and target.
    private func write(
        _ queue: inout OutboundQueue, most: Int = .max, onlyBegun: Bool = false,
        state: (String) -> OutboundQueue.TargetState = { _ in .joined }
    ) -> [String] {
        var lines: [String] = []
        while lines.count < most {
            let turn = queue.turn(onlyBegun: onlyBegun, state: state) { message, target in
                guard case .text(let text) = message.what else { return [] }
                return ["\(target) \(text)a", "\(target) \(text)b"]
            }
            switch turn {
            case .line(let line): lines.append(line)
            case .settled(let entry): lines.append("settled \(entry.delivery)")
            case nil: return lines
            }
        }
        return lines
    }

    /// What is done once a fence that is set now is answered.
    private func answered(_ queue: inout OutboundQueue) -> [OutboundQueue.Entry] {
        let fence = queue.fence()
        return queue.pong(fence)
    }

    private func queue(_ entries: OutboundQueue.Entry...) -> OutboundQueue {
        var queue = OutboundQueue()
        for entry in entries { queue.accept(entry) }
        return queue
    }

    @Test func onlyWhatStandsBeforeTheAnsweredFenceIsDone() {
        var queue = queue(entry(1), entry(2))
        let said1 = write(&queue, most: 3)
        #expect(said1 == ["#room 1a", "#room 1b", "#room 2a"])
        let fence = queue.fence()
        #expect(!queue.needsFence)
        let said2 = write(&queue)
        #expect(said2 == ["#room 2b"])
        #expect(queue.sentLines == 4)
        let done8 = queue.pong("other")
        #expect(done8.isEmpty)
        let done9 = queue.pong(fence)
        #expect(done9.map(\.delivery) == [1])
        #expect(queue.sentLines == 2)
        #expect(queue.needsFence)
        let done10 = answered(&queue)
        #expect(done10.map(\.delivery) == [2])
        #expect(queue.count == 0)
    }

    @Test func lanesTakeTurnsMessageByMessage() {
        var queue = queue(entry(1, "a"), entry(2, "a"), entry(3, "b"))
        let said = write(&queue)
        #expect(said.filter { $0.contains("3") } == ["#room 3a", "#room 3b"])
        #expect(said.firstIndex(of: "#room 3a") == 2)
        #expect(said.filter { !$0.contains("3") } == ["#room 1a", "#room 1b", "#room 2a", "#room 2b"])
    }

    @Test func aLostConnectionBringsBackAllThatIsNotConfirmedInOrder() {
        var queue = queue(entry(1), entry(2), entry(3), entry(4))
        _ = write(&queue, most: 2)
        let first = queue.fence()
        _ = write(&queue, most: 3)
        let done11 = queue.pong(first)
        #expect(done11.map(\.delivery) == [1])
        let lost = queue.fence()
        queue.connectionLost()
        #expect(queue.sentLines == 0)
        #expect(queue.count == 3)
        #expect(!queue.needsFence)
        // An answer to what the old connection asked says nothing.
        let done12 = queue.pong(lost)
        #expect(done12.isEmpty)
        // Each alone until it is confirmed, but for what was not begun before.
        for message in 2...3 {
            let said = write(&queue)
            #expect(said == ["#room \(message)a", "#room \(message)b"])
            let done = answered(&queue)
            #expect(done.map(\.delivery) == [Int64(message)])
        }
        let said3 = write(&queue)
        #expect(said3 == ["#room 4a", "#room 4b"])
    }

    @Test func aTargetThatWaitsHoldsBackItsOwnMessagesAlone() {
        var queue = queue(entry(1, "a", to: ["#shut"]), entry(2, "a", to: ["#shut", "#room"]), entry(3, "b"))
        let said = write(&queue) { $0 == "#shut" ? .waiting : .joined }
        #expect(said == ["#room 2a", "#room 2b", "#room 3a", "#room 3b"])
        let done = answered(&queue)
        #expect(done.map(\.delivery) == [3])
        let said4 = write(&queue)
        #expect(said4 == ["#shut 1a", "#shut 1b", "#shut 2a", "#shut 2b"])
        let rest = answered(&queue)
        #expect(rest.map(\.delivery) == [1, 2])
    }

    @Test func aDeadTargetFailsItsMessagesAndTheOthersGetThem() {
        var queue = queue(entry(1, to: ["#dead", "#room"]), entry(2, to: ["#dead"]))
        let state: (String) -> OutboundQueue.TargetState = { $0 == "#dead" ? .dead("banned") : .joined }
        let said5 = write(&queue, state: state)
        #expect(said5 == ["settled 2", "#room 1a", "#room 1b"] || said5 == ["#room 1a", "#room 1b", "settled 2"])
        let done13 = answered(&queue)
        #expect(done13.map(\.failure) == [nil])
        #expect(done13.map(\.missed) == [OutboundQueue.Miss(target: "#dead", reason: "banned")])
    }

    @Test(
        "unlabelled refusals",
        arguments: [
            // Of three messages of two lines each, so many lines are refused: which messages that makes fail.
            (0, []), (1, [3]), (2, [3]), (3, [2, 3]), (6, [1, 2, 3]), (9, [1, 2, 3]),
        ] as [(Int, [Int64])])
    func unlabelledRefusals(count: Int, failed: [Int64]) {
        var queue = queue(entry(1), entry(2), entry(3), entry(4, "b", to: ["#other"]))
        _ = write(&queue)
        for _ in 0..<count { queue.receipts.refuse("#room", "no", isTopic: false) }
        let done = answered(&queue)
        #expect(done.count == 4)
        #expect(done.filter { $0.failure != nil }.map(\.delivery) == failed)
    }

    @Test func afterARefusalMessagesGoOneByOneForAWhile() {
        var queue = queue(entry(1), entry(2))
        _ = write(&queue)
        queue.receipts.refuse("#room", "no", isTopic: false)
        _ = answered(&queue)
        for i in 0..<Int64(ReceiptTracker.doubt + 2) { queue.accept(entry(10 + i)) }
        queue.accept(entry(90, "b", to: ["#other"]))
        var said = write(&queue)
        #expect(said == ["#room 10a", "#room 10b", "#other 90a", "#other 90b"])
        // The one that is refused is known, and the others are not.
        queue.receipts.refuse("#room", "no", isTopic: false)
        let done = answered(&queue)
        #expect(done.map(\.failure) == ["no", nil])
        for i in 1...Int64(ReceiptTracker.doubt) {
            said = write(&queue)
            #expect(said == ["#room \(10 + i)a", "#room \(10 + i)b"])
            let taken = answered(&queue)
            #expect(taken.map(\.failure) == [nil])
        }
        for i in 0..<Int64(3) { queue.accept(entry(50 + i)) }
        said = write(&queue)
        #expect(said.count == 8)
    }

    @Test func aRefusalIsOfAMessageThatIsHalfWrittenToo() {
        var queue = queue(entry(1))
        _ = write(&queue, most: 1)
        queue.receipts.refuse("#room", "no", isTopic: false)
        let none = answered(&queue)
        #expect(none.isEmpty)
        _ = write(&queue)
        let done = answered(&queue)
        #expect(done.map(\.failure) == ["no"])
    }

    @Test func topicsAreRefusedForThemselves() {
        var queue = queue(entry(1))
        queue.accept(
            OutboundQueue.Entry(
                delivery: 2, message: ChatMessage(channel: "general", author: "ann", what: .topic("t")),
                targets: ["#room"]))
        for _ in 0..<3 {
            _ = queue.turn(
                state: { _ in .joined }, render: { message, target in [message.isTopic ? "TOPIC" : target] })
        }
        queue.receipts.refuse("#room", "no op", isTopic: true)
        let done = answered(&queue)
        #expect(done.map(\.failure) == [nil, "no op"])
    }

    @Test func whatIsLeftOutIsLeftOutWhole() {
        var queue = queue(entry(1, to: ["#a", "#b"]), entry(2, to: ["#b"]), entry(3, to: ["#a", "#b"]))
        // The first is said in one of its channels.
        let said = write(&queue, most: 2) { $0 == "#a" ? .joined : .waiting }
        #expect(said == ["#a 1a", "#a 1b"])
        var judged: [Int64] = []
        let removed = queue.removeWaiting {
            judged.append($0.delivery)
            return $0.delivery != 2
        }
        #expect(judged == [1, 2, 3])
        // What is left of the first is settled with what was said of it.
        #expect(removed.map(\.delivery) == [3] && removed.map(\.targets) == [["#a", "#b"]])
        let done = answered(&queue)
        #expect(done.map(\.delivery) == [1] && queue.count == 1)
    }

    @Test func whatATargetLostIsSaidAgainBeforeTheRest() {
        var queue = queue(entry(1), entry(2, "b", to: ["#other"]), entry(3))
        _ = write(&queue, most: 5)
        queue.takeBack("#room")
        let other = answered(&queue)
        #expect(other.map(\.delivery) == [2])
        for message in [1, 3] {
            let said = write(&queue)
            #expect(said == ["#room \(message)a", "#room \(message)b"])
            let done = answered(&queue)
            #expect(done.map(\.delivery) == [Int64(message)])
        }
    }

    @Test func whatWasWrittenTwiceAndNotConfirmedIsGivenUpWithTheReason() {
        var queue = queue(entry(1), entry(2))
        for _ in 1...2 {
            _ = write(&queue, most: 2)
            queue.connectionLost("Excess Flood")
        }
        let turn = queue.turn(state: { _ in .joined }, render: { _, _ in ["x"] })
        guard case .settled(let given) = turn else {
            Issue.record("nothing was given up")
            return
        }
        #expect(given.delivery == 1)
        #expect(given.failure?.contains("2 times and not confirmed: Excess Flood") == true)
        let rest = write(&queue)
        #expect(rest == ["#room 2a", "#room 2b"])
    }

    @Test func aDrainFinishesWhatIsBegunAndBeginsNothing() {
        var queue = queue(entry(1), entry(2))
        _ = write(&queue, most: 1)
        #expect(queue.hasBegun)
        let said7 = write(&queue, onlyBegun: true)
        #expect(said7 == ["#room 1b"])
        #expect(!queue.hasBegun)
    }
}
