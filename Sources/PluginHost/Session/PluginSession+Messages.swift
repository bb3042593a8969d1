import CrowbarCore
import DequeModule
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
                case .tooLong(let count): strike("a line of \(count) bytes; at most \(Wire.maxLine) are taken", now)
                case .line(let line) where line.first == 0x7B:
                    do throws(WireError) {
                        lines.append(try PluginMessage(line: line))
                    } catch {
                        strike("\(error)", now)
                    }
                case .line(let line): if !line.isEmpty { log.line(line, stray: true) }
                }
            }
        }
        for message in lines { await take(message, now) }
    }

    /// Counts an offence against the protocol; too many in a minute end the process.
    func strike(_ what: String, _ now: Int64) {
        if strikes.areTooMany { return }
        view.strikes += 1
        log.remark(.warning, "protocol: \(what)")
        strikes.add(now: now)
        if strikes.areTooMany {
            kill(.crashed("\(Strikes.most) offences against the protocol in a minute; the last: \(what)"), now)
        }
    }

    private func take(_ message: PluginMessage, _ now: Int64) async {
        switch message {
        case .ack(let settled, let state): acknowledge(settled, state, now)
        case .command(let command): take(command, now)
        case .retry(let retry): take(retry, now)
        case .reject(let delivery, let code, let message, let deadLetter):
            settle(delivery, .reject(code: code, message: message, deadLetter: deadLetter), now)
        case .ready(let ready): await take(ready, now)
        case .pong: break
        case .window(let queue, let events):
            setWindow(queue, to: min(events, Int64(Wire.maxWindow)), now)
        case .state(let queue, let state):
            guard let i = index(of: queue), let bytes = bounded(state, now) else { return ignore() }
            heldStates.hold(.init(queue: i, state: bytes, after: emitted))
            applyStates(now)
        case .working(let delivery, let ms): working(delivery, ms, now)
        case .status(let level, let message, let details):
            let count = details?.members?.count ?? 0
            view.status = (level, log.mask(message, limit: 1024), count <= 100 ? details.map { log.mask($0) } : nil)
        case .log(let level, let message, let fields): log.message(level: level, message, fields: fields)
        case .drained: if !isDraining { strike("'drained' was not expected", now) }
        case .fatal(let code, let problem, let retry):
            let message = log.mask(problem.message, limit: 1024)
            let reason = "\(place(problem.path))\(message) (\(log.mask(code, limit: 64)))"
            // The first says why it ends; what else is wrong is for `crowbar check`.
            if problems.count < Limit.problems { problems.append(reason) }
            if problems.count > 1 { return }
            end = retry ? .tryLater(reason) : .failed(reason)
            phase = .ending
            if shutdown == nil { shutdown = .awaitingExit(now: now) }
        case .configured(let id, let problem): take(configured: id, problem)
        case .answer(let id, let answer): take(answer: answer, to: id)
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

    private func ignore() { view.ignored += 1 }

    func index(of queue: String) -> Int? {
        queues.firstIndex { $0.id.queue == queue && $0.droppedAt == nil }
    }

    private func bounded(_ state: JSON, _ now: Int64) -> [UInt8]? {
        let bytes = state.bytes
        if bytes.count <= Wire.maxState { return bytes }
        strike("a state of \(bytes.count) bytes; at most \(Wire.maxState) are kept", now)
        return nil
    }

    private func working(_ delivery: Int64?, _ ms: Int64, _ now: Int64) {
        let until = now + min(ms, 3_600_000)
        clock.extendReady(to: until)
        for i in queues.indices where delivery == nil || queues[i].queue.holds(delivery ?? 0) {
            queues[i].queue.extendDeadline(to: until)
        }
    }

    // MARK: Settlement

    /// The queue of a delivery, or nil where it was never made or is long gone.
    private func queue(of delivery: Int64) -> Int? {
        let at = delivery - routeBase
        guard at >= 0, at < Int64(route.count) else { return nil }
        return Int(route[Int(at)])
    }

    private func acknowledge(_ settled: PluginMessage.Settled, _ state: JSON?, _ now: Int64) {
        var bytes: [UInt8]?
        if let state {
            bytes = bounded(state, now)
            if bytes == nil { return }
        }
        switch settled {
        case .one(let delivery):
            if let bytes { settle([delivery], with: bytes, now) } else { settle(delivery, .ack(state: nil), now) }
        case .many(let deliveries):
            // What is settled may have left the table, and what was of a queue that is gone is void: no offence either.
            let named = Set(deliveries.compactMap { queue(of: $0) }.filter { queues[$0].droppedAt == nil })
            if bytes != nil, named.count > 1 {
                return strike("ack: a 'state' with deliveries of several queues", now)
            }
            if let bytes { return settle(deliveries, with: bytes, now) }
            for delivery in deliveries { settle(delivery, .ack(state: nil), now) }
        case .upTo(let delivery):
            guard let i = queue(of: delivery), queues[i].droppedAt == nil else { return ignore() }
            if causes.isEmpty, suspects.isEmpty, !queues[i].queue.hasRedrives, bytes == nil || unanswered == 0 {
                // Said twice, it brings an old state.
                if queues[i].queue.settle(upTo: delivery, now: now) == 0 { return ignore() }
                if let bytes { queues[i].state = bytes }
                queues[i].isDirty = true
                trimRoute()
            } else if let bytes {
                settle(queues[i].queue.held(upTo: delivery), with: bytes, now)
            } else {
                for held in queues[i].queue.held(upTo: delivery) { settle(held, .ack(state: nil), now) }
            }
        }
    }

    /// Settles deliveries of a queue in one write with its new state, once all commands emitted before are decided.
    private func settle(_ deliveries: [Int64], with state: [UInt8], _ now: Int64) {
        var answered: [Int64] = []
        for delivery in deliveries {
            if let i = queue(of: delivery), queues[i].queue.answer(delivery, now: now) {
                answered.append(delivery)
            } else {
                ignore()
            }
        }
        guard let first = answered.first, let i = queue(of: first) else { return }
        heldStates.hold(.init(queue: i, deliveries: answered, state: state, after: emitted))
        applyStates(now)
    }

    /// Takes over states whose commands are decided, with what is settled by them.
    private func applyStates(_ now: Int64) {
        while let next = heldStates.next(decided: decided, isOpen: { causes[$0].map { $0.open > 0 } ?? false }) {
            for delivery in next.deliveries { complete(delivery, of: next.queue, .ack(state: next.state), now) }
            if !next.deliveries.isEmpty || queues[next.queue].droppedAt != nil { continue }
            queues[next.queue].state = next.state
            queues[next.queue].isDirty = true
        }
    }

    /// Settles a delivery, or, where commands that it caused are not decided yet, notes how it is to be settled.
    private func settle(_ delivery: Int64, _ how: Settlement, _ now: Int64) {
        guard let i = queue(of: delivery), queues[i].queue.holds(delivery) else { return ignore() }
        guard let cause = causes[delivery], cause.open > 0 else { return complete(delivery, of: i, how, now) }
        if queues[i].queue.answer(delivery, now: now) { deferred[delivery] = how }
    }

    /// Settles a delivery whose commands are decided.
    private func complete(_ delivery: Int64, of i: Int, _ how: Settlement, _ now: Int64) {
        let position = queues[i].queue.position(of: delivery) ?? 0
        let known = queues[i].queue.attempts[position]
        let isRedrive = queues[i].queue.isRedrive(delivery: delivery)
        guard queues[i].queue.settle(delivery, now: now) else { return }
        causes[delivery] = nil
        clear(position, i)
        queues[i].isDirty = true
        switch how {
        case .ack where isRedrive: queues[i].redriven.append(position)
        case .reject where isRedrive && !how.isDeadLetter: queues[i].redriven.append(position)
        case .ack(let state): if let state { queues[i].state = state }
        case .reject(let code, let message, let deadLetter):
            if deadLetter {
                let attempts = max(1, known?.deliveries ?? 1)
                bury(i, position, code, message, attempts: attempts, first: known?.first ?? 0)
            }
        }
        trimRoute()
    }

    func bury(
        _ queue: Int, _ position: Int64, _ code: String, _ message: String, attempts: Int64, first: Int64
    ) {
        let unixNow = environment.unixNow()
        let (code, message) = (log.mask(code, limit: 64), log.mask(message, limit: 1024))
        letters.append(
            .init(
                id: queues[queue].id, position: position, code: code, message: message, attempts: attempts,
                first: first > 0 ? first : unixNow, last: unixNow))
        log.remark(
            .warning, "queue '\(queues[queue].id.queue)': dead letter at position \(position): \(code): \(message)")
    }

    private func take(_ retry: PluginMessage.Retry, _ now: Int64) {
        guard let i = queue(of: retry.delivery) else { return ignore() }
        let attempt = queues[i].queue.countedAttempts(retry.delivery)
        let position = queues[i].queue.position(of: retry.delivery)
        let wait = retry.afterMs ?? RetryDelay.milliseconds(attempt: attempt, random: environment.random())
        let outcome = queues[i].queue.fail(
            retry.delivery, due: now + min(wait, 30 * 86_400_000), isCounted: retry.counted,
            code: log.mask(retry.code, limit: 64), message: log.mask(retry.message, limit: 1024), now: now,
            unixNow: environment.unixNow())
        var through: Int64?
        switch outcome {
        case .unknown: return ignore()
        case .retrying(let void): through = void
        case .exhausted(let position, let attempts, let void):
            through = void
            bury(i, position, attempts.code, attempts.message, attempts: attempts.deliveries, first: attempts.first)
        }
        causes[retry.delivery] = nil
        if let position { clear(position, i) }
        queues[i].isDirty = true
        if let through { send(.voided(delivery: retry.delivery, through: through)) }
        trimRoute()
    }

    private func trimRoute() {
        while let first = route.first {
            if let oldest = queues[Int(first)].queue.firstDelivery, oldest <= routeBase { return }
            route.removeFirst()
            routeBase += 1
        }
    }

    // MARK: Commands

    private func take(_ command: PluginMessage.Command, _ now: Int64) {
        guard case .working = phase else { return strike("'command' before 'start'", now) }
        var order = CommandDesk.Order(command: command)
        if replay != nil {
            order.refusal = CommandError(.replay, "a replay takes no commands")
        } else if let delivery = command.cause {
            if let i = queue(of: delivery), let position = queues[i].queue.position(of: delivery) {
                let known = causes[delivery] ?? (0, 0)
                causes[delivery] = (known.ordinal + 1, known.open + 1)
                order.cause = .init(
                    queue: queues[i].id.queue, position: position, ordinal: known.ordinal,
                    isHistory: position <= queues[i].bornAt)
            } else {
                order.refusal = CommandError(
                    .invalidCommand, "'cause' is not an unsettled delivery", field: "cause")
            }
        }
        emitted += 1
        orders.append(order)
    }

    func take(_ outcomes: [CommandDesk.Outcome], _ now: Int64) {
        for outcome in outcomes {
            decided += 1
            answers += HostMessage.result(.init(id: outcome.id, outcome: outcome.result)).line
            answers.append(0x0A)
            guard let delivery = outcome.cause, let known = causes[delivery] else { continue }
            causes[delivery] = (known.ordinal, known.open - 1)
            if known.open == 1, let how = deferred.removeValue(forKey: delivery), let i = queue(of: delivery) {
                complete(delivery, of: i, how, now)
            }
        }
        applyStates(now)
        resumeReading(now)
    }
}
