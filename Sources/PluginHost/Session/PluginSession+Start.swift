import CrowbarCore
import JSONBytes
import Logging
import PluginWire

// From `ready` to `start`: what the plugin asks for is held against its manifest, and its queues find their places.
extension PluginSession {
    /// Why a `ready` is not taken.
    struct Refusal: Error {
        var end: RestartPolicy.End
        init(_ reason: String) { end = .failed(reason) }
        init(_ end: RestartPolicy.End) { self.end = end }
    }

    func take(_ ready: PluginMessage.Ready, _ now: Int64) async {
        if isDraining { return }
        guard case .awaitingReady = phase else { return strike("ready", "it was not expected", now) }
        do {
            guard ready.version == Wire.version else {
                throw Refusal("it speaks protocol \(ready.version), the host speaks \(Wire.version)")
            }
            isPipelined = ready.pipelined
            guard ready.asks.count <= Wire.maxAsks else {
                throw Refusal("'asks' lists \(ready.asks.count) words; at most \(Wire.maxAsks) are taken")
            }
            answerable = Set(ready.asks)
            let specifications = try specifications(asked(ready))
            requested = (specifications, ready.queues != nil)
            writes = ready.writes
            noteChannels(specifications)
            view.version = log.mask(ready.programVersion, limit: 64)
            view.isReady = true
            view.pid = process?.pluginPid
            if purpose == .check {
                end = .stopped
                phase = .ending
                shutdown = .awaitingExit(now: now)
                return outgoing.close()
            }
            if isHeld {
                phase = .held(ready)
                clock.hold()
                return tell(.ready(takesConfig: ready.reload))
            }
            if manifest.phase == .event { queues = try await place(specifications) }
        } catch let refusal as Refusal {
            return kill(refusal.end, now)
        } catch {
            return kill(.tryLater("the queues could not be set up: \(error)"), now)
        }
        phase = .working
        clock.begin(now: now)
        let program = "\(log.mask(ready.name, limit: 64)) \(log.mask(ready.programVersion, limit: 64))"
        log.note(.info, "ready: \(program), queues: \(queues.count)")
        Self.starts(queues).forEach(send)
        if manifest.phase == .command { beginChecks() }
        await warnOfMissingChannels()
        tell(.ready(takesConfig: ready.reload))
    }

    /// The queues that a plugin wants: one where it names none, and none in the command phase.
    private func asked(_ ready: PluginMessage.Ready) throws -> [PluginMessage.Queue] {
        if manifest.phase == .event { return ready.queues ?? [.init(name: Wire.mainQueue)] }
        if ready.queues?.isEmpty ?? true { return [] }
        throw Refusal("its phase is 'command', in which there are no queues; 'ready' must not name any")
    }

    /// A queue as asked for and allowed.
    struct Specification: Equatable {
        var name: String
        var filter: QueueFilter
        var start: StartPoint
        var window: Int
        var settings: DeliveryQueue.Settings
        /// Channels that commands on its behalf go to, for the operator alone.
        var writes: [String] = []
    }

    func specifications(_ asked: [PluginMessage.Queue]) throws -> [Specification] {
        guard asked.count <= Limit.queues else {
            throw Refusal("it asks for \(asked.count) queues; a plugin may have \(Limit.queues)")
        }
        var names: Set<String> = []
        return try asked.map { queue in
            guard Wire.isName(queue.name) else { throw Refusal("'\(queue.name.prefix(80))' is no name of a queue") }
            guard names.insert(queue.name).inserted else { throw Refusal("it names the queue '\(queue.name)' twice") }
            return try specification(queue)
        }
    }

    private func specification(_ queue: PluginMessage.Queue) throws -> Specification {
        func refuse(_ what: String) -> Refusal { Refusal("queue '\(queue.name)': \(what)") }
        var types = manifest.types
        if let names = queue.types {
            types = try names.map { name in
                guard let type = EventType(name: name) else {
                    throw refuse("there is no event type '\(name.prefix(80))'")
                }
                if let allowed = manifest.types, !allowed.contains(type) {
                    throw refuse(
                        "it asks for \(name), the manifest allows \(allowed.map(\.name).joined(separator: ", "))")
                }
                return type
            }
        }
        if let channels = queue.channels, let beyond = QueueFilter.firstBeyond(channels, manifest.channels) {
            let allowed = manifest.channels?.joined(separator: ", ") ?? "all"
            throw refuse("it asks for the channel '\(beyond.prefix(80))', the manifest allows \(allowed)")
        }
        guard let order = DeliveryQueue.Order(rawValue: queue.order ?? manifest.order) else {
            throw refuse("'order' must be 'channel', 'total' or 'none'")
        }
        let window = queue.window ?? manifest.window
        guard window <= Int64(Wire.maxWindow) else { throw refuse("a window is at most \(Wire.maxWindow) events") }
        var start = manifest.start
        if let text = queue.start {
            guard let point = StartPoint(text) else {
                throw refuse("'start' must be 'now', 'beginning', 'id:EVENTID' or '@TIME', not '\(text.prefix(80))'")
            }
            start = point
        }
        var attempts = queue.maxAttempts ?? manifest.maxAttempts
        guard (1...1000).contains(attempts) else { throw refuse("'maxAttempts' must be from 1 to 1,000") }
        if manifest.limitsAttempts { attempts = min(attempts, manifest.maxAttempts) }
        return Specification(
            name: queue.name,
            filter: QueueFilter(
                types: types, channels: queue.channels ?? manifest.channels,
                privateChannels: manifest.privateChannels),
            start: start, window: Int(window),
            settings: .init(
                order: order, isPipelined: isPipelined, maxAttempts: attempts, ackDeadline: manifest.ackDeadline),
            writes: queue.writes)
    }

    /// Finds each queue's place: where it stood, or, for a new one, where it begins; that is stored before `start`.
    ///
    /// - Parameter others: Queues that are at work already.
    func place(_ specifications: [Specification], besides others: Set<String> = []) async throws -> [QueueRunner] {
        let log = environment.log
        let known = try await environment.store.queues(of: manifest.name)
        let head = try await log.head()
        var fresh: [QueueID: QueueRecord] = [:]
        var runners: [QueueRunner] = []
        for wanted in specifications {
            let id = QueueID(plugin: manifest.name, queue: wanted.name)
            let record: QueueRecord
            if let stored = known[wanted.name] {
                try await verify(stored, id)
                record = stored
                if stored.droppedAt != nil { fresh[id] = stored.dropped(at: nil) }
            } else {
                let cursor =
                    if let replay { replay.plan.start } else { try await cursor(for: wanted.start, head, id) }
                record = QueueRecord(cursor: cursor, bornAt: head?.position ?? 0)
                fresh[id] = record
            }
            let resumption = resumption(record, earlier[wanted.name] ?? [:])
            runners.append(
                QueueRunner(
                    id: id, specification: wanted,
                    queue: DeliveryQueue(settings: wanted.settings, window: wanted.window, resuming: resumption),
                    bornAt: record.bornAt, backlogEnd: head?.position ?? 0, state: record.state, cursor: record.cursor))
        }
        // What the plugin names no more is kept for a while, in case it comes back.
        for (name, record) in known
        where record.droppedAt == nil && !others.contains(name) && !specifications.contains(where: { $0.name == name })
        {
            fresh[QueueID(plugin: manifest.name, queue: name)] = record.dropped(at: environment.unixNow())
        }
        if !fresh.isEmpty { try await environment.store.save(fresh, deadLetters: []) }
        let letters = try await environment.store.redrives(of: manifest.name)
        for i in runners.indices {
            runners[i].isPaused = pausedQueues.contains(runners[i].id.queue)
            runners[i].replay = replay?.plan
            if let plan = replay?.plan, !plan.wants(queue: runners[i].id.queue) {
                runners[i].queue.skip(through: plan.through)
            }
            for position in letters[runners[i].id.queue] ?? [] { runners[i].queue.redrive(position) }
        }
        return runners
    }

    private func verify(_ record: QueueRecord, _ id: QueueID) async throws {
        guard let cursor = record.cursor else { return }
        if try await environment.log.entry(atOrBefore: cursor.position) == cursor { return }
        let remedy =
            replay == nil
            ? "'crowbar cursor set \(manifest.name) now' goes on with what comes (docs/operations.md)"
            : "'crowbar replay \(manifest.name) --restart --from PLACE' begins again"
        throw Refusal(
            .diverged(
                "the log is not the one that queue '\(id.queue)' has read; \(remedy). Its cursor is "
                    + "\(cursor.eventId) at position \(cursor.position), where the log has another entry or none"))
    }

    private func cursor(for start: StartPoint, _ head: LogEntryID?, _ id: QueueID) async throws -> LogEntryID? {
        switch start {
        case .now: return head
        case .beginning: return nil
        case .at(let milliseconds): return try await environment.log.lastEntry(before: milliseconds)
        case .after(let eventId):
            guard let position = try await environment.log.position(of: eventId) else {
                throw Refusal("queue '\(id.queue)' should start after the event '\(eventId)', which is not in the log")
            }
            return LogEntryID(position: position, eventId: eventId)
        }
    }

    /// What was stored and what this host still remembers of the last process, as one.
    private func resumption(
        _ record: QueueRecord, _ remembered: [Int64: DeliveryQueue.Attempts]
    ) -> DeliveryQueue.Resumption {
        let (now, unixNow) = (environment.now(), environment.unixNow())
        var attempts = remembered
        func known(_ retry: QueueRecord.Retry) -> DeliveryQueue.Attempts {
            // What this host still knows is by the monotonic clock, and right whatever became of the other one.
            let known = remembered[retry.position]
            let due = known?.due ?? now + record.wait(retry, unixNow: unixNow, longest: Wire.maxRetry)
            return DeliveryQueue.Attempts(
                deliveries: max(retry.deliveries, known?.deliveries ?? 0), counted: retry.counted,
                voided: known?.voided ?? 0, due: due,
                isLongWait: known?.isLongWait ?? (due - now > DeliveryQueue.Limit.parkAfter), code: retry.code,
                message: retry.message, first: retry.first)
        }
        for retry in record.retries { attempts[retry.position] = known(retry) }
        let position = record.cursor?.position ?? 0
        let lowest = min(position, (record.parked.map(\.first.position).min() ?? .max) - 1)
        var resumption = DeliveryQueue.Resumption(
            position: position, settled: record.settled.filter { $0.upperBound > position },
            attempts: attempts.filter { $0.key > lowest })
        for parked in record.parked {
            let first = known(parked.first)
            resumption.add(
                parked: parked.lane, first: parked.first.position, due: first.due, attempts: first,
                settled: parked.settled)
        }
        return resumption
    }
}
