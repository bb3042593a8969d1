import CrowbarCore
import PluginHost
import PluginWire

// What every plugin meets: a check of its configuration, a day's work, lines of all kinds, a handover.
extension KitRun {
    /// Texts that many plugins answer.
    static func texts(_ plugin: String) -> [String] {
        ["hello", "bob++", "!karma bob", "!help", "!\(plugin)", "\(plugin): hello", "darn it", "what the heck"]
    }

    /// `purpose: "check"`: `ready` or `fatal`, then the end.
    func check() async {
        await converse(.check) { conversation in
            if await conversation.waitForEnd(Limit.ready + 5_000) { return }
            conversation.find(.checkPurpose, "it still runs \((Limit.ready + 5_000) / 1000) s after 'hello'")
            conversation.noteKill()
            conversation.trial.kill()
        }
        for queue in ready?.queues ?? [] { world.add(queue.channels ?? []) }
    }

    /// Messages, changes, questions, a new configuration.
    func life() async {
        let texts = kit.options.messages + Self.texts(kit.manifest.name)
        let (world, ready, trial) = (world, ready, trial)
        let answers = Collected<[(String, [KitWorld.Said])]>([])
        await converse { conversation in
            guard await Self.started(conversation), await Self.settled(conversation, world) else { return }
            for text in texts {
                let before = await world.head()
                await world.say([text], in: world.channels[0])
                guard await Self.settled(conversation, world) else { return }
                let said = await world.said(after: before)
                if !said.isEmpty { answers.change { $0.append((text, said)) } }
            }
            await Self.changes(world)
            guard await Self.settled(conversation, world) else { return }
            if ready?.reload == true {
                try? trial.configure()
                _ = await conversation.wait(Limit.ready) { $0.unanswered == 0 && $0.exercised.contains(.configuredId) }
            }
            for word in ready?.asks ?? [] { trial.ask(word) }
            if ready?.asks.isEmpty == false {
                _ = await conversation.wait(61_000) { $0.exercised.contains(.answerOnce) && $0.unanswered == 0 }
            }
            if trial.manifest.ping {
                _ = await conversation.wait(Limit.end) {
                    $0.unansweredPings == 0 && $0.exercised.contains(.pong) || $0.findings.contains { $0.rule == .pong }
                }
            }
        }
        self.answers = answers.value
    }

    /// What people do besides talking.
    private static func changes(_ world: KitWorld) async {
        let channel = world.channels[0]
        let ids = await world.say(["one", "two", "three"], in: channel, as: "bob")
        guard ids.count == 3 else { return }
        _ = await world.submit(
            [
                Command(.editMessage, .editMessage(messageId: ids[0], "one, edited"), channelId: channel),
                Command(.deleteMessage, .deleteMessage(messageId: ids[1]), channelId: channel),
                Command(.setTopic, .setTopic("a topic"), channelId: channel),
                Command(.addReaction, .addReaction(messageId: ids[2], "👍"), channelId: channel),
                Command(.leaveChannel, .leaveChannel, channelId: channel),
                Command(.joinChannel, .joinChannel, channelId: channel),
                Command(.renameUser, .renameUser(name: "Robert"), userId: "bob"),
            ], as: "bob")
    }

    /// Lines that test how the plugin reads.
    func lines() async {
        let (world, trial) = (world, trial)
        let pings = trial.manifest.ping && !report.failed.contains(.pong)
        await converse { conversation in
            guard await Self.started(conversation), await Self.settled(conversation, world) else { return }
            for (rule, line) in Self.oddLines {
                trial.write(line)
                // Whatever comes after it is read still.
                let count = conversation.observer.count
                if pings {
                    let isAlive = await conversation.wait(Limit.end) { $0.count > count + 2 && $0.unansweredPings == 0 }
                    if !isAlive {
                        return conversation.findStop(rule, line)
                    }
                }
                await world.say(["after a line"], in: world.channels[0])
                guard await Self.settled(conversation, world) else {
                    return conversation.findStop(rule, line)
                }
                conversation.exercise(rule)
            }
            await world.say(["a\u{2028}b\u{2029}c\u{0085}d"], in: world.channels[0])
            if await Self.settled(conversation, world) {
                conversation.exercise(.lineFeedOnly)
            } else {
                conversation.find(.lineFeedOnly, "it does not settle a message with U+2028, U+2029 and U+0085")
            }
        }
    }

    /// Lines that no plugin may stumble over, by the rule that says so.
    private static let oddLines: [(Rule, [UInt8])] = {
        let long = String(repeating: "x", count: Wire.maxLine - 64)
        return [
            (.unknownIgnored, Array(#"{"type":"conformance","note":"a type of a later version"}"#.utf8)),
            (.unknownIgnored, Array(#"{"later":[{"a":1}],"type":"caughtUp","queue":"main","also":null}"#.utf8)),
            (
                .errorUnanswered,
                HostMessage.error(.init(message: "log", reason: ProtocolObserver.ownReason)).line
            ),
            (.lineLimit, Array(#"{"type":"conformance","note":"\#(long)"}"#.utf8)),
        ]
    }()

    /// A process that waits after `ready`, as in a handover.
    func handover() async {
        let (world, trial) = (world, trial)
        if isChecker { return }
        await converse(.held) { conversation in
            guard await conversation.wait(Limit.ready, until: { _ in conversation.isReady }) else { return }
            await world.say(["said in a handover"], in: world.channels[0])
            // Whatever it says now comes too early; the observer finds it.
            _ = await conversation.wait(1_000) { _ in false }
            conversation.exercise(.waitsForStart)
            trial.release()
            guard await Self.started(conversation) else {
                return conversation.find(.waitsForStart, "it does not wait for 'start'")
            }
            if await Self.settled(conversation, world) { conversation.exercise(.handover) }
        }
    }
}

extension Conversation {
    /// Notes that the plugin does nothing more after a line that the kit wrote.
    func findStop(_ rule: Rule, _ line: [UInt8]) {
        let exchange = Exchange(number: observer.count, milliseconds: time, direction: .toPlugin, line: line)
        find(rule, "it does not go on after this line", [exchange])
    }
}
