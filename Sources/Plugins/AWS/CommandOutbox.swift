import DequeModule
import PluginWire

/// Commands that functions answered with, on their way to the host, which allows so many without an answer; and the
/// acknowledgements that must not overtake them.
struct CommandOutbox {
    private enum Item {
        case command(cause: Int64, [UInt8])
        case acks([Int64])
    }

    /// Commands without an answer, with the delivery that caused them.
    private var open: [MessageID: Int64] = [:]
    private let limit: Int
    private var waiting: Deque<Item> = []
    private var last = 0

    /// - Parameter limit: Commands without an answer at most.
    init(limit: Int) { self.limit = max(1, limit) }

    /// Takes what a request came to.
    mutating func put(_ settlement: Lane.Settlement) {
        for (cause, command) in settlement.commands { waiting.append(.command(cause: cause, command)) }
        if !settlement.acks.isEmpty { waiting.append(.acks(settlement.acks)) }
    }

    /// Takes the host's answer to a command; the log line, where it was refused.
    mutating func answer(_ result: HostMessage.CommandResult) -> PluginMessage? {
        guard open.removeValue(forKey: result.id) != nil, case .refused(let code, let message) = result.outcome else {
            return nil
        }
        return .log(
            level: "warning", message: "a command that a function answered with was refused: \(code): \(message)",
            fields: nil)
    }

    /// What may go out now, in order.
    mutating func next() -> [PluginMessage] {
        var (messages, acks): ([PluginMessage], [Int64]) = ([], [])
        func flush() -> [PluginMessage] {
            acks.isEmpty ? [] : [.ack(acks.count == 1 ? .one(acks[0]) : .many(acks), state: nil)]
        }
        while let item = waiting.first {
            switch item {
            case .acks(let more): acks += more
            case .command(let cause, let command):
                guard open.count < limit else { return messages + flush() }
                messages += flush()
                acks = []
                last += 1
                let id = MessageID(last)
                open[id] = cause
                messages.append(.command(.init(id: id, command: command, cause: cause)))
            }
            waiting.removeFirst()
        }
        return messages + flush()
    }

    /// Whether nothing waits.
    var isEmpty: Bool { waiting.isEmpty }
}
