import JSONBytes
import PluginHost
import PluginWire

// What the host says.
extension ProtocolObserver {
    mutating func heard(_ message: HostMessage, _ exchange: Exchange) {
        switch message {
        case .hello(let hello): self.hello = (exchange, hello.purpose)
        case .start(let starts):
            isStarted = true
            queues.formUnion(starts.map(\.name))
        case .event(let event): deliver(event, exchange)
        case .voided(let delivery, let through): void(delivery, through)
        case .check(let id, let deadline, _):
            checks[id] = (exchange, exchange.milliseconds + deadline)
        case .result(let result): decide(result, exchange)
        case .config(let id, _): configs[id] = exchange
        case .ask(let id, _, _): asks[id] = exchange
        case .ping(let n): pings[n] = exchange
        case .error(let refused): refuse(refused, exchange)
        case .drain: draining = draining ?? exchange
        case .caughtUp, .unknown: break
        }
    }

    private mutating func deliver(_ event: HostMessage.EventDelivery, _ exchange: Exchange) {
        let object = try? JSONObject(parsing: event.event)
        let lane = object?.string("channelId").map { "#" + $0 } ?? "@" + (object?.string("userId") ?? "")
        lastDelivery = max(lastDelivery, event.delivery)
        deliveries[event.delivery] = Delivery(
            exchange: exchange, queue: event.queue, position: event.position, lane: event.queue + "/" + lane,
            deadline: exchange.milliseconds + expectations.settle)
        held.insert(event.delivery)
    }

    private mutating func void(_ delivery: Int64, _ through: Int64) {
        guard let lane = deliveries[delivery]?.lane else { return }
        exercised.insert(.goBackN)
        retried[lane] = nil
        acted[lane] = nil
        guard delivery < through else { return }
        for number in held where number > delivery && number <= through && deliveries[number]?.lane == lane {
            deliveries[number]?.isVoid = true
            release(number)
        }
    }

    /// A result says what was wrong with a command.
    private mutating func decide(_ result: HostMessage.CommandResult, _ exchange: Exchange) {
        guard let command = commands.removeValue(forKey: result.id) else { return }
        let speaks = command.type == "SEND_MESSAGE"
        switch result.outcome {
        case .stored(_, _, let duplicate):
            if speaks {
                unheard[command.user] = nil
                exercised.insert(.joinsFirst)
                if !duplicate { messagesStored += 1 }
            }
        case .refused(let code, let message):
            let lines = [exchange, command.exchange]
            let reason = "\(code): \(message)"
            switch code {
            case "forbidden": find(.ownUsers, reason, lines)
            case "event_id_conflict": find(.keyConflict, reason, lines)
            case "malformed": find(.commandValid, reason, lines)
            case "invalid_command" where message.hasPrefix("'cause'"): find(.causeHeld, reason, lines)
            case "invalid_command" where message.contains("bytes"): find(.limits, reason, lines)
            case "invalid_command", "empty_message", "message_too_long": find(.commandValid, reason, lines)
            case "user_not_found", "not_a_member": if speaks { unheard[command.user] = command.exchange }
            default: break
            }
        }
    }

    /// The reason of an `error` that the kit itself writes.
    static let ownReason = "an error of the conformance kit"

    /// The host rejects a line. Where the line itself showed what is wrong with it, that is found already.
    private mutating func refuse(_ refused: HostMessage.Refused, _ exchange: Exchange) {
        if refused.reason == Self.ownReason { return }
        let line = last[refused.message] ?? last[HostMessage.Refused.line]
        let rule = Self.rule(of: refused)
        if let line, found.contains(line.number) { return }
        if findings.contains(where: { $0.rule == rule }) { return }
        find(rule, "the host rejects it: \(refused.reason)", [exchange] + (line.map { [$0] } ?? []))
    }

    private static func rule(of refused: HostMessage.Refused) -> Rule {
        switch refused.message {
        case "ready": .readyOnce
        case "ack": refused.reason.contains("bytes") ? .stateLimit : .settleMade
        case "state": refused.reason.contains("bytes") ? .stateLimit : .stateQueue
        case "retry": .retry
        case "reject": .reject
        case "working": .working
        case "window": .window
        case "command": .noCommandBeforeStart
        case "configured": .configuredId
        case "answer": .answerOnce
        case "verdict": .verdictChanges
        case "drained": .drainedOnce
        case "status": .details
        case "queues": .readyLimits
        case HostMessage.Refused.line where refused.reason.contains("bytes"): .lineLimit
        default: .validMessage
        }
    }
}
