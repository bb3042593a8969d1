import CrowbarCore
import CrowbarTesting
import Foundation
import OpenSSL
import PluginWire
import Synchronization
import Testing

@testable import PluginHost

/// What a plugin's `key` makes one, and what it keeps apart.
@Suite struct CommandKeyTests {
    private struct Emit {
        var text = "hi"
        var key: String?
        var queue: String?
        var plugin = "p"
    }

    /// What is emitted after `Emit(key: "k", queue: "a")`, and what becomes of it.
    private static let table: [(Emit, String)] = [
        (Emit(key: "k", queue: "a"), "duplicate"), (Emit(text: "other", key: "k", queue: "a"), "event_id_conflict"),
        (Emit(key: "l", queue: "a"), "stored"), (Emit(key: "k", queue: "b"), "stored"),
        (Emit(text: "other", key: "k", queue: "b"), "event_id_conflict"), (Emit(key: "k", queue: "main"), "stored"),
        // A command without a cause counts under `main`.
        (Emit(key: "k"), "duplicate"), (Emit(text: "other", key: "k"), "event_id_conflict"),
        (Emit(key: "k", queue: "a", plugin: "q"), "stored"), (Emit(text: "other"), "stored"),
        (Emit(key: "k", queue: "a"), "duplicate"),
    ]

    @Test func theSameCommandIsADuplicateAndAnotherOneAConflict() async throws {
        let world = try await World()
        try await world.emit(Emit(key: "k", queue: "a"), expecting: "stored")
        for (emit, outcome) in Self.table { try await world.emit(emit, expecting: outcome) }
    }

    @Test func aConflictNamesTheKeyAndNotTheIdThatNobodyKnows() async throws {
        let world = try await World()
        try await world.emit(Emit(key: "order-7", queue: "a"), expecting: "stored")
        let outcome = try await world.outcome(Emit(text: "other", key: "order-7", queue: "a"))
        guard case .refused(let code, let message) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(code == "event_id_conflict")
        #expect(message.contains("'order-7'") && message.contains("a key of its own"))
    }

    @Test func onlyKeysOfOtherQueuesHaveAFormerId() throws {
        var manifest = Manifest(name: "p", file: "p.toml", command: ["x"])
        manifest.commands = [.sendMessage]
        let policy = CommandPolicy(manifest)
        func request(_ queue: String?, _ key: String?) throws -> Ingest.Request {
            let cause = queue.map {
                CommandPolicy.Cause(queue: $0, eventId: "e", timestamp: 1, depth: 0, isHistory: false, ordinal: 0)
            }
            let command = #"{"type":"SEND_MESSAGE","userId":"p/a","channelId":"general","message":"hi"}"#
            return try policy.request(
                Array(command.utf8), cause: cause, key: key, ref: nil, secret: [1],
                hmac: { HMACSHA256.authenticate(key: $0, $1) })
        }
        // What a version derived that knew no queue in a key.
        let former = try request(nil, "k").derivedId
        #expect(try request("main", "k").derivedId == former && request("main", "k").formerId == nil)
        #expect(try request("a", "k").formerId == former && request("a", "k").derivedId != former)
        #expect(try request("a", "k").derivedId != request("b", "k").derivedId)
        #expect(try request("a", nil).formerId == nil && !request("a", nil).isKeyed && request("a", "k").isKeyed)
        // Lengths stand in the message, so that no two names run together.
        #expect(try request("a", "bk").derivedId != request("ab", "k").derivedId)
    }

    private final class World {
        let log = MemoryLog(now: { 1 })
        private let environment: HostEnvironment
        private var ids = 0

        init() async throws {
            let scenario = try HostScenario()
            defer { scenario.remove() }
            var environment = scenario.environment
            environment.log = log
            environment.ingest = Ingest(log: log, newEventID: { UUID().uuidString }, hash: { SHA256.hash($0) })
            self.environment = environment
            let bots = ["p/bot", "q/bot"]
            for bot in bots {
                let register = Command(.registerUser, .registerUser(name: bot), userId: bot)
                _ = try await environment.ingest.submit(.init(register, actor: bot))
            }
            let create = Command(.createChannel, .createChannel(name: nil, description: nil), channelId: "general")
            _ = try await environment.ingest.submit(.init(create, actor: bots[0]))
            let join = Command(.joinChannel, .joinChannel, channelId: "general")
            _ = try await environment.ingest.submit(.init(join, actor: bots[1]))
        }

        func outcome(_ emit: Emit) async throws -> HostMessage.CommandResult.Outcome {
            var manifest = Manifest(name: emit.plugin, file: "p.toml", command: ["x"])
            manifest.commands = [.sendMessage]
            let reported = Mutex<[CommandSubmitter.Outcome]>([])
            let submitter = CommandSubmitter(policy: CommandPolicy(manifest), environment: environment) { outcomes in
                reported.withLock { $0 += outcomes }
            }
            ids += 1
            let user = "\(emit.plugin)/bot"
            let command =
                #"{"type":"SEND_MESSAGE","userId":"\#(user)","channelId":"general","message":"\#(emit.text)"}"#
            var order = CommandSubmitter.Order(
                command: .init(
                    id: MessageID(ids), command: Array(command.utf8), cause: emit.queue == nil ? nil : 1, key: emit.key)
            )
            order.cause = emit.queue.map { .init(queue: $0, position: 1, ordinal: ids, isHistory: false) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await submitter.run() }
                submitter.put([order])
                try await wait("the outcome") { reported.withLock { !$0.isEmpty } }
                submitter.close()
            }
            return try #require(reported.withLock { $0.first }).result
        }

        func emit(_ emit: Emit, expecting expected: String) async throws {
            let found =
                switch try await outcome(emit) {
                case .stored(_, _, let isDuplicate): isDuplicate ? "duplicate" : "stored"
                case .refused(let code, _): code
                }
            #expect(found == expected, "\(emit)")
        }
    }
}
