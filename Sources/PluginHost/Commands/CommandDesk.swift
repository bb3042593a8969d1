import CrowbarCore
import PluginWire
import Synchronization

/// Takes the commands of one plugin to ingest, in the order emitted, in batches: while one batch is being stored the
/// next one gathers.
final class CommandDesk: Sendable {
    /// Waits between tries while ingest is unavailable, in milliseconds.
    static let unavailableWait: Int64 = 200
    /// Commands of one batch.
    static let batch = 256
    /// Commands without a cause, a second on average.
    static let uncausedRate = 100.0
    /// Commands without a cause at once.
    static let uncausedBurst = 10_000.0
    /// The largest `ref` and `key`, in bytes.
    static let maxText = 1024

    /// A command and what the session knows about its cause.
    struct Order: Sendable {
        var command: PluginMessage.Command
        var cause: Cause?
        /// Refused by the session already.
        var refusal: CommandError?

        struct Cause: Sendable {
            var queue: String
            var position: Int64
            var ordinal: Int
            var isHistory: Bool
        }
    }

    /// What became of one.
    struct Outcome: Sendable {
        var id: MessageID
        var cause: Int64?
        var result: HostMessage.CommandResult.Outcome
    }

    private let policy: CommandPolicy
    private let environment: HostEnvironment
    private let waiting = Mutex<[Order]>([])
    private let bell: AsyncStream<Void>
    private let ring: AsyncStream<Void>.Continuation

    init(policy: CommandPolicy, environment: HostEnvironment) {
        self.policy = policy
        self.environment = environment
        (bell, ring) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    func put(_ orders: [Order]) {
        waiting.withLock { $0.append(contentsOf: orders) }
        ring.yield()
    }

    /// Ends ``run(_:)`` after what waits.
    func close() { ring.finish() }

    /// Decides what comes until closed or cancelled.
    func run(_ report: @Sendable ([Outcome]) -> Void) async {
        var bucket = TokenBucket(rate: Self.uncausedRate, burst: Self.uncausedBurst)
        for await _ in bell {
            while true {
                let batch = waiting.withLock { waiting in
                    let batch = Array(waiting.prefix(Self.batch))
                    waiting.removeFirst(batch.count)
                    return batch
                }
                if batch.isEmpty { break }
                guard await pace(batch, &bucket), let outcomes = await decide(batch) else { return }
                report(outcomes)
            }
        }
    }

    /// Waits until the commands without a cause are within their rate; false when cancelled.
    private func pace(_ batch: [Order], _ bucket: inout TokenBucket) async -> Bool {
        for order in batch where order.command.cause == nil {
            while !bucket.take(now: environment.now()) {
                if (try? await Task.sleep(for: .milliseconds(bucket.wait()))) == nil { return false }
            }
        }
        return true
    }

    /// Decides a batch; nil when cancelled while ingest was unavailable.
    private func decide(_ batch: [Order]) async -> [Outcome]? {
        var requests: [Result<Ingest.Request, CommandError>] = []
        guard let causes = await causes(of: batch) else { return nil }
        for order in batch {
            do throws(CommandError) {
                if let refusal = order.refusal { throw refusal }
                var cause: CommandPolicy.Cause?
                if let named = order.cause {
                    guard var known = causes[named.position] else {
                        throw CommandError(.invalidCommand, "the cause is not in the log any more", field: "cause")
                    }
                    known.queue = named.queue
                    known.ordinal = named.ordinal
                    known.isHistory = named.isHistory
                    cause = known
                }
                if order.command.ref?.utf8.count ?? 0 > Self.maxText
                    || order.command.key?.utf8.count ?? 0 > Self.maxText
                {
                    throw CommandError(.invalidCommand, "'ref' or 'key' is over \(Self.maxText) bytes")
                }
                requests.append(
                    .success(
                        try policy.request(
                            order.command.command, cause: cause, key: order.command.key, ref: order.command.ref,
                            secret: environment.log.secret, hmac: environment.hmac)))
            } catch {
                requests.append(.failure(error))
            }
        }
        guard let receipts = await submit(requests) else { return nil }
        return zip(batch, receipts).map { order, receipt in
            let result: HostMessage.CommandResult.Outcome =
                switch receipt {
                case .success(let receipt):
                    .stored(eventId: receipt.eventId, position: receipt.position, duplicate: receipt.isDuplicate)
                case .failure(let error): .refused(code: error.code.rawValue, message: error.message)
                }
            return Outcome(id: order.command.id, cause: order.command.cause, result: result)
        }
    }

    /// Submits what is well-formed; what ingest could not store now is submitted again, before anything later, until it
    /// is decided: `unavailable` is not an answer.
    private func submit(
        _ requests: [Result<Ingest.Request, CommandError>]
    ) async -> [Result<Receipt, CommandError>]? {
        var outcomes: [Result<Receipt, CommandError>?] = requests.map {
            if case .failure(let error) = $0 { .failure(error) } else { nil }
        }
        while true {
            let open = outcomes.indices.filter { outcomes[$0] == nil }
            if open.isEmpty { return outcomes.compactMap { $0 } }
            let results = await environment.ingest.submit(open.compactMap { try? requests[$0].get() })
            var isUnavailable = false
            for (index, result) in zip(open, results) {
                if case .failure(let error) = result, error.code == .unavailable {
                    isUnavailable = true
                } else {
                    outcomes[index] = result
                }
            }
            if isUnavailable, (try? await Task.sleep(for: .milliseconds(Self.unavailableWait))) == nil { return nil }
        }
    }

    /// What the log knows of the causes, by position.
    private func causes(of batch: [Order]) async -> [Int64: CommandPolicy.Cause]? {
        let positions = Set(batch.compactMap { $0.cause?.position }).sorted()
        if positions.isEmpty { return [:] }
        while true {
            do {
                let page = try await environment.log.read(positions: positions)
                var causes: [Int64: CommandPolicy.Cause] = [:]
                for entry in page.entries {
                    guard let id = try await environment.log.entry(atOrBefore: entry.position)?.eventId else {
                        continue
                    }
                    causes[entry.position] = CommandPolicy.Cause(
                        queue: "", eventId: id, timestamp: entry.timestamp, depth: entry.depth, isHistory: false,
                        ordinal: 0)
                }
                return causes
            } catch {
                if (try? await Task.sleep(for: .milliseconds(Self.unavailableWait))) == nil { return nil }
            }
        }
    }
}
