import CrowbarCore
import JSONBytes
import Testing

@testable import PluginHost

/// The last hour of a queue.
@Suite struct QueueHistoryTests {
    private func reading(_ at: Int64, settled: Int64, deadLetters: Int = 0) -> QueueHistory.Reading {
        QueueHistory.Reading(at: at, lagEvents: at, lagSeconds: at * 2, settled: settled, deadLetters: deadLetters)
    }

    @Test func aSampleHasWhatHappenedSinceTheOneBefore() {
        var history = QueueHistory()
        // A process that started again counts from 0; redriven dead letters are no failures.
        for (at, settled, letters) in [(1, 10, 3), (2, 25, 3), (3, 4, 5), (4, 4, 1), (5, 9, 2)] as [(Int64, Int64, Int)]
        {
            history.add(reading(at, settled: settled, deadLetters: letters))
        }
        #expect(history.samples.map(\.delivered) == [10, 15, 4, 0, 5])
        #expect(history.samples.map(\.failed) == [0, 0, 2, 0, 1])
        #expect(history.samples.map(\.lagSeconds) == [2, 4, 6, 8, 10])
    }

    @Test func itHasAnHour() {
        var history = QueueHistory()
        for at in 1...150 { history.add(reading(Int64(at), settled: 0)) }
        #expect(history.samples.map(\.at) == Array(91...150))
        #expect(history.json.array?.count == 60)
        #expect(history.json.array?.first?["lagEvents"]?.int == 91)
    }

    @Test func aQueueThatIsGoneIsForgotten() {
        let histories = QueueHistories()
        histories.add([
            .init(plugin: "p", queue: "a"): reading(1, settled: 1),
            .init(plugin: "o", queue: "b"): reading(1, settled: 1),
        ])
        histories.add([.init(plugin: "p", queue: "a"): reading(2, settled: 1)])
        #expect(histories.of("p")["a"]?.samples.count == 2)
        #expect(histories.of("o").isEmpty)
    }
}
