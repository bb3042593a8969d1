import CrowbarCore
import CrowbarSQLite
import CrowbarTesting
import Foundation
import JSONBytes
import Logging
import OpenSSL
import PluginHost
import Synchronization
import Testing

/// A whole host over a real log in a folder of its own, with plugins that are real processes.
final class HostScenario {
    let folder: URL
    let log: SQLiteLog
    let store: SQLiteHostStore
    let ingest: Ingest
    let checks: CheckCoordinator
    let lines = CapturedLog()
    var random: @Sendable () -> Double = { Double.random(in: 0..<1) }
    var limits = SessionLimits()
    /// Milliseconds by which the clock of the day is off, as tests want it.
    let jump = ClockJump()
    var variables: [String: String] = ProcessInfo.processInfo.environment

    init(reopening folder: URL? = nil) throws {
        self.folder =
            folder ?? FileManager.default.temporaryDirectory.appending(path: "crowbar-host-\(UUID().uuidString)")
        let plugins = self.folder.appending(path: "plugins.d")
        try FileManager.default.createDirectory(at: plugins, withIntermediateDirectories: true)
        let now: @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970 * 1000) }
        log = try SQLiteLog(path: self.folder.appending(path: "log.db").path, now: now) {
            (0..<32).map { _ in UInt8.random(in: .min ... .max) }
        }
        store = try SQLiteHostStore(path: self.folder.appending(path: "host.db").path)
        let ids = EventIDSource(now: now, random: { UInt64.random(in: .min ... .max) })
        checks = CheckCoordinator(now: Self.monotonic)
        ingest = Ingest(log: log, newEventID: { ids.next() }, hash: { SHA256.hash($0) }, checks: checks.checks)
    }

    /// Adds a manifest that runs the test plugin.
    func add(_ name: String, config: String = "", _ keys: String = "") throws {
        let text = """
            command = ["\(Self.plugin)"]
            \(keys)
            [config]
            \(config)
            """
        try text.write(to: folder.appending(path: "plugins.d/\(name).toml"), atomically: true, encoding: .utf8)
    }

    static let plugin = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Plugins/plugin.py").path
    /// Where the executables that were built beside the tests are.
    static let products = String(PluginProcess.product("").dropLast())

    /// Milliseconds since the tests began.
    static let monotonic: @Sendable () -> Int64 = {
        let start = ContinuousClock.now
        return {
            let (seconds, attoseconds) = (ContinuousClock.now - start).components
            return seconds * 1000 + attoseconds / 1_000_000_000_000_000
        }
    }()

    var environment: HostEnvironment {
        let ids = EventIDSource(now: { 1 }, random: { UInt64.random(in: .min ... .max) })
        let (lines, jump) = (lines, jump)
        var environment = HostEnvironment(
            log: log, store: store, ingest: ingest, checks: checks, dataFolder: folder.appending(path: "plugins").path,
            launcher: Self.products + "/crowbar-launch", searchPath: [Self.products],
            now: Self.monotonic,
            unixNow: { Int64(Date().timeIntervalSince1970 * 1000) + jump.by }, random: random,
            hmac: { HMACSHA256.authenticate(key: $0, $1) }, newID: { ids.next() }, environment: variables,
            logger: Logger(label: "test") { _ in lines.handler })
        environment.sessionLimits = limits
        return environment
    }

    /// Runs the host while `body` works with it, then stops it.
    func run(launcher: String? = nil, _ body: (PluginHost) async throws -> Void) async throws {
        var environment = environment
        if let launcher { environment.launcher = launcher }
        let host = try PluginHost(folder: folder.appending(path: "plugins.d").path, environment: environment)
        try await withThrowingTaskGroup(of: Void.self) { group in
            let ingest = ingest
            group.addTask { await ingest.run() }
            let hasEnded = Mutex(false)
            group.addTask {
                await host.run()
                hasEnded.withLock { $0 = true }
            }
            do {
                try await body(host)
            } catch {
                host.stop(why: "the test failed")
                group.cancelAll()
                throw error
            }
            host.stop(why: "the test is over")
            try await wait("the host's end") { hasEnded.withLock { $0 } }
            #expect(try await states(host).values.allSatisfy { $0.pid == nil })
            group.cancelAll()
        }
    }

    /// Registers a user, makes the channels, joins.
    func populate(channels: [String] = ["general"]) async throws {
        var commands = [Command(.registerUser, .registerUser(name: "Ann"), userId: "ann")]
        commands += channels.map { Command(.createChannel, .createChannel(name: nil, description: nil), channelId: $0) }
        _ = try await submit(commands)
    }

    func submit(_ commands: [Command]) async throws -> [Receipt] {
        try await ingest.submit(commands.map { Ingest.Request($0, actor: "ann") }).map { try $0.get() }
    }

    func send(_ texts: [String], to channel: String = "general") async throws {
        _ = try await submit(
            texts.map {
                Command(.sendMessage, .sendMessage($0, messageId: nil, kind: nil, replyTo: nil), channelId: channel)
            })
    }

    /// Registers a plugin's user and lets it into the channel.
    func admit(_ plugin: String) async throws {
        let user = plugin + "/bot"
        let requests = [
            Ingest.Request(Command(.registerUser, .registerUser(name: "Bot"), userId: user), actor: user),
            Ingest.Request(Command(.joinChannel, .joinChannel, channelId: "general"), actor: user),
        ]
        for result in await ingest.submit(requests) { _ = try result.get() }
    }

    /// What a plugin noted, oldest first.
    func seen(_ plugin: String) -> [JSON] {
        let file = folder.appending(path: "plugins/\(plugin)/seen")
        guard let text = try? String(contentsOf: file, encoding: .utf8) else { return [] }
        return text.split(separator: "\n").compactMap { try? JSON(parsing: Array($0.utf8)) }
    }

    /// The messages a plugin noted, as `text` or `text#attempt`.
    func messages(_ plugin: String) -> [String] {
        seen(plugin).compactMap { line in
            guard let text = line["message"]?.string, let attempt = line["attempt"]?.int else { return nil }
            return attempt == 1 ? text : "\(text)#\(attempt)"
        }
    }

    struct Shown {
        var state: String
        var reason: String
        var pid: Int64?
        var restarts: Int64
        var deadLetters: Int64
        var lag: Int64
        var status: String?
    }

    /// The host's listing by plugin.
    func states(_ host: PluginHost) async throws -> [String: Shown] {
        var states: [String: Shown] = [:]
        for plugin in try await host.listing().array ?? [] {
            let lag = plugin["queues"]?.array?.compactMap { $0["lag"]?.int }.max() ?? 0
            states[plugin["name"]?.string ?? ""] = Shown(
                state: plugin["state"]?.string ?? "", reason: plugin["reason"]?.string ?? "", pid: plugin["pid"]?.int,
                restarts: plugin["restarts"]?.int ?? 0, deadLetters: plugin["deadLetters"]?.int ?? 0, lag: lag,
                status: plugin["status"]?["message"]?.string)
        }
        return states
    }

    func remove() { try? FileManager.default.removeItem(at: folder) }
}

/// Waits for a condition, which is asked again and again; fails the test when it is not met in time.
func wait(
    _ what: String, seconds: Double = 180, location: SourceLocation = #_sourceLocation,
    until isMet: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
        if try await isMet() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    throw WaitedInVain(what: what)
}

struct WaitedInVain: Error, CustomStringConvertible {
    var what: String
    var description: String { "waited in vain for \(what)" }
}

/// The host's log, to be looked into.
final class CapturedLog: Sendable {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }
    var handler: any LogHandler { Handler(log: self) }

    private struct Handler: LogHandler {
        let log: CapturedLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.debug
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) {
            log.lines.withLock { $0.append("\(event.level) \(metadata) \(event.message) \(event.metadata ?? [:])") }
        }
    }
}

/// How far a clock was put forward, in milliseconds.
final class ClockJump: Sendable {
    private let milliseconds = Mutex<Int64>(0)
    var by: Int64 { milliseconds.withLock { $0 } }
    func set(_ value: Int64) { milliseconds.withLock { $0 = value } }
}

extension PluginHost {
    /// As ``show(_:for:)`` for the operator, who may read everything.
    func show(_ letters: Letters) async throws -> JSON { try await show(letters, for: try await Self.everything()) }

    static func everything() async throws -> Access {
        try await ReadAccess(MemoryLog(now: { 0 })).access(for: .all)
    }
}
