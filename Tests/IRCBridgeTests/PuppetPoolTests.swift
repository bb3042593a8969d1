import Testing

@testable import IRCBridge

/// Who gets a connection, who waits for one, and who loses it.
@Suite struct PuppetPoolTests {
    private func pool(limit: Int = 10, idle: Double = 60) -> PuppetPool {
        var config = PuppetConfig()
        (config.limit, config.idle) = (limit, idle)
        return PuppetPool(config)
    }

    private func voice(_ pool: inout PuppetPool, _ user: String, now: Instant = 0) -> PuppetPool.Voice {
        pool.voice(of: user, name: user, targets: ["#room"], longest: 30, now: now)
    }

    @Test func aUserWaitsForTheirConnectionAndThenSpeaks() {
        var pool = pool()
        #expect(voice(&pool, "ann") == .wait)
        #expect(pool.takeOrders(now: 0) == [.open(1, nick: "ann[c]", name: "ann")])
        #expect(pool.takeOrders(now: 0).isEmpty)
        #expect(voice(&pool, "ann", now: 1) == .wait)
        #expect(pool.wake(now: 1) == PuppetPool.patience)
        pool.isNow(1, "ann{c}", now: 0)
        #expect(voice(&pool, "ann", now: 2) == .puppet(1))
        #expect(pool.isOwn("ann{c}"))
        #expect(pool.name(of: "ann{c}") == "ann")
        #expect(pool.nick(of: "Ann") == "ann[c]")
        // Who could not have the wanted nick is addressed by the one they have.
        pool.isNow(1, "ann{c}_", as: "ann[c]_", now: 0)
        #expect(pool.nick(of: "Ann") == "ann[c]_")
    }

    @Test func aNickThatTheServerDoesNotTakeHoldsUpNobodyElse() {
        var pool = pool()
        #expect(voice(&pool, "ann") == .wait)
        #expect(voice(&pool, "bob") == .wait)
        _ = pool.takeOrders(now: 0)
        #expect(pool.closed(1, isUnfit: true, now: 1) == true)
        #expect(voice(&pool, "ann", now: 2) == .relay)
        #expect(voice(&pool, "bob", now: 2) == .wait)
        #expect(voice(&pool, "eve", now: 2) == .wait)
        // Another name is another nick, which may do.
        var renamed = pool
        #expect(renamed.voice(of: "ann", name: "Anna", targets: [], longest: 30, now: 3) == .wait)
        #expect(voice(&pool, "ann", now: 1 + PuppetPool.muteTime) == .wait)
    }

    /// As of a server that lets few in from one address and tells so only once they are in.
    @Test func whoseConnectionsDoNotLastAreSpokenForLongerEachTime() {
        var pool = pool(idle: 0)
        var now: Instant = 0
        for (serial, wait) in [(1, 10.0), (2, 20), (3, 40), (4, 80), (5, 160), (6, 300)] {
            #expect(voice(&pool, "ann", now: now) == .wait)
            #expect(pool.takeOrders(now: now) == [.open(serial, nick: "ann[c]", name: "ann")])
            pool.isNow(serial, "ann[c]", now: now + 1)
            #expect(voice(&pool, "ann", now: now + 1) == .puppet(serial))
            now += 1 + PuppetPool.steady - 0.1
            #expect(pool.closed(serial, now: now) == true)
            #expect(voice(&pool, "ann", now: now) == .relay)
            #expect(voice(&pool, "bob", now: now) == .relay)
            now += wait
            #expect(voice(&pool, "ann", now: now - 0.1) == .relay)
            // Time is told in between, as by the machine.
            pool.tick(now: now - 0.05)
        }
        // One that lasts is a new beginning for the others, and its loss is nobody's fault.
        now += PuppetPool.muteTime
        #expect(voice(&pool, "ann", now: now) == .wait)
        _ = pool.takeOrders(now: now)
        pool.isNow(7, "ann[c]", now: now)
        now += PuppetPool.steady
        pool.tick(now: now)
        #expect(pool.closed(7, now: now) == false)
        #expect(voice(&pool, "bob", now: now) == .wait)
        _ = pool.takeOrders(now: now)
        #expect(pool.closed(8, now: now) == true)
        #expect(voice(&pool, "bob", now: now + PuppetPool.firstHold) == .wait)
    }

    @Test func whatIsLongIsNotGivenUpWhileItGoesOn() {
        var pool = pool()
        _ = voice(&pool, "ann")
        _ = pool.takeOrders(now: 0)
        pool.isNow(1, "ann", now: 0)
        pool.gave(1, now: 1)
        for now in stride(from: 20.0, to: 300, by: 20) {
            pool.isWorking(1, now: now)
            pool.tick(now: now)
            #expect(pool.takeOrders(now: now).isEmpty)
        }
        pool.tick(now: 280 + PuppetPool.stall)
        #expect(pool.takeOrders(now: 280 + PuppetPool.stall) == [.drop(1)])
    }

    @Test func whoseMessagesAreVoidIsNotDroppedForThem() {
        var pool = pool()
        _ = voice(&pool, "ann")
        _ = pool.takeOrders(now: 0)
        pool.isNow(1, "ann[c]", now: 0)
        pool.gave(1, now: 1)
        pool.nothingIsGiven()
        _ = voice(&pool, "ann", now: 70)
        pool.tick(now: 100)
        #expect(pool.takeOrders(now: 100).isEmpty)
    }

    @Test func whoIsBeyondTheLimitIsRelayed() {
        var pool = pool(limit: 2)
        #expect(voice(&pool, "a") == .wait)
        #expect(voice(&pool, "b") == .wait)
        #expect(voice(&pool, "c") == .relay)
        _ = pool.takeOrders(now: 0)
        #expect(pool.closed(1, now: 5) == true)
        // After a failure nobody is tried for a while.
        #expect(voice(&pool, "c", now: 6) == .relay)
        #expect(voice(&pool, "c", now: 5 + PuppetPool.firstHold) == .wait)
    }

    @Test func fewAreOpenedAtOnceAndNobodyWaitsForLong() {
        var pool = pool(limit: 20)
        for i in 0..<8 { #expect(voice(&pool, "u\(i)") == .wait) }
        #expect(pool.takeOrders(now: 0).count == PuppetPool.mostConnecting)
        pool.isNow(1, "u0[c]", now: 0)
        #expect(pool.takeOrders(now: 0) == [.open(6, nick: "u5[c]", name: "u5")])
        #expect(voice(&pool, "u7", now: PuppetPool.patience) == .relay)
    }

    @Test func failuresWaitLongerEachTime() {
        var pool = pool()
        var now: Instant = 0
        for wait in [10.0, 20, 40, 80, 160, 300, 300] {
            #expect(voice(&pool, "ann", now: now) == .wait)
            guard case .open(let serial, _, _)? = pool.takeOrders(now: now).first else {
                Issue.record("no connection is opened at \(now)")
                return
            }
            #expect(pool.closed(serial, now: now) == true)
            #expect(voice(&pool, "ann", now: now + wait - 1) == .relay)
            now += wait
        }
    }

    @Test func theSilentLeaveAndComeBack() {
        var pool = pool(idle: 60)
        _ = voice(&pool, "ann")
        _ = pool.takeOrders(now: 0)
        pool.isNow(1, "ann", now: 0)
        pool.tick(now: 59)
        #expect(pool.takeOrders(now: 59).isEmpty)
        pool.tick(now: 100)
        #expect(pool.takeOrders(now: 100) == [.leave(1)])
        // They speak while they leave: a new connection is made once the old one is gone.
        #expect(voice(&pool, "ann", now: 101) == .wait)
        #expect(pool.closed(1, now: 102) == false)
        #expect(pool.takeOrders(now: 102) == [.open(2, nick: "ann[c]", name: "ann")])
        // What it said last may still be heard.
        #expect(pool.isOwn("ann"))
        pool.quit("ann")
        #expect(!pool.isOwn("ann"))
    }

    @Test func whoHasUnconfirmedMessagesDoesNotLeaveAndIsDroppedInTheEnd() {
        var pool = pool(idle: 10)
        _ = voice(&pool, "ann")
        _ = pool.takeOrders(now: 0)
        pool.isNow(1, "ann", now: 0)
        pool.gave(1, now: 1)
        pool.tick(now: 50)
        #expect(pool.takeOrders(now: 50).isEmpty)
        pool.confirmed(1, 1, now: 51)
        pool.gave(1, now: 52)
        pool.tick(now: 111)
        #expect(pool.takeOrders(now: 111).isEmpty)
        pool.tick(now: 120)
        #expect(pool.takeOrders(now: 120) == [.drop(1)])
    }

    @Test func aChannelThatRefusesThemIsLeftToTheBridgeForAWhile() {
        var pool = pool()
        _ = voice(&pool, "ann")
        _ = pool.takeOrders(now: 0)
        pool.isNow(1, "ann", now: 0)
        pool.mute(1, ["#room"], now: 0)
        #expect(voice(&pool, "ann", now: 1) == .relay)
        #expect(pool.voice(of: "ann", name: "ann", targets: ["#other"], longest: 30, now: 1) == .puppet(1))
        #expect(voice(&pool, "ann", now: PuppetPool.muteTime) == .puppet(1))
    }

    @Test func anotherNameIsAnotherNick() {
        var pool = pool()
        _ = voice(&pool, "ann")
        _ = pool.takeOrders(now: 0)
        pool.isNow(1, "ann[c]", now: 0)
        let voice = pool.voice(of: "ann", name: "Anna", targets: [], longest: 30, now: 1)
        #expect(voice == .puppet(1))
        #expect(pool.takeOrders(now: 1) == [.rename(1, nick: "Anna[c]", name: "Anna")])
        pool.renamed("ann[c]", "anna[c]", now: 0)
        #expect(pool.isOwn("anna[c]") && !pool.isOwn("ann[c]"))
    }

    @Test func aSmallerLimitKeepsWhoSpokeLast() {
        var pool = pool(limit: 3)
        for (i, user) in ["a", "b", "c"].enumerated() {
            _ = voice(&pool, user, now: Double(i))
            _ = pool.takeOrders(now: Double(i))
            pool.isNow(i + 1, user, now: 0)
        }
        var smaller = PuppetConfig()
        smaller.limit = 1
        pool.reconfigure(smaller, now: 5)
        #expect(pool.takeOrders(now: 5) == [.leave(2), .leave(1)])
        pool.reconfigure(nil, now: 6)
        #expect(pool.takeOrders(now: 6) == [.leave(3)])
        #expect(voice(&pool, "c", now: 7) == .relay)
    }

    @Test(arguments: [
        ("{name}[c]", "Ann", 30, "Ann[c]"), ("{name}[c]", "Ann Lee", 30, "Ann_Lee[c]"),
        ("{name}[c]", "åsa", 30, "_sa[c]"), ("{name}[c]", "日本", 30, "user[c]"), ("{name}[c]", "", 30, "user[c]"),
        ("{name}[c]", "1st", 30, "_1st[c]"), ("c-{name}", "1st", 30, "c-1st"), ("{name}", "-x", 30, "_-x"),
        ("{name}[c]", "Bartholomew", 9, "Bartho[c]"), ("{name}[crowbar]", "Bartholomew", 9, "Bart[crow"),
        ("{name}|c", "a.b@example", 30, "a_b_example|c"), ("{name}", "x\r\nQUIT", 30, "x_QUIT"),
    ])
    func nicksAreWhatServersTake(_ template: String, _ name: String, _ longest: Int, _ nick: String) {
        #expect(PuppetNick(template)?.nick(name, longest: longest) == nick)
    }

    @Test(arguments: ["", "name", "{name} c", "1{name}", "{name}{name}", "-{name}", "{name}å"])
    func templatesThatMakeNoNickAreRefused(_ template: String) { #expect(PuppetNick(template) == nil) }
}
