import CrowbarCore
import Synchronization

/// What a conformance check found wrong.
public struct ConformanceFailure: Error, CustomStringConvertible {
    /// What was expected and what was found.
    public var description: String

    /// Makes one.
    public init(_ description: String, line: UInt) { self.description = "line \(line): \(description)" }
}

/// Throws ``ConformanceFailure`` unless two values are the same.
func expectEqual<T: Equatable>(
    _ found: T, _ expected: T, _ what: @autoclosure () -> String = "", line: UInt = #line
) throws {
    if found != expected { throw ConformanceFailure("\(what()) is \(found), not \(expected)", line: line) }
}

/// Throws ``ConformanceFailure`` unless a condition holds.
func expect(_ holds: Bool, _ what: @autoclosure () -> String, line: UInt = #line) throws {
    if !holds { throw ConformanceFailure(what(), line: line) }
}

/// Gives commands, written as JSON, to a log.
public struct LogDriver: Sendable {
    /// The log.
    public let log: any EventLog
    /// The log's clock.
    public let clock: ManualClock
    private let ids: EventIDSource

    /// Makes a driver of a log that was made with this clock.
    public init(_ log: any EventLog, clock: ManualClock) {
        self.log = log
        self.clock = clock
        let counter = Mutex<UInt64>(0x9E37_79B9_7F4A_7C15)
        ids = EventIDSource(now: { clock.milliseconds }) {
            counter.withLock {
                $0 = $0 &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return $0
            }
        }
    }

    /// A command as ingest would submit it.
    public func submission(
        _ json: String, as actor: String = "ann", isAdmin: Bool = false, mayJoinPrivate: Bool = false,
        derivedId: String? = nil, origin: Submission.Origin? = nil, depth: UInt8 = 0
    ) throws -> Submission {
        let command = try Command(parsing: Array(json.utf8))
        let source: Submission.IDSource = derivedId != nil ? .derived : command.eventId != nil ? .client : .fresh
        return Submission(
            command: command, eventId: derivedId ?? command.eventId ?? ids.next(), idSource: source, actor: actor,
            isAdmin: isAdmin, mayJoinPrivate: mayJoinPrivate, origin: origin, depth: depth,
            commandHash: Self.hash(command.canonicalBytes(actor: actor)))
    }

    /// Appends one command alone.
    @discardableResult
    public func send(
        _ json: String, as actor: String = "ann", isAdmin: Bool = false
    ) async throws -> Result<Receipt, CommandError> {
        try await log.append([submission(json, as: actor, isAdmin: isAdmin)])[0]
    }

    /// Appends one command that must be stored.
    @discardableResult
    public func store(_ json: String, as actor: String = "ann") async throws -> Receipt {
        try await send(json, as: actor).get()
    }

    /// The event at a position, as text.
    public func event(_ position: Int64) async throws -> String {
        let page = try await log.read(positions: [position])
        guard let entry = page.entries.first else { throw ConformanceFailure("no event \(position)", line: #line) }
        return String(decoding: page.json(entry), as: UTF8.self)
    }

    /// Registers ann and bob and has ann create `general`.
    public func settle() async throws {
        try await store(#"{"type":"REGISTER_USER","userId":"ann","name":"Ann"}"#)
        try await store(#"{"type":"REGISTER_USER","userId":"bob","name":"Bob"}"#)
        try await store(#"{"type":"CREATE_CHANNEL","channelId":"general"}"#)
    }

    /// 32 bytes by four runs of FNV-1a with different seeds: enough where nobody looks for collisions.
    static func hash(_ bytes: [UInt8]) -> [UInt8] {
        (0..<4).flatMap { (seed: UInt64) in
            let value = bytes.reduce(14_695_981_039_346_656_037 ^ seed) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 }
            return (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
        }
    }
}
