import CrowbarCore

/// What every store of the plugin host's bookkeeping must do. Each check wants an empty store of its own.
public struct HostStoreConformance: Sendable, CustomStringConvertible {
    /// What is checked.
    public let name: String
    private let body: @Sendable (any HostStore) async throws -> Void

    public var description: String { name }

    private init(_ name: String, _ body: @escaping @Sendable (any HostStore) async throws -> Void) {
        self.name = name
        self.body = body
    }

    /// Runs the check.
    /// - Throws: ``ConformanceFailure``, or what the store throws.
    public func run(_ store: any HostStore) async throws { try await body(store) }

    private static let full = QueueRecord(
        cursor: LogEntryID(position: 40, eventId: "e40"), bornAt: 7, settled: [42...42, 50...1000, 1 << 40...1 << 41],
        retries: [
            QueueRecord.Retry(
                position: 41, deliveries: 3, counted: 2, due: 1_700_000_000_123, code: "timeout",
                message: "ünd\n\"so\" 😀", first: 1_700_000_000_000),
            QueueRecord.Retry(
                position: 43, deliveries: 1, counted: 0, due: 0, code: "", message: "", first: 0),
        ],
        parked: [
            QueueRecord.Parked(
                lane: "#ünd 😀",
                first: QueueRecord.Retry(
                    position: 9, deliveries: 4, counted: 4, due: 1_700_000_000_999, code: "503", message: "away",
                    first: 1_700_000_000_000), settled: [11...11, 13...20]),
            QueueRecord.Parked(
                lane: "=12",
                first: QueueRecord.Retry(
                    position: 12, deliveries: 0, counted: 0, due: 0, code: "", message: "", first: 0)),
        ], state: Array(#"{"n":1}"#.utf8), droppedAt: 1_700_000_000_456,
        savedAt: 1_700_000_000_789)

    private static func letter(_ plugin: String, _ queue: String, _ position: Int64, last: Int64 = 9) -> DeadLetter {
        DeadLetter(
            id: QueueID(plugin: plugin, queue: queue), entry: LogEntryID(position: position, eventId: "e\(position)"),
            code: "gone", message: "410", attempts: last, first: 5, last: last)
    }

    /// Counts by `PLUGIN/QUEUE`, each of one letter here.
    private static func counts(_ counts: [String: Int]) -> [QueueID: Int] {
        counts.reduce(into: [:]) { all, count in
            all[QueueID(plugin: String(count.key.prefix(1)), queue: String(count.key.suffix(1)))] = count.value
        }
    }

    /// All checks.
    public static let checks: [HostStoreConformance] = [
        HostStoreConformance("an empty store") { store in
            try expectEqual(try await store.queues(of: "p"), [:])
            try expectEqual(try await store.plugins(), [])
            try expectEqual(try await store.deadLetterCounts(), [:])
            try expectEqual(try await store.deadLetters(of: "p", queue: nil, limit: 10), [])
        },
        HostStoreConformance("a record comes back whole") { store in
            let empty = QueueRecord(cursor: nil, bornAt: 0)
            try await store.save(
                [QueueID(plugin: "p", queue: "a"): full, QueueID(plugin: "p", queue: "b"): empty], deadLetters: [])
            try expectEqual(try await store.queues(of: "p"), ["a": full, "b": empty])
        },
        HostStoreConformance("a later record replaces the first, others stay") { store in
            try await store.save(
                [QueueID(plugin: "p", queue: "a"): full, QueueID(plugin: "q", queue: "a"): full], deadLetters: [])
            let later = QueueRecord(cursor: LogEntryID(position: 2000, eventId: "x"), bornAt: 7)
            try await store.save([QueueID(plugin: "p", queue: "a"): later], deadLetters: [])
            try expectEqual(try await store.queues(of: "p"), ["a": later])
            try expectEqual(try await store.queues(of: "q"), ["a": full])
            try expectEqual(try await store.plugins(), ["p", "q"])
        },
        HostStoreConformance("dead letters: oldest first, by plugin, by queue, counted, limited") { store in
            try await store.save([:], deadLetters: [letter("p", "b", 9), letter("p", "a", 3)])
            try await store.save([:], deadLetters: [letter("p", "a", 4), letter("q", "a", 4)])
            func positions(_ queue: String?, _ limit: Int) async throws -> [Int64] {
                try await store.deadLetters(of: "p", queue: queue, limit: limit).map(\.entry.position)
            }
            try expectEqual(try await positions(nil, 10), [9, 3, 4])
            try expectEqual(try await positions("a", 10), [3, 4])
            try expectEqual(try await positions(nil, 2), [9, 3])
            try expectEqual(try await store.deadLetterCounts(), counts(["p/a": 2, "p/b": 1, "q/a": 1]))
            try expectEqual(try await store.deadLetters(of: "q", queue: "a", limit: 1), [letter("q", "a", 4)])
        },
        HostStoreConformance("dead letters are redriven and dropped by plugin, by queue, by event") { store in
            try await store.save(
                [:], deadLetters: [letter("p", "a", 4), letter("p", "a", 3), letter("p", "b", 3), letter("q", "a", 3)])
            try expectEqual(try await store.redrive("p", queue: "a", eventIds: ["e3", "e99"]), 1)
            try expectEqual(try await store.redrives(of: "p"), ["a": [3]])
            try expectEqual(try await store.redrive("p", queue: nil, eventIds: nil), 2, "one waits already")
            try expectEqual(try await store.redrives(of: "p"), ["a": [3, 4], "b": [3]])
            try expectEqual(try await store.redrives(of: "q"), [:])
            // One succeeds, one fails once more.
            try await store.save(
                [:], deadLetters: [letter("p", "a", 4, last: 8)], redriven: [QueueID(plugin: "p", queue: "a"): [3]])
            try expectEqual(try await store.redrives(of: "p"), ["b": [3]])
            let left = try await store.deadLetters(of: "p", queue: nil, limit: 10)
            try expectEqual(left, [letter("p", "a", 4, last: 8), letter("p", "b", 3)])
            try expectEqual(try await store.dropDeadLetters(of: "p", queue: "b", eventIds: ["e4"]), 0)
            try expectEqual(try await store.dropDeadLetters(of: "p", queue: nil, eventIds: nil), 2)
            try expectEqual(try await store.redrives(of: "p"), [:])
            try expectEqual(try await store.deadLetterCounts(), counts(["q/a": 1]))
        },
        HostStoreConformance("queues dropped long ago are purged with their dead letters") { store in
            func record(_ droppedAt: Int64?) -> QueueRecord {
                QueueRecord(cursor: nil, bornAt: 0, droppedAt: droppedAt)
            }
            try await store.save(
                [
                    QueueID(plugin: "p", queue: "a"): record(10), QueueID(plugin: "p", queue: "b"): record(20),
                    QueueID(plugin: "p", queue: "c"): record(nil),
                ], deadLetters: [letter("p", "a", 3), letter("p", "b", 3)])
            try await store.purge(droppedBefore: 20)
            try expectEqual(try await store.queues(of: "p").keys.sorted(), ["b", "c"])
            try expectEqual(try await store.deadLetterCounts(), counts(["p/b": 1]))
        },
        HostStoreConformance("a queue that was dropped in the future counts as dropped now") { store in
            for (name, droppedAt) in [("a", Int64(10)), ("b", 20), ("c", nil), ("d", 900)] as [(String, Int64?)] {
                let record = QueueRecord(cursor: nil, bornAt: 0, droppedAt: droppedAt)
                try await store.save([QueueID(plugin: "p", queue: name): record], deadLetters: [])
            }
            try await store.capDropTimes(at: 20)
            let queues = try await store.queues(of: "p").mapValues(\.droppedAt)
            try expectEqual(queues, ["a": 10, "b": 20, "c": nil, "d": 20])
        },
        HostStoreConformance("the same event given up on again is one dead letter, as it was last") { store in
            try await store.save([:], deadLetters: [letter("p", "a", 3), letter("p", "a", 4)])
            try await store.save([:], deadLetters: [letter("p", "a", 3, last: 77)])
            let letters = try await store.deadLetters(of: "p", queue: nil, limit: 10)
            try expectEqual(letters, [letter("p", "a", 3, last: 77), letter("p", "a", 4)])
        },
        HostStoreConformance("a forgotten plugin leaves nothing, the others all") { store in
            try await store.save(
                [
                    QueueID(plugin: "p", queue: "a"): full, QueueID(plugin: "p", queue: "b"): full,
                    QueueID(plugin: "q", queue: "a"): full,
                ], deadLetters: [letter("p", "a", 3), letter("q", "a", 3)])
            try await store.forget(plugin: "p")
            try await store.forget(plugin: "nobody")
            try expectEqual(try await store.queues(of: "p"), [:])
            try expectEqual(try await store.deadLetters(of: "p", queue: nil, limit: 10), [])
            try expectEqual(try await store.plugins(), ["q"])
            try expectEqual(try await store.queues(of: "q"), ["a": full])
            try expectEqual(try await store.deadLetterCounts(), counts(["q/a": 1]))
        },
        HostStoreConformance("a forgotten queue leaves nothing, the others of its plugin all") { store in
            let (a, b) = (QueueID(plugin: "p", queue: "a"), QueueID(plugin: "p", queue: "b"))
            try await store.save([a: full, b: full], deadLetters: [letter("p", "a", 3), letter("p", "b", 3)])
            _ = try await store.redrive("p", queue: nil, eventIds: nil)
            try await store.forget(queue: a)
            try await store.forget(queue: QueueID(plugin: "p", queue: "none"))
            try expectEqual(try await store.queues(of: "p"), ["b": full])
            try expectEqual(try await store.deadLetterCounts(), counts(["p/b": 1]))
            try expectEqual(try await store.redrives(of: "p"), ["b": [3]])
        },
    ]
}
