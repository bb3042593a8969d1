import PluginWire
import Testing

@testable import IRCBridge

/// Servers that drop messages which come too fast.
@Suite struct ThrottleTests {
    private static let labels = ":batch echo-message labeled-response message-tags"

    /// A server that passes on a line every so many seconds and drops the others.
    private struct Server {
        /// What it says of a line that it drops.
        let refusal: String
        let interval: Double
        var passedAt = -Double.infinity
        var heard: [String] = []
        /// How often each line was written.
        var written: [String: Int] = [:]

        /// What it answers to a line.
        mutating func answers(_ line: String, now: Instant) -> String? {
            if line.hasPrefix("PING :") { return ":s PONG s :\(line.dropFirst(6))" }
            let speech = WireLine.untagged(line)
            guard speech.hasPrefix("PRIVMSG") else { return nil }
            let label = line.hasPrefix("@") ? line.prefix { $0 != " " } + " " : ""
            written[String(speech), default: 0] += 1
            guard now - passedAt >= interval else { return "\(label):s \(refusal)" }
            passedAt = now
            heard.append(String(speech))
            return label.isEmpty ? nil : "\(label):crow!crow@host \(speech)"
        }
    }

    private func joined(labels: Bool, _ flood: (Int, Double)) throws -> Relay {
        var config = try Tables.network()
        (config.burst, config.linesPerSecond) = flood
        var machine = Relay(config: config, links: [try Tables.link()], plugin: "irc")
        _ = machine.start(now: -200)
        _ = machine.connected(now: -200)
        if labels {
            for verb in ["LS", "ACK"] {
                _ = machine.received(Tables.line(":s CAP * \(verb) \(Self.labels)"), now: -200)
            }
        }
        for line in [":s 001 crow :Welcome", ":crow!crow@host JOIN #room"] {
            _ = machine.received(Tables.line(line), now: -200)
        }
        _ = machine.received(Tables.line(":s PING x"), now: 0)
        return machine
    }

    /// Lets machine and server talk until nothing waits.
    private func run(
        _ machine: inout Relay, _ server: inout Server, _ first: [RelayAction], until end: Instant
    ) -> (now: Instant, acks: [Int64], rejected: [String]) {
        var (now, acks, rejected): (Instant, [Int64], [String]) = (0, [], [])
        var queue = first
        while true {
            while !queue.isEmpty {
                let actions = queue
                queue = []
                acks += actions.acks
                for case .plugin(.reject(_, _, let message, _)) in actions { rejected.append(message) }
                for line in actions.lines {
                    guard let answer = server.answers(line, now: now) else { continue }
                    queue += machine.received(Tables.line(answer), now: now)
                }
            }
            guard machine.connection.outbound.count > 0, let wake = machine.wake(now: now), wake < end else { break }
            now = wake
            queue = machine.tick(now: now)
        }
        return (now, acks, rejected)
    }

    @Test(arguments: [
        ("NOTICE crow :*** Message to #room throttled due to flooding", 1.5),
        ("404 crow #room :Cannot send to channel: too many messages, slow down", 3),
        ("FAIL PRIVMSG RATE_LIMITED #room :Not so quick", 2.5),
        ("404 crow #room :Please wait before sending another message", 3),
        ("404 crow #room :Slow mode is on: one message every 3 seconds, 3 seconds remaining", 3),
    ])
    func allArrivesInOrderAndNothingIsWrittenThreeTimes(refusal: String, interval: Double) throws {
        for labels in [true, false] {
            var machine = try joined(labels: labels, (20, 10))
            var server = Server(refusal: refusal, interval: interval)
            let first = (1...10).flatMap { machine.deliver(Tables.event(Int64($0), "b\($0)"), now: 0) }
            let (now, acks, rejected) = run(&machine, &server, first, until: 120)
            #expect(rejected == [], "\(refusal) \(labels)")
            #expect(acks.sorted() == Array(1...10), "\(refusal) \(labels)")
            #expect(server.heard == (1...10).map { "PRIVMSG #room :<Ann> b\($0)" }, "\(refusal) \(labels)")
            #expect(server.written.values.allSatisfy { $0 <= OutboundQueue.mostTries }, "\(server.written)")
            #expect(now < 60)
        }
    }

    @Test func theRateIsLoweredAndToldAndRecoversAfterAFewMinutes() throws {
        var machine = try joined(labels: false, (20, 10))
        var server = Server(refusal: "NOTICE crow :*** Message to #room throttled due to flooding", interval: 1.5)
        let first = (1...4).flatMap { machine.deliver(Tables.event(Int64($0), "b\($0)"), now: 0) }
        let (now, _, _) = run(&machine, &server, first, until: 120)
        #expect(machine.connection.flow.share == 0.5 && machine.rate == 5)
        _ = machine.tick(now: now + 20)
        #expect(
            machine.health?.message.hasSuffix(
                "the server drops messages that come too fast, so that it gets 5.0 lines a second for now") == true)
        var flow = machine.connection.flow
        flow.answered(from: now + 10, now: now + 10)
        #expect(flow.share == 0.5)
        for second in 0..<40 {
            flow.answered(from: 500 + Double(second), now: 500 + Double(second))
        }
        #expect(flow.share == 1 && !flow.hasThrottled)
    }

    /// Whether what is dropped twice is given up, and the rest is written more and more slowly.
    @Test func whatIsDroppedTwiceIsADeadLetter() throws {
        var machine = try joined(labels: true, (20, 10))
        var server = Server(refusal: "404 crow #room :Flood protection", interval: 1e9)
        let first = (1...3).flatMap { machine.deliver(Tables.event(Int64($0), "b\($0)"), now: 0) }
        let (_, acks, rejected) = run(&machine, &server, first, until: 600)
        #expect(acks == [1])
        #expect(rejected == ["Flood protection", "Flood protection"])
        #expect(server.written.values.sorted() == [1, 2, 2])
    }

    @Test func theLinesOfAMessageThatIsSaidAgainArePacedToo() throws {
        var machine = try joined(labels: true, (20, 10))
        var server = Server(refusal: "NOTICE crow :*** Message to #room throttled", interval: 2)
        let first = machine.deliver(Tables.event(1, "a\nb\nc\nd"), now: 0)
        let (_, acks, rejected) = run(&machine, &server, first, until: 120)
        #expect((acks, rejected) == ([1], []))
        #expect(server.heard.count == 4)
    }
}
