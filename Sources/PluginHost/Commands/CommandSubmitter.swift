import CrowbarCore
import PluginWire
import Synchronization

/// Takes the commands of one plugin to ingest, in the order emitted, in batches: while one batch is being stored the
/// next one gathers. A batch that needs nothing but to be stored goes there at once, on the thread that brings it.
final class CommandSubmitter: Sendable {
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

    private struct State {
        var waiting: [Order] = []
        /// A batch is being decided.
        var isBusy = false
        var bucket = TokenBucket(rate: CommandSubmitter.uncausedRate, burst: CommandSubmitter.uncausedBurst)
    }

    private let policy: CommandPolicy
    private let environment: HostEnvironment
    private let report: @Sendable ([Outcome]) -> Void
    private let state = Mutex(State())
    private let wake: AsyncStream<Void>
    private let ring: AsyncStream<Void>.Continuation

    /// - Parameter report: Is told what became of commands, in the order emitted.
    init(policy: CommandPolicy, environment: HostEnvironment, report: @escaping @Sendable ([Outcome]) -> Void) {
        self.policy = policy
        self.environment = environment
        self.report = report
        (wake, ring) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// The beginning of a command as most plugins write it.
    private static let beginning = Array(#"{"type":"command""#.utf8)

    /// Looks at a piece of the plugin's output that is not read yet: where it begins with a command, the log may
    /// prepare for it.
    func foresee(_ output: [UInt8]) {
        if !policy.commands.isEmpty, output.starts(with: Self.beginning) { environment.log.expectAppend() }
    }

    func put(_ orders: [Order]) {
        if storesAtOnce(orders) { return }
        state.withLock { $0.waiting.append(contentsOf: orders) }
        ring.yield()
    }

    /// Ends ``run()`` after what waits.
    func close() { ring.finish() }

    /// Decides what comes, and is not decided at once, until closed or cancelled.
    func run() async {
        for await _ in wake {
            while let batch = next() {
                guard await pace(batch), let outcomes = await decide(batch) else { return }
                report(outcomes)
                state.withLock { $0.isBusy = false }
            }
        }
    }

    /// The next batch; nil where nothing waits, or one is under way whose end rings.
    private func next() -> [Order]? {
        state.withLock { state in
            if state.isBusy || state.waiting.isEmpty { return nil }
            state.isBusy = true
            let batch = Array(state.waiting.prefix(Self.batch))
            state.waiting.removeFirst(batch.count)
            return batch
        }
    }

    /// Waits until the commands without a cause are within their rate; false when cancelled.
    private func pace(_ batch: [Order]) async -> Bool {
        for order in batch where order.command.cause == nil {
            while true {
                let wait = state.withLock { $0.bucket.take(now: environment.now()) ? nil : $0.bucket.wait() }
                guard let wait else { break }
                if (try? await Task.sleep(for: .milliseconds(wait))) == nil { return false }
            }
        }
        return true
    }

    // MARK: At once

    /// Sends a batch to ingest if nothing has to be waited for: other commands, the rate, what the log knows of a
    /// cause, somebody who is asked about them.
    private func storesAtOnce(_ orders: [Order]) -> Bool {
        guard orders.count <= Self.batch, orders.allSatisfy({ $0.command.cause == nil && $0.refusal == nil }) else {
            return false
        }
        let begins = state.withLock { state in
            guard !state.isBusy, state.waiting.isEmpty,
                state.bucket.available(now: environment.now()) >= orders.count
            else { return false }
            state.isBusy = true
            return true
        }
        // Only now: while another batch is under way it would be read in vain.
        guard begins else { return false }
        let requests = orders.compactMap { try? request($0, [:]) }
        let isUnderWay =
            requests.count == orders.count && environment.ingest.submit(requests) { [self] in stored(orders, $0) }
        state.withLock { if isUnderWay { $0.bucket.spend(orders.count) } else { $0.isBusy = false } }
        return isUnderWay
    }

    private func stored(_ orders: [Order], _ receipts: [Result<Receipt, CommandError>]) {
        // A batch is one append, so that all of it was unavailable if anything was: then ``run()`` tries it again.
        let isUnavailable = receipts.contains {
            if case .failure(let error) = $0 { error.code == .unavailable } else { false }
        }
        if !isUnavailable { report(outcomes(orders, receipts)) }
        let isWaited = state.withLock { state in
            state.isBusy = false
            if isUnavailable { state.waiting.insert(contentsOf: orders, at: 0) }
            return !state.waiting.isEmpty
        }
        if isWaited { ring.yield() }
    }

    private func outcomes(_ orders: [Order], _ receipts: [Result<Receipt, CommandError>]) -> [Outcome] {
        zip(orders, receipts).map { order, receipt in
            let result: HostMessage.CommandResult.Outcome =
                switch receipt {
                case .success(let receipt):
                    .stored(eventId: receipt.eventId, position: receipt.position, duplicate: receipt.isDuplicate)
                case .failure(let error):
                    .refused(code: error.code.rawValue, message: Self.message(error, order.command.key))
                }
            return Outcome(id: order.command.id, cause: order.command.cause, result: result)
        }
    }

    /// What the plugin is told: it knows its key, and not the id that was derived from it.
    private static func message(_ error: CommandError, _ key: String?) -> String {
        guard error.code == .eventIdConflict, let key else { return error.message }
        return "the key '\(key)' came with another command before, which stands; give each command a key of its own"
    }

    /// What ingest is asked for.
    private func request(
        _ order: Order, _ causes: [Int64: CommandPolicy.Cause]
    ) throws(CommandError) -> Ingest.Request {
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
        if order.command.ref?.utf8.count ?? 0 > Self.maxText || order.command.key?.utf8.count ?? 0 > Self.maxText {
            throw CommandError(.invalidCommand, "'ref' or 'key' is over \(Self.maxText) bytes")
        }
        return try policy.request(
            order.command.command, cause: cause, key: order.command.key, ref: order.command.ref,
            secret: environment.log.secret, hmac: environment.hmac)
    }

    // MARK: In its turn

    /// Decides a batch; nil when cancelled while ingest was unavailable.
    private func decide(_ batch: [Order]) async -> [Outcome]? {
        guard let causes = await causes(of: batch) else { return nil }
        let requests = batch.map { order in
            Result<Ingest.Request, CommandError> { () throws(CommandError) in try request(order, causes) }
        }
        guard let receipts = await submit(requests) else { return nil }
        return outcomes(batch, receipts)
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
