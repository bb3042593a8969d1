import CrowbarCore
import JSONBytes

/// What every log must do, as checks to be run against each kind of log.
///
/// Each check wants a log of its own that is empty and was made with the driver's clock.
public struct EventLogConformance: Sendable, CustomStringConvertible {
    /// What is checked.
    public let name: String
    private let body: @Sendable (LogDriver) async throws -> Void

    public var description: String { name }

    init(_ name: String, _ body: @escaping @Sendable (LogDriver) async throws -> Void) {
        self.name = name
        self.body = body
    }

    /// Runs the check.
    /// - Throws: ``ConformanceFailure``, or what the log throws.
    public func run(_ driver: LogDriver) async throws { try await body(driver) }

    /// All checks.
    public static let checks: [EventLogConformance] = decisions + privacy + idempotency + order + reading + bytes
}

extension EventLogConformance {
    static let idempotency: [EventLogConformance] = [
        EventLogConformance("the same command under the same id is a duplicate, at any time") { driver in
            try await driver.settle()
            let json = #"{"type":"SEND_MESSAGE","channelId":"general","message":"hi","eventId":"e1"}"#
            let first = try await driver.store(json)
            driver.clock.advance(by: 5000)
            var again = try await driver.store(json)
            try expect(again.isDuplicate && !first.isDuplicate, "duplicate: \(first), \(again)")
            again.isDuplicate = false
            try expectEqual(again, first)
            // Spelled otherwise, with a time of the client's: the same command.
            let spelled =
                #"{"message":"\u0068i", "timestamp":1,"eventId":"e1","channelId":"general","type":"SEND_MESSAGE"}"#
            try expect(try await driver.store(spelled).isDuplicate, "spelling made another command of it")
            try expectEqual(try await driver.log.head()?.position, first.position)
        },
        EventLogConformance("a duplicate is a duplicate although the state would refuse it now") { driver in
            try await driver.settle()
            let json = #"{"type":"JOIN_CHANNEL","channelId":"general","eventId":"j"}"#
            try await driver.store(json, as: "bob")
            try expect(try await driver.store(json, as: "bob").isDuplicate, "not a duplicate")
        },
        EventLogConformance("another command under the same id is a conflict and stores nothing") { driver in
            try await driver.settle()
            try await driver.store(#"{"type":"SET_TOPIC","channelId":"general","topic":"a","eventId":"e"}"#)
            let other = try await driver.send(#"{"type":"SET_TOPIC","channelId":"general","topic":"b","eventId":"e"}"#)
            try expectCode(other, .eventIdConflict)
            let otherActor = try await driver.send(
                #"{"type":"SET_TOPIC","channelId":"general","topic":"a","eventId":"e"}"#, as: "bob")
            try expectCode(otherActor, .eventIdConflict)
            try expectEqual(try await driver.log.head()?.position, 4)
        },
        EventLogConformance("a derived id that is there is the first result, whatever the content") { driver in
            try await driver.settle()
            func derived(_ text: String) throws -> Submission {
                try driver.submission(
                    #"{"type":"SEND_MESSAGE","channelId":"general","message":"\#(text)"}"#, derivedId: "d1",
                    origin: Submission.Origin(plugin: "irc", ref: "x"), depth: 1)
            }
            let first = try await driver.log.append([derived("a")])[0].get()
            let second = try await driver.log.append([derived("b")])[0].get()
            try expectEqual(second.position, first.position)
            try expect(second.isDuplicate, "not a duplicate")
        },
        EventLogConformance("duplicates and conflicts within one batch") { driver in
            try await driver.settle()
            let a = #"{"type":"SEND_MESSAGE","channelId":"general","message":"a","eventId":"e"}"#
            let b = #"{"type":"SEND_MESSAGE","channelId":"general","message":"b","eventId":"e"}"#
            let outcomes = try await driver.log.append([a, a, b].map { try driver.submission($0) })
            try expectEqual(try outcomes[0].get().isDuplicate, false)
            try expectEqual(try outcomes[1].get().isDuplicate, true)
            try expectEqual(try outcomes[1].get().position, try outcomes[0].get().position)
            try expectCode(outcomes[2], .eventIdConflict)
            try expectEqual(try await driver.log.head()?.position, 4)
        },
        EventLogConformance("the id of a refused command stays free") { driver in
            try await driver.settle()
            let json = #"{"type":"SET_TOPIC","channelId":"general","topic":"a","eventId":"e"}"#
            try expectCode(try await driver.send(json, as: "bob"), .notAMember)
            try expect(try await driver.log.position(of: "e") == nil, "the refused command left its id")
            try await driver.store(#"{"type":"JOIN_CHANNEL","channelId":"general"}"#, as: "bob")
            try expectEqual(try await driver.store(json, as: "bob").isDuplicate, false)
        },
    ]

    static let order: [EventLogConformance] = [
        EventLogConformance("two racing commands are decided one after the other") { driver in
            try await driver.settle()
            let outcomes = try await withThrowingTaskGroup(of: Result<Receipt, CommandError>.self) { group in
                for _ in 0..<16 {
                    group.addTask {
                        try await driver.send(#"{"type":"JOIN_CHANNEL","channelId":"general"}"#, as: "bob")
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            try expectEqual(outcomes.count { (try? $0.get()) != nil }, 1, "joins that succeeded")
            for case .failure(let refusal) in outcomes { try expectEqual(refusal.code, .alreadyAMember) }
        },
        EventLogConformance("within a batch a command sees what the earlier ones did") { driver in
            let batch = [
                #"{"type":"REGISTER_USER","userId":"ann","name":"Ann"}"#,
                #"{"type":"REGISTER_USER","userId":"ann","name":"Ann"}"#,
                #"{"type":"CREATE_CHANNEL","channelId":"c"}"#,
                #"{"type":"SEND_MESSAGE","channelId":"c","message":"one","messageId":"m"}"#,
                #"{"type":"EDIT_MESSAGE","channelId":"c","messageId":"m","message":"two"}"#,
                #"{"type":"LEAVE_CHANNEL","channelId":"c"}"#,
                #"{"type":"SEND_MESSAGE","channelId":"c","message":"three"}"#,
            ]
            let outcomes = try await driver.log.append(batch.map { try driver.submission($0) })
            let codes = outcomes.map { outcome -> CommandError.Code? in
                if case .failure(let refusal) = outcome { return refusal.code }
                return nil
            }
            try expectEqual(codes, [nil, .userExists, nil, nil, nil, nil, .notAMember])
            let event = try await driver.event(try outcomes[4].get().position)
            try expect(event.contains(#""message":"two","previous":"one""#), event)
        },
        EventLogConformance("positions grow, receipts are in the batch's order") { driver in
            try await driver.settle()
            var last = try await driver.log.head()?.position ?? 0
            for _ in 0..<3 {
                let batch = try (0..<20).map {
                    try driver.submission(#"{"type":"SEND_MESSAGE","channelId":"general","message":"\#($0)"}"#)
                }
                for (submission, outcome) in zip(batch, try await driver.log.append(batch)) {
                    let receipt = try outcome.get()
                    try expectEqual(receipt.eventId, submission.eventId)
                    try expect(receipt.position > last, "\(receipt.position) is not behind \(last)")
                    last = receipt.position
                }
            }
        },
        EventLogConformance("timestamps never decrease when the clock goes back") { driver in
            try await driver.settle()
            let topic = #"{"type":"SET_TOPIC","channelId":"general","topic":"t"}"#
            let first = try await driver.store(topic)
            driver.clock.advance(by: -60_000)
            let second = try await driver.store(topic)
            try expectEqual(second.timestamp, first.timestamp)
            driver.clock.advance(by: 120_000)
            try expectEqual(try await driver.store(topic).timestamp, first.timestamp + 60_000)
            try expect(try await driver.event(second.position).contains(#""timestamp":\#(second.timestamp),"#), "JSON")
        },
        EventLogConformance("growth wakes after an append, and not after a refusal") { driver in
            let (stream, continuation) = AsyncStream.makeStream(of: Int64.self)
            let log = driver.log
            let token = log.growth.subscribe { continuation.yield(1) }
            defer { log.growth.cancel(token) }
            try expectCode(try await driver.send(#"{"type":"JOIN_CHANNEL","channelId":"c"}"#), .userNotFound)
            try await driver.store(#"{"type":"REGISTER_USER","userId":"ann","name":"Ann"}"#)
            continuation.finish()
            var wakeUps = 0
            for await _ in stream { wakeUps += 1 }
            try expectEqual(wakeUps, 1, "wake-ups")
        },
    ]
}

/// Throws unless the outcome is a refusal with that code.
func expectCode(_ outcome: Result<Receipt, CommandError>, _ code: CommandError.Code, line: UInt = #line) throws {
    switch outcome {
    case .success(let receipt): throw ConformanceFailure("stored at \(receipt.position), not \(code)", line: line)
    case .failure(let refusal): try expectEqual(refusal.code, code, refusal.message, line: line)
    }
}
