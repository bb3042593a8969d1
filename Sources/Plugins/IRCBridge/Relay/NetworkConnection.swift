import DequeModule
import NIOCore
import PluginWire

/// One network: the relay with its socket, and the puppets beside it.
final class NetworkConnection {
    /// Tells this connection from an earlier one of the same name.
    let serial: Int
    private let loop: any EventLoop
    private let plugin: String
    private let tell: (RelayAction) -> Void
    private let traffic = NetworkTraffic()
    private let relay: ConnectionShell<Relay>
    /// The puppets by their serials, and what they have reported.
    private var puppets: [Int: ConnectionShell<Puppet>] = [:]
    private var inbox: Deque<(serial: Int, action: PuppetAction)> = []

    /// - Parameters:
    ///   - tell: Gets the actions that are not the connection's own.
    ///   - onRead: Called when everything that arrived at once was handled.
    init(
        machine: Relay, serial: Int, loop: any EventLoop, tell: @escaping (RelayAction) -> Void,
        onRead: @escaping () -> Void = {}
    ) {
        (self.serial, self.loop, self.tell, plugin) = (serial, loop, tell, machine.connection.plugin)
        relay = ConnectionShell(machine: machine, loop: loop, traffic: traffic)
        relay.tell = { [weak self] in self?.perform($0) }
        relay.onRead = onRead
        relay.afterStep = { [weak self] in self?.readInbox() }
    }

    /// The chat has stored a line of a channel.
    func stored(_ target: String, _ reference: String, part: Int) {
        relay.step { $0.stored(target, reference, part: part, now: $1) }
    }

    /// Stores the queue's state, where nothing more follows.
    func saveState() { relay.step { machine, _ in machine.saveState() } }

    /// Starts to connect.
    /// - Parameter state: The queue's state, as it was stored last.
    func start(_ state: NetworkState) {
        relay.update { $0.restore(state) }
        relay.step { $0.start(now: $1) }
    }

    /// The network's queue as it is declared now.
    var queue: PluginMessage.Queue { relay.machine.queue }

    /// The network's figures, for the operator.
    var report: NetworkReport {
        NetworkReport(
            health: relay.machine.health, nick: relay.machine.connection.nick,
            figures: relay.machine.connection.figures, waiting: relay.machine.connection.outbound.count,
            linesIn: traffic.linesIn, linesOut: traffic.linesOut, waitingSince: relay.machine.waitingSince)
    }

    /// Uses a new configuration.
    func reconfigure(_ config: NetworkConfig, links: [LinkConfig]) {
        relay.step { machine, now in
            let old = machine.connection.config
            return machine.reconfigure(config, links: links, now: now) + machine.reconfigurePuppets(from: old, now: now)
        }
    }

    /// The host has restarted the queue.
    func requeued() { relay.step { machine, _ in machine.requeued() } }

    /// Delivers an event.
    func deliver(_ event: HostMessage.EventDelivery) { relay.step { $0.deliver(event, now: $1) } }

    /// Finishes.
    /// - Parameter deadline: The host's timeout, in seconds.
    func drain(deadline: Double) { relay.step { $0.drain(deadline: deadline, now: $1) } }

    /// The chat has refused a command as of a user that it does not know.
    func forget(_ id: String, channel: String?) { relay.update { $0.users.forget(id, channel: channel) } }

    /// The chat has refused a command because it has no such channel, or has accepted one there.
    func chatChannel(_ name: String, isThere: Bool) {
        // Nearly always nothing has changed.
        guard relay.machine.missing.contains(name) == isThere else { return }
        relay.step { machine, _ in machine.chatChannel(name, isThere: isThere) }
    }

    /// Lets everybody of the network leave the chat's channels.
    func leaveChat() { relay.step { machine, _ in machine.leaveChat() } }

    /// The chat already had a user who was to be registered.
    func existed(_ id: String) { relay.update { $0.users.existed(id) } }

    /// The commands that say a message again that the chat refused as of a user that it does not know.
    func again(_ command: ChatCommand) -> [ChatCommand] { relay.update { $0.users.again(command) } }

    /// Stops or resumes reading, because the chat does not keep up.
    func setReading(_ on: Bool) {
        guard relay.setReading(on) else { return }
        relay.step { $0.setListening(on, now: $1) }
    }

    /// Writes the pending lines.
    func write() { relay.write() }

    private func perform(_ action: RelayAction) {
        if case .puppet(let serial, let order) = action { perform(order, on: serial) } else { tell(action) }
    }

    private func perform(_ order: PuppetOrder, on serial: Int) {
        switch order {
        case .open(let config):
            let puppet = ConnectionShell(
                machine: Puppet(config: config, plugin: plugin), loop: loop, traffic: traffic, skipsTalk: true,
                lentContext: relay.contextForPuppets())
            puppet.tell = { [weak self] in self?.puppet(serial, reports: $0) }
            puppets[serial] = puppet
            puppet.step { $0.start(now: $1) }
        case .say(let entry, let links): puppets[serial]?.step { $0.say(entry, links, now: $1) }
        case .reconfigure(let config, let links):
            puppets[serial]?.step { $0.reconfigure(config, links: links, now: $1) }
        case .clear: puppets[serial]?.step { machine, _ in machine.clear() }
        case .leave(let deadline): puppets[serial]?.step { $0.drain(deadline: deadline, now: $1) }
        case .drop: puppets.removeValue(forKey: serial)?.drop()
        }
    }

    private func puppet(_ serial: Int, reports action: PuppetAction) {
        switch action {
        case .lost, .unfit, .left: puppets[serial] = nil
        default: break
        }
        inbox.append((serial, action))
        readInbox()
    }

    /// Passes on what the puppets have reported, after the relay's current step.
    private func readInbox() {
        while !relay.isStepping, let (serial, action) = inbox.popFirst() {
            relay.step { $0.puppetDid(serial, action, now: $1) }
        }
    }
}
