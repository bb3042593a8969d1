import Glibc
import NIOCore
import NIOPosix
import NIOSOCKS
import OpenSSL
import PluginKit

/// Limits of every connection's socket.
enum ShellLimits {
    /// Timeout of each step of opening a connection: TCP, and then the proxy and TLS together.
    static let connect = TimeAmount.seconds(15)
    /// Bytes that may wait for a server that does not read: more than all that it may leave unconfirmed
    /// (``FlowControl/mostLines`` of the longest lines).
    static let mostUnread = 4 << 20
    /// Bytes of randomness in a nonce; a multiple of three leaves no padding.
    static let nonceLength = 18
    static let quickAcknowledgement = NIOBSDSocket.Option(rawValue: CInt(TCP_QUICKACK))
}

/// Lines from and to a network's servers, over the relay's connection and its puppets'.
final class NetworkTraffic {
    var linesIn = 0
    var linesOut = 0
}

/// The socket and the timer of one connection's machine. It runs on one event loop: each callback is scheduled by the
/// loop's isolated view, which traps on any other thread, and the class is not Sendable.
final class ConnectionShell<Machine: ConnectionMachine> {
    private let loop: any EventLoop
    private let traffic: NetworkTraffic
    /// Whether what people say is skipped; a puppet has no use for it.
    private let skipsTalk: Bool
    /// Gets the actions that the socket does not perform.
    var tell: (Machine.Action) -> Void = { _ in }
    /// Called when everything that arrived at once was handled.
    var onRead: () -> Void = {}
    /// Called when the machine's actions were performed.
    var afterStep: () -> Void = {}
    private(set) var machine: Machine
    private var channel: (any Channel)?
    /// Counts the connections that were begun: events of an earlier one are ignored.
    private var attempt = 0
    /// Lines that are written at the end of this turn of the loop.
    private var out = ByteBuffer()
    private var isWriteDue = false
    private var isAckDue = false
    private var failure: String?
    private var timer: Scheduled<Void>?
    private var timerAt: Instant?
    /// Cancels a proxy or TLS handshake that does not complete.
    private var opening: Scheduled<Void>?
    /// The proxy has reached the server.
    private var isProxied = false
    private var wantsReads = true
    private var isDropped = false
    private(set) var isStepping = false
    /// The network's own TLS context, for puppets: the system's authorities take megabytes.
    private let lentContext: TLSClientContext?
    private var context: TLSClientContext?
    private var contextToLend: TLSClientContext?

    /// - Parameter lentContext: A TLS context to use; nil: the shell makes its own.
    init(
        machine: Machine, loop: any EventLoop, traffic: NetworkTraffic, skipsTalk: Bool = false,
        lentContext: TLSClientContext? = nil
    ) {
        (self.machine, self.loop, self.traffic) = (machine, loop, traffic)
        (self.skipsTalk, self.lentContext) = (skipsTalk, lentContext)
    }

    private static func seconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Passes an input to the machine and performs its actions.
    func step(_ body: (inout Machine, Instant) -> [Machine.Action]) {
        loop.preconditionInEventLoop()
        let now = Self.seconds(CLOCK_MONOTONIC)
        machine.connection.unixStart = Self.seconds(CLOCK_REALTIME) - now
        let wasStepping = isStepping
        isStepping = true
        perform(body(&machine, now))
        isStepping = wasStepping
        schedule(now)
        afterStep()
    }

    /// Changes the machine where no action follows.
    func update<T>(_ body: (inout Machine) -> T) -> T {
        loop.preconditionInEventLoop()
        return body(&machine)
    }

    /// Stops or resumes reading.
    /// - Returns: Whether that is a change.
    func setReading(_ on: Bool) -> Bool {
        guard on != wantsReads else { return false }
        wantsReads = on
        channel?.setOption(.autoRead, value: on).whenFailure { _ in }
        return true
    }

    /// Closes the connection at once; nothing more is reported.
    func drop() {
        isDropped = true
        timer?.cancel()
        opening?.cancel()
        write()
        channel?.close(promise: nil)
        channel = nil
    }

    private func perform(_ actions: [Machine.Action]) {
        for action in actions {
            switch action.transport {
            case .send(let line): send(line)
            case .close:
                write()
                channel?.close(promise: nil)
            case .derive(let derivation): derive(derivation)
            case .connect: connect()
            case nil: tell(action)
            }
        }
    }

    private func send(_ line: String) {
        guard channel != nil else { return }
        out.writeString(SafeLine.of(line, longest: machine.connection.lines.longest))
        out.writeString("\r\n")
        traffic.linesOut += 1
        if isWriteDue { return }
        isWriteDue = true
        loop.assumeIsolated().execute(.toNetworks) { [self] in write() }
    }

    /// Half a million rounds take a part of a second, in which no network would be heard.
    private func derive(_ derivation: ScramExchange.Derivation) {
        let connection = channel
        NIOThreadPool.singleton.runIfActive(eventLoop: loop) { derivation.key() }.assumeIsolated().whenComplete {
            [self] result in
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
        guard waiting > ShellLimits.mostUnread else { return }
        failure = failure ?? "the server does not read what is sent to it"
        channel.close(promise: nil)
    }

    /// As the machine's own; by reference, since the machine, which is large, would be copied otherwise.
    private static func wake(_ machine: inout Machine, _ now: Instant) -> Instant? { machine.wake(now: now) }

    private func schedule(_ now: Instant) {
        let wake = Self.wake(&machine, now)
        // A tick that comes early does nothing, and sets the next one: cheaper than a new timer for each line.
        if let timerAt, let wake, timerAt < wake + 0.001 { return }
        timer?.cancel()
        timer = nil
        timerAt = wake
        guard let wake else { return }
        timer = loop.assumeIsolated().scheduleTask(in: .nanoseconds(Int64(max(0, wake - now) * 1e9))) { [self] in
            timerAt = nil
            step { $0.tick(now: $1) }
        }
    }

    /// The TLS context for puppets, without the bridge's own certificate.
    func contextForPuppets() -> TLSClientContext? {
        var trust = machine.connection.config.trust
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
        let config = machine.connection.config
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
            loop.assumeIsolated().execute { [self] in if attempt == self.attempt { ended("\(error)") } }
            return
        }
        let (host, port) = config.route.proxy.map { ($0.host, $0.port) } ?? (config.host, config.port)
        var bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(ShellLimits.connect)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            // Several addresses may be tried at once: only the one that is kept gets handlers, and is read then.
            .channelOption(.autoRead, value: false)
        if let source = config.route.source { bootstrap = bootstrap.bind(to: source) }
        bootstrap.connect(host: host, port: port)
            .hop(to: loop)
            .assumeIsolated()
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
                    established: established, skipsTalk: skipsTalk, trust: config.tls ? config.trust : nil
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

    /// A server that accepts connections and sends nothing would otherwise keep this one open for ever.
    private func limitOpening(_ channel: any Channel, _ config: NetworkConfig) {
        opening = loop.assumeIsolated().scheduleTask(in: ShellLimits.connect) { [self] in
            let awaited = isProxied ? nil : config.route.proxy
            failure = failure ?? ConnectReason.silence(ShellLimits.connect, config.host, config.port, proxy: awaited)
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
            let nonce = (try? SecureRandom.bytes(ShellLimits.nonceLength)).map { Base64.encode($0) } ?? ""
            step { $0.connected(nonce: nonce, now: $1) }
        case .line(let message):
            traffic.linesIn += 1
            step { $0.received(message, now: $1) }
        case .caughtUp:
            onRead()
            guard !isAckDue, !skipsTalk else { return }
            isAckDue = true
            loop.assumeIsolated().execute(.confirmations) { [self] in acknowledge() }
        case .failed(let reason): failure = failure ?? reason
        case .closed: if channel != nil { ended("the connection was closed") }
        }
    }

    /// Has the kernel confirm at once what was read (tcp(7), TCP_QUICKACK, which does not last): a server that waits
    /// for that before it sends the next short line (RFC 896) would be held up by 40 ms now and then.
    private func acknowledge() {
        isAckDue = false
        try? channel?.syncOptions?.setOption(.tcpOption(ShellLimits.quickAcknowledgement), value: 1)
    }

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
