import CrowbarCore
import CrowbarTesting
import Glibc
import Logging

@testable import CrowbarViews

/// The real clocks, which publishers wait by.
enum MonotonicClock {
    @Sendable static func milliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }

    static func unixSeconds() -> Int64 { Int64(Glibc.time(nil)) }
}

/// A log with its views, and a store that they are published to.
struct PublishWorld {
    let folder: TemporaryFolder
    let driver: LogDriver
    let views: Views

    init(_ other: PublishWorld? = nil) throws {
        let clock = ManualClock()
        folder = try other?.folder ?? TemporaryFolder()
        driver = other?.driver ?? LogDriver(MemoryLog(now: { clock.milliseconds }), clock: clock)
        views = Views(
            path: folder.file("views.db"), log: driver.log, logger: Self.logger(),
            clock: MonotonicClock.milliseconds)
    }

    static func logger() -> Logger {
        var logger = Logger(label: "publish")
        logger.logLevel = .critical
        return logger
    }

    /// Publishes while `body` does its work.
    func publishing<T: Sendable>(
        _ store: any PublishStore, _ shown: Set<PublishTarget.View> = Set(PublishTarget.View.allCases),
        verifyInterval: Int64 = 3_600_000, patience: Int64 = 3_600_000, logger: Logger = Self.logger(),
        _ body: @Sendable () async throws -> T
    ) async throws -> T {
        var target = PublishTarget(.folder("target"), views: shown)
        target.every = 100
        let publisher = Publisher(
            target, store, of: views, logger: logger, verifyInterval: verifyInterval, patience: patience)
        return try await withThrowingTaskGroup(of: T?.self) { group in
            group.addTask {
                await views.run()
                return nil
            }
            group.addTask {
                await publisher.run()
                return nil
            }
            let result = try await body()
            group.cancelAll()
            return result
        }
    }

    /// Waits until all that the log has is published.
    func settle() async throws {
        try await until("publishing is current") {
            let head = try await driver.log.head()?.position
            return views.publishing.statuses.first.map { $0.word == "current" && $0.position == head } ?? false
        }
    }

    func until(_ what: String, _ condition: () async throws -> Bool) async throws {
        for _ in 0..<6_000 {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        throw ConformanceFailure("\(what) has not come about: \(views.publishing.statuses)", line: #line)
    }

    /// What a reader without a token gets of every file that there should be.
    func wanted() async throws -> [String: String] {
        let head = try await driver.log.head()?.position
        guard try await views.states().allSatisfy({ $0.live?.position == head }) else {
            throw ConformanceFailure("the views are behind", line: #line)
        }
        let access = try await ReadAccess(driver.log).access(for: .anonymous)
        let reader = try views.reader()
        var wanted = [
            "allchannels.json": try await reader.channels(for: access).text,
            "allmessages.json": try await reader.allMessages(limit: 100, for: access).text,
        ]
        for id in ["general", "board", "secret", "late"] {
            guard let channel = try? await reader.channel(id, after: nil, limit: 500, for: access) else { continue }
            wanted["channel/\(id).json"] = channel.text
            wanted["messages/\(id).json"] = try await reader.messages(id, .newest, limit: 100, for: access).text
        }
        return wanted.mapValues { $0 + "\n" }
    }

    func send(_ json: String, as user: String = "ann") async throws { try await driver.store(json, as: user) }

    func begin() async throws {
        try await driver.settle()
        try await send(#"{"type":"CREATE_CHANNEL","channelId":"board"}"#)
        try await send(#"{"type":"CREATE_CHANNEL","channelId":"secret","private":true}"#)
        try await send(#"{"type":"SEND_MESSAGE","channelId":"general","message":"hello"}"#)
        try await send(#"{"type":"SEND_MESSAGE","channelId":"secret","message":"hush"}"#)
    }
}

/// A store that notes what it is asked.
final class CountingStore: PublishStore {
    private let store: any PublishStore
    private let noted = Notes()

    private actor Notes {
        var calls: [String] = []
        func add(_ call: String) { calls.append(call) }
    }

    init(_ store: any PublishStore) { self.store = store }

    var verifyInterval: Int64 { store.verifyInterval }
    var calls: [String] { get async { await noted.calls } }

    func list(of log: String) async throws -> [PublishedFile: String?] { try await store.list(of: log) }

    func write(_ file: PublishedFile, _ body: [UInt8], position: Int64, replacing tag: String?) async -> PublishResult {
        await noted.add("write \(file.path)")
        return await store.write(file, body, position: position, replacing: tag)
    }

    func delete(_ file: PublishedFile, position: Int64) async -> PublishResult {
        await noted.add("delete \(file.path)")
        return await store.delete(file, position: position)
    }
}
