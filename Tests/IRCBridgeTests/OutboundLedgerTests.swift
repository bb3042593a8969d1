import Testing

@testable import IRCBridge

@Suite struct OutboundLedgerTests {
    private func entry(
        _ delivery: Int64, _ channel: String = "general", to targets: [String] = ["#room"]
    ) -> OutboundLedger.Entry {
        OutboundLedger.Entry(
            delivery: delivery, message: ChatMessage(channel: channel, author: "ann", what: .text("\(delivery)")),
            targets: targets)
    }

    /// Writes up to `most` lines, two for each message and target.
    private func write(
        _ ledger: inout OutboundLedger, most: Int = .max, onlyBegun: Bool = false,
        state: (String) -> OutboundLedger.TargetState = { _ in .joined }
    ) -> [String] {
        var lines: [String] = []
        while lines.count < most {
            let turn = ledger.turn(onlyBegun: onlyBegun, state: state) { message, target in
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
    private func answered(_ ledger: inout OutboundLedger) -> [OutboundLedger.Entry] {
        let fence = ledger.fence()
        return ledger.pong(fence)
    }

    private func ledger(_ entries: OutboundLedger.Entry...) -> OutboundLedger {
        var ledger = OutboundLedger()
        for entry in entries { ledger.accept(entry) }
        return ledger
    }

    @Test func onlyWhatStandsBeforeTheAnsweredFenceIsDone() {
        var ledger = ledger(entry(1), entry(2))
        let said1 = write(&ledger, most: 3)
        #expect(said1 == ["#room 1a", "#room 1b", "#room 2a"])
        let fence = ledger.fence()
        #expect(!ledger.needsFence)
        let said2 = write(&ledger)
        #expect(said2 == ["#room 2b"])
        #expect(ledger.sentLines == 4)
        let done8 = ledger.pong("other")
        #expect(done8.isEmpty)
        let done9 = ledger.pong(fence)
        #expect(done9.map(\.delivery) == [1])
        #expect(ledger.sentLines == 2)
        #expect(ledger.needsFence)
        let done10 = answered(&ledger)
        #expect(done10.map(\.delivery) == [2])
        #expect(ledger.count == 0)
    }

    @Test func lanesTakeTurnsMessageByMessage() {
        var ledger = ledger(entry(1, "a"), entry(2, "a"), entry(3, "b"))
        let said = write(&ledger)
        #expect(said.filter { $0.contains("3") } == ["#room 3a", "#room 3b"])
        #expect(said.firstIndex(of: "#room 3a") == 2)
        #expect(said.filter { !$0.contains("3") } == ["#room 1a", "#room 1b", "#room 2a", "#room 2b"])
    }

    @Test func aLostConnectionBringsBackAllThatIsNotConfirmedInOrder() {
        var ledger = ledger(entry(1), entry(2), entry(3), entry(4))
        _ = write(&ledger, most: 2)
        let first = ledger.fence()
        _ = write(&ledger, most: 3)
        let done11 = ledger.pong(first)
        #expect(done11.map(\.delivery) == [1])
        let lost = ledger.fence()
        ledger.connectionLost()
        #expect(ledger.sentLines == 0)
        #expect(ledger.count == 3)
        #expect(!ledger.needsFence)
        // An answer to what the old connection asked says nothing.
        let done12 = ledger.pong(lost)
        #expect(done12.isEmpty)
        // Each alone until it is confirmed, but for what was not begun before.
        for message in 2...3 {
            let said = write(&ledger)
            #expect(said == ["#room \(message)a", "#room \(message)b"])
            let done = answered(&ledger)
            #expect(done.map(\.delivery) == [Int64(message)])
        }
        let said3 = write(&ledger)
        #expect(said3 == ["#room 4a", "#room 4b"])
    }

    @Test func aTargetThatWaitsHoldsBackItsOwnMessagesAlone() {
        var ledger = ledger(entry(1, "a", to: ["#shut"]), entry(2, "a", to: ["#shut", "#room"]), entry(3, "b"))
        let said = write(&ledger) { $0 == "#shut" ? .waiting : .joined }
        #expect(said == ["#room 2a", "#room 2b", "#room 3a", "#room 3b"])
        let done = answered(&ledger)
        #expect(done.map(\.delivery) == [3])
        let said4 = write(&ledger)
        #expect(said4 == ["#shut 1a", "#shut 1b", "#shut 2a", "#shut 2b"])
        let rest = answered(&ledger)
        #expect(rest.map(\.delivery) == [1, 2])
    }

    @Test func aDeadTargetFailsItsMessagesAndTheOthersGetThem() {
        var ledger = ledger(entry(1, to: ["#dead", "#room"]), entry(2, to: ["#dead"]))
        let state: (String) -> OutboundLedger.TargetState = { $0 == "#dead" ? .dead("banned") : .joined }
        let said5 = write(&ledger, state: state)
        #expect(said5 == ["settled 2", "#room 1a", "#room 1b"] || said5 == ["#room 1a", "#room 1b", "settled 2"])
        let done13 = answered(&ledger)
        #expect(done13.map(\.failure) == [nil])
        #expect(done13.map(\.missed) == [OutboundLedger.Miss(target: "#dead", reason: "banned")])
    }

    @Test(
        "unlabelled refusals",
        arguments: [
            // Of three messages of two lines each, so many lines are refused: which messages that makes fail.
            (0, []), (1, [3]), (2, [3]), (3, [2, 3]), (6, [1, 2, 3]), (9, [1, 2, 3]),
        ] as [(Int, [Int64])])
    func unlabelledRefusals(count: Int, failed: [Int64]) {
        var ledger = ledger(entry(1), entry(2), entry(3), entry(4, "b", to: ["#other"]))
        _ = write(&ledger)
        for _ in 0..<count { ledger.refuse("#room", "no", isTopic: false) }
        let done = answered(&ledger)
        #expect(done.count == 4)
        #expect(done.filter { $0.failure != nil }.map(\.delivery) == failed)
    }

    @Test func afterARefusalMessagesGoOneByOneForAWhile() {
        var ledger = ledger(entry(1), entry(2))
        _ = write(&ledger)
        ledger.refuse("#room", "no", isTopic: false)
        _ = answered(&ledger)
        for i in 0..<Int64(OutboundLedger.doubt + 2) { ledger.accept(entry(10 + i)) }
        ledger.accept(entry(90, "b", to: ["#other"]))
        var said = write(&ledger)
        #expect(said == ["#room 10a", "#room 10b", "#other 90a", "#other 90b"])
        // The one that is refused is known, and the others are not.
        ledger.refuse("#room", "no", isTopic: false)
        let done = answered(&ledger)
        #expect(done.map(\.failure) == ["no", nil])
        for i in 1...Int64(OutboundLedger.doubt) {
            said = write(&ledger)
            #expect(said == ["#room \(10 + i)a", "#room \(10 + i)b"])
            let taken = answered(&ledger)
            #expect(taken.map(\.failure) == [nil])
        }
        for i in 0..<Int64(3) { ledger.accept(entry(50 + i)) }
        said = write(&ledger)
        #expect(said.count == 8)
    }

    @Test func aRefusalIsOfAMessageThatIsHalfWrittenToo() {
        var ledger = ledger(entry(1))
        _ = write(&ledger, most: 1)
        ledger.refuse("#room", "no", isTopic: false)
        let none = answered(&ledger)
        #expect(none.isEmpty)
        _ = write(&ledger)
        let done = answered(&ledger)
        #expect(done.map(\.failure) == ["no"])
    }

    @Test func topicsAreRefusedForThemselves() {
        var ledger = ledger(entry(1))
        ledger.accept(
            OutboundLedger.Entry(
                delivery: 2, message: ChatMessage(channel: "general", author: "ann", what: .topic("t")),
                targets: ["#room"]))
        for _ in 0..<3 {
            _ = ledger.turn(
                state: { _ in .joined }, render: { message, target in [message.isTopic ? "TOPIC" : target] })
        }
        ledger.refuse("#room", "no op", isTopic: true)
        let done = answered(&ledger)
        #expect(done.map(\.failure) == [nil, "no op"])
    }

    @Test func whatIsLeftOutIsLeftOutWhole() {
        var ledger = ledger(entry(1, to: ["#a", "#b"]), entry(2, to: ["#b"]), entry(3, to: ["#a", "#b"]))
        // The first is said in one of its channels.
        let said = write(&ledger, most: 2) { $0 == "#a" ? .joined : .waiting }
        #expect(said == ["#a 1a", "#a 1b"])
        var judged: [Int64] = []
        let removed = ledger.removeWaiting {
            judged.append($0.delivery)
            return $0.delivery != 2
        }
        #expect(judged == [1, 2, 3])
        // What is left of the first is settled with what was said of it.
        #expect(removed.map(\.delivery) == [3] && removed.map(\.targets) == [["#a", "#b"]])
        let done = answered(&ledger)
        #expect(done.map(\.delivery) == [1] && ledger.count == 1)
    }

    @Test func whatATargetLostIsSaidAgainBeforeTheRest() {
        var ledger = ledger(entry(1), entry(2, "b", to: ["#other"]), entry(3))
        _ = write(&ledger, most: 5)
        ledger.takeBack("#room")
        let other = answered(&ledger)
        #expect(other.map(\.delivery) == [2])
        for message in [1, 3] {
            let said = write(&ledger)
            #expect(said == ["#room \(message)a", "#room \(message)b"])
            let done = answered(&ledger)
            #expect(done.map(\.delivery) == [Int64(message)])
        }
    }

    @Test func whatWasWrittenTwiceAndNotConfirmedIsGivenUpWithTheReason() {
        var ledger = ledger(entry(1), entry(2))
        for _ in 1...2 {
            _ = write(&ledger, most: 2)
            ledger.connectionLost("Excess Flood")
        }
        let turn = ledger.turn(state: { _ in .joined }, render: { _, _ in ["x"] })
        guard case .settled(let given) = turn else {
            Issue.record("nothing was given up")
            return
        }
        #expect(given.delivery == 1)
        #expect(given.failure?.contains("2 times and not confirmed: Excess Flood") == true)
        let rest = write(&ledger)
        #expect(rest == ["#room 2a", "#room 2b"])
    }

    @Test func aDrainFinishesWhatIsBegunAndBeginsNothing() {
        var ledger = ledger(entry(1), entry(2))
        _ = write(&ledger, most: 1)
        #expect(ledger.hasBegun)
        let said7 = write(&ledger, onlyBegun: true)
        #expect(said7 == ["#room 1b"])
        #expect(!ledger.hasBegun)
    }
}
