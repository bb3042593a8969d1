import CrowbarCore
import CrowbarMetrics
import Logging
import PluginWire

// What the plugin said and the host does not take: the plugin is told in an `error`, the operator in the log and in the
// plugin's REASON.
extension PluginSession {
    /// The numbers of `error` lines.
    enum ErrorLimit {
        /// A second on average.
        static let rate = 5.0
        /// At once.
        static let burst = 20.0
        /// Bytes of a reason.
        static let reason = 512
    }

    /// Refuses a message that is an offence against the protocol; too many in a minute end the process.
    func strike(_ refused: HostMessage.Refused, _ now: Int64) {
        if strikes.areTooMany { return }
        view.strikes += 1
        counters.strikes.add()
        strikes.add(now: now)
        refuse(refused, now)
        if strikes.areTooMany {
            kill(
                .crashed(
                    "\(Strikes.most) offences against the protocol in a minute; the last: \(refused.message): "
                        + refused.reason), now)
        }
    }

    func strike(_ message: String, _ reason: String, delivery: Int64? = nil, _ now: Int64) {
        strike(.init(message: message, delivery: delivery, reason: reason), now)
    }

    /// Rejects a message that is no strike: it only has no effect.
    func refuse(_ message: String, _ reason: String, delivery: Int64? = nil, _ now: Int64) {
        view.ignored += 1
        refuse(.init(message: message, delivery: delivery, reason: reason), now)
    }

    private func refuse(_ refused: HostMessage.Refused, _ now: Int64) {
        let reason = log.mask(refused.reason, limit: ErrorLimit.reason)
        log.remark(.warning, "protocol: \(refused.message): \(reason)")
        view.refusal = "rejected '\(refused.message)' message: \(reason)"
        guard errorBucket.take(now: now) else { return }
        var told = refused
        told.reason = reason
        answers += HostMessage.error(told).line
        answers.append(0x0A)
    }

    /// Refuses a line that is no message. A `ready` gets no second chance: nobody would say another.
    func refuse(line: UnsafeRawBufferPointer, _ error: WireError, _ now: Int64) {
        if case .awaitingReady = phase, Self.isReady(line, error) {
            return kill(.failed("malformed 'ready': \(error.reason)"), now)
        }
        strike(.init(line: line, reason: error.reason), now)
    }

    /// Whether a line that is no message was meant for a `ready`: it says so, though the rest may be no JSON at all.
    static func isReady(_ line: some Collection<UInt8>, _ error: WireError) -> Bool {
        switch error {
        case .invalid(let type, _, _), .missing(let type, _, _), .unknownField(let type, _, _): return type == "ready"
        case .unknownType: return false
        case .malformed: break
        }
        // As `"type":"ready"`, with white space as it likes, and with the quotes of other languages.
        let text = line.prefix(4096).filter { ![0x20, 0x09, 0x0D].contains($0) }.map { $0 == 0x27 ? 0x22 : $0 }
        return text.firstRange(of: Array(#""type":"ready""#.utf8)) != nil
    }

    /// Notes a message about a delivery that cannot be settled. Where that was settled before, is void or went with its
    /// queue the plugin could not know; where there never was one of that number, it waits in vain.
    func ignore(_ message: String, _ delivery: Int64, _ now: Int64) {
        if delivery > 0, delivery < settlements.nextDelivery { return ignore() }
        refuse(message, "there was no delivery \(delivery)", delivery: delivery, now)
    }

    /// Notes a message about a queue that is not there. One that just went is no fault.
    func ignore(_ message: String, queue: String, _ now: Int64) {
        let isKnown = queues.contains { $0.id.queue == queue }
        if isKnown || askedQueues.joined().contains(where: { $0.name == queue }) { return ignore() }
        refuse(message, "there is no queue '\(queue.prefix(80))'", now)
    }

    /// Notes an answer to nothing, or after its time.
    /// - Parameter asked: How many questions of the kind were put, numbered from 1.
    func ignore(_ message: String, id: MessageID, asked: Int, _ now: Int64) {
        if let number = id.number, number > 0, number <= Int64(asked) { return ignore() }
        refuse(.init(message: message, id: id, reason: "nothing was asked under this id"), now)
        view.ignored += 1
    }

    func ignore() { view.ignored += 1 }

    /// Has the operator see that commands wait for the log: the plugin may do nothing else meanwhile.
    func noteWaitingCommands(_ now: Int64) {
        let isLong = settlements.undecidedSince.map { now - $0 >= Limit.commandsWait } ?? false
        let trouble = "commands are waiting for the log, which cannot be written; see the server's log"
        view.commandTrouble = isLong ? trouble : nil
    }
}

extension RestartPolicy.End {
    /// The same with another reason; reasons may quote the plugin, and then its secrets.
    func mapReason(_ change: (String) -> String) -> RestartPolicy.End {
        switch self {
        case .drained, .stopped: self
        case .crashed(let reason): .crashed(change(reason))
        case .notStarted(let reason): .notStarted(change(reason))
        case .tryLater(let reason): .tryLater(change(reason))
        case .failed(let reason): .failed(change(reason))
        case .diverged(let reason): .diverged(change(reason))
        }
    }
}
