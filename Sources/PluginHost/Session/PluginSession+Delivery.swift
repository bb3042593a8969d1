import CrowbarCore
import Logging
import PluginWire

// What the host does on its own: delivers events, stores cursors, enforces deadlines.
extension PluginSession {
    /// Does everything that is possible now and sets the alarm for the next deadline.
    func step(_ now: Int64) async {
        watch(now)
        if case .working = phase {
            await changeQueues(now)
            for i in queues.indices {
                if let due = queues[i].queue.nextRetry, due <= now { queues[i].queue.wakeRetries(now: now) }
            }
            if !isDraining, !isPaused { pump(now) }
        }
        outgoing.put(answers)
        answers = []
        sendOrders()
        if let job = cursorWriter.start(&queues, now: now, unixNow: environment.unixNow) { store.put(job) }
        noteWaitingCommands(now)
        publisher.publish(&view, queues, now: now)
        alarm.ring(at: nextAlarm(now), now: now)
    }

    /// Lets commands be decided: at once, and not after all else that can be done, since somebody waits for what they
    /// lead to.
    func sendOrders() {
        if orders.isEmpty { return }
        submitter.put(orders)
        orders = []
    }

    /// Writes events while there is room, and starts the next read of the log.
    private func pump(_ now: Int64) {
        if cursorWriter.hasFailed { return }
        var room = outgoing.room()
        var chunk: [UInt8] = []
        if isolation.removeSettled(queues) { noteEndOfIsolation() }
        var allowance = replay?.allowance(now: now) ?? .max
        var progress = allowance > 0
        // In an isolation: nothing but suspects, until it is plain that none can go out.
        var isSuspectsTurn = isolation.isActive
        while progress, room > 0 {
            progress = deliverRound(&chunk, &room, &allowance, onlySuspects: isSuspectsTurn, now)
            if !progress, allowance > 0, feed.fill(&queues, from: environment.log) { progress = true }
            if !progress, isSuspectsTurn, !Isolation.isAnythingOut(queues), !isolation.awaitsSuspects(queues) {
                isSuspectsTurn = false
                progress = true
            }
        }
        chunk += answers
        answers = []
        outgoing.put(chunk)
        // Asked again, so that the writer tells when there is room.
        if room <= 0 { _ = outgoing.room() }
        tellCaughtUp()
        if let request = feed.start(&queues) { reader.put(request) }
        for i in queues.indices { queues[i].releasePage() }
        endReplay(now)
    }

    /// Lets each queue deliver once.
    /// - Returns: Whether anything went out.
    private func deliverRound(
        _ chunk: inout [UInt8], _ room: inout Int, _ allowance: inout Int, onlySuspects: Bool, _ now: Int64
    ) -> Bool {
        var progress = false
        let isIsolated = isolation.isActive
        for step in queues.indices where room > 0 && allowance > 0 {
            if isIsolated, Isolation.isAnythingOut(queues) { break }
            let i = isIsolated ? isolation.queue(at: step, of: queues.count) : step
            guard queues[i].hasWork else { continue }
            if chunk.capacity == 0 { chunk.reserveCapacity(PipeWriter.chunk + 4096) }
            let before = chunk.count
            let count = queues[i].deliver(
                to: &chunk, from: settlements.nextDelivery, ownEvents: manifest.ownEvents, plugin: manifest.name,
                now: now,
                maxBytes: min(PipeWriter.chunk, before + room),
                only: onlySuspects ? isolation.suspects[queues[i].id.queue] ?? [] : nil,
                atMost: isIsolated ? min(1, allowance) : allowance)
            if isIsolated, Isolation.isAnythingOut(queues) { isolation.delivered(from: i) }
            if count == 0 { continue }
            allowance -= count
            replay?.spend(count)
            progress = true
            book(count, i)
            room -= chunk.count - before
            if chunk.count >= PipeWriter.chunk {
                outgoing.put(chunk)
                chunk = []
            }
        }
        return progress
    }

    /// Shuts the plugin down once its part of the log is settled.
    private func endReplay(_ now: Int64) {
        guard replay != nil, queues.allSatisfy({ $0.isReplayed || $0.droppedAt != nil }) else { return }
        replay?.isDone = true
        drain("the replay is over", now)
    }

    private func book(_ count: Int, _ queue: Int) {
        settlements.add(count, of: queue)
        queues[queue].isDirty = true
    }

    /// Applies a part of a parked lane that was read.
    func applyLane(_ page: LogPage, _ key: String, _ through: Int64, _ queue: Int) {
        feed.finished()
        if queues[queue].droppedAt != nil { return }
        queues[queue].takeIn(
            page, key: key, through: through, ownEvents: manifest.ownEvents, plugin: manifest.name)
    }

    /// Redrives dead letters.
    func redrive(_ letters: [String: [Int64]]) {
        for i in queues.indices where queues[i].droppedAt == nil {
            for position in letters[queues[i].id.queue] ?? [] { queues[i].queue.redrive(position) }
        }
    }

    /// Delivers events that were read again.
    func deliverFetched(_ page: LogPage, _ queue: Int, _ now: Int64) {
        feed.finished()
        // What was asked for before a pause is asked for again after it; after a drain, by the next process. A queue
        // that was dropped meanwhile wants nothing any more.
        if isPaused || isDraining || queues[queue].isPaused || queues[queue].droppedAt != nil { return }
        var chunk: [UInt8] = []
        let count = queues[queue].deliver(fetched: page, to: &chunk, from: settlements.nextDelivery, now: now)
        replay?.spend(count)
        book(count, queue)
        outgoing.put(chunk)
    }

    private func tellCaughtUp() {
        for i in queues.indices where !queues[i].hasCaughtUp && queues[i].droppedAt == nil {
            if queues[i].queue.hasUndelivered(through: queues[i].backlogEnd) { continue }
            queues[i].hasCaughtUp = true
            send(.caughtUp(queue: queues[i].id.queue))
        }
        view.isCaughtUp = queues.allSatisfy { $0.hasCaughtUp || $0.droppedAt != nil || $0.isPaused }
    }

    // MARK: Cursors

    /// Applies the outcome of a save.
    func apply(_ outcome: CursorStore.Outcome, _ now: Int64) {
        switch cursorWriter.finish(outcome, &queues, now: now) {
        case .none: view.storeTrouble = nil
        case .recovered:
            log.note(.info, "cursors can be stored again; delivery goes on")
            view.storeTrouble = nil
        case .failed(let why, let isFirst):
            let trouble = "cursors cannot be stored, delivery stops until they can: \(why)"
            if isFirst { log.note(.error, trouble) }
            view.storeTrouble = trouble
        }
    }

    /// The last save of a session, which waits for its outcome; false where it failed.
    @discardableResult func saveAtEnd() async -> Bool {
        if queues.isEmpty { return true }
        let (now, unixNow) = (environment.now(), environment.unixNow())
        let changes = queues.filter { $0.droppedAt == nil }.map { $0.change(unixNow: unixNow, now: now) }
        if case .failed(let why) = await store.save(changes, cursorWriter.unstored) {
            log.note(.error, "the last cursors could not be stored; what they would have settled comes again: \(why)")
            return false
        }
        return true
    }

    // MARK: Deadlines

    private func watch(_ now: Int64) {
        feed.resume(now: now)
        if let overdue = clock.judge(watched(now), now: now) { end(overdue, now) }
        if case .working = phase, manifest.ping, !isReadingPaused, shutdown == nil, clock.takePing(now: now) {
            pings += 1
            send(.ping(n: pings))
        }
        for step in shutdown?.due(now: now) ?? [] { take(step) }
    }

    /// What the plugin may be overdue with as things are.
    private func watched(_ now: Int64) -> SessionClock.Watch {
        var watch = SessionClock.Watch()
        guard case .working = phase, shutdown == nil else { return watch }
        watch.reading = deafDeadline(now)
        if isReadingPaused { return watch }
        watch.pings = manifest.ping
        if isPaused { return watch }
        for queue in queues where !queue.isPaused {
            if let deadline = queue.queue.deadline {
                watch.deadlines.append(.init(queue: queue.id.queue, time: deadline))
            }
        }
        return watch
    }

    /// Restarts the plugin's deadlines: it could not do anything about what it holds, or was not heard.
    func renewDeadlines(_ now: Int64) {
        for i in queues.indices { queues[i].queue.extendDeadline(to: now + queues[i].queue.settings.ackDeadline) }
    }

    private func end(_ overdue: SessionClock.Overdue, _ now: Int64) {
        if shutdown != nil, overdue != .configured { return }
        switch overdue {
        case .ready: kill(.crashed("no 'ready' within \(clock.limits.ready / 1000) s\(lastRefusal)"), now)
        case .silence: kill(.crashed("not a byte for \(clock.limits.silence / 1000) s: it hangs"), now)
        case .reading: kill(.crashed("it took no line for \(clock.limits.silence / 1000) s: it hangs"), now)
        case .configured:
            configuring = nil
            clock.configured()
            tell(.notConfigured)
        case .queue(let name):
            let deadline = queues.first { $0.id.queue == name && $0.droppedAt == nil }?.queue.settings.ackDeadline
            let seconds = (deadline ?? manifest.ackDeadline) / 1000
            kill(.crashed("queue '\(name)' made no progress for \(seconds) s: it hangs\(lastRefusal)"), now)
        }
    }

    /// The last refusal, which may explain why the plugin makes no progress.
    private var lastRefusal: String { view.refusal.map { "; last \($0)" } ?? "" }

    private func take(_ step: Shutdown.Step) {
        switch step {
        case .closeInput: outgoing.close()
        case .terminate: process?.terminate()
        case .kill: process?.killAll()
        case .killLauncher: killLauncher()
        }
    }

    /// The next deadline, on the monotonic clock.
    func nextAlarm(_ now: Int64) -> Int64? {
        var times: [Int64] = []
        if let next = shutdown?.next { times.append(next) }
        if let look = nextEndLook(now) { times.append(look) }
        if let next = clock.next(watched(now)) { times.append(next) }
        if case .working = phase {
            for queue in queues {
                if let due = queue.queue.nextRetry { times.append(due) }
            }
            if let retry = feed.retryAt { times.append(retry) }
            if let wait = replay?.wait, wait > 0 { times.append(now + wait) }
        }
        if let due = cursorWriter.nextDue(queues) { times.append(due) }
        if view.commandTrouble == nil, let since = settlements.undecidedSince {
            times.append(since + Limit.commandsWait)
        }
        if let due = publisher.nextDue(now: now) { times.append(due) }
        return times.min()
    }
}
