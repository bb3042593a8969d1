import CrowbarCore
import Glibc
import JSONBytes
import PluginHost
import PluginWire

// What a plugin meets seldom: ends at every point, crashes, a host that does not read, a clock that jumps, a burst.
extension KitRun {
    // MARK: Drain

    /// Where a plugin is asked to end.
    enum Point: String, CaseIterable, Sendable {
        case hello = "after 'hello'"
        case start = "after 'start'"
        case event = "after an event"
        case settlement = "after a settlement"
        case command = "after a command"

        /// Whether a line is this point.
        func matches(_ direction: LineTraces.Direction, _ line: [UInt8]) -> Bool {
            let type = (try? JSONObject(parsing: line))?.string("type") ?? ""
            return switch self {
            case .hello: direction == .toPlugin && type == "hello"
            case .start: direction == .toPlugin && type == "start"
            case .event: direction == .toPlugin && (type == "event" || type == "check")
            case .settlement: direction == .fromPlugin && ["ack", "retry", "reject", "verdict"].contains(type)
            case .command: direction == .fromPlugin && type == "command"
            }
        }
    }

    /// `drain` at every point.
    func drains() async {
        for point in Point.allCases where !ignoresDrain {
            if point == .command, answers.isEmpty { continue }
            let (world, text) = (world, answers.first?.text ?? "hello")
            let isDone = Collected(false)
            await converse(
                as: point.rawValue,
                reaction: { trial, _, direction, line in
                    if point.matches(direction, line), isDone.set() { trial.drain(why: "the kit drains here") }
                },
                { conversation in
                    if point == .hello {
                        // Without 'start' there is no 'drain' line either: its input is closed.
                        conversation.noteKill()
                        conversation.noteClosedInput()
                        _ = await conversation.waitForEnd(Limit.end)
                        return
                    }
                    if point != .start {
                        guard await Self.started(conversation) else { return }
                        for channel in world.channels { await world.say([text, text], in: channel) }
                    }
                    guard await conversation.wait(Limit.point, until: { $0.draining != nil }) else { return }
                    _ = await conversation.waitForEnd(Limit.end)
                })
        }
        // What was not settled comes again.
        await recover("afterwards", .redelivery)
    }

    /// A process that settles whatever an earlier one left.
    private func recover(_ part: String, _ rule: Rule) async {
        let world = world
        await converse(as: part) { conversation in
            guard await Self.started(conversation), await Self.settled(conversation, world) else { return }
            if conversation.observer.deliveryCount > 0 { conversation.exercise(rule) }
        }
    }

    // MARK: Crashes

    /// Kills the plugin between what it emits and its settlement, and sees that nothing is lost or doubled.
    func crashes() async {
        if isChecker { return await crash("hello", at: "verdict", .killedBefore) }
        await crash("hello", at: "ack", .killedBefore)
        for answer in answers.prefix(3) {
            await crash(answer.text, at: "command", .killedAfter, usual: answer.said)
            await crash(answer.text, at: "ack", .killedBefore, usual: answer.said)
        }
    }

    /// - Parameters:
    ///   - type: The message at which it is killed. Of commands it is one that speaks.
    ///   - usual: What the plugin says to the text.
    private func crash(_ text: String, at type: String, _ fate: PluginTrial.Fate, usual: [KitWorld.Said] = []) async {
        guard obstacle == nil else { return }
        let world = world
        let place = fate.isBefore ? "before" : "after"
        let part = "killed \(place) '\(type)' for '\(text)'"
        let (isArmed, isDone) = (Collected(false), Collected(false))
        let before = await world.head()
        let killed = await converse(
            as: part,
            fate: { line in
                guard isArmed.value, Self.isOf(type, line), isDone.set() else { return .handled }
                return fate
            },
            { conversation in
                guard await Self.started(conversation), await Self.settled(conversation, world) else { return }
                _ = isArmed.set()
                await world.say([text], in: world.channels[0])
                if await conversation.wait(Limit.point, until: { _ in isDone.value }) {
                    _ = await conversation.waitForEnd(Limit.end)
                }
            })
        guard isDone.value else { return }
        await recover(part + ", started again", .redelivery)
        if usual.isEmpty { return }
        report.exercised.insert(.sameCommand)
        let most = Dictionary(grouping: usual, by: \.self).values.map(\.count).max() ?? 1
        let said = Dictionary(grouping: await world.said(after: before), by: \.self)
        guard let twice = said.values.first(where: { $0.count > most })?.first else { return }
        let lines = killed.observer.last["command"].map { [$0] } ?? []
        report.findings.append(
            .init(
                scenario: part,
                finding: Finding(
                    .sameCommand,
                    "one event led to '\(twice.text)' twice; give the command a 'key' or a 'cause'", lines)))
    }

    /// Whether a line is of this type; of commands, one that speaks.
    private static func isOf(_ type: String, _ line: [UInt8]) -> Bool {
        guard let object = try? JSONObject(parsing: line), object.string("type") == type else { return false }
        return type != "command" || object.object("command")?.string("type") == "SEND_MESSAGE"
    }

    /// Kills at random places, as the seed has it.
    func chaos() async {
        if isChecker { return }
        let before = await world.head()
        var texts = answers.prefix(3).map(\.text) + ["hello", "chaos"]
        texts = texts.isEmpty ? ["hello"] : texts
        var expected = 0
        for round in 1...5 where obstacle == nil {
            let sent = (0..<40).map { _ in texts.randomElement(using: &generator) ?? "hello" }
            expected += sent.reduce(0) { sum, text in sum + (answers.first { $0.text == text }?.said.count ?? 0) }
            let line = Int.random(in: 1...60, using: &generator)
            let fate = Bool.random(using: &generator) ? PluginTrial.Fate.killedBefore : .killedAfter
            let (world, countdown) = (world, Collected(line))
            let part = "round \(round), killed \(fate.isBefore ? "before" : "after") its line \(line)"
            await converse(
                as: part, fate: { _ in countdown.countDown() ? fate : .handled },
                { conversation in
                    for (i, text) in sent.enumerated() {
                        await world.say([text], in: world.channels[i % world.channels.count])
                    }
                    guard await Self.started(conversation) else { return }
                    _ = await Self.settled(conversation, world)
                })
        }
        guard obstacle == nil else { return }
        await recover("afterwards", .redelivery)
        let said = await world.said(after: before).count
        if said > expected {
            report.findings.append(
                .init(
                    scenario: scenario,
                    finding: Finding(.sameCommand, "it sent \(said) messages; without crashes it sends \(expected)")))
        }
    }

    // MARK: The host and the machine

    /// The host reads nothing for a while.
    func slowReading() async {
        let world = world
        await converse { conversation in
            guard await Self.started(conversation), await Self.settled(conversation, world) else { return }
            conversation.stopReading(true)
            for channel in world.channels {
                await world.say((1...200).map { "unread \($0)" }, in: channel)
            }
            _ = await conversation.wait(1_500) { _ in false }
            conversation.stopReading(false)
            if await Self.settled(conversation, world) { conversation.exercise(.keepsReading) }
        }
    }

    /// The clock of the day goes forward and back.
    func clock() async {
        let (world, move) = (world, kit.moveClock)
        await converse { conversation in
            guard await Self.started(conversation) else { return }
            for jump: Int64 in [86_400_000, -2 * 86_400_000, 86_400_000] {
                move(jump)
                for channel in world.channels { await world.say(["the clock jumped"], in: channel) }
                guard await Self.settled(conversation, world) else { return }
            }
        }
    }

    /// Bytes by which the memory of a process may grow over the burst: 8 KiB for each of the usual number of events.
    static let growth = 64 << 20

    /// Many messages at once; meanwhile the memory is looked at.
    func burst() async {
        var world = world
        let count = isChecker ? min(kit.options.burst, 1_000) : kit.options.burst
        if kit.manifest.channels == nil || kit.manifest.channels?.contains("*") == true {
            for i in world.channels.count..<20 { world.channels.append("burst-\(i)") }
            await world.populate()
        }
        let chat = world
        await converse { conversation in
            guard await Self.started(conversation), await Self.settled(conversation, chat) else { return }
            await Self.fill(chat, count / 5)
            guard await Self.settled(conversation, chat, within: Limit.burst) else { return }
            let first = Self.memory(conversation.trial.pid)
            await Self.fill(chat, count - count / 5)
            guard await Self.settled(conversation, chat, within: Limit.burst) else { return }
            conversation.exercise(.keepsReading)
            guard let first, let last = Self.memory(conversation.trial.pid) else { return }
            conversation.exercise(.memory)
            if last - first > Self.growth {
                conversation.find(
                    .memory,
                    "it grew by \((last - first) >> 20) MiB while it settled \(count - count / 5) events; "
                        + "\(Self.growth >> 20) MiB are allowed")
            }
        }
    }

    private static func fill(_ world: KitWorld, _ count: Int) async {
        let texts = (0..<count).map { "burst \($0)" }
        for start in stride(from: 0, to: count, by: 500) {
            let commands = texts[start..<min(start + 500, count)].enumerated().map { i, text in
                Command(
                    .sendMessage, .sendMessage(text, messageId: nil, kind: nil, replyTo: nil),
                    channelId: world.channels[i % world.channels.count])
            }
            _ = await world.submit(commands, as: "ann")
        }
    }

    /// Bytes of a process' resident memory.
    private static func memory(_ pid: Int32?) -> Int? {
        guard let pid, let file = fopen("/proc/\(pid)/statm", "r") else { return nil }
        defer { fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 128)
        let count = fread(&buffer, 1, buffer.count, file)
        let fields = String(decoding: buffer[..<count], as: UTF8.self).split(separator: " ")
        return fields.count > 1 ? Int(fields[1]).map { $0 * Int(getpagesize()) } : nil
    }
}

extension PluginTrial.Fate {
    /// Whether the line at which it is killed is lost.
    var isBefore: Bool { if case .killedBefore = self { true } else { false } }
}
