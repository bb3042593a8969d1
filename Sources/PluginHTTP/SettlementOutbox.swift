import DequeModule
import PluginWire

/// Acknowledgements, and the commands of endpoints' answers, which go before the acknowledgement of their event. The
/// host allows so many commands without an answer.
struct SettlementOutbox {
    private enum Item {
        case command(cause: Int64, [UInt8])
        case ack(Int64)
    }

    /// Commands without an answer.
    private var open: Set<MessageID> = []
    private let limit: Int
    /// What waits for room among the commands.
    private var waiting: Deque<Item> = []
    private var acks: [Int64] = []
    private var last = 0

    /// - Parameter limit: Commands without an answer at most.
    init(limit: Int) { self.limit = max(1, limit) }

    /// Appends what a delivery came to.
    mutating func enqueue(_ settlement: EndpointQueue.Settlement) {
        guard let ack = settlement.ack else { return }
        if settlement.commands.isEmpty, waiting.isEmpty { return acks.append(ack) }
        for command in settlement.commands { waiting.append(.command(cause: ack, command)) }
        waiting.append(.ack(ack))
    }

    /// Notes the host's answer to a command.
    /// - Returns: The line for the log, where it was refused.
    mutating func note(_ result: HostMessage.CommandResult) -> PluginMessage? {
        guard open.remove(result.id) != nil, case .refused(let code, let message) = result.outcome else { return nil }
        return .log(
            level: "warning", message: "a command from the answer to an event was refused: \(code): \(message)",
            fields: nil)
    }

    /// What may go out now, in order.
    mutating func flush() -> [PluginMessage] {
        var messages: [PluginMessage] = []
        while let item = waiting.first {
            switch item {
            case .ack(let delivery): acks.append(delivery)
            case .command(let cause, let command):
                guard open.count < limit else { return messages + takeAcks() }
                messages += takeAcks()
                last += 1
                let id = MessageID(last)
                open.insert(id)
                messages.append(.command(.init(id: id, command: command, cause: cause)))
            }
            waiting.removeFirst()
        }
        return messages + takeAcks()
    }

    private mutating func takeAcks() -> [PluginMessage] {
        guard let first = acks.first else { return [] }
        defer { acks.removeAll(keepingCapacity: true) }
        return [.ack(acks.count == 1 ? .one(first) : .many(acks), state: nil)]
    }

    /// Whether nothing waits.
    var isEmpty: Bool { waiting.isEmpty && acks.isEmpty }
}
