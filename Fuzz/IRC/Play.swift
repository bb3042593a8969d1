import JSONBytes
import PluginWire

@testable import IRCBridge

/// The machine that the fuzzer plays against.
private enum Player {
    case relay(Relay)
    case puppet(Puppet)

    var connection: ConnectionState {
        switch self {
        case .relay(let relay): relay.connection
        case .puppet(let puppet): puppet.connection
        }
    }
}

/// What happens to either kind of machine.
private enum Input {
    case start, tick, closed, connected
    case received(IRCMessage)
    case derived([UInt8]?)

    func apply<Machine: ConnectionMachine>(to machine: inout Machine, now: Instant) -> [Machine.Action] {
        switch self {
        case .start: machine.start(now: now)
        case .tick: machine.tick(now: now)
        case .closed: machine.closed(reason: "x", random: 0.5, now: now)
        case .connected: machine.connected(nonce: "n", now: now)
        case .received(let message): machine.received(message, now: now)
        case .derived(let key): machine.derived(key, now: now)
        }
    }
}

/// A connection's machine in the fuzzer's hands. What it may never do ends the process, which the fuzzer reports.
struct Play {
    private static let presences = ["off", "lazy", "full"]
    private static let texts = [
        "hello", "**b** *i* `c` __u__", "@bob and @Eve", String(repeating: "å", count: 600), "a\nb\r\nc\0d", "\u{1}",
        String(repeating: "👩‍👩‍👧", count: 40), "/me waves", ":", "\u{2028}",
    ]

    private var player: Player
    private var decoder = LineDecoder()
    /// The longest line that the server has allowed, in bytes.
    private var longest = RelayLines.maxLine
    private var now: Instant = 0
    private var delivery: Int64 = 0
    private var isOpen = false
    /// Users' connections that were asked for, in the end of the machine that leads them.
    private var puppets: [Int] = []
    private let needed: [LinkConfig]

    init(kind: UInt8) {
        let presence = Self.presences[Int(kind & 3) % 3]
        let mode = kind & 0x40 == 0 ? "relay" : "puppets"
        let json = """
            {"name":"net","host":"irc.example.org","tls":false,"nick":"crow","presence":"\(presence)","mode":"\(mode)",
            "flood":{"burst":\(kind & 0x10 == 0 ? 0 : 3),"lines_per_second":\(kind & 0x10 == 0 ? 0 : 2)},
            "catch_up":{"max_lines":\(kind & 0x20 == 0 ? 0 : 2)},"ignore":["*!*@bad.example"]}
            """
        let links = ["general #room", "general #other", "two #room"].map { text in
            let parts = text.split(separator: " ")
            return #"{"channel":"\#(parts[0])","irc":"net/\#(parts[1])"}"#
        }
        do {
            var config = try NetworkConfig(JSON(parsing: Array(json.utf8)), path: "networks[0]")
            needed = try links.map {
                try LinkConfig(JSON(parsing: Array($0.utf8)), path: "links[0]", networks: ["net"])
            }
            if kind & 0x04 != 0 { Self.addAccount(kind >> 4 & 3, to: &config) }
            // A user's own connection, or the network's.
            if kind & 0x08 != 0 {
                player = .puppet(Puppet(config: config.ofPuppet("crow", name: "Crow"), plugin: "irc"))
            } else {
                var relay = Relay(config: config, links: needed, plugin: "irc")
                relay.restore(NetworkState(try JSON(parsing: Array(##"{"last":{"#room":"msgid=0"}}"##.utf8))))
                player = .relay(relay)
            }
        } catch {
            fatalError("the fuzzer's own configuration is wrong: \(error)")
        }
        step(.start)
        // How an account is proved is for the input to say.
        open(registered: kind & 0x80 == 0 && player.connection.config.sasl == nil)
    }

    /// An account, by SASL in one of three ways or by NickServ. Its password is "pencil", and the nonce is "n".
    private static func addAccount(_ way: UInt8, to config: inout NetworkConfig) {
        if way < 3 {
            config.sasl = SASLConfig(
                mechanism: SASLConfig.Mechanism.allCases[Int(way)], account: "user", password: "pencil")
        }
        if way >= 2 { config.nickServ = NickServ.Config(account: "user", password: "pencil") }
    }

    private mutating func open(registered: Bool) {
        isOpen = true
        decoder = LineDecoder()
        step(.connected)
        guard registered else { return }
        let caps = Registration.wanted.joined(separator: " ")
        for line in [":s CAP * LS :" + caps, ":s CAP * ACK :" + caps, ":s 001 crow :x", ":crow!c@h JOIN #room"] {
            hear(Array((line + "\n").utf8))
        }
    }

    /// The server writes this.
    private mutating func hear(_ bytes: [UInt8]) {
        guard isOpen else { return }
        let (lines, isTooLong) = bytes.withUnsafeBytes { decoder.take($0) }
        for line in lines {
            precondition(line.count <= LineDecoder.maxLine && line.last != 0x0D, "a line that is none")
            if let message = IRCMessage(line: line) { step(.received(message)) }
        }
        if isTooLong { reopen() }
    }

    private mutating func reopen() {
        isOpen = false
        puppets = []
        step(.closed)
        now += 700
        step(.tick)
        open(registered: player.connection.config.sasl == nil)
    }

    /// Takes a line of the fuzzer's.
    mutating func take(_ line: [UInt8]) {
        guard let first = line.first else { return }
        let second = Int(line.dropFirst().first ?? 0)
        switch first {
        case 0: now += Double(second) / 4
        case 1, 2: deliver(second, channel: first == 1 ? "general" : "two")
        case 3:
            var config = player.connection.config
            let old = config
            config.maxLines = second % 7
            let links = Array(player.connection.links.prefix(1 + second % 3))
            switch player {
            case .relay:
                withRelay { $0.reconfigure(config, links: links, now: $1) + $0.reconfigurePuppets(from: old, now: $1) }
            case .puppet: withPuppet { $0.reconfigure(config, links: links, now: $1) }
            }
        case 4 where isOpen: reopen()
        case 5:
            withRelay { relay, _ in relay.requeued() }
            withPuppet { puppet, _ in puppet.clear() }
        case 6...9 where !puppets.isEmpty: tell(puppets[second % puppets.count], first)
        case 0x0A, 0x0B: withRelay { $0.setListening(second % 2 == 0, now: $1) }
        // The beginning of a line that goes on, and much of one.
        case 0x0C: hear(Array(line.dropFirst()))
        case 0x0E: hear(Array(repeating: UInt8(second), count: LineDecoder.maxLine / 2))
        default: hear(line + [0x0A])
        }
        let wake: Instant?
        switch player {
        case .relay(let relay): wake = relay.wake(now: now)
        case .puppet(let puppet): wake = puppet.wake(now: now)
        }
        if let wake, wake <= now + 1 { step(.tick, now: wake) }
    }

    private mutating func tell(_ serial: Int, _ what: UInt8) {
        let action: PuppetAction =
            switch what {
            case 6: .nick("ann\(serial)")
            case 7: .confirmed([delivery])
            case 8: .refused(delivery)
            default: .lost("x")
            }
        withRelay { $0.puppetDid(serial, action, now: $1) }
    }

    private mutating func step(_ input: Input, now instant: Instant? = nil) {
        withRelay(at: instant) { input.apply(to: &$0, now: $1) }
        withPuppet(at: instant) { input.apply(to: &$0, now: $1) }
    }

    private mutating func withRelay(at instant: Instant? = nil, _ body: (inout Relay, Instant) -> [RelayAction]) {
        guard case .relay(var relay) = player else { return }
        let actions = body(&relay, instant ?? now)
        player = .relay(relay)
        for action in actions { check(action) }
    }

    private mutating func withPuppet(at instant: Instant? = nil, _ body: (inout Puppet, Instant) -> [PuppetAction]) {
        guard case .puppet(var puppet) = player else { return }
        let actions = body(&puppet, instant ?? now)
        player = .puppet(puppet)
        for action in actions { check(action.transport) }
    }

    private mutating func deliver(_ number: Int, channel: String) {
        delivery += 1
        var json = JSONWriter()
        json.beginObject()
        json.member("type", number % 11 == 10 ? "MESSAGE_EDITED" : "MESSAGE_SENT")
        json.member("userId", "u\(number % 5)")
        json.member("userName", "User \(number % 5)")
        json.member("channelId", channel)
        json.member("message", Self.texts[number % Self.texts.count])
        json.endObject()
        let event = HostMessage.EventDelivery(
            queue: "net", delivery: delivery, position: delivery, event: json.bytes)
        withRelay { $0.deliver(event, now: $1) }
        guard let message = ChatMessage(event: json.bytes) else { return }
        let theirs = needed.filter { $0.channel == channel }
        let entry = OutboundQueue.Entry(
            delivery: delivery, message: message, targets: theirs.map { $0.target.lowercased() })
        withPuppet { $0.say(entry, theirs, now: $1) }
    }

    private mutating func check(_ action: TransportAction?) {
        longest = max(longest, player.connection.lines.longest)
        switch action {
        case .send(let line):
            let untagged = line.utf8.first == 0x40 ? line.utf8.drop { $0 != 0x20 }.dropFirst() : line.utf8[...]
            precondition(untagged.count <= longest, "a line of \(untagged.count) bytes")
            precondition(line.utf8.allSatisfy { $0 != 0x0A && $0 != 0x0D && $0 != 0 }, "a line with an end in it")
        case .derive(let derivation):
            precondition(ScramExchange.rounds.contains(derivation.rounds), "\(derivation.rounds) rounds")
            // More of them take long, and are the same.
            step(.derived(derivation.rounds <= 5000 ? derivation.key() : nil))
        case .close, .connect, nil: break
        }
    }

    private mutating func check(_ action: RelayAction) {
        switch action {
        case .health(let health):
            precondition(health.message.utf8.count <= Relay.longestHealth, "a long status")
            precondition(health.message.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "a status with controls")
        case .emit(let command):
            let type = (try? JSONObject(parsing: command.json))?.string("type")
            precondition(type == command.kind.rawValue, "a command that is none")
            precondition(command.userID.utf8.count <= BridgeUserID.maxLength, "a long id")
        case .puppet(let serial, .open): if puppets.count < 64 { puppets.append(serial) }
        case .send, .derive, .close, .connect: check(action.transport)
        case .drained, .plugin, .puppet: break
        }
    }
}
