import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// How the bridge adapts to what a server keeps up with.
@Suite struct FlowTests {
    @Test func aLateAnswerLowersBothRateAndWindowAndAnswersInTimeRaiseThemAgain() {
        var flow = FlowControl()
        #expect(!flow.isReduced)
        flow.answered(from: 0, now: 14)
        #expect((flow.share, flow.lines, flow.bytes) == (0.75, 64, 3072))
        // What was written before the change says nothing about it.
        flow.answered(from: 10, now: 20)
        #expect((flow.share, flow.lines, flow.bytes) == (0.75, 64, 3072))
        flow.answered(from: 20, now: 20.1)
        #expect((flow.share, flow.lines, flow.bytes) == (0.75 + FlowControl.recovery, 128, 3584))
        for second in 0..<50 { flow.answered(from: 21 + Double(second), now: 21.1 + Double(second)) }
        #expect(!flow.isReduced)
    }

    @Test func floodingHalvesTheRateAndTheNextLineIsConfirmedAlone() {
        var flow = FlowControl()
        flow.ended(isFlood: true, now: 5)
        #expect((flow.share, flow.lines, flow.bytes, flow.hasFlooded) == (0.5, 1, 3072, true))
        #expect((flow.rate(2), flow.rate(0)) == (1, FlowControl.impliedRate / 2))
        for _ in 0..<10 { flow.ended(isFlood: true, now: 6) }
        #expect((flow.share, flow.bytes) == (FlowControl.leastShare, FlowControl.leastBytes))
    }

    @Test func anotherEndOfTheConnectionLeavesTheRateAlone() {
        var flow = FlowControl()
        flow.ended(isFlood: false, now: 5)
        #expect((flow.share, flow.lines, flow.rate(2), flow.rate(0)) == (1, 1, 2, 0))
    }

    @Test(arguments: [
        ("Excess Flood", true), ("RecvQ exceeded", true), ("Max RecvQ Exceeded (flood)", true), ("Throttled", true),
        ("Closing Link: crow (Excess Flood)", true), ("kicked by ChanServ: Flooding", true),
        ("Ping timeout: 120 seconds", false), ("K-lined", false), ("Connection reset by peer", false),
    ])
    func theServersWordsTellFlooding(words: String, isFlood: Bool) {
        #expect(FlowControl.isFlood(words) == isFlood)
    }

    @Test func theShareIsKeptOverARestartAndShownInTheStatus() throws {
        var state = NetworkState()
        state.share = 0.5
        #expect(NetworkState(state.json).share == 0.5)
        var machine = Relay(
            config: try NetworkConfig.flooding(#"{"burst":5,"lines_per_second":1}"#),
            links: [try Tables.link()], plugin: "irc")
        machine.restore(NetworkState(state.json))
        _ = machine.start(now: 0)
        _ = machine.connected(now: 0)
        _ = machine.received(Tables.line(":s 001 crow :Welcome"), now: 0)
        let joined = machine.received(Tables.line(":crow!crow@host JOIN #room"), now: 0)
        #expect(machine.health?.level == .ok, "\(joined) \(machine.connection.phase)")
        #expect(machine.health?.message.contains("0.5 lines a second") == true)
    }

    /// A server that reads a line every two seconds and ends the connection over 1,024 waiting bytes, as ircu does, or
    /// that counts a penalty for each line, which a second takes back, as InspIRCd does without fakelag.
    struct Server {
        enum Kind { case ircu, penalty(Double) }
        let kind: Kind
        var waiting: [String] = []
        var nextRead: Instant = 0
        var penalty = 0.0
        var written: Instant = 0
        var isEnded = false

        mutating func write(_ line: String, _ now: Instant) {
            waiting.append(line)
            switch kind {
            case .ircu:
                if waiting.reduce(0, { $0 + $1.utf8.count + 2 }) > 1024 { isEnded = true }
            case .penalty(let most):
                penalty = max(0, penalty - (now - written)) + 1
                written = now
                if penalty > most { isEnded = true }
            }
        }

        mutating func read(_ now: Instant) -> String? {
            guard !isEnded, !waiting.isEmpty, now >= nextRead else { return nil }
            if case .ircu = kind { nextRead = now + 2 }
            return waiting.removeFirst()
        }
    }

    /// Plays the bridge against such a server until all messages are settled.
    /// - Returns: How often the server had each message, and how often the connection ended.
    private func play(_ kind: Server.Kind, messages: Int, flood: String) throws
        -> (heard: [Int: Int], written: [Int: Int], acked: Set<Int64>, dead: Set<Int64>, ends: Int, time: Instant)
    {
        var machine = Relay(
            config: try NetworkConfig.flooding(flood), links: [try Tables.link()], plugin: "irc")
        var (server, now, ends) = (Server(kind: kind), 0.0, 0)
        var (heard, written): ([Int: Int], [Int: Int]) = ([:], [:])
        var (acked, dead): (Set<Int64>, Set<Int64>) = ([], [])
        var pending: [RelayAction] = []
        func number(_ line: String) -> Int? { line.split(separator: "message ").last.flatMap { Int($0) } }
        func register() {
            pending += machine.connected(now: now)
            server = Server(kind: kind)
            server.nextRead = now
            for line in [":s 001 crow :Welcome", ":crow!crow@host JOIN #room"] {
                pending += machine.received(Tables.line(line), now: now)
            }
        }
        pending += machine.start(now: now)
        register()
        for delivery in 1...messages {
            pending += machine.deliver(
                Tables.event(Int64(delivery), "words to fill the line up a little, and message \(delivery)"), now: now)
        }
        while acked.count + dead.count < messages, now < 3600 {
            for action in pending {
                switch action {
                case .send(let line):
                    if let number = number(line) { written[number, default: 0] += 1 }
                    server.write(line, now)
                case .plugin(.ack(.one(let delivery), _)): acked.insert(delivery)
                case .plugin(.ack(.many(let deliveries), _)): acked.formUnion(deliveries)
                case .plugin(.reject(let delivery, _, _, _)): dead.insert(delivery)
                default: break
                }
            }
            pending = []
            if server.isEnded {
                ends += 1
                pending += machine.received(Tables.line("ERROR :Closing Link: crow (Excess Flood)"), now: now)
                pending += machine.closed(reason: "the connection was closed", random: 0, now: now)
                now = machine.wake(now: now) ?? now
                pending += machine.tick(now: now)
                register()
                continue
            }
            if let line = server.read(now) {
                if let number = number(line) { heard[number, default: 0] += 1 }
                if line.hasPrefix("PING :") {
                    pending += machine.received(Tables.line(":s PONG s :" + line.dropFirst(6)), now: now)
                }
                continue
            }
            let due = [machine.wake(now: now), server.waiting.isEmpty ? nil : server.nextRead].compactMap { $0 }.min()
            now = max(now + 0.01, due ?? now + 1)
            pending += machine.tick(now: now)
        }
        return (heard, written, acked, dead, ends, now)
    }

    @Test(arguments: [
        (Server.Kind.ircu, 60, #"{"burst":5,"lines_per_second":1}"#),
        (.ircu, 60, #"{"burst":20,"lines_per_second":4}"#),
        (.penalty(6), 14, #"{"burst":5,"lines_per_second":1}"#),
        (.penalty(4), 40, #"{"burst":5,"lines_per_second":2}"#),
        (.penalty(6), 40, #"{"burst":0,"lines_per_second":0}"#),
    ])
    func allArrivesAtAServerThatEndsConnectionsForFlooding(kind: Server.Kind, messages: Int, flood: String) throws {
        let played = try play(kind, messages: messages, flood: flood)
        #expect(played.acked.count + played.dead.count == messages, "\(played)")
        #expect(played.written.values.allSatisfy { $0 <= OutboundQueue.mostTries }, "\(played.written)")
        // What was confirmed had arrived.
        #expect(played.acked.allSatisfy { played.heard[Int($0)] ?? 0 > 0 })
        // One message for each end may be given up; the others are all there.
        #expect(played.dead.count <= 1, "\(played.dead)")
        #expect(played.ends <= 5, "\(played.ends) ends in \(played.time) s")
    }
}

extension NetworkConfig {
    /// A network with this flood limit.
    fileprivate static func flooding(_ flood: String) throws -> NetworkConfig {
        let json = #"{"name":"net","host":"irc.example.org","tls":false,"nick":"crow","flood":\#(flood)}"#
        return try NetworkConfig(JSON(parsing: Array(json.utf8)), path: "networks[0]")
    }
}
