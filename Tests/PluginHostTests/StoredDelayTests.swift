import CrowbarCore
import PluginWire
import Testing

/// Waits that are left of a record after a restart, by whatever clock there is then.
@Suite struct StoredDelayTests {
    /// Delays that were stored, and what is left of them by another clock: when it was due and when that was stored,
    /// the clock now, and the wait.
    @Test(
        arguments: [
            // In time, late, and a day late.
            (60_000, 0, 10_000, 50_000), (60_000, 0, 60_000, 0), (60_000, 0, 86_400_000, 0),
            // The clock was set back by a minute, a day, to its beginning.
            (60_000, 0, -60_000, 60_000), (60_000, 0, -86_400_000, 60_000), (60_000, 0, -1_700_000_000_000, 60_000),
            // A record of before says nothing of its time: no wait is longer than the longest.
            (60_000, nil, -86_400_000, 86_460_000), (60_000, nil, -1_700_000_000_000, Wire.maxRetry),
            (Int64.max, nil, -1, Wire.maxRetry), (Int64.max, -1, -1, Wire.maxRetry), (Int64.min, 0, 10, 0),
            // Stored when it was due already.
            (60_000, 70_000, 0, 0),
        ] as [(Int64, Int64?, Int64, Int64)])
    func aStoredDelayGrowsByNoClock(_ due: Int64, _ savedAt: Int64?, _ now: Int64, _ expected: Int64) {
        let retry = QueueRecord.Retry(
            position: 1, deliveries: 1, counted: 1, due: due, code: "", message: "", first: 0)
        let record = QueueRecord(cursor: nil, bornAt: 0, retries: [retry], savedAt: savedAt)
        #expect(record.wait(retry, unixNow: now, longest: Wire.maxRetry) == expected)
    }
}
