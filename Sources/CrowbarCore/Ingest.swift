import Synchronization

/// The only entrance to the log. Commands of people and of plugins come here, are decided in the order of arrival, and
/// share an append with all that arrived while the last one was under way (group commit).
public final class Ingest: Sendable {
    /// The limits of what may wait.
    public enum Limit {
        /// Commands that wait for the log before further ones are refused with `unavailable`.
        public static let waiting = 65_536
        /// Commands of one append.
        public static let batch = 1_024
        /// Commands of one call that are asked about at a time, so that a long call does not crowd out the others.
        public static let checksAtOnce = 8
        /// The longest chain of causes.
        public static let depth: UInt8 = 16
    }

    /// A command with what its entrance knows about it.
    public struct Request: Sendable {
        /// The command.
        public var command: Command
        /// Who acts.
        public var actor: String
        /// Whether that user is an admin.
        public var isAdmin: Bool
        /// As ``Submission/mayJoinPrivate``.
        public var mayJoinPrivate = false
        /// As ``Submission/origin``.
        public var origin: Submission.Origin?
        /// An id derived from a cause or a key, which wins over the client's.
        public var derivedId: String?
        /// Whether that id was derived from a key, under which another command is a conflict.
        public var isKeyed = false
        /// As ``Submission/formerId``.
        public var formerId: String?
        /// How many-th link of a chain of causes it is.
        public var depth: UInt8

        /// Makes a request.
        public init(
            _ command: Command, actor: String, isAdmin: Bool = false, origin: Submission.Origin? = nil,
            derivedId: String? = nil, depth: UInt8 = 0
        ) {
            self.command = command
            self.actor = actor
            self.isAdmin = isAdmin
            self.origin = origin
            self.derivedId = derivedId
            self.depth = depth
        }
    }

    private typealias Outcome = Result<Receipt, CommandError>

    private struct Waiting {
        var submissions: [Submission]
        var resume: @Sendable ([Result<Receipt, CommandError>]) -> Void
    }

    private struct Queue {
        var waiting: [Waiting] = []
        var commands = 0
        /// One append is under way at a time.
        var isAppending = false
        var isClosed = false
        /// Told once nothing is under way any more.
        var whenIdle: (@Sendable () -> Void)?

        /// What the next append takes; nil where there is nothing.
        mutating func next() -> [Waiting]? {
            var count = 0
            var taken = 0
            while taken < waiting.count, count < Limit.batch {
                count += waiting[taken].submissions.count
                taken += 1
            }
            isAppending = taken > 0
            if taken == 0 { return nil }
            defer {
                waiting.removeFirst(taken)
                commands -= count
            }
            return Array(waiting[..<taken])
        }
    }

    private let log: any EventLog
    private let newEventID: @Sendable () -> String
    private let hash: @Sendable ([UInt8]) -> [UInt8]
    private let checks: CommandChecks?
    private let onFailure: @Sendable (any Error) -> Void
    private let metrics: IngestMetrics?
    private let queue = Mutex(Queue())

    /// Makes the entrance to a log, open until ``run()`` ends.
    /// - Parameters:
    ///   - log: Where events go.
    ///   - newEventID: Makes ids for events without one.
    ///   - hash: A collision-resistant hash of 32 bytes (SHA-256).
    ///   - checks: Who is asked about commands before they are decided; nil: nobody.
    ///   - metrics: Counts what happens; nil: nothing is counted.
    ///   - onFailure: Told why an append failed, for the operator's log.
    public init(
        log: any EventLog, newEventID: @escaping @Sendable () -> String,
        hash: @escaping @Sendable ([UInt8]) -> [UInt8], checks: CommandChecks? = nil, metrics: IngestMetrics? = nil,
        onFailure: @escaping @Sendable (any Error) -> Void = { _ in }
    ) {
        self.log = log
        self.newEventID = newEventID
        self.hash = hash
        self.checks = checks
        self.metrics = metrics
        self.onFailure = onFailure
    }

    /// Stores one command's event; returns once it is durable.
    /// - Throws: ``CommandError``: the refusal, or `unavailable` where the log cannot be written or too much waits.
    public func submit(_ request: Request) async throws(CommandError) -> Receipt {
        var submission = submission(request)
        if let checks, checks.concerns(submission), await isNew(submission) {
            submission = try await checked(submission, checks)
        }
        let single = submission
        let outcome: Outcome = await withCheckedContinuation { continuation in
            enqueue([single]) { continuation.resume(returning: $0[0]) }
        }
        return try outcome.get()
    }

    /// Stores commands in their order, each decided on its own: a refused one does not stop the later ones.
    /// - Returns: A receipt or a refusal for each, in their order.
    public func submit(_ requests: [Request]) async -> [Result<Receipt, CommandError>] {
        if requests.isEmpty { return [] }
        let submissions = requests.map { submission($0) }
        guard let checks, submissions.contains(where: checks.concerns) else { return await append(submissions) }
        var outcomes: [Outcome] = []
        for part in Self.parts(submissions, checks) { outcomes += await submit(part, checks) }
        return outcomes
    }

    private func submit(_ submissions: ArraySlice<Submission>, _ checks: CommandChecks) async -> [Outcome] {
        let checked = await checkAll(Array(submissions), checks)
        var stored = await append(checked.compactMap { try? $0.get() })[...]
        return checked.map {
            switch $0 {
            case .success: stored.removeFirst()
            case .failure(let refusal): .failure(refusal)
            }
        }
    }

    /// The commands of one call in parts that can be checked together: who is asked about a command depends on its
    /// channel, so the commands that make that channel, end it or invite to it are stored before.
    private static func parts(_ submissions: [Submission], _ checks: CommandChecks) -> [ArraySlice<Submission>] {
        var parts: [ArraySlice<Submission>] = []
        var start = 0
        var changed: Set<String> = []
        for (index, submission) in submissions.enumerated() {
            let channel = submission.command.channelId
            if changed.contains(channel), checks.concerns(submission) {
                parts.append(submissions[start..<index])
                start = index
                changed = []
            }
            switch submission.command.type {
            case .createChannel, .destroyChannel, .inviteUser: changed.insert(channel)
            default: break
            }
        }
        parts.append(submissions[start...])
        return parts
    }

    /// Stores commands as the function with an answer does, without a task that waits for it.
    /// - Parameter done: Is told a receipt or a refusal for each, in order, on any thread; it must return at once.
    /// - Returns: False where somebody has to be asked about them first; then nothing was done.
    public func submit(
        _ requests: [Request], then done: @escaping @Sendable ([Result<Receipt, CommandError>]) -> Void
    ) -> Bool {
        let submissions = requests.map { submission($0) }
        if let checks, submissions.contains(where: checks.concerns) { return false }
        if submissions.isEmpty { done([]) } else { enqueue(submissions, done) }
        return true
    }

    private func append(_ submissions: [Submission]) async -> [Outcome] {
        if submissions.isEmpty { return [] }
        return await withCheckedContinuation { continuation in
            enqueue(submissions) { continuation.resume(returning: $0) }
        }
    }

    // MARK: Checks

    /// Asks about the commands of one call, a few at a time.
    private func checkAll(
        _ submissions: [Submission], _ checks: CommandChecks
    ) async -> [Result<Submission, CommandError>] {
        var checked = submissions.map { Result<Submission, CommandError>.success($0) }
        await withTaskGroup(of: (Int, Result<Submission, CommandError>).self) { group in
            var underWay = 0
            for (index, submission) in submissions.enumerated() where checks.concerns(submission) {
                if underWay == Limit.checksAtOnce, let (index, outcome) = await group.next() {
                    checked[index] = outcome
                    underWay -= 1
                }
                underWay += 1
                group.addTask {
                    guard await self.isNew(submission) else { return (index, .success(submission)) }
                    do throws(CommandError) {
                        return (index, .success(try await self.checked(submission, checks)))
                    } catch {
                        return (index, .failure(error))
                    }
                }
            }
            for await (index, outcome) in group { checked[index] = outcome }
        }
        return checked
    }

    /// Whether a command's event is not in the log yet: what was stored once is not asked about again, so that its
    /// first result stands, also if a check would refuse it today.
    private func isNew(_ submission: Submission) async -> Bool {
        if submission.idSource == .fresh { return true }
        // Where the log cannot be read the append will tell.
        return (try? await log.position(of: submission.eventId)) == nil
    }

    private func checked(
        _ submission: Submission, _ checks: CommandChecks
    ) async throws(CommandError) -> Submission {
        let submission = try await seen(submission)
        // There is nothing to ask: it is refused, in the same way for a channel that nobody ever made and for a private
        // one that the actor may not know of.
        if submission.checkedChannel == 0 { return submission }
        switch await checks.ask(submission) {
        case .refused(let error):
            metrics?.note(error, of: 1)
            throw error
        case .passed(let command, let record):
            var submission = submission
            submission.command = command
            submission.checks = record
            return submission
        }
    }

    /// The command with what is known of its channel now.
    private func seen(_ submission: Submission) async throws(CommandError) -> Submission {
        var submission = submission
        guard submission.command.type.hasChannel else { return submission }
        if case .createChannel(_, _, let isPrivate) = submission.command.body {
            submission.isPrivate = isPrivate
            return submission
        }
        do {
            let found = try await log.channel(submission.command.channelId, for: submission.actor)
            submission.checkedChannel = 0
            if let found,
                submission.knows(found.channel, isMember: found.isMember, isInvited: found.isInvited)
            {
                submission.checkedChannel = found.channel.key
                submission.isPrivate = found.channel.isPrivate
            }
            return submission
        } catch {
            throw CommandError(.unavailable, "the command could not be checked; nothing was stored; try again")
        }
    }

    /// Commands that wait for an append to end.
    package var waiting: Int { queue.withLock { $0.commands } }

    /// Accepts commands until the task is cancelled; then refuses what still waits, and returns once the append that
    /// is under way has ended.
    public func run() async {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        for await _ in stream {}
        continuation.finish()
        let left = queue.withLock { queue in
            queue.isClosed = true
            let left = queue.waiting
            queue.waiting = []
            queue.commands = 0
            return left
        }
        for waiting in left {
            metrics?.note(Self.closed, of: waiting.submissions.count)
            waiting.resume(waiting.submissions.map { _ in .failure(Self.closed) })
        }
        await withCheckedContinuation { continuation in
            let isIdle = queue.withLock {
                if $0.isAppending { $0.whenIdle = { continuation.resume() } }
                return !$0.isAppending
            }
            if isIdle { continuation.resume() }
        }
    }

    private static let closed = CommandError(.unavailable, "the server is shutting down; try again")

    private func enqueue(_ submissions: [Submission], _ resume: @escaping @Sendable ([Outcome]) -> Void) {
        let (refusal, batch): (CommandError?, [Waiting]?) = queue.withLock {
            if $0.isClosed { return (Self.closed, nil) }
            if $0.commands + submissions.count > Limit.waiting {
                return (CommandError(.unavailable, "too many commands wait for the log; try again in a second"), nil)
            }
            $0.commands += submissions.count
            $0.waiting.append(Waiting(submissions: submissions, resume: resume))
            return (nil, $0.isAppending ? nil : $0.next())
        }
        if let refusal {
            metrics?.note(refusal, of: submissions.count)
            resume(submissions.map { _ in .failure(refusal) })
        }
        if let batch { append(batch) }
    }

    private func submission(_ request: Request) -> Submission {
        let command = request.command
        let id = request.derivedId ?? command.eventId
        let derived: Submission.IDSource = request.isKeyed ? .keyed : .derived
        let source = request.derivedId != nil ? derived : command.eventId != nil ? .client : .fresh
        return Submission(
            command: command, eventId: id ?? newEventID(), idSource: source, formerId: request.formerId,
            actor: request.actor, isAdmin: request.isAdmin, mayJoinPrivate: request.mayJoinPrivate,
            origin: request.origin, depth: request.depth,
            commandHash: hash(command.canonicalBytes(actor: request.actor)))
    }

    /// Appends a batch, and then what has come meanwhile. It runs on the thread that brings the batch or ends the one
    /// before, so that no thread has to be woken for it.
    private func append(_ batch: [Waiting]) {
        let submissions = batch.count == 1 ? batch[0].submissions : batch.flatMap(\.submissions)
        let start = metrics?.now() ?? 0
        log.append(submissions) { [self] outcome in
            metrics?.noteAppend(since: start)
            let (next, whenIdle) = queue.withLock { queue in
                let next = queue.next()
                return (next, next == nil ? queue.whenIdle : nil)
            }
            // First, so that the disk is at work while the callers are told.
            if let next { append(next) }
            tell(batch, outcome)
            whenIdle?()
        }
    }

    private func tell(_ batch: [Waiting], _ outcome: AppendOutcome) {
        switch outcome {
        case .success(let outcomes):
            metrics?.note(outcomes)
            var from = 0
            for waiting in batch {
                waiting.resume(Array(outcomes[from..<from + waiting.submissions.count]))
                from += waiting.submissions.count
            }
        case .failure(let error):
            onFailure(error)
            let refusal: CommandError =
                if case LogError.unwritable(let reason, _) = error {
                    CommandError(.unavailable, "the event could not be stored, nothing was: \(reason)")
                } else {
                    CommandError(.unavailable, "the event could not be stored; nothing was; try again in a second")
                }
            metrics?.note(refusal, of: batch.reduce(0) { $0 + $1.submissions.count })
            for waiting in batch { waiting.resume(waiting.submissions.map { _ in .failure(refusal) }) }
        }
    }
}
