import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// Messages that wait for long, and servers that are silent, in the status.
@Suite struct DelayTests {
    private func joined(_ more: String = "", links: [LinkConfig]? = nil) throws -> Relay {
        let links = try links ?? [Tables.link()]
        let joins = links.map { ":crow!crow@host JOIN \($0.target)" }
        var machine = try Tables.machine(more, links: links, hearing: [":s 001 crow :Welcome"] + joins)
        machine.connection.unixStart = 1_800_000_000
        return machine
    }

    private func warnings(_ actions: [RelayAction]) -> [String] {
        actions.compactMap { if case .plugin(.log("warning", let message, _)) = $0 { message } else { nil } }
    }

    /// Lets time pass as the machine wants it to.
    private func pass(_ machine: inout Relay, from start: Instant, to end: Instant) -> [RelayAction] {
        var (now, actions): (Instant, [RelayAction]) = (start, [])
        while let wake = machine.wake(now: now), wake <= end {
            now = wake
            actions += machine.tick(now: now)
        }
        return actions
    }

    @Test func whatAFrozenServerDoesNotConfirmIsToldAfterHalfAMinuteAndForgottenThen() throws {
        var machine = try joined()
        _ = hear(&machine, ":bob!b@h PRIVMSG #room :hi", now: 95)
        let said = machine.deliver(Tables.event(1), now: 100)
        _ = machine.deliver(Tables.event(2), now: 104)
        let token = try #require(said.lines.last { $0.hasPrefix("PING") }).dropFirst(5)
        _ = pass(&machine, from: 104, to: 124.9)
        #expect(machine.health?.level == .ok)
        let told = pass(&machine, from: 124.9, to: 135)
        #expect(machine.health?.level == .degraded)
        #expect(
            machine.health?.message
                == "connected as crow; the server has said nothing since 2027-01-15T08:01:35Z; "
                + "2 messages to #room wait since 2027-01-15T08:01:40Z: the server answers nothing")
        #expect(
            warnings(told) == [
                "net: the server has said nothing since 2027-01-15T08:01:35Z",
                "net: messages have waited for over 30 s to #room (the server answers nothing)",
            ])
        // It is told once, however long it lasts.
        #expect(warnings(pass(&machine, from: 135, to: 180)).isEmpty)
        let fence = hear(&machine, ":s PONG s \(token)", now: 181)
        #expect(fence.acks == [1])
        let second = try #require(fence.lines.last { $0.hasPrefix("PING") }).dropFirst(5)
        let done = hear(&machine, ":s PONG s \(second)", now: 182)
        #expect(done.acks == [2])
        #expect(machine.health == .init(level: .ok, message: "connected to irc.example.org as crow"))
    }

    @Test func aServerThatIsSilentWithoutMessagesIsToldOnceItOwesAnAnswer() throws {
        var machine = try joined()
        #expect(pass(&machine, from: 0, to: 69.9).lines == ["PING :alive"])
        _ = pass(&machine, from: 69.9, to: 70)
        #expect(machine.health?.level == .degraded)
        let heard = hear(&machine, ":s PONG s :alive", now: 90)
        #expect(heard.health?.level == .ok)
        // A server that is not read is not silent.
        _ = pass(&machine, from: 90, to: 155)
        _ = machine.setListening(false, now: 155)
        _ = pass(&machine, from: 155, to: 400)
        #expect(machine.health?.level == .ok)
    }

    @Test func aRateThatMakesMessagesWaitIsTheReason() throws {
        var config = try Tables.network()
        (config.burst, config.linesPerSecond) = (5, 1)
        var machine = try Tables.machine(config: config)
        for line in [":s 001 crow :Welcome", ":crow!crow@host JOIN #room"] { _ = hear(&machine, line, now: 0) }
        var actions: [RelayAction] = []
        for delivery in 1...60 { actions += machine.deliver(Tables.event(Int64(delivery)), now: 0) }
        var (now, logs): (Instant, [String]) = (0, [])
        while machine.connection.outbound.count > 0, now < 200, let wake = machine.wake(now: now) {
            while let token = actions.lines.last(where: { $0.hasPrefix("PING") }) {
                logs += warnings(actions)
                actions = hear(&machine, ":s PONG s \(token.dropFirst(5))", now: now)
            }
            logs += warnings(actions)
            now = max(now, wake)
            actions = machine.tick(now: now)
            if now > 31, now < 50 {
                #expect(machine.health?.level == .degraded)
                #expect(machine.health?.message.contains("to #room wait since 1970-01-01T00:00:00Z: ") == true)
            }
        }
        #expect(now > 50 && machine.health?.level == .ok)
        // One line, however much the number changes.
        let all = "net: messages have waited for over 30 s to #room (the server gets at most 1.0 lines a second)"
        #expect(logs == [all])
    }

    /// With a limit too, what waits for the server is told so: for a PONG that does not say to what, or that does not
    /// come after an ERROR that ends nothing.
    @Test(arguments: [":s PONG s", "ERROR :Closing Link: crow (Server shutting down)"])
    func aServerThatDoesNotConfirmIsTheReasonAlsoWithALimit(answer: String) throws {
        var config = try Tables.network()
        (config.burst, config.linesPerSecond) = (20, 10)
        var machine = try Tables.machine(config: config)
        for line in [":s 001 crow :Welcome", ":crow!crow@host JOIN #room"] { _ = hear(&machine, line, now: 0) }
        for delivery in 1...4 { _ = machine.deliver(Tables.event(Int64(delivery)), now: 1) }
        _ = hear(&machine, answer, now: 2)
        _ = hear(&machine, ":bob!b@h PRIVMSG #room :hi", now: 25)
        let told = pass(&machine, from: 25, to: 35)
        let cause = "the server has not confirmed what was written (the PONG to PING crowbar-1 is missing)"
        let waiting = "4 messages to #room wait since 1970-01-01T00:00:01Z: \(cause)"
        #expect(machine.health?.message.contains(waiting) == true)
        #expect(warnings(told) == ["net: messages have waited for over 30 s to #room (\(cause))"])
    }

    @Test func aChannelThatIsNotThereIsToldWithWhatWaitsForIt() throws {
        let links = [try Tables.link(), try Tables.link("two", "#two")]
        var machine = try Tables.machine(
            links: links,
            hearing: [":s 001 crow :Welcome", ":crow!crow@host JOIN #room", ":s 473 crow #two :+i"])
        _ = machine.deliver(Tables.event(1, channel: "two"), now: 0)
        _ = machine.tick(now: 30)
        let message = try #require(machine.health?.message)
        #expect(message.contains("not in #two: it is invite only"))
        let waiting = "1 message to #two waits since 1970-01-01T00:00:00Z: the bridge is not in the channel"
        #expect(message.contains(waiting))
        _ = hear(&machine, ":crow!crow@host JOIN #two", now: 31)
        #expect(pass(&machine, from: 31, to: 31.5).acks.isEmpty)
    }

    @Test func aChannelThatRefusesForNowIsANoteAndFromTheThirdTryOnDegraded() throws {
        var machine = try joined()
        var told: [(PluginMessage.Level, Bool)] = []
        var actions = machine.deliver(Tables.event(1), now: 1)
        var now: Instant = 1
        for _ in 0..<3 {
            _ = hear(&machine, ":s 404 crow #room :Cannot send to channel (+m)", now: now)
            let token = try #require(actions.lines.last { $0.hasPrefix("PING") }).dropFirst(5)
            _ = hear(&machine, ":s PONG s \(token)", now: now)
            _ = machine.tick(now: now + 0.01)
            let text = "#room refuses messages for now (Cannot send to channel (+m))"
            told.append((try #require(machine.health).level, machine.health?.message.contains(text) == true))
            now = try #require(machine.connection.memberships["#room"]?.heldUntil)
            actions = machine.tick(now: now)
        }
        #expect(told.map(\.0) == [.ok, .ok, .degraded] && told.allSatisfy(\.1))
        let token = try #require(actions.lines.last { $0.hasPrefix("PING") }).dropFirst(5)
        let done = hear(&machine, ":s PONG s \(token)", now: now)
        #expect(done.acks == [1] && done.health == .init(level: .ok, message: "connected to irc.example.org as crow"))
    }

    @Test func whatWaitsWithoutAConnectionIsToldToo() throws {
        var machine = try joined()
        _ = machine.deliver(Tables.event(1), now: 100)
        let lost = machine.closed(reason: "reset", random: 1, now: 101)
        #expect(lost.health?.message == "reset; next try at 2027-01-15T08:01:42Z")
        var now: Instant = 101
        while now < 130 {
            now = try #require(machine.wake(now: now))
            _ = machine.tick(now: now)
            if machine.connection.phase == .connecting { _ = machine.closed(reason: "refused", random: 1, now: now) }
        }
        #expect(machine.health?.level == .down)
        #expect(machine.health?.message.hasSuffix("; 1 message waits since 2027-01-15T08:01:40Z") == true)
    }

    @Test func ofManyChannelsTheFirstAreNamed() throws {
        let links = try (1...7).map { try Tables.link("c\($0)", "#c\($0)") }
        var machine = try joined(links: links)
        for number in 1...7 {
            _ = machine.deliver(Tables.event(Int64(number), channel: "c\(number)"), now: Double(number))
        }
        _ = machine.tick(now: 40)
        let message = try #require(machine.health?.message)
        #expect(message.contains("to #c5 waits") && !message.contains("to #c6 waits"))
        #expect(message.hasSuffix("; so do messages to 2 more channels"))
    }

    @Test func aLoweredRateIsToldOnceItIsLowered() throws {
        var config = try Tables.network()
        (config.burst, config.linesPerSecond) = (5, 1)
        var machine = try Tables.machine(config: config)
        for line in [":s 001 crow :Welcome", ":crow!crow@host JOIN #room"] { _ = hear(&machine, line, now: 0) }
        let said = machine.deliver(Tables.event(1), now: 10)
        let token = try #require(said.lines.last { $0.hasPrefix("PING") }).dropFirst(5)
        _ = hear(&machine, ":s PONG s \(token)", now: 20)
        _ = pass(&machine, from: 20, to: 30)
        let text =
            "connected to irc.example.org as crow; the server answers late, so that it gets 0.75 lines a second for now"
        #expect(machine.health == .init(level: .ok, message: text))
    }

    @Test func theReportHasSinceWhenTheOldestWaits() throws {
        let report = NetworkReport(
            health: nil, nick: "crow", figures: NetworkFigures(), waiting: 1, linesIn: 0, linesOut: 0,
            waitingSince: "2027-01-15T08:01:40Z")
        #expect(
            String(decoding: report.json.bytes, as: UTF8.self)
                .contains(#""waiting":1,"waitingSince":"2027-01-15T08:01:40Z","linesIn":0"#))
    }
}
