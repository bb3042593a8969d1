import Testing

@testable import IRCBridge

@Suite struct PaceTests {
    @Test func aBusyChannelDoesNotHoldUpAQuietOne() throws {
        let links = [try Tables.link(), try Tables.link("quiet", "#quiet")]
        var machine = try Tables.machine(links: links)
        _ = machine.received(Tables.line(":s 001 crow :Welcome"), now: 0)
        for link in links { _ = machine.received(Tables.line(":crow!crow@host JOIN \(link.target)"), now: 0) }
        machine.connection.bucket = FloodBucket(burst: 1, rate: 1, now: 0)
        for i in Int64(1)...50 { _ = machine.deliver(Tables.event(i, "busy \(i)"), now: 0) }
        _ = machine.deliver(Tables.event(51, "quiet", channel: "quiet"), now: 0)
        var said: [String] = []
        var now: Instant = 0
        while now < 100, !said.contains(where: { $0.hasPrefix("PRIVMSG #quiet") }) {
            now = try #require(machine.wake(now: now))
            said += machine.tick(now: now).lines
        }
        #expect(said.filter { $0.hasPrefix("PRIVMSG") }.count <= 2)
    }

    @Test func aBucketGivesItsBurstAndThenItsRate() {
        var bucket = FloodBucket(burst: 3, rate: 2, now: 100)
        let times: [(now: Instant, isTaken: Bool)] = [
            (100, true), (100, true), (100, true), (100, false), (100.4, false), (100.5, true), (100.5, false),
            // However long it rests, it holds no more than its burst.
            (1000, true), (1000, true), (1000, true), (1000, false),
        ]
        for (now, isTaken) in times {
            let took = bucket.take(now: now)
            #expect(took == isTaken, "at \(now)")
        }
        #expect(bucket.nextToken == 1000.5)
    }

    @Test func whatIsGivenBackCanBeTakenAgain() {
        var bucket = FloodBucket(burst: 1, rate: 1, now: 0)
        let first = bucket.take(now: 0)
        bucket.giveBack()
        let (second, third) = (bucket.take(now: 0), bucket.take(now: 0))
        #expect((first, second, third) == (true, true, false))
    }

    @Test func aRateOfZeroIsNoLimit() {
        var bucket = FloodBucket(burst: 0, rate: 0, now: 0)
        #expect(!bucket.isLimited)
        let taken = (0..<10_000).filter { _ in bucket.take(now: 0) }.count
        #expect(taken == 10_000)
    }

    /// SAFERATE: the server slows clients down by itself, and asks them not to.
    @Test(arguments: [(":s 005 crow SAFERATE :are supported", 20), (":s 005 crow NICKLEN=9 :are supported", 2)])
    func aServerThatSlowsClientsDownIsNotSpared(line: String, expected: Int) throws {
        var config = try Tables.network()
        // One is for JOIN, one for the fence.
        (config.burst, config.linesPerSecond) = (4, 1)
        var machine = try Tables.machine(config: config)
        for line in [":s 001 crow :x", line, ":crow!c@host JOIN #room"] {
            _ = machine.received(Tables.line(line), now: 0)
        }
        var lines: [String] = []
        for i in 1...20 { lines += machine.deliver(Tables.event(Int64(i)), now: 0).lines }
        #expect(lines.filter { $0.hasPrefix("PRIVMSG") }.count == expected)
        // Other limits in the configuration change nothing of that.
        config.linesPerSecond = 2
        _ = machine.reconfigure(config, links: machine.connection.links, now: 0)
        #expect(machine.connection.bucket.isLimited == (expected != 20))
    }

    @Test func waitsDoubleToFiveMinutes() {
        var backOff = BackOff()
        let waits = (0..<11).map { _ in backOff.wait(random: 1) }
        #expect(waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300])
        let shortest = backOff.wait(random: 0)
        #expect(shortest == 150)
    }

    @Test(arguments: [(59.0, 4.0), (60.0, 1.0)])
    func onlyAConnectionThatLastedStartsAfresh(seconds: Double, wait: Double) {
        var backOff = BackOff()
        _ = backOff.wait(random: 1)
        _ = backOff.wait(random: 1)
        backOff.wasRegistered(for: seconds)
        let next = backOff.wait(random: 1)
        #expect(next == wait)
    }

    @Test func aRefusedMembershipIsTriedLessAndLessOften() {
        var membership = Membership(name: "#room", key: "open")
        var waits: [Double] = []
        for _ in 0..<8 {
            membership.refused("banned", now: 1000)
            waits.append((membership.nextTry ?? 0) - 1000)
        }
        #expect(waits == [5, 10, 20, 40, 80, 160, 300, 300])
        // What waits is given up by an answer, never a moment before one.
        #expect(membership.state(now: 1400) == .waiting)
        membership.refused("banned", now: 1300)
        #expect(membership.state(now: 1300) == .dead("banned"))
        membership.joined(now: 1600)
        #expect(membership.state(now: 2000) == .joined)
    }

    @Test(arguments: [
        // Tried again so long after the times at which it is refused, from the first on.
        ([0.0, 5, 15, 35, 75, 155, 300, 460], [5.0, 10, 20, 40, 80, 145, 300, 300]),
        ([0, 290, 300], [5, 10, 20]), ([0, 400], [5, 10]),
    ])
    func aRefusedMembershipIsAskedForWhenItsMessagesAreDue(refusals: [Double], waits: [Double]) {
        var membership = Membership(name: "#room", key: nil)
        var measured: [Double] = []
        for now in refusals {
            membership.refused("full", now: now)
            measured.append((membership.nextTry ?? 0) - now)
            #expect(membership.state(now: now) == (now >= 300 ? .dead("full") : .waiting))
        }
        #expect(measured == waits)
    }

    @Test(arguments: [(59.0, 20.0), (60.0, 5.0)])
    func onlyAStayBeginsTheWaitsAnew(stay: Double, wait: Double) {
        var membership = Membership(name: "#room", key: nil)
        membership.refused("full", now: 0)
        membership.refused("full", now: 5)
        membership.joined(now: 100)
        membership.kicked(now: 100 + stay)
        membership.refused("kicked", now: 100 + stay)
        #expect(membership.nextTry == 100 + stay + wait)
    }

    @Test func fiveKicksWithinAnHourAreEnough() {
        var membership = Membership(name: "#room", key: nil)
        for i in 1...5 {
            membership.joined(now: Double(i) * 600 - 100)
            membership.kicked(now: Double(i) * 600)
            membership.refused("kicked", now: Double(i) * 600)
            #expect((membership.nextTry == nil) == (i == 5))
        }
        #expect(membership.state(now: 3299) == .waiting)
        #expect(membership.state(now: 3300) != .waiting)
    }

    @Test(arguments: [(0, 1.0), (100, 1), (198, 1), (276, 1.5), (354, 2), (510, 3)])
    func longLinesCostMore(bytes: Int, tokens: Double) {
        var bucket = FloodBucket(burst: 5, rate: 1, now: 0)
        var taken = 0
        // What a minute brings beyond the burst, in tokens.
        for now in 0..<60 {
            while bucket.take(now: Double(now)) {
                bucket.charge(String(repeating: "x", count: bytes))
                taken += 1
            }
        }
        let spent = Double(taken) * tokens
        #expect((64...64 + tokens).contains(spent), "\(taken) lines")
    }
}
