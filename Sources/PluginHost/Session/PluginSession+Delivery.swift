import CrowbarCore
import Logging
import PluginWire

// What the host does by itself: events out, cursors kept, deadlines watched.
extension PluginSession {
    /// Does all that can be done now and sets the alarm for what comes next.
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
        save(now)
        publish(now)
        alarm.ring(at: nextAlarm(now), now: now)
    }

    /// Lets commands be decided: at once, and not after all else that can be done, since somebody waits for what they
    /// lead to.
    func sendOrders() {
        if orders.isEmpty { return }
        submitter.put(orders)
        orders = []
    }

    /// Writes events while there is room, and asks for what is needed to go on.
    private func pump(_ now: Int64) {
        if saveFailed { return }
        var room = outgoing.room()
        var chunk: [UInt8] = []
        forgetSettledSuspects()
        let isIsolated = !suspects.isEmpty
        var allowance = replay?.allowance(now: now) ?? .max
        var progress = allowance > 0
        // In an isolation: nothing but suspects, until it is plain that none can go out.
        var isSuspectsTurn = isIsolated
        while progress, room > 0 {
            progress = false
            for turn in queues.indices where room > 0 && allowance > 0 {
                if isIsolated, isAnythingOut { break }
                // By turns where one event goes out at a time, so that no queue keeps it from the others.
                let i = isIsolated ? (turn + nextIsolated) % queues.count : turn
                guard queues[i].hasWork else { continue }
                if chunk.capacity == 0 { chunk.reserveCapacity(PipeWriter.chunk + 4096) }
                let before = chunk.count
                let count = queues[i].deliver(
                    to: &chunk, from: nextDelivery, ownEvents: manifest.ownEvents, plugin: manifest.name, now: now,
                    maxBytes: min(PipeWriter.chunk, before + room),
                    only: isSuspectsTurn ? suspects[queues[i].id.queue] ?? [] : nil,
                    atMost: isIsolated ? min(1, allowance) : allowance)
                if isIsolated, isAnythingOut { nextIsolated = i + 1 }
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
            if !progress, allowance > 0, useAhead() || useRecent() { progress = true }
            if !progress, isSuspectsTurn, !isAnythingOut, !awaitsSuspects {
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
        readOn()
        for i in queues.indices { queues[i].releasePage() }
        endReplay(now)
    }

    /// Lets the plugin go once all that it was to be replayed is settled.
    private func endReplay(_ now: Int64) {
        guard replay != nil, queues.allSatisfy({ $0.isReplayed || $0.droppedAt != nil }) else { return }
        replay?.isDone = true
        drain("the replay is over", now)
    }

    private func book(_ count: Int, _ queue: Int) {
        nextDelivery += Int64(count)
        for _ in 0..<count { route.append(Int32(queue)) }
        queues[queue].isDirty = true
    }

    private func readOn() {
        if isReading || readRetry != nil { return }
        useAhead()
        if let i = queues.firstIndex(where: { !$0.fetching.isEmpty && !$0.isPaused }) {
            isReading = true
            return reader.put(.positions(queues[i].fetching.map(\.position), queue: i))
        }
        // By turns, so that a parked lane with a long way to go holds up nobody.
        wasLane.toggle()
        if wasLane, readLane() { return }
        if let after = queues.lazy.filter(\.needsPage).map(\.queue.scanned).min() {
            isReading = true
            grewWhileReading = false
            return reader.put(.page(after: after))
        }
        if !wasLane, readLane() { return }
        readAhead()
    }

    /// Reads the page behind the one that is being delivered, so that reading goes on while the plugin is written to.
    private func readAhead() {
        if let last = ahead?.page.entries.last?.position,
            queues.allSatisfy({ $0.queue.scanned >= last || $0.droppedAt != nil || $0.isPaused })
        {
            ahead = nil
        }
        guard ahead == nil, let after = queues.lazy.compactMap(\.fullPageEnd).max(), after != lastAhead else { return }
        lastAhead = after
        isReading = true
        grewWhileReading = false
        reader.put(.page(after: after))
    }

    /// Gives the page that was read ahead to the queues that want it now; false where there is none.
    @discardableResult private func useAhead() -> Bool {
        guard let (page, after) = ahead, let last = page.entries.last?.position,
            queues.contains(where: { $0.needsPage && $0.queue.scanned >= after && $0.queue.scanned < last })
        else { return false }
        ahead = nil
        share(page, after)
        return true
    }

    /// Gives the queues what the log has in memory: at the head, where it matters how long it takes, nothing has to be
    /// read. False where there is nothing new.
    private func useRecent() -> Bool {
        guard !isReading, readRetry == nil,
            let after = queues.lazy.filter(\.needsPage).map(\.queue.scanned).min(),
            let page = environment.log.recent(after: after)
        else { return false }
        grewWhileReading = false
        return share(page, after)
    }

    private func readLane() -> Bool {
        for i in queues.indices {
            guard let part = queues[i].revival() else { continue }
            isReading = true
            reader.put(.lane(part.lane, key: part.key, from: part.from, through: part.through, queue: i))
            return true
        }
        return false
    }

    func takeLane(_ page: LogPage, _ key: String, _ through: Int64, _ queue: Int) {
        isReading = false
        if queues[queue].droppedAt != nil { return }
        queues[queue].takeIn(
            page, key: key, through: through, ownEvents: manifest.ownEvents, plugin: manifest.name)
    }

    /// Lets dead letters be delivered once more.
    func redrive(_ letters: [String: [Int64]]) {
        for i in queues.indices where queues[i].droppedAt == nil {
            for position in letters[queues[i].id.queue] ?? [] { queues[i].queue.redrive(position) }
        }
    }

    func takePage(_ page: LogPage, _ after: Int64) {
        isReading = false
        if share(page, after) || page.entries.isEmpty { return }
        ahead = (page, after)
    }

    @discardableResult private func share(_ page: LogPage, _ after: Int64) -> Bool {
        var isTaken = false
        let last = page.entries.last?.position
        for i in queues.indices where queues[i].needsPage && queues[i].queue.scanned >= after {
            if let last, last <= queues[i].queue.scanned { continue }
            queues[i].take(page)
            isTaken = true
            if grewWhileReading { queues[i].isAtEnd = false }
        }
        return isTaken
    }

    func takeFetched(_ page: LogPage, _ queue: Int, _ now: Int64) {
        isReading = false
        // What was asked for before a pause is asked for again after it; after a drain, by the next process. A queue
        // that was dropped meanwhile wants nothing any more.
        if isPaused || isDraining || queues[queue].isPaused || queues[queue].droppedAt != nil { return }
        var chunk: [UInt8] = []
        let count = queues[queue].deliver(fetched: page, to: &chunk, from: nextDelivery, now: now)
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

    private func save(_ now: Int64) {
        guard !isSaving, now >= nextSave else { return }
        let due = queues.indices.filter {
            queues[$0].isDirty && queues[$0].droppedAt == nil
                && (saveFailed || now - queues[$0].lastSave >= CursorWriter.interval)
        }
        if due.isEmpty, letters.isEmpty { return }
        let unixNow = environment.unixNow()
        for i in due {
            queues[i].isDirty = false
            queues[i].lastSave = now
            queues[i].redrivenUnderSave = queues[i].redriven.count
        }
        lettersUnderSave = letters
        letters = []
        isSaving = true
        cursorWriter.put(due.map { queues[$0].change(unixNow: unixNow, now: now) }, lettersUnderSave)
    }

    func take(_ outcome: CursorWriter.Outcome, _ now: Int64) {
        isSaving = false
        switch outcome {
        case .saved(let cursors):
            for i in queues.indices {
                queues[i].redriven.removeFirst(queues[i].redrivenUnderSave)
                queues[i].redrivenUnderSave = 0
            }
            if saveFailed { log.note(.info, "cursors can be stored again; delivery goes on") }
            saveFailed = false
            view.storeTrouble = nil
            lettersUnderSave = []
            for i in queues.indices {
                if let cursor = cursors[queues[i].id] { queues[i].savedCursor = cursor }
            }
        case .failed(let why):
            let trouble = "cursors cannot be stored, delivery stops until they can: \(why)"
            if !saveFailed { log.note(.error, trouble) }
            view.storeTrouble = trouble
            saveFailed = true
            letters = lettersUnderSave + letters
            lettersUnderSave = []
            for i in queues.indices where queues[i].droppedAt == nil {
                queues[i].isDirty = true
                queues[i].redrivenUnderSave = 0
            }
            nextSave = now + CursorWriter.failedInterval
        }
    }

    /// The last save of a session, which waits for its outcome; false where it failed.
    @discardableResult func saveAtEnd() async -> Bool {
        if queues.isEmpty { return true }
        let (now, unixNow) = (environment.now(), environment.unixNow())
        let changes = queues.filter { $0.droppedAt == nil }.map { $0.change(unixNow: unixNow, now: now) }
        if case .failed(let why) = await cursorWriter.save(changes, lettersUnderSave + letters) {
            log.note(.error, "the last cursors could not be stored; what they would have settled comes again: \(why)")
            return false
        }
        return true
    }

    // MARK: Deadlines

    private func watch(_ now: Int64) {
        if let due = readRetry, due <= now { readRetry = nil }
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

    /// Gives the plugin its time anew: it could not do anything about what it holds, or was not heard.
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

    /// What may be why the plugin does not get on.
    private var lastRefusal: String { view.refusal.map { "; last \($0)" } ?? "" }

    private func take(_ step: Shutdown.Step) {
        switch step {
        case .closeInput: outgoing.close()
        case .terminate: process?.terminate()
        case .kill: process?.killAll()
        case .killLauncher: killLauncher()
        }
    }

    /// When something is to be done though nothing happens.
    func nextAlarm(_ now: Int64) -> Int64? {
        var times: [Int64] = []
        if let next = shutdown?.next { times.append(next) }
        if let look = nextEndLook(now) { times.append(look) }
        if let next = clock.next(watched(now)) { times.append(next) }
        if case .working = phase {
            for queue in queues {
                if let due = queue.queue.nextRetry { times.append(due) }
            }
            if let readRetry { times.append(readRetry) }
            if let wait = replay?.wait, wait > 0 { times.append(now + wait) }
        }
        if !isSaving {
            // A dropped queue is not saved, so that its time would never pass.
            for queue in queues where queue.isDirty && queue.droppedAt == nil {
                times.append(max(nextSave, queue.lastSave + CursorWriter.interval))
            }
        }
        if view.commandTrouble == nil, let since = undecidedSince { times.append(since + Limit.commandsWait) }
        if lastPublish + Limit.publish > now { times.append(lastPublish + Limit.publish) }
        return times.min()
    }

    // MARK: What is shown

    private func publish(_ now: Int64) {
        noteWaitingCommands(now)
        guard now - lastPublish >= Limit.publish || queues.count != publishedQueues || status.current.pid == nil else {
            return
        }
        publishedQueues = queues.count
        let settlements = queues.map(\.queue.settlements)
        if rates.last.map({ now - $0.time >= 1000 }) ?? true {
            rates.append((now, settlements))
            if rates.count > 10 { rates.removeFirst() }
        }
        let base = rates.first ?? (now, settlements)
        let seconds = Double(max(1, now - base.time)) / 1000
        let shown = queues.enumerated().filter { $1.droppedAt == nil }.map { i, queue in
            SessionStatus.Queue(
                name: queue.id.queue, cursor: queue.savedCursor, scanned: queue.queue.scanned,
                inFlight: queue.queue.unsettled, parked: queue.queue.parkedLanes.count, settlements: settlements[i],
                ratePerSecond: i < base.settlements.count ? Double(settlements[i] - base.settlements[i]) / seconds : 0,
                filter: queue.filter, waiting: queue.queue.waitingForRetry, isHeld: queue.queue.window == 0,
                hasCaughtUp: queue.hasCaughtUp, settledThrough: queue.queue.settledThrough)
        }
        let isChanged = zip(shown, view.queues).contains {
            $0.settlements != $1.settlements || $0.inFlight != $1.inFlight
                || $0.ratePerSecond != $1.ratePerSecond || $0.cursor != $1.cursor || $0.waiting != $1.waiting
        }
        view.queues = shown
        status.show(view)
        // An idle plugin is not woken for its listing.
        lastPublish = isChanged ? now : now - Limit.publish
    }
}
