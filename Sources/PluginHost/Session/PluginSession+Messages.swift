import CrowbarCore
import CrowbarMetrics
import JSONBytes
import Logging
import PluginWire

// What the plugin says.
extension PluginSession {
    /// Takes a piece of the plugin's output.
    func take(_ bytes: [UInt8], _ now: Int64) async {
        var lines: [PluginMessage] = []
        bytes.withUnsafeBytes { buffer in
            splitter.feed(buffer) { piece in
                // A process that is to end for its offences can no more make the host work.
                if strikes.areTooMany { return }
                switch piece {
                case .tooLong(let count):
                    strike(
                        HostMessage.Refused.line, "it has \(count) bytes; at most \(Wire.maxLine) are taken", now)
                case .line(let line) where !admits(line): break
                case .line(let line) where line.first == 0x7B:
                    do throws(WireError) {
                        lines.append(try PluginMessage(line: line, isStrict: manifest.isStrict))
                    } catch {
                        refuse(line: line, error, now)
                    }
                case .line(let line): if !line.isEmpty { log.line(line, stray: true) }
                }
            }
        }
        for message in lines { await take(message, now) }
    }

    private func take(_ message: PluginMessage, _ now: Int64) async {
        switch message {
        case .ack(let settled, let state): acknowledge(settled, state, now)
        case .command(let command): take(command, now)
        case .retry(let retry): take(retry, now)
        case .reject(let delivery, let code, let message, let deadLetter):
            settle(delivery, .reject(code: code, message: message, deadLetter: deadLetter), as: "reject", now)
        case .ready(let ready): await take(ready, now)
        case .pong: break
        case .window(let queue, let events):
            setWindow(queue, to: min(events, Int64(Wire.maxWindow)), now)
        case .state(let queue, let state):
            guard let i = index(of: queue) else { return ignore("state", queue: queue, now) }
            guard let bytes = bounded(state, of: "state", now) else { return }
            settlements.hold(bytes, of: i)
            applyStates(now)
        case .working(let delivery, let ms): working(delivery, ms, now)
        case .status(let level, let message, let details): show(level, message, details, now)
        case .log(let level, let message, let fields): log.message(level: level, message, fields: fields)
        case .drained: if !isDraining { strike("drained", "it was not expected: there was no 'drain'", now) }
        case .fatal(let code, let problem, let retry):
            let message = log.mask(problem.message, limit: 1024)
            let reason = "\(place(problem.path))\(message) (\(log.mask(code, limit: 64)))"
            // The first says why it ends; what else is wrong is for `crowbar check`.
            if problems.count < Limit.problems { problems.append(reason) }
            if problems.count > 1 { return }
            end = retry ? .tryLater(reason) : .failed(reason)
            phase = .ending
            if shutdown == nil { shutdown = .awaitingExit(now: now) }
        case .configured(let id, let problem): take(configured: id, problem, now)
        case .answer(let id, let answer): take(answer: answer, to: id, now)
        case .queues(let asked): take(queues: asked, now)
        case .verdict(let verdict): take(verdict, now)
        case .unknown: ignore()
        }
    }

    /// Where in the manifest a path of the plugin's configuration stands, as `FILE:LINE: config.PATH: `.
    private func place(_ path: String) -> String {
        if path.isEmpty { return "" }
        return ManifestReader.place(ofConfig: log.mask(path, limit: 256), in: manifest.file) + ": "
    }

    private func show(_ level: PluginMessage.Level, _ message: String, _ details: JSON?, _ now: Int64) {
        let count = details?.members?.count ?? 0
        let isShown = count <= Wire.maxDetails
        view.status = (level, log.mask(message, limit: 1024), isShown ? details.map { log.mask($0) } : nil)
        if isShown { return }
        refuse("status", "'details' has \(count) members and is left out; at most \(Wire.maxDetails) are shown", now)
    }

    func index(of queue: String) -> Int? {
        queues.firstIndex { $0.id.queue == queue && $0.droppedAt == nil }
    }

    /// The bytes of a state, or nil where they are too many; then all that came with it is refused.
    private func bounded(_ state: JSON, of message: String, delivery: Int64? = nil, _ now: Int64) -> [UInt8]? {
        let bytes = state.bytes
        if bytes.count <= Wire.maxState { return bytes }
        let settled = message == "ack" ? "; nothing is settled" : ""
        let reason = "a state of \(bytes.count) bytes; at most \(Wire.maxState) are kept\(settled)"
        strike(message, reason, delivery: delivery, now)
        return nil
    }

    private func working(_ delivery: Int64?, _ ms: Int64, _ now: Int64) {
        let until = now + min(ms, Wire.maxWorking)
        clock.extendReady(to: until)
        if let delivery, settlements.queue(of: delivery) == nil { return ignore("working", delivery, now) }
        for i in queues.indices where delivery == nil || queues[i].queue.holds(delivery ?? 0) {
            queues[i].queue.extendDeadline(to: until)
        }
    }

    // MARK: Settlement

    private func acknowledge(_ settled: PluginMessage.Settled, _ state: JSON?, _ now: Int64) {
        var bytes: [UInt8]?
        if let state {
            bytes = bounded(state, of: "ack", delivery: settled.number, now)
            if bytes == nil { return }
        }
        switch settled {
        case .one(let delivery):
            if let bytes { return settle([delivery], with: bytes, now) }
            settle(delivery, .ack(state: nil), as: "ack", now)
        case .many(let deliveries):
            // What is settled may have left the table, and what was of a queue that is gone is void: no offence either.
            let named = Set(deliveries.compactMap { settlements.queue(of: $0) }.filter { queues[$0].droppedAt == nil })
            if bytes != nil, named.count > 1 {
                let reason = "a 'state' with deliveries of several queues; nothing is settled"
                return strike("ack", reason, delivery: deliveries.first, now)
            }
            if let bytes { return settle(deliveries, with: bytes, now) }
            for delivery in deliveries { settle(delivery, .ack(state: nil), as: "ack", now) }
        case .upTo(let delivery):
            guard let i = settlements.queue(of: delivery), queues[i].droppedAt == nil else {
                return ignore("ack", delivery, now)
            }
            if settlements.causes.isEmpty, !isolation.isActive, !queues[i].queue.hasRedrives,
                bytes == nil || settlements.unanswered == 0
            {
                // Said twice, it brings an old state.
                let count = queues[i].queue.settle(upTo: delivery, now: now)
                if count == 0 { return ignore() }
                counters.deliveries.add(.acknowledged, count)
                if let bytes { queues[i].state = bytes }
                queues[i].isDirty = true
                settlements.trim(queues)
            } else if let bytes {
                settle(queues[i].queue.held(upTo: delivery), with: bytes, now)
            } else {
                for held in queues[i].queue.held(upTo: delivery) { settle(held, .ack(state: nil), as: "ack", now) }
            }
        }
    }

    /// Settles deliveries of a queue in one write with its new state, once all commands emitted before are decided.
    private func settle(_ deliveries: [Int64], with state: [UInt8], _ now: Int64) {
        var answered: [Int64] = []
        for delivery in deliveries {
            if let i = settlements.queue(of: delivery), queues[i].queue.answer(delivery, now: now) {
                answered.append(delivery)
            } else {
                ignore("ack", delivery, now)
            }
        }
        guard let first = answered.first, let i = settlements.queue(of: first) else { return }
        settlements.hold(state, of: i, deliveries: answered)
        applyStates(now)
    }

    /// Takes over states whose commands are decided, with what is settled by them.
    private func applyStates(_ now: Int64) {
        while let next = settlements.nextState() {
            for delivery in next.deliveries { complete(delivery, of: next.queue, .ack(state: next.state), now) }
            if !next.deliveries.isEmpty || queues[next.queue].droppedAt != nil { continue }
            queues[next.queue].state = next.state
            queues[next.queue].isDirty = true
        }
    }

    /// Settles a delivery, or, where commands that it caused are not decided yet, notes how it is to be settled.
    private func settle(_ delivery: Int64, _ how: Settlements.Settlement, as message: String, _ now: Int64) {
        guard let i = settlements.queue(of: delivery), queues[i].queue.holds(delivery) else {
            return ignore(message, delivery, now)
        }
        guard settlements.hasOpenCommands(delivery) else { return complete(delivery, of: i, how, now) }
        if queues[i].queue.answer(delivery, now: now) { settlements.postpone(delivery, how) }
    }

    /// Settles a delivery whose commands are decided.
    private func complete(_ delivery: Int64, of i: Int, _ how: Settlements.Settlement, _ now: Int64) {
        let position = queues[i].queue.position(of: delivery) ?? 0
        let known = queues[i].queue.attempts[position]
        let isRedrive = queues[i].queue.isRedrive(delivery: delivery)
        guard queues[i].queue.settle(delivery, now: now) else { return }
        settlements.close(delivery)
        clear(position, i)
        queues[i].isDirty = true
        if !how.isDeadLetter { counters.deliveries.add(how.isAcknowledgement ? .acknowledged : .rejected) }
        switch how {
        case .ack where isRedrive: queues[i].redriven.append(position)
        case .reject where isRedrive && !how.isDeadLetter: queues[i].redriven.append(position)
        case .ack(let state): if let state { queues[i].state = state }
        case .reject(let code, let message, let deadLetter):
            if deadLetter {
                bury(i, position, code, message, attempts: known?.tries ?? 1, first: known?.first ?? 0)
            }
        }
        settlements.trim(queues)
    }

    func bury(
        _ queue: Int, _ position: Int64, _ code: String, _ message: String, attempts: Int64, first: Int64
    ) {
        counters.deliveries.add(.deadLettered)
        let unixNow = environment.unixNow()
        let (code, message) = (log.mask(code, limit: 64), log.mask(message, limit: 1024))
        cursorWriter.add(
            .init(
                id: queues[queue].id, position: position, code: code, message: message, attempts: attempts,
                first: first > 0 ? first : unixNow, last: unixNow))
        // Of a plugin that reads private channels only the audited listing shows what it said: a receiver's answer may
        // repeat the text.
        let words = manifest.isPrivate ? code : "\(code): \(message)"
        log.remark(.warning, "queue '\(queues[queue].id.queue)': dead letter at position \(position): \(words)")
    }

    private func take(_ retry: PluginMessage.Retry, _ now: Int64) {
        guard let i = settlements.queue(of: retry.delivery) else { return ignore("retry", retry.delivery, now) }
        let attempt = queues[i].queue.countedAttempts(retry.delivery)
        let position = queues[i].queue.position(of: retry.delivery)
        let wait = retry.afterMs ?? RetryDelay.milliseconds(attempt: attempt, random: environment.random())
        let outcome = queues[i].queue.fail(
            retry.delivery, due: now + min(wait, Wire.maxRetry), isCounted: retry.counted,
            code: log.mask(retry.code, limit: 64), message: log.mask(retry.message, limit: 1024), now: now,
            unixNow: environment.unixNow())
        var through: Int64?
        switch outcome {
        case .unknown: return ignore()
        case .retrying(let void):
            counters.deliveries.add(.retried)
            through = void
        case .exhausted(let position, let attempts, let void):
            through = void
            bury(i, position, attempts.code, attempts.message, attempts: attempts.tries, first: attempts.first)
        }
        settlements.close(retry.delivery)
        if let position { clear(position, i) }
        queues[i].isDirty = true
        if let through { send(.voided(delivery: retry.delivery, through: through)) }
        settlements.trim(queues)
    }

    // MARK: Commands

    private func take(_ command: PluginMessage.Command, _ now: Int64) {
        guard case .working = phase else { return strike("command", "'command' before 'start'", now) }
        var order = CommandSubmitter.Order(command: command)
        if replay != nil {
            order.refusal = CommandError(.replay, "a replay takes no commands")
        } else if let delivery = command.cause {
            if let i = settlements.queue(of: delivery), let position = queues[i].queue.position(of: delivery) {
                let (ordinal, isOnlyOpen) = settlements.addCommand(of: delivery)
                if isOnlyOpen { queues[i].queue.awaitCommands(of: delivery, now: now) }
                order.cause = .init(
                    queue: queues[i].id.queue, position: position, ordinal: ordinal,
                    isHistory: position <= queues[i].bornAt)
            } else {
                order.refusal = CommandError(
                    .invalidCommand, "'cause' is not an unsettled delivery", field: "cause")
            }
        }
        settlements.emit(now: now)
        orders.append(order)
    }

    func take(_ outcomes: [CommandSubmitter.Outcome], _ now: Int64) {
        for outcome in outcomes {
            answers += HostMessage.result(.init(id: outcome.id, outcome: outcome.result)).line
            answers.append(0x0A)
            guard let (delivery, settlement) = settlements.decide(cause: outcome.cause),
                let i = settlements.queue(of: delivery)
            else { continue }
            queues[i].queue.commandsDecided(of: delivery, now: now)
            if let settlement { complete(delivery, of: i, settlement, now) }
        }
        settlements.renewWait(now: now)
        applyStates(now)
        resumeReading(now)
    }
}

extension PluginMessage.Settled {
    /// The delivery that an error names, of several the first.
    var number: Int64? {
        switch self {
        case .one(let delivery), .upTo(let delivery): delivery
        case .many(let deliveries): deliveries.first
        }
    }
}
