import PluginWire
import Testing

@testable import IRCBridge

/// How long users' connections wait after failures, and what of that is logged.
@Suite struct PuppetHoldTests {
    /// A pool in which so many users have a connection since an instant.
    private func pool(_ users: Int, ready now: Instant = 0) -> PuppetPool {
        var config = PuppetConfig()
        config.limit = 100
        var pool = PuppetPool(config)
        for user in 0..<users { _ = voice(&pool, "u\(user)", now: now) }
        var opened = 0
        while opened < users {
            for case .open(let serial, let nick, _) in pool.takeOrders(now: now) {
                pool.isNow(serial, nick, now: now)
                opened += 1
            }
        }
        return pool
    }

    private func voice(_ pool: inout PuppetPool, _ user: String, now: Instant) -> PuppetPool.Voice {
        pool.voice(of: user, name: user, targets: ["#room"], longest: 30, now: now)
    }

    /// Whichever of them notices first that the server is gone.
    @Test(arguments: [true, false]) func aRestartOfTheServerHoldsUpNobody(isNetworkFirst: Bool) {
        var pool = pool(30)
        if isNetworkFirst { pool.networkLost(now: 20) }
        for serial in 1...30 { _ = pool.closed(serial, "bye", now: 20.1) }
        if !isNetworkFirst { pool.networkLost(now: 20.2) }
        for user in ["u3", "u7", "new"] { #expect(voice(&pool, user, now: 22) == .wait, "\(user)") }
        #expect(pool.takeOrders(now: 22).count == 3)
        // What fails after that has failed, for the first time.
        _ = pool.closed(31, "refused", now: 23)
        #expect(voice(&pool, "u9", now: 23 + PuppetPool.firstHold - 0.1) == .relay)
        #expect(voice(&pool, "u9", now: 23 + PuppetPool.firstHold) == .wait)
    }

    @Test func connectionsThatWereOpenTogetherFailOnce() {
        var pool = pool(30)
        for serial in 1...30 { #expect(pool.closed(serial, "Killed", now: 20) == true) }
        #expect(voice(&pool, "new", now: 20 + PuppetPool.firstHold - 0.1) == .relay)
        #expect(voice(&pool, "new", now: 20 + PuppetPool.firstHold) == .wait)
        // The next time it is twice as long.
        _ = pool.takeOrders(now: 30)
        _ = pool.closed(31, "refused", now: 30)
        #expect(voice(&pool, "other", now: 30 + 2 * PuppetPool.firstHold - 0.1) == .relay)
        #expect(voice(&pool, "other", now: 30 + 2 * PuppetPool.firstHold) == .wait)
    }

    @Test func manyLossesAreOneLine() {
        var losses = PuppetLosses()
        for user in 0..<30 { losses.note("u\(user)", "Closing Link: u\(user)", now: 10 + Double(user) / 100) }
        #expect(losses.due == 12)
        #expect(losses.report(now: 11) == nil)
        #expect(
            losses.report(now: 12)
                == "30 users' connections failed (u0, u1, u2, u3, u4 and 25 more), the first one: Closing Link: u0; "
                + "the bridge speaks for them")
        #expect(losses.report(now: 13) == nil && losses.due == nil)
        // The next line comes a minute later, whatever there is.
        losses.note("ann", "refused", now: 14)
        #expect(losses.due == 12 + PuppetLosses.interval)
        #expect(
            losses.report(now: 72) == "the connection of the user ann failed: refused; the bridge speaks for them")
    }

    /// The bridge's own connection is gone as well, so that nothing else would lead to the line.
    @Test func lossesAreLoggedWithoutAConnectionToo() throws {
        var machine = try Tables.machine(
            #","mode":"puppets""#, hearing: [":s 001 crow :Welcome", ":crow!crow@host JOIN #room"])
        for delivery in Int64(1)...3 { _ = machine.deliver(Tables.event(delivery), now: 0) }
        _ = machine.puppetDid(1, .nick("Ann[c]"), now: 1)
        _ = machine.closed(reason: "bye", random: 1, now: 10)
        _ = machine.puppetDid(1, .lost("bye"), now: 10)
        var (now, logs): (Instant, [String]) = (10, [])
        while now < 15, let wake = machine.wake(now: now) {
            now = wake
            for case .plugin(.log(_, let text, _)) in machine.tick(now: now) { logs.append(text) }
            if machine.connection.phase == .connecting { _ = machine.closed(reason: "bye", random: 1, now: now) }
        }
        #expect(logs == ["net: the connection of the user Ann failed: bye; the bridge speaks for them"])
    }

    /// A connection that confirms nothing is given up, and its nick is not tried for a while; but not where the server
    /// is silent as a whole.
    @Test(arguments: [true, false]) func aServerThatIsSilentIsNotTheirFault(isSilent: Bool) throws {
        var machine = try Tables.machine(
            #","mode":"puppets""#, hearing: [":s 001 crow :Welcome", ":crow!crow@host JOIN #room"])
        machine.connection.links = [try Tables.link()]
        _ = machine.deliver(Tables.event(1), now: 0)
        _ = machine.puppetDid(1, .nick("Ann[c]"), now: 1)
        var now: Instant = 1
        var isDropped = false
        var actions: [RelayAction] = []
        while !isDropped, now < 119, let wake = machine.wake(now: now) {
            now = wake
            if !isSilent { _ = machine.received(Tables.line(":bob!b@h PRIVMSG #other :hi"), now: now) }
            actions = machine.tick(now: now)
            isDropped = actions.contains(.puppet(1, .drop))
        }
        #expect(isDropped)
        _ = machine.received(Tables.line(":s PONG s :alive"), now: now + 1)
        actions += machine.deliver(Tables.event(2), now: now + 1)
        let opens = actions.contains { if case .puppet(2, .open) = $0 { true } else { false } }
        #expect(opens == isSilent)
    }
}
