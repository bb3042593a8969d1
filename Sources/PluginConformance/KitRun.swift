import CrowbarCore
import PluginHost
import PluginWire

/// A run of the kit: one scenario after the other, over one log. One task owns it.
final class KitRun {
    /// Limits of a scenario, in milliseconds.
    enum Limit {
        static let ready: Int64 = 12_000
        static let quiet: Int64 = 30_000
        static let burst: Int64 = 60_000
        /// Nothing happens for so long while events wait for another try: that is all that comes.
        static let stalled: Int64 = 1_000
        static let end: Int64 = 11_000
        /// How long a line is waited for at which the plugin is ended or killed.
        static let point: Int64 = 3_000
    }

    let kit: ConformanceKit
    let trial: PluginTrial
    let progress: @Sendable (String) -> Void
    var report: ConformanceReport
    var world: KitWorld
    var generator: SeededGenerator
    var scenario = ""
    /// The plugin's `ready`.
    var ready: PluginMessage.Ready?
    /// Texts that it answers with messages, and what it says to each.
    var answers: [(text: String, said: [KitWorld.Said])] = []
    /// It does not end when asked to: it is killed instead, so that the run takes no minutes.
    var ignoresDrain = false
    /// Why further scenarios make no sense.
    var obstacle: String?

    init(_ kit: ConformanceKit, _ progress: @escaping @Sendable (String) -> Void) {
        self.kit = kit
        self.progress = progress
        trial = PluginTrial(manifest: kit.manifest, environment: kit.environment)
        report = ConformanceReport(plugin: kit.manifest.name, seed: kit.options.seed)
        world = KitWorld(kit.manifest, kit.environment)
        generator = SeededGenerator(seed: kit.options.seed)
    }

    var isChecker: Bool { kit.manifest.phase == .command }

    /// Runs everything.
    func all() async {
        report.exercised.insert(.manifestKeys)
        await begin("check") { await $0.check() }
        await world.populate()
        await begin("life") { await $0.life() }
        await begin("lines") { await $0.lines() }
        await begin("handover") { await $0.handover() }
        await begin("drain") { await $0.drains() }
        await begin("crash") { await $0.crashes() }
        await begin("chaos") { await $0.chaos() }
        await begin("slow reading") { await $0.slowReading() }
        await begin("clock") { await $0.clock() }
        await begin("burst") { await $0.burst() }
        explain()
    }

    private func begin(_ name: String, _ body: (KitRun) async -> Void) async {
        guard obstacle == nil else { return }
        scenario = name
        progress(name)
        await body(self)
    }

    /// Says why rules were not put to the test.
    private func explain() {
        if let obstacle {
            for rule in Rule.allCases { report.reasons[rule] = "not run: \(obstacle)" }
            return
        }
        let notUsed: [(rules: [Rule], reason: String)] = [
            ([.configuredInTime, .configuredId, .configuredAnswer], "its 'ready' does not say 'reload'"),
            ([.answerInTime, .answerOnce], "its 'ready' names no 'asks'"),
            ([.goBackN], "it sent no 'retry' with later deliveries of a channel out"),
            ([.ordered], "its 'ready' does not say 'pipelined'"),
            ([.verdictAnswer, .verdictInTime, .verdictOnce, .verdictChanges, .checkerQueues], "its phase is 'event'"),
            ([.retry], "it sent no 'retry'"), ([.reject], "it sent no 'reject'"),
            ([.stateLimit, .stateQueue], "it sent no such state"), ([.working], "it sent no 'working'"),
            ([.window], "it sent no 'window'"), ([.fatal], "it sent no 'fatal'"),
            ([.details], "it sent no 'details'"), ([.keyConflict], "its commands have no 'key'"),
            ([.causeHeld], "its commands have no 'cause'"),
            (
                [.commandValid, .ownUsers, .joinsFirst, .sameCommand, .noCommandBeforeStart],
                "it sent no command; name a text that it answers with --message"
            ),
        ]
        for (rules, reason) in notUsed { for rule in rules { report.reasons[rule] = reason } }
        guard isChecker else { return }
        for rule in [Rule.settleEach, .settleOnce, .settleMade, .ackDeadline, .redelivery, .ordered, .goBackN] {
            report.reasons[rule] = "its phase is 'command'"
        }
    }

    // MARK: Conversations

    var expectations: ProtocolObserver.Expectations {
        var expectations = ProtocolObserver.Expectations()
        expectations.isChecker = isChecker
        expectations.pings = kit.manifest.ping
        expectations.settle = min(kit.manifest.ackDeadline, ConformanceKit.settle)
        return expectations
    }

    /// Runs a process through a conversation, asks it to end, and keeps what was found.
    /// - Parameters:
    ///   - fate: Decides about each line of the plugin's.
    ///   - reaction: Is called after each line.
    @discardableResult func converse(
        _ purpose: PluginTrial.Purpose = .live, as part: String = "",
        fate: @escaping @Sendable ([UInt8]) -> PluginTrial.Fate = { _ in .handled },
        reaction: @escaping Conversation.Reaction = { _, _, _, _ in },
        _ body: @escaping @Sendable (Conversation) async -> Void
    ) async -> Conversation {
        if !part.isEmpty { progress("\(scenario), \(part)") }
        let conversation = Conversation(trial, expectations, reaction: reaction)
        let traces = kit.environment.traces
        let follower = traces.follow(kit.manifest.name) { conversation.take($0, $1) }
        let (trial, kills) = (trial, ignoresDrain)
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                let report = await trial.run(
                    purpose,
                    fate: {
                        let fate = fate($0)
                        if case .handled = fate {} else { conversation.noteKill() }
                        return fate
                    }, onReady: { conversation.noteReady() })
                conversation.end(report)
            }
            group.addTask {
                await body(conversation)
                await Self.finish(conversation, kills: kills || conversation.isStuck)
            }
        }
        traces.stop(follower, of: kit.manifest.name)
        keep(conversation, part)
        return conversation
    }

    private static func finish(_ conversation: Conversation, kills: Bool) async {
        if conversation.report != nil { return }
        if !kills {
            conversation.trial.drain(why: "the scenario is over")
            if await conversation.waitForEnd(Limit.end) { return }
            conversation.find(.drain, "it still runs \(Limit.end / 1000) s after 'drain'", conversation.drainLine)
        }
        conversation.noteKill()
        conversation.trial.kill()
        _ = await conversation.waitForEnd(Limit.end)
    }

    private func keep(_ conversation: Conversation, _ part: String) {
        let observer = conversation.observer
        let name = part.isEmpty ? scenario : "\(scenario), \(part)"
        report.findings += observer.findings.map { .init(scenario: name, finding: $0) }
        report.exercised.formUnion(observer.exercised)
        ready = observer.ready ?? ready
        if observer.findings.contains(where: { $0.rule == .drain }) { ignoresDrain = true }
        guard let end = conversation.report else { return }
        let isRefused = [.failed, .notStarted, .tryLater].contains(end.end)
        let isBroken = observer.findings.contains { $0.rule == .exitStatus }
        if isRefused, observer.ready == nil || !observer.hasStarted {
            obstacle = end.reason
            if report.findings.isEmpty {
                report.findings.append(.init(scenario: name, finding: Finding(.readyValid, end.reason)))
            }
        } else if observer.findings.contains(where: { $0.rule == .settleEach || $0.rule == .readyInTime }) {
            obstacle = "the plugin does not get further"
        } else if isBroken, observer.hasStarted, scenario != "drain" {
            obstacle = "the plugin ends of its own accord"
        }
    }

    /// Waits until the plugin works.
    static func started(_ conversation: Conversation) async -> Bool {
        // Ready is said once it can be asked, too.
        await conversation.wait(Limit.ready) { $0.hasStarted && conversation.isReady }
    }

    /// Waits until all that is in the log is settled or waits for another try.
    static func settled(
        _ conversation: Conversation, _ world: KitWorld, within limit: Int64 = Limit.quiet
    ) async -> Bool {
        let head = await world.head()
        let trial = conversation.trial
        var (seen, since) = (-1, conversation.time)
        let isSettled = await conversation.wait(limit) { observer in
            guard observer.open == 0, observer.undecided == 0 else { return false }
            let queues = trial.queues
            let isThrough = queues.allSatisfy { $0.isHeld || $0.settledThrough >= head }
            if observer.hasStarted, queues.count == observer.queues.count, isThrough { return true }
            // What waits for another try holds up what is behind it.
            if observer.count != seen { (seen, since) = (observer.count, conversation.time) }
            return queues.contains { $0.waiting > 0 } && conversation.time - since > Limit.stalled
        }
        if !isSettled, conversation.report == nil, conversation.observer.open > 0 {
            let open = conversation.observer.open
            conversation.find(.settleEach, "\(open) events are not settled after \(limit / 1000) s")
        }
        return isSettled
    }
}

extension Conversation {
    /// The plugin holds events for too long, so that it would not end either.
    var isStuck: Bool { observer.findings.contains { $0.rule == .settleEach } }

    /// The `drain` that was sent.
    var drainLine: [Exchange] { observer.draining.map { [$0] } ?? [] }
}
