import CrowbarCore
import CrowbarTesting
import Foundation
import JSONBytes
import Logging
import OpenSSL
import PluginWire

@testable import PluginHost

/// A session without a process: what the plugin says, what the log holds, what becomes of commands and the time are
/// said by the test, one after the other, so that what hangs on their order is tested without waiting for anything.
final class SessionWorld {
    let log = MemoryLog(now: { 1 })
    let clock = ManualClock(1_000_000)
    let lines = CapturedLog()
    let counters = PluginCounters()
    let session: PluginSession
    private let ingest: Ingest

    var now: Int64 { clock.milliseconds }

    /// - Parameters:
    ///   - suspects: Events that go out one at a time.
    ///   - keys: Changes the manifest.
    init(
        suspects: PoisonWatch.Events = [:], store: any HostStore = MemoryHostStore(),
        _ keys: (inout Manifest) -> Void = { _ in }
    ) throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let (clock, lines) = (clock, lines)
        ingest = Ingest(log: log, newEventID: { UUID().uuidString }, hash: { SHA256.hash($0) })
        var environment = scenario.environment
        environment.log = log
        environment.store = store
        environment.ingest = ingest
        environment.now = { clock.milliseconds }
        environment.unixNow = { clock.milliseconds }
        let logger = Logger(label: "test") { _ in lines.handler }
        environment.logger = logger
        var manifest = Manifest(name: "p", file: "p.toml", command: ["x"])
        manifest.start = .beginning
        manifest.types = [.messageSent]
        manifest.commands = [.sendMessage]
        manifest.ackDeadline = 3_000
        manifest.ping = false
        keys(&manifest)
        let plan = LaunchPlan(
            launcher: "", program: "", arguments: [], environment: [:], folder: "",
            rules: LaunchRules(manifest, program: "", folder: "", data: ""),
            session: "t")
        session = PluginSession(
            manifest: manifest, environment: environment, config: .null,
            log: PluginLog(logger: logger, secrets: [], now: environment.now), status: SessionStatus(), plan: plan,
            purpose: .live(isHeld: false), mailbox: Mailbox(), earlier: [:], suspects: suspects,
            counters: counters, tell: { _ in })
    }

    /// Puts messages into the log. The first makes Ann, and each first one to a channel the channel, which take
    /// positions of their own.
    func send(_ texts: String..., to channel: String = "general") async throws {
        var commands = [
            Command(.registerUser, .registerUser(name: "Ann"), userId: "ann"),
            Command(.createChannel, .createChannel(name: nil, description: nil), channelId: channel),
        ]
        commands += texts.map {
            Command(.sendMessage, .sendMessage($0, messageId: nil, kind: nil, replyTo: nil), channelId: channel)
        }
        // What is there already is refused.
        _ = await ingest.submit(commands.map { Ingest.Request($0, actor: "ann") })
    }

    /// The plugin says that it is ready, and works.
    func begin(_ queues: [PluginMessage.Queue]? = nil, pipelined: Bool = false) async throws {
        await session.take(
            PluginMessage.Ready(name: "p", programVersion: "1", pipelined: pipelined, queues: queues), now)
        guard case .working = session.phase else { throw WaitedInVain(what: "its work: \(lines.all)") }
        await turn()
    }

    /// The plugin says these lines in one breath, and the host does what it can.
    func say(_ lines: String...) async { await say(lines) }

    func say(_ lines: [String]) async {
        await session.handle(.output(Array(lines.map { $0 + "\n" }.joined().utf8)), now: now)
        await turn()
    }

    /// Lets the session do all that it can do now, and reads the log for it.
    func turn() async {
        var last: Int64
        repeat {
            last = session.settlements.nextDelivery
            await session.step(now)
            // What it wants to be stored is stored.
            if session.cursorWriter.isSaving { session.apply(.saved([:]), now) }
            guard let request = session.feed.request else { continue }
            await session.handle(await session.reader.read(request), now: now)
            await session.step(now)
        } while session.settlements.nextDelivery > last || session.feed.request != nil
    }

    /// Time goes by, and the session looks twice.
    func wait(_ milliseconds: Int64) async {
        clock.advance(by: milliseconds)
        await turn()
        clock.advance(by: session.clock.limits.look)
        await turn()
    }

    /// A line with a command.
    static func command(_ id: Int, cause: Int64? = nil) -> String {
        let cause = cause.map { #","cause":\#($0)"# } ?? ""
        let command = #"{"type":"SEND_MESSAGE","userId":"p/bot","channelId":"general","message":"\#(id)"}"#
        return #"{"type":"command","id":\#(id),"command":\#(command)\#(cause)}"#
    }

    /// Commands are stored at last.
    func decide(_ ids: [Int], cause: Int64? = nil) async {
        let stored = HostMessage.CommandResult.Outcome.stored(eventId: "e", position: 99, duplicate: false)
        session.take(ids.map { .init(id: MessageID($0), cause: cause, result: stored) }, now)
        await turn()
    }

    /// What the plugin holds of a queue, as positions.
    func held(_ queue: Int = 0) -> [Int64] { session.queues[queue].queue.heldPositions }
}
