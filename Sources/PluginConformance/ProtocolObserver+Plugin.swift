import JSONBytes
import PluginHost
import PluginWire

// What the plugin says.
extension ProtocolObserver {
    mutating func said(_ exchange: Exchange) {
        exercised.formUnion([.objectPerLine, .strayPrint, .silence])
        last[HostMessage.Refused.line] = exchange
        if exchange.line.isEmpty { return }
        guard exchange.line.first == 0x7B else {
            return find(.strayPrint, "it is no message; print to standard error instead", [exchange])
        }
        do throws(WireError) {
            let message = try PluginMessage(line: exchange.line, isStrict: true)
            exercised.formUnion([.validMessage, .jsonRules, .strict, .lineLimit, .limits])
            if let type = (try? JSONObject(parsing: exchange.line))?.string("type") { last[type] = exchange }
            if let drained { find(.drainedOnce, "it comes after 'drained'", [drained, exchange]) }
            take(message, exchange)
        } catch {
            find(Self.rule(of: error), error.description, [exchange])
        }
    }

    private static func rule(of error: WireError) -> Rule {
        switch error {
        case .malformed(let json) where json.isRepeatedKey: .jsonRules
        case .malformed: .objectPerLine
        case .unknownType, .unknownField: .strict
        case .invalid(let type, _, _), .missing(let type, _, _): type == "ready" ? .readyValid : .validMessage
        }
    }

    private mutating func take(_ message: PluginMessage, _ exchange: Exchange) {
        switch message {
        case .ready(let ready): take(ready, exchange)
        case .ack(let settled, let state):
            if state != nil { exercised.insert(.stateLimit) }
            acknowledge(settled, exchange)
        case .retry(let retry): give(back: retry.delivery, .retry, exchange)
        case .reject(let delivery, _, _, _): give(back: delivery, .reject, exchange)
        case .state(let queue, _): name(queue, .stateQueue, exchange)
        case .window(let queue, _): name(queue, .window, exchange)
        case .queues(let names): queues.formUnion(names.map(\.name))
        case .working(let delivery, let ms): extend(delivery, ms, exchange)
        case .command(let command): take(command, exchange)
        case .configured(let id, _):
            exercised.formUnion([.configuredId, .configuredInTime, .configuredAnswer])
            if configs.removeValue(forKey: id) == nil {
                let asked = configs.keys.sorted { $0.token < $1.token }.map(\.token).joined(separator: ", ")
                if asked.isEmpty { return find(.configuredAnswer, "nothing was asked under id \(id)", [exchange]) }
                find(.configuredId, "its id is \(id); the 'config' has \(asked)", configs.values + [exchange])
                configs = [:]
            }
        case .answer(let id, _):
            exercised.formUnion([.answerInTime, .answerOnce])
            if asks.removeValue(forKey: id) != nil {
                answered.asks.insert(id)
            } else if answered.asks.contains(id) {
                find(.answerOnce, "ask \(id) was answered before", [exchange])
            } else {
                find(.answerOnce, "nothing was asked under id \(id)", [exchange])
            }
        default: takeRest(message, exchange)
        }
    }

    private mutating func takeRest(_ message: PluginMessage, _ exchange: Exchange) {
        switch message {
        case .verdict(let verdict):
            let id =
                switch verdict {
                case .allow(let id, _), .deny(let id, _, _): id
                }
            judge(id, exchange)
        case .pong(let n):
            exercised.insert(.pong)
            if pings.removeValue(forKey: n) == nil { find(.pong, "no ping \(n) is unanswered", [exchange]) }
        case .drained:
            exercised.insert(.drainedOnce)
            if draining == nil, !isInputClosed { find(.drainedOnce, "there was no 'drain'", [exchange]) }
            drained = exchange
        case .fatal:
            fatals += 1
            exercised.insert(.fatal)
            if fatals > 100 { find(.fatal, "it is number \(fatals)", [exchange]) }
        case .status(_, _, let details):
            let count = details?.members?.count ?? 0
            if details != nil { exercised.insert(.details) }
            if count > Wire.maxDetails { find(.details, "'details' has \(count) members", [exchange]) }
        default: break
        }
    }

    private mutating func take(_ ready: PluginMessage.Ready, _ exchange: Exchange) {
        exercised.formUnion([.readyInTime, .readyValid, .readyOnce, .readyLimits, .queuesNarrow])
        if self.ready != nil { return find(.readyOnce, "it was sent before", [exchange]) }
        self.ready = ready
        if ready.version != Wire.version { find(.readyValid, "its protocol is \(ready.version)", [exchange]) }
        if hello?.purpose == .check { exercised.insert(.checkPurpose) }
        guard expectations.isChecker else { return }
        exercised.insert(.checkerQueues)
        if ready.queues?.isEmpty == false {
            find(.checkerQueues, "a plugin of the command phase has no queues", [exchange])
        }
    }

    /// A message that names a queue.
    private mutating func name(_ queue: String, _ rule: Rule, _ exchange: Exchange) {
        guard requireStart(exchange) else { return }
        exercised.insert(rule)
        if !queues.contains(queue) { find(rule, "there is no queue '\(queue)'", [exchange]) }
    }

    /// Nothing but `ready`, `fatal`, `log` and `working` makes sense before `start`.
    private mutating func requireStart(_ exchange: Exchange) -> Bool {
        exercised.insert(.quietBeforeStart)
        if isStarted { return true }
        find(.quietBeforeStart, "it comes before 'start'", [exchange])
        return false
    }

    private mutating func extend(_ delivery: Int64?, _ ms: Int64, _ exchange: Exchange) {
        let until = exchange.milliseconds + min(ms, Wire.maxWorking) + expectations.settle
        guard let delivery else {
            for number in held { deliveries[number]?.deadline = until }
            return
        }
        exercised.insert(.working)
        guard deliveries[delivery] != nil else {
            return find(.working, "there was no delivery \(delivery)", [exchange])
        }
        deliveries[delivery]?.deadline = until
    }

    // MARK: Settlements

    private mutating func acknowledge(_ settled: PluginMessage.Settled, _ exchange: Exchange) {
        guard requireStart(exchange) else { return }
        switch settled {
        case .one(let number): settle(number, exchange)
        case .many(let numbers): for number in numbers { settle(number, exchange) }
        case .upTo(let number):
            guard let last = deliveries[number] else {
                return find(.settleMade, "there was no delivery \(number)", [exchange])
            }
            let all = held.filter { $0 <= number && deliveries[$0]?.queue == last.queue }
            if all.isEmpty, !last.isVoid, let before = last.settled {
                find(.settleOnce, "delivery \(number) was settled before, and all before it", [before, exchange])
            }
            for number in all.sorted() { settle(number, exchange) }
        }
    }

    /// - Returns: Whether the delivery was held.
    @discardableResult private mutating func settle(_ number: Int64, _ exchange: Exchange) -> Bool {
        exercised.formUnion([.settleEach, .settleOnce, .settleMade, .ackDeadline])
        guard let delivery = deliveries[number] else {
            find(.settleMade, "there was no delivery \(number); the last one was \(lastDelivery)", [exchange])
            return false
        }
        if let before = delivery.settled {
            find(.settleOnce, "delivery \(number) was settled before", [before, exchange])
            return false
        }
        act(on: number, delivery, exchange)
        deliveries[number]?.settled = exchange
        held.remove(number)
        // What is settled long ago is known by its number alone.
        if deliveries.count > Self.remembered { forget() }
        return true
    }

    /// Settled deliveries that are remembered, at least.
    static let remembered = 20_000

    private mutating func forget() {
        let keep = lastDelivery - Int64(Self.remembered / 2)
        deliveries = deliveries.filter { $0.key > keep || held.contains($0.key) }
    }

    private mutating func give(back number: Int64, _ rule: Rule, _ exchange: Exchange) {
        guard requireStart(exchange) else { return }
        exercised.insert(rule)
        guard deliveries[number] != nil else {
            return find(rule, "there was no delivery \(number); the last one was \(lastDelivery)", [exchange])
        }
        guard settle(number, exchange), rule == .retry, ready?.pipelined == true, let lane = deliveries[number]?.lane
        else { return }
        let isFollowed = held.contains { $0 > number && deliveries[$0]?.lane == lane }
        if isFollowed { retried[lane] = number }
    }

    /// The plugin does something about a delivery: in its lane's order, and not behind a `retry`.
    private mutating func act(on number: Int64, _ delivery: Delivery, _ exchange: Exchange) {
        guard ready?.pipelined == true else { return }
        if delivery.isVoid { return }
        if let first = retried[delivery.lane], number > first {
            let before = deliveries[first]?.settled
            find(
                .goBackN, "it acts on delivery \(number) after 'retry' for delivery \(first), without 'voided'",
                [before, exchange].compactMap(\.self))
        }
        exercised.insert(.ordered)
        if let last = acted[delivery.lane], number < last {
            find(
                .ordered, "it acts on delivery \(number) after delivery \(last) of the same channel",
                [
                    delivery.exchange, exchange,
                ])
        }
        acted[delivery.lane] = max(acted[delivery.lane] ?? 0, number)
    }

    // MARK: Commands and checks

    private mutating func take(_ command: PluginMessage.Command, _ exchange: Exchange) {
        exercised.formUnion([.noCommandBeforeStart, .commandValid, .ownUsers])
        guard isStarted else { return find(.noCommandBeforeStart, "it comes before 'start'", [exchange]) }
        commandCount += 1
        if command.key != nil { exercised.insert(.keyConflict) }
        if let cause = command.cause {
            exercised.insert(.causeHeld)
            if let delivery = deliveries[cause] {
                if held.contains(cause) { act(on: cause, delivery, exchange) }
            } else {
                find(.causeHeld, "there was no delivery \(cause)", [exchange])
            }
        }
        let object = try? JSONObject(parsing: command.command)
        commands[command.id] = PendingCommand(
            exchange: exchange, type: object?.string("type") ?? "", user: object?.string("userId") ?? "",
            cause: command.cause)
    }

    private mutating func judge(_ id: MessageID, _ exchange: Exchange) {
        exercised.formUnion([.verdictAnswer, .verdictInTime, .verdictOnce, .verdictChanges])
        guard let check = checks.removeValue(forKey: id) else {
            let reason = answered.checks.contains(id) ? "check \(id) was answered before" : "there was no check \(id)"
            return find(.verdictOnce, reason, [exchange])
        }
        answered.checks.insert(id)
        if exchange.milliseconds > check.deadline {
            let late = exchange.milliseconds - check.exchange.milliseconds
            find(.verdictInTime, "it comes after \(late) ms", [check.exchange, exchange])
        }
    }
}
