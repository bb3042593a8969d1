import JSONBytes
import PluginWire

@testable import IRCBridge

/// A network's machine in the fuzzer's hands. What it may never do ends the process, which the fuzzer reports.
struct Play {
    private static let presences = ["off", "lazy", "full"]
    private static let texts = [
        "hello", "**b** *i* `c` __u__", "@bob and @Eve", String(repeating: "å", count: 600), "a\nb\r\nc\0d", "\u{1}",
        String(repeating: "👩‍👩‍👧", count: 40), "/me waves", ":", "\u{2028}",
    ]

    private var machine: Relay
    private var cutter = LineCutter()
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
                machine = Puppet(config: config.ofPuppet("crow", name: "Crow"), plugin: "irc")
            } else {
                machine = Relay(config: config, links: needed, plugin: "irc")
            }
            machine.restore(NetworkState(try JSON(parsing: Array(##"{"last":{"#room":"msgid=0"}}"##.utf8))))
        } catch {
            fatalError("the fuzzer's own configuration is wrong: \(error)")
        }
        check(machine.start(now: now))
        // How an account is proved is for the input to say.
        open(registered: kind & 0x80 == 0 && machine.config.sasl == nil)
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
        cutter = LineCutter()
        check(machine.connected(nonce: "n", now: now))
        guard registered else { return }
        let caps = Registration.wanted.joined(separator: " ")
        for line in [":s CAP * LS :" + caps, ":s CAP * ACK :" + caps, ":s 001 crow :x", ":crow!c@h JOIN #room"] {
            hear(Array((line + "\n").utf8))
        }
    }

    /// The server writes this.
    private mutating func hear(_ bytes: [UInt8]) {
        guard isOpen else { return }
        let (lines, isTooLong) = bytes.withUnsafeBytes { cutter.take($0) }
        for line in lines {
            precondition(line.count <= LineCutter.maxLine && line.last != 0x0D, "a line that is none")
            if let message = IRCMessage(line: line) { check(machine.received(message, now: now)) }
        }
        if isTooLong { reopen() }
    }

    private mutating func reopen() {
        isOpen = false
        puppets = []
        check(machine.closed(reason: "x", random: 0.5, now: now))
        now += 700
        check(machine.tick(now: now))
        open(registered: machine.config.sasl == nil)
    }

    /// Takes a line of the fuzzer's.
    mutating func take(_ line: [UInt8]) {
        guard let first = line.first else { return }
        let second = Int(line.dropFirst().first ?? 0)
        switch first {
        case 0: now += Double(second) / 4
        case 1, 2: deliver(second, channel: first == 1 ? "general" : "two")
        case 3:
            let old = machine.config
            machine.config.maxLines = second % 7
            check(machine.reconfigure(machine.config, links: Array(machine.links.prefix(1 + second % 3)), now: now))
            check(machine.reconfigurePuppets(from: old, now: now))
        case 4 where isOpen: reopen()
        case 5: check(machine.requeued())
        case 6...9 where !puppets.isEmpty: tell(puppets[second % puppets.count], first)
        case 0x0A, 0x0B: check(machine.setListening(second % 2 == 0, now: now))
        // The beginning of a line that goes on, and much of one.
        case 0x0C: hear(Array(line.dropFirst()))
        case 0x0E: hear(Array(repeating: UInt8(second), count: LineCutter.maxLine / 2))
        default: hear(line + [0x0A])
        }
        if let wake = machine.wake(now: now), wake <= now + 1 { check(machine.tick(now: wake)) }
    }

    private mutating func tell(_ serial: Int, _ what: UInt8) {
        switch what {
        case 6: check(machine.puppetDid(serial, .nick("ann\(serial)"), now: now))
        case 7: check(machine.puppetDid(serial, .confirmed([delivery]), now: now))
        case 8:
            let reject = PluginMessage.reject(delivery: delivery, code: "x", message: "x", deadLetter: true)
            check(machine.puppetDid(serial, .plugin(reject), now: now))
        default: check(machine.puppetDid(serial, .lost("x"), now: now))
        }
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
        guard machine.isPuppet, let message = ChatMessage(event: json.bytes) else {
            return check(machine.deliver(event, now: now))
        }
        let theirs = needed.filter { $0.channel == channel }
        let entry = OutboundLedger.Entry(
            delivery: delivery, message: message, targets: theirs.map { $0.target.lowercased() })
        check(machine.say(entry, theirs, now: now))
    }

    private mutating func check(_ actions: [RelayAction]) {
        longest = max(longest, machine.lines.longest)
        for action in actions {
            switch action {
            case .send(let line):
                let untagged = line.utf8.first == 0x40 ? line.utf8.drop { $0 != 0x20 }.dropFirst() : line.utf8[...]
                precondition(untagged.count <= longest, "a line of \(untagged.count) bytes")
                precondition(line.utf8.allSatisfy { $0 != 0x0A && $0 != 0x0D && $0 != 0 }, "a line with an end in it")
            case .derive(let derivation):
                precondition(ScramExchange.rounds.contains(derivation.rounds), "\(derivation.rounds) rounds")
                // More of them take long, and are the same.
                check(machine.derived(derivation.rounds <= 5000 ? derivation.key() : nil, now: now))
            case .health(let health):
                precondition(health.message.utf8.count <= Relay.longestHealth, "a long status")
                precondition(health.message.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "a status with controls")
            case .emit(let command):
                let type = (try? JSONObject(parsing: command.json))?.string("type")
                precondition(type == command.kind.rawValue, "a command that is none")
                precondition(command.userID.utf8.count <= BridgeUserID.maxLength, "a long id")
            case .puppet(let serial, .open): if puppets.count < 64 { puppets.append(serial) }
            case .close, .connect, .drained, .news, .plugin, .puppet: break
            }
        }
    }
}
