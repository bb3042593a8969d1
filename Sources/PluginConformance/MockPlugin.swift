import PluginHost
import PluginWire

/// Plays the plugin's side of a recording against a host: a pure value.
///
/// Each line of the host's that starts something (an event, a check, a question) is answered as the next one of its
/// type was, with the numbers and ids of the present conversation. Pings and a drain are always answered.
public struct MockPlugin: Sendable {
    /// What the host's line leads to.
    public struct Answer: Sendable, Equatable {
        /// Lines for the host, without LF.
        public var lines: [[UInt8]] = []
        /// The recording has nothing for the host's line.
        public var isMissing = false
        /// The mock has nothing more to say.
        public var isOver = false
    }

    /// Types of the host's lines that a plugin answers.
    private static let starting: Set = ["hello", "start", "event", "voided", "check", "config", "ask", "drain"]

    private let exchanges: [Exchange]
    private var at = 0
    /// The delivery now for each one of the recording.
    private var deliveries: [Int64: Int64] = [:]
    private var ids: [MessageID: MessageID] = [:]

    /// Plays a recording from its beginning.
    public init(_ recording: Recording) {
        exchanges = recording.exchanges.filter {
            let type = $0.type ?? ""
            return $0.direction == .toPlugin ? Self.starting.contains(type) : type != "pong"
        }
    }

    /// Takes a line of the host's.
    public mutating func take(_ line: [UInt8]) -> Answer {
        guard let message = try? HostMessage(line: line) else { return Answer() }
        if case .ping(let n) = message { return Answer(lines: [PluginMessage.pong(n: n).line]) }
        let present = Exchange(number: 0, milliseconds: 0, direction: .toPlugin, line: line)
        guard let type = present.type, Self.starting.contains(type) else { return Answer() }
        guard let found = exchanges[at...].firstIndex(where: { $0.direction == .toPlugin && $0.type == type }) else {
            return type == "drain"
                ? Answer(lines: [PluginMessage.drained.line], isOver: true) : Answer(isMissing: true)
        }
        relate(exchanges[found], message)
        at = found + 1
        var answer = Answer()
        while at < exchanges.count, exchanges[at].direction == .fromPlugin {
            answer.lines.append(renumbered(exchanges[at].line))
            at += 1
        }
        answer.isOver = type == "drain"
        return answer
    }

    /// Notes which number of the recording stands for which one now.
    private mutating func relate(_ recorded: Exchange, _ message: HostMessage) {
        guard let recorded = try? HostMessage(line: recorded.line) else { return }
        switch (recorded, message) {
        case (.event(let old), .event(let new)): deliveries[old.delivery] = new.delivery
        case (.check(let old, _, _), .check(let new, _, _)): ids[old] = new
        case (.config(let old, _), .config(let new, _)): ids[old] = new
        case (.ask(let old, _, _), .ask(let new, _, _)): ids[old] = new
        default: break
        }
    }

    /// A recorded line with the numbers of now.
    private func renumbered(_ line: [UInt8]) -> [UInt8] {
        guard let message = try? PluginMessage(line: line) else { return line }
        func now(_ delivery: Int64) -> Int64 { deliveries[delivery] ?? delivery }
        func now(_ id: MessageID) -> MessageID { ids[id] ?? id }
        switch message {
        case .ack(let settled, let state):
            let settled: PluginMessage.Settled =
                switch settled {
                case .one(let delivery): .one(now(delivery))
                case .many(let deliveries): .many(deliveries.map(now))
                case .upTo(let delivery): .upTo(now(delivery))
                }
            return PluginMessage.ack(settled, state: state).line
        case .retry(var retry):
            retry.delivery = now(retry.delivery)
            return PluginMessage.retry(retry).line
        case .reject(let delivery, let code, let text, let deadLetter):
            return PluginMessage.reject(
                delivery: now(delivery), code: code, message: text, deadLetter: deadLetter
            ).line
        case .working(let delivery, let ms):
            return PluginMessage.working(delivery: delivery.map(now), ms: ms).line
        case .command(var command):
            command.cause = command.cause.map(now)
            return PluginMessage.command(command).line
        case .verdict(.allow(let id, let command)):
            return PluginMessage.verdict(.allow(id: now(id), command: command)).line
        case .verdict(.deny(let id, let code, let text)):
            return PluginMessage.verdict(.deny(id: now(id), code: code, message: text)).line
        case .configured(let id, let problem): return PluginMessage.configured(id: now(id), problem: problem).line
        case .answer(let id, let answer): return PluginMessage.answer(id: now(id), answer).line
        default: return line
        }
    }
}
