import JSONBytes

/// The last hour of a queue: a ring of one sample a minute. A pure value.
struct QueueHistory: Sendable, Equatable {
    /// Samples at most.
    static let capacity = 60

    /// A queue at one moment, and what happened since the sample before.
    struct Sample: Sendable, Equatable {
        /// Unix milliseconds.
        var at: Int64
        /// Events behind the head of the log.
        var lagEvents: Int64
        /// The age of the oldest event behind the head of the log.
        var lagSeconds: Int64
        /// Events that were settled.
        var delivered: Int64
        /// Events that became dead letters.
        var failed: Int64
    }

    /// What the plugin host knows of a queue at one moment.
    struct Reading: Sendable {
        /// Unix milliseconds.
        var at: Int64
        /// Events behind the head of the log.
        var lagEvents: Int64
        /// The age of the oldest event behind the head of the log.
        var lagSeconds: Int64
        /// Events that the plugin's process settled since it started.
        var settled: Int64
        /// Dead letters that there are.
        var deadLetters: Int
    }

    private var ring: [Sample] = []
    /// Where the next sample goes, if the ring is full.
    private var next = 0
    private var last: (settled: Int64, deadLetters: Int)?

    static func == (a: QueueHistory, b: QueueHistory) -> Bool { a.samples == b.samples }

    /// Adds a sample; the oldest one goes.
    mutating func add(_ reading: Reading) {
        // A process that started since counts from 0.
        let before = last.map { reading.settled < $0.settled ? 0 : $0.settled } ?? 0
        let sample = Sample(
            at: reading.at, lagEvents: reading.lagEvents, lagSeconds: reading.lagSeconds,
            delivered: reading.settled - before,
            // Fewer: some were redriven or dropped.
            failed: Int64(max(0, reading.deadLetters - (last?.deadLetters ?? reading.deadLetters))))
        last = (reading.settled, reading.deadLetters)
        if ring.count < Self.capacity {
            ring.append(sample)
        } else {
            ring[next] = sample
            next = (next + 1) % Self.capacity
        }
    }

    /// The samples, oldest first.
    var samples: [Sample] { Array(ring[next...] + ring[..<next]) }

    /// `[{"at","lagEvents","lagSeconds","delivered","failed"}]`, oldest first.
    var json: JSON {
        .array(
            samples.map { sample in
                .object([
                    .init("at", .int(sample.at)), .init("lagEvents", .int(sample.lagEvents)),
                    .init("lagSeconds", .int(sample.lagSeconds)), .init("delivered", .int(sample.delivered)),
                    .init("failed", .int(sample.failed)),
                ])
            })
    }
}
