import DequeModule
import Glibc
import NIOCore
import NIOPosix
import NIOSOCKS
import OpenSSL
import PluginKit
import PluginWire

/// One network's machine with its socket and its clock. All of it lives on one event loop.
// Unchecked: every method is called on `loop` alone, which `preconditionInEventLoop` holds callers to.
final class NetworkConnection: @unchecked Sendable {
    /// The longest that each step of opening a connection may take: TCP, and then the proxy and TLS together.
    private static let connectLimit = TimeAmount.seconds(15)

    /// Bytes that may wait for a server which does not read them: more than all that it may leave unconfirmed
    /// (``FlowControl/mostLines`` of the longest lines).
    private static let mostUnread = 4 << 20

    /// Bytes of randomness in a nonce; a multiple of three leaves no padding.
    private static let nonceLength = 18

    /// Tells this connection from an earlier one of the same name.
    let serial: Int
    let loop: any EventLoop
    private let tell: (NetworkAction) -> Void
    private let onRead: () -> Void
    private var machine: NetworkMachine
    private var channel: (any Channel)?
    /// Counts the connections that were begun: what an earlier one tells means nothing.
    private var attempt = 0
    /// Lines that go out at the end of this turn of the loop.
    private var out = ByteBuffer()
    private var isWriteDue = false
    private var isAckDue = false
    private var failure: String?
    private var timer: Scheduled<Void>?
    /// Gives a proxy or a TLS handshake up that does not come to its end.
    private var opening: Scheduled<Void>?
    /// The proxy has reached the server.
    private var isProxied = false
    private var timerAt: Instant?
    private var wantsReads = true
    /// Shared with the connections of users.
    var traffic = NetworkTraffic()
    private var isDropped = false
    private var isStepping = false
    /// The connections of users, by their serials, and what they have told.
    var puppets: [Int: NetworkConnection] = [:]
    var inbox: Deque<(serial: Int, action: NetworkAction)> = []
    var plugin: String { machine.plugin }
    /// What the connection trusts, and for that of a user the network's own: the system's authorities take megabytes.
    private var context: TLSClientContext?
    var lentContext: TLSClientContext?
    private var contextToLend: TLSClientContext?

    /// - Parameters:
    ///   - tell: Where the actions go that are not the connection's own.
    ///   - onRead: Is told once all was done that what came at once has led to.
    init(
        machine: NetworkMachine, serial: Int, loop: any EventLoop, tell: @escaping (NetworkAction) -> Void,
        onRead: @escaping () -> Void = {}
    ) {
        self.machine = machine
        self.serial = serial
        self.loop = loop
        self.tell = tell
        self.onRead = onRead
    }

    private static func now() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private static func unixNow() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// The chat has a line of a channel.
    func stored(_ target: String, _ reference: String, part: Int) {
        step { $0.stored(target, reference, part: part, now: $1) }
    }

    /// Stores what is to be stored, where nothing more is to come.
    func saveState() { step { machine, _ in machine.saveState() } }

    /// Begins to connect.
    /// - Parameter state: The queue's, as it was stored last.
    func start(_ state: NetworkState) {
        machine.restore(state)
        step { $0.start(now: $1) }
    }

    /// The network's queue as it is declared now.
    var queue: PluginMessage.Queue { machine.queue }

    /// How it has done, for the operator.
    var report: NetworkReport {
        NetworkReport(
            health: machine.health, nick: machine.nick, figures: machine.figures, waiting: machine.ledger.count,
            linesIn: traffic.linesIn, linesOut: traffic.linesOut, waitingSince: machine.waitingSince)
    }

    /// Takes a new configuration.
    func reconfigure(_ config: NetworkConfig, links: [LinkConfig]) {
        step { machine, now in
            let old = machine.config
            return machine.reconfigure(config, links: links, now: now) + machine.reconfigurePuppets(from: old, now: now)
        }
    }

    /// The host has begun the queue anew.
    func requeued() { step { machine, _ in machine.requeued() } }

    /// Hands over an event to say.
    func deliver(_ event: HostMessage.EventDelivery) { step { $0.deliver(event, now: $1) } }

    /// Finishes.
    /// - Parameter deadline: Seconds until the host loses patience.
    func drain(deadline: Double) { step { $0.drain(deadline: deadline, now: $1) } }

    /// The chat refused a command as of somebody it does not know.
    func forget(_ id: String, channel: String?) { machine.speakers.forget(id, channel: channel) }

    /// The chat has refused a command because it has no such channel, or has taken one there.
    func chatChannel(_ name: String, isThere: Bool) {
        // Nearly always nothing has changed.
        guard machine.missing.contains(name) == isThere else { return }
        step { machine, _ in machine.chatChannel(name, isThere: isThere) }
    }

    /// Lets everybody of the network leave the chat's channels, as it is not wanted any more.
    func leaveChat() { step { machine, _ in machine.leaveChat() } }

    /// The chat knew somebody already who was to be registered.
    func existed(_ id: String) { machine.speakers.existed(id) }

    /// The commands that say a message again which the chat refused as from somebody it does not know.
    func again(_ command: ChatCommand) -> [ChatCommand] { machine.speakers.again(command) }

    /// Reads on, or lets the network wait because the chat does not keep up.
    func setReading(_ on: Bool) {
        guard on != wantsReads else { return }
        wantsReads = on
        channel?.setOption(.autoRead, value: on).whenFailure { _ in }
        step { $0.setListening(on, now: $1) }
    }

    /// Lets the machine take something, and does what it wants done.
    func step(_ body: (inout NetworkMachine, Instant) -> [NetworkAction]) {
        loop.preconditionInEventLoop()
        let now = Self.now()
        machine.unixStart = Self.unixNow() - now
        let wasStepping = isStepping
        isStepping = true
        perform(body(&machine, now))
        isStepping = wasStepping
        schedule(now)
        readInbox()
    }

    /// Takes what users' connections have told, unless something is being done, which comes first.
    func readInbox() {
        while !isStepping, let (serial, action) = inbox.popFirst() {
            step { $0.puppetDid(serial, action, now: $1) }
        }
    }

    /// Lets go of the connection at once; nothing more is reported.
    func drop() {
        isDropped = true
        timer?.cancel()
        opening?.cancel()
        write()
        channel?.close(promise: nil)
        channel = nil
    }

    private func perform(_ actions: [NetworkAction]) {
        for action in actions {
            switch action {
            case .send(let line):
                guard channel != nil else { continue }
                out.writeString(SafeLine.of(line, longest: machine.lines.longest))
                out.writeString("\r\n")
                traffic.linesOut += 1
                if isWriteDue { continue }
                isWriteDue = true
                loop.execute(.toNetworks) { [self] in write() }
            case .close:
                write()
                channel?.close(promise: nil)
            case .derive(let derivation): derive(derivation)
            case .connect: connect()
            case .puppet(let serial, let order): lead(serial, order)
            case .plugin, .emit, .health, .drained, .news: tell(action)
            }
        }
    }

    /// Half a million rounds take a part of a second, in which no network would be heard.
    private func derive(_ derivation: ScramExchange.Derivation) {
        let connection = channel
        NIOThreadPool.singleton.runIfActive(eventLoop: loop) { derivation.key() }.whenComplete { [self] result in
            // Of a connection that is gone meanwhile it is of no use.
            guard let connection, connection === channel else { return }
            let key = try? result.get()
            step { $0.derived(key ?? nil, now: $1) }
        }
    }

    /// Writes what has come together, in one piece.
    func write() {
        isWriteDue = false
        guard out.readableBytes > 0 else { return }
        channel?.writeAndFlush(out, promise: nil)
        out = ByteBuffer()
        // What it asks, as by PING, is answered without end otherwise.
        guard let channel, !channel.isWritable else { return }
        let waiting = (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        guard waiting > Self.mostUnread else { return }
        failure = failure ?? "the server does not read what it is told"
        channel.close(promise: nil)
    }

    /// As the machine's own; by reference, since the machine, which is large, would be copied otherwise.
    private static func wake(_ machine: inout NetworkMachine, _ now: Instant) -> Instant? { machine.wake(now: now) }

    private func schedule(_ now: Instant) {
        let wake = Self.wake(&machine, now)
        // A tick that comes early does nothing, and sets the next one: cheaper than a new timer for each line.
        if let timerAt, let wake, timerAt < wake + 0.001 { return }
        timer?.cancel()
        timer = nil
        timerAt = wake
        guard let wake else { return }
        timer = loop.scheduleTask(in: .nanoseconds(Int64(max(0, wake - now) * 1e9))) { [self] in
            timerAt = nil
            step { $0.tick(now: $1) }
        }
    }

    /// What users' connections trust; the bridge's own certificate is not theirs.
    func contextForUsers() -> TLSClientContext? {
        var trust = machine.config.trust
        guard trust.identity != nil else { return context }
        trust.identity = nil
        // Where it cannot be made the connection makes its own, and says why not.
        if contextToLend == nil { contextToLend = try? trust.context() }
        return contextToLend
    }

    private func connect() {
        attempt += 1
        let attempt = attempt
        opening?.cancel()
        let old = channel
        channel = nil
        old?.close(promise: nil)
        failure = nil
        isProxied = false
        let config = machine.config
        let tls: TLSClientContext?
        do throws(TLSError) {
            if config.tls, let lentContext {
                tls = lentContext
            } else {
                tls = config.tls ? try config.trust.context() : nil
            }
            context = tls
            contextToLend = nil
        } catch {
            loop.execute { [self] in if attempt == self.attempt { ended("\(error)") } }
            return
        }
        let (host, port) = config.route.proxy.map { ($0.host, $0.port) } ?? (config.host, config.port)
        var bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(Self.connectLimit)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            // Several addresses may be tried at once: only the one that is kept gets handlers, and is read then.
            .channelOption(.autoRead, value: false)
        if let source = config.route.source { bootstrap = bootstrap.bind(to: source) }
        bootstrap.connect(host: host, port: port)
            .hop(to: loop)
            .whenComplete { [self] result in
                switch result {
                case .success(let channel): use(channel, tls, config, attempt)
                case .failure where attempt != self.attempt: break
                case .failure(let error): ended(ConnectReason.text(error, config.route))
                }
            }
    }

    private func use(_ channel: any Channel, _ tls: TLSClientContext?, _ config: NetworkConfig, _ attempt: Int) {
        if isDropped || attempt != self.attempt { return channel.close(promise: nil) }
        self.channel = channel
        do {
            let pipeline = channel.pipeline.syncOperations
            var established: Any.Type?
            if config.route.proxy != nil {
                let address = try? SocketAddress(ipAddress: config.host, port: config.port)
                let target = address.map { SOCKSAddress.address($0) } ?? .domain(config.host, port: config.port)
                try pipeline.addHandler(SOCKSClientHandler(targetAddress: target))
                established = SOCKSProxyEstablishedEvent.self
            }
            if let tls {
                try pipeline.addHandler(TLSClientHandler(context: tls, host: config.host))
                established = TLSClientHandler.Established.self
            }
            if established != nil { limitOpening(channel, config) }
            try pipeline.addHandler(
                IRCLineHandler(
                    established: established, skipsTalk: machine.isPuppet, trust: config.tls ? config.trust : nil
                ) { [self] event in
                    if attempt == self.attempt { handle(event) }
                })
            // A handshake is read whatever the chat does.
            channel.setOption(.autoRead, value: established != nil || wantsReads).whenFailure { _ in }
        } catch {
            self.channel = nil
            channel.close(promise: nil)
            ended("\(error)")
        }
    }

    /// Without an end to it, whoever takes connections and says nothing would keep this one for ever.
    private func limitOpening(_ channel: any Channel, _ config: NetworkConfig) {
        opening = loop.scheduleTask(in: Self.connectLimit) { [self] in
            let awaited = isProxied ? nil : config.route.proxy
            failure = failure ?? ConnectReason.silence(Self.connectLimit, config.host, config.port, proxy: awaited)
            channel.close(promise: nil)
        }
    }

    private func handle(_ event: IRCLineHandler.Event) {
        if isDropped { return }
        switch event {
        case .proxied: isProxied = true
        case .opened:
            opening?.cancel()
            channel?.setOption(.autoRead, value: wantsReads).whenFailure { _ in }
            // Without randomness SCRAM fails, and says so.
            let nonce = (try? SecureRandom.bytes(Self.nonceLength)).map { Base64.encode($0) } ?? ""
            step { $0.connected(nonce: nonce, now: $1) }
        case .line(let message):
            traffic.linesIn += 1
            step { $0.received(message, now: $1) }
        case .caughtUp:
            onRead()
            guard !isAckDue, !machine.isPuppet else { return }
            isAckDue = true
            loop.execute(.confirmations) { [self] in acknowledge() }
        case .failed(let reason): failure = failure ?? reason
        case .closed: if channel != nil { ended("the connection was closed") }
        }
    }

    /// Has the kernel confirm at once what was read (tcp(7), TCP_QUICKACK, which does not last): a server that waits
    /// for that before it sends the next short line (RFC 896) would be held up by 40 ms now and then.
    private func acknowledge() {
        isAckDue = false
        try? channel?.syncOptions?.setOption(.tcpOption(Self.quickAcknowledgement), value: 1)
    }

    private static let quickAcknowledgement = NIOBSDSocket.Option(rawValue: CInt(TCP_QUICKACK))

    private func ended(_ reason: String) {
        channel = nil
        out = ByteBuffer()
        opening?.cancel()
        if isDropped { return }
        let why = failure ?? reason
        let random = Double.random(in: 0..<1)
        step { $0.closed(reason: why, random: random, now: $1) }
    }
}
