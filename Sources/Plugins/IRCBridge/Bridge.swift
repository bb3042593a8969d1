import DequeModule
import JSONBytes
import NIOCore
import PluginKit
import PluginWire

/// The plugin: networks, and the host's end of the protocol between them. All of it lives on one event loop.
// Unchecked: every method is called on `loop` alone, which `preconditionInEventLoop` holds callers to.
final class Bridge: @unchecked Sendable {
    /// Commands that wait for the chat's answer before the networks are read no further, and from where on they are
    /// again. Well below the number at which the host stops reading from this plugin.
    private static let mostOutstanding = Wire.commandsInFlight / 2, fewOutstanding = mostOutstanding / 2
    /// Refused commands that are logged in ``logInterval``, the rest being counted.
    private static let logsPerInterval = 10
    private static let logInterval = TimeAmount.seconds(60)

    private let loop: any EventLoop
    private let host: PluginConnection
    private let networks: [String: NetworkConnection]
    /// Commands that wait until others are answered; what one line of IRC leads to is bounded by ``Roster/mostPeople``.
    private var waiting: Deque<(network: String, command: ChatCommand, isSecond: Bool)> = []
    private var outstanding: [MessageID: (network: String, command: ChatCommand, isSecond: Bool)] = [:]
    private var lastID = 0
    private var isPaused = false
    private var health: [String: NetworkHealth] = [:]
    private var running: Set<String> = []
    private var isStarted = false
    private var logged = 0
    private var unlogged = 0
    private var logsFrom = NIODeadline.now()
    private let drained: EventLoopPromise<Void>

    /// Done once every network is.
    var whenDrained: EventLoopFuture<Void> { drained.futureResult }

    init(config: BridgeConfig, plugin: String, host: PluginConnection, loop: any EventLoop) {
        self.loop = loop
        self.host = host
        drained = loop.makePromise()
        // The networks report to what is not there yet; nothing is reported before it is.
        let owner = Owner()
        var networks: [String: NetworkConnection] = [:]
        for network in config.networks {
            let machine = NetworkMachine(config: network, links: config.links, plugin: plugin)
            networks[network.name] = NetworkConnection(machine: machine, loop: loop) { action in
                owner.bridge?.handle(action, of: network.name)
            }
        }
        self.networks = networks
        owner.bridge = self
    }

    private final class Owner {
        weak var bridge: Bridge?
    }

    /// Takes a message of the host.
    func take(_ message: HostMessage) {
        loop.preconditionInEventLoop()
        switch message {
        case .start(let queues):
            isStarted = true
            for queue in queues where networks[queue.name] != nil && running.insert(queue.name).inserted {
                networks[queue.name]?.start()
            }
        case .event(let event): networks[event.queue]?.deliver(event)
        case .result(let result): take(result)
        case .ping(let n): host.send(.pong(n: n))
        case .drain(let deadline, _): drain(deadline: Double(deadline) / 1000)
        case .config(let id, _):
            let message = "the bridge cannot change its configuration while it runs"
            host.send(.configured(id: id, problem: PluginMessage.Problem(message: message)))
        case .hello, .caughtUp, .voided, .check, .unknown: break
        }
    }

    /// Leaves every network.
    /// - Parameter deadline: Seconds until the host loses patience.
    func drain(deadline: Double) {
        for name in running.sorted() { networks[name]?.drain(deadline: deadline) }
        if running.isEmpty { drained.succeed() }
    }

    private func handle(_ action: NetworkAction, of network: String) {
        switch action {
        case .plugin(let message): host.send(message)
        case .emit(let command): emit(command, network)
        case .health(let new):
            health[network] = new
            sendStatus()
        case .drained:
            running.remove(network)
            if running.isEmpty { drained.succeed() }
        case .connect, .send, .close: break
        }
    }

    private func sendStatus() {
        let all = health.sorted { $0.key < $1.key }
        let worst: PluginMessage.Level =
            all.contains { $0.value.level == .down }
            ? .down : all.contains { $0.value.level == .degraded } ? .degraded : .ok
        let text = all.map { "\($0.key): \($0.value.message)" }.joined(separator: "; ")
        let details = all.map { JSON.Member($0.key, .string("\($0.value.level.rawValue): \($0.value.message)")) }
        host.send(.status(level: worst, message: text, details: .object(details)))
    }

    private func emit(_ command: ChatCommand, _ network: String, isSecond: Bool = false) {
        waiting.append((network, command, isSecond))
        emitWaiting()
    }

    private func emitWaiting() {
        while outstanding.count < Self.mostOutstanding, let (network, command, isSecond) = waiting.popFirst() {
            lastID += 1
            let id = MessageID(lastID)
            outstanding[id] = (network, command, isSecond)
            host.send(
                .command(PluginMessage.Command(id: id, command: command.json, key: command.key, ref: command.ref)))
        }
        if outstanding.count >= Self.mostOutstanding { setReading(false) }
    }

    private func take(_ result: HostMessage.CommandResult) {
        guard let (network, command, isSecond) = outstanding.removeValue(forKey: result.id) else { return }
        defer { emitWaiting() }
        if isPaused, waiting.isEmpty, outstanding.count <= Self.fewOutstanding { setReading(true) }
        guard case .refused(let code, let message) = result.outcome else { return }
        switch (command.kind, code) {
        case (.register, "user_exists"), (.join, "already_a_member"), (.leave, "not_a_member"),
            (.leave, "user_not_found"):
            return
        case (.message, "user_not_found"), (.message, "not_a_member"), (.topic, "user_not_found"),
            (.topic, "not_a_member"):
            // The chat has forgotten them, as with a channel that was made anew: once more, from the beginning.
            let again = isSecond ? [] : networks[network]?.again(command) ?? []
            for command in again { emit(command, network, isSecond: true) }
            if !again.isEmpty { return }
            networks[network]?.forget(command.userID, channel: command.channel)
        case (_, "user_not_found"), (_, "not_a_member"), (_, "channel_not_found"):
            networks[network]?.forget(command.userID, channel: command.channel)
        default: break
        }
        log("\(command.kind.rawValue) of \(command.userID) from \(command.ref) was refused: \(code): \(message)")
    }

    private func setReading(_ on: Bool) {
        isPaused = !on
        for network in networks.values { network.setReading(on) }
    }

    private func log(_ text: String) {
        if NIODeadline.now() - logsFrom > Self.logInterval {
            logsFrom = .now()
            if unlogged > 0 {
                host.send(.log(level: "warning", message: "\(unlogged) more commands were refused", fields: nil))
            }
            (logged, unlogged) = (0, 0)
        }
        logged += 1
        if logged > Self.logsPerInterval {
            unlogged += 1
        } else {
            host.send(.log(level: "warning", message: text, fields: nil))
        }
    }
}
