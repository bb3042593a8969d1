import JSONBytes
import NIOCore
import PluginKit
import PluginWire

/// The plugin: networks, and the host's end of the protocol between them. All of it lives on one event loop.
final class Bridge {
    /// Commands that wait for the chat's answer, of all networks and of one, which is then read no further. Well below
    /// the number at which the host stops reading from this plugin.
    private static let mostOutstanding = Wire.commandsInFlight / 2, mostOfOne = mostOutstanding / 4
    /// Refused commands that are logged in ``logInterval``, the rest being counted.
    private static let logsPerInterval = 10
    private static let logInterval = TimeAmount.seconds(60)
    /// Interval of status reports with changed figures.
    private static let reportInterval = TimeAmount.seconds(15)
    /// Messages of the host that do not wait for one another.
    private static let few = 4

    private let loop: any EventLoop
    let host: HostPipe
    private let plugin: String
    private(set) var networks: [String: NetworkConnection] = [:]
    /// Networks that are being left, by their serial.
    private var retired: [Int: NetworkConnection] = [:]
    private var lastSerial = 0
    private var isDraining = false
    /// Whether answers of the chat are not waited for any more, and whether all is over.
    private var isOverdue = false, isDone = false
    /// Commands that wait until others are answered; what one line of IRC leads to is bounded by ``Roster/mostPeople``.
    private var commands = FairCommandQueue(most: mostOutstanding, mostOfOne: mostOfOne)
    private var outstanding: [MessageID: FairCommandQueue.Item] = [:]
    private var lastID = 0
    /// The networks that are not read.
    private var paused: Set<String> = []
    private var health: [String: NetworkHealth] = [:]
    /// What the host was told last.
    private var reports: [String: NetworkReport] = [:]
    private var nextReport: Scheduled<Void>?
    private var running: Set<String> = []
    private var logged = 0
    private var unlogged = 0
    private var logsFrom = NIODeadline.now()
    private let drained: EventLoopPromise<Void>

    /// Done once every network is.
    var whenDrained: EventLoopFuture<Void> { drained.futureResult }

    init(config: BridgeConfig, plugin: String, host: HostPipe, loop: any EventLoop) {
        self.loop = loop
        self.host = host
        drained = loop.makePromise()
        self.plugin = plugin
        for network in config.networks { add(network, links: config.links) }
    }

    /// Makes a network; it connects once its queue starts.
    func add(_ config: NetworkConfig, links: [LinkConfig]) {
        lastSerial += 1
        let serial = lastSerial
        let machine = Relay(config: config, links: links, plugin: plugin)
        let network = NetworkConnection(
            machine: machine, serial: serial, loop: loop,
            tell: { [weak self] action in self?.handle(action, of: config.name, serial) },
            // At once, since somebody waits for it in the chat.
            onRead: { [weak self] in self?.host.write() })
        network.setReading(!paused.contains(config.name))
        networks[config.name] = network
    }

    /// Leaves a network that is not wanted any more.
    func retire(_ name: String) {
        // Before its removal: actions of unknown networks are dropped.
        networks[name]?.leaveChat()
        guard let network = networks.removeValue(forKey: name) else { return }
        health[name] = nil
        guard running.remove(name) != nil else { return }
        retired[network.serial] = network
        network.drain(deadline: Self.farewell)
    }

    /// Takes what came from the host at once.
    func take(_ messages: [HostMessage]) {
        // Of a few each goes on at once; many share a write, and with it the packets.
        let areFew = messages.count <= Self.few
        for message in areFew ? Self.ownEventsLast(messages) : messages {
            take(message)
            if areFew, case .event(let event) = message { networks[event.queue]?.write() }
        }
    }

    /// Takes a message of the host.
    func take(_ message: HostMessage) {
        loop.preconditionInEventLoop()
        switch message {
        case .start(let queues):
            for queue in queues {
                guard let network = networks[queue.name] else { continue }
                if running.insert(queue.name).inserted {
                    network.start(NetworkState(queue.state))
                } else {
                    network.requeued()
                }
            }
        case .event(let event): networks[event.queue]?.deliver(event)
        case .result(let result): take(result)
        case .ping(let n): host.send(.pong(n: n))
        case .drain(let deadline, _): drain(deadline: Double(deadline) / 1000)
        case .config(let id, let json):
            var problem: ConfigError?
            do throws(ConfigError) {
                problem = reconfigure(try BridgeConfig(json))
            } catch {
                problem = error
            }
            host.send(
                .configured(id: id, problem: problem.map { PluginMessage.Problem(path: $0.path, message: $0.message) }))
        case .hello, .caughtUp, .voided, .check, .ask, .error, .unknown: break
        }
    }

    /// How long before the host loses patience the chat's answers are not waited for any more, in seconds.
    private static let margin = 1.0

    /// Leaves every network, and lets what was read from them into the chat. Until a network is left it is read as
    /// always, because the answers to what was said there are among its lines.
    /// - Parameter deadline: Seconds until the host loses patience.
    func drain(deadline: Double) {
        guard !isDraining else { return }
        isDraining = true
        for name in running.sorted() { networks[name]?.drain(deadline: deadline) }
        let wait = max(deadline - Self.margin, deadline / 2)
        loop.assumeIsolated().scheduleTask(in: .milliseconds(Int64(wait * 1000))) { [weak self] in self?.stopWaiting() }
        endDrain()
    }

    /// The host says nothing any more, so it does not answer either.
    /// - Parameter deadline: Seconds for the networks to be left.
    func hostEnded(deadline: Double) {
        drain(deadline: deadline)
        stopWaiting()
    }

    private func stopWaiting() {
        isOverdue = true
        endDrain()
    }

    private func endDrain() {
        guard isDraining, !isDone, running.isEmpty, retired.isEmpty,
            isOverdue || commands.isEmpty && outstanding.isEmpty
        else { return }
        isDone = true
        // With the last messages that the chat has, from which the next start asks the networks on.
        for name in networks.keys.sorted() { networks[name]?.saveState() }
        drained.succeed()
    }

    private func handle(_ action: RelayAction, of network: String, _ serial: Int) {
        guard networks[network]?.serial == serial else {
            // A network that is being left has no queue any more.
            if case .drained = action { retired[serial] = nil }
            return endDrain()
        }
        switch action {
        case .plugin(let message): host.send(message)
        case .emit(let command): emit(command, network)
        case .health(let new):
            health[network] = new
            sendStatus()
        case .drained:
            running.remove(network)
            endDrain()
        case .connect, .send, .derive, .close, .puppet: break
        }
    }

    func sendStatus() {
        let all = health.sorted { $0.key < $1.key }
        let worst: PluginMessage.Level =
            all.contains { $0.value.level == .down }
            ? .down : all.contains { $0.value.level == .degraded } ? .degraded : .ok
        let text = all.map { "\($0.key): \($0.value.message)" }.joined(separator: "; ")
        reports = networks.mapValues(\.report)
        let details = reports.sorted { $0.key < $1.key }.map { JSON.Member($0.key, $0.value.json) }
        host.send(.status(level: worst, message: text, details: .object(details)))
        guard nextReport == nil, !isDraining else { return }
        nextReport = loop.assumeIsolated().scheduleTask(in: Self.reportInterval) { [weak self] in self?.reportChanges()
        }
    }

    /// Figures change with each line, so changes are reported at an interval.
    private func reportChanges() {
        nextReport = nil
        if networks.mapValues(\.report) != reports { return sendStatus() }
        guard !isDraining else { return }
        nextReport = loop.assumeIsolated().scheduleTask(in: Self.reportInterval) { [weak self] in self?.reportChanges()
        }
    }

    private func emit(_ command: ChatCommand, _ network: String, isSecond: Bool = false) {
        commands.add(FairCommandQueue.Item(network: network, command: command, isSecond: isSecond))
        emitWaiting()
        if commands.isBehind(network), paused.insert(network).inserted { networks[network]?.setReading(false) }
    }

    private func emitWaiting() {
        while let item = commands.next() {
            lastID += 1
            let id = MessageID(lastID)
            outstanding[id] = item
            let command = item.command
            host.send(
                .command(PluginMessage.Command(id: id, command: command.json, key: command.key, ref: command.ref)))
        }
    }

    private func take(_ result: HostMessage.CommandResult) {
        guard let item = outstanding.removeValue(forKey: result.id) else { return }
        let (network, command, isSecond) = (item.network, item.command, item.isSecond)
        commands.answered(network)
        defer {
            emitWaiting()
            readOn()
            endDrain()
        }
        // A key is the line's own id: the chat has that line, though its author or a mention may be read otherwise now.
        var isThere = true
        if case .refused(let code, _) = result.outcome { isThere = command.key != nil && code == "event_id_conflict" }
        if command.kind == .message, let reference = command.reference, isThere {
            let target = String(command.ref.dropFirst(network.utf8.count + 1))
            networks[network]?.stored(target, reference, part: command.part)
        }
        guard case .refused(let code, let message) = result.outcome, !isThere else {
            if let channel = command.channel { networks[network]?.chatChannel(channel, isThere: true) }
            return
        }
        if code == "channel_not_found", let channel = command.channel {
            networks[network]?.chatChannel(channel, isThere: false)
        }
        switch (command.kind, code) {
        case (.register, "user_exists"): return networks[network]?.existed(command.userID) ?? ()
        case (.join, "already_a_member"), (.leave, "not_a_member"),
            (.leave, "user_not_found"), (.delete, "message_not_found"):
            return
        case (.message, "message_not_found"), (.message, "message_exists"):
            // What it answers is not in the chat any more, or somebody has taken its id: said without that.
            let name = code == "message_exists" ? "messageId" : "replyTo"
            if let plain = command.without(name) { return emit(plain, network, isSecond: isSecond) }
        case (.message, "user_not_found"), (.message, "not_a_member"), (.topic, "user_not_found"),
            (.topic, "not_a_member"):
            // The chat no longer knows the user, as in a channel that was created again: register and join again.
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

    /// Reads those networks again with which the chat has caught up.
    private func readOn() {
        for network in paused where commands.hasRoom(network) {
            paused.remove(network)
            networks[network]?.setReading(true)
        }
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
