import CrowbarCore
import CrowbarTesting
import OpenSSL
import PluginWire
import Synchronization
import Testing

@testable import PluginHost

/// A plugin's commands on their way into a log that is not always there.
@Suite struct CommandDeskTests {
    /// A submitter, and what it has reported.
    private final class Scenario: Sendable {
        let log = MemoryLog(now: { 1 })
        let reported = Mutex<[CommandSubmitter.Outcome]>([])

        /// - Parameter now: A time that stands still; the clock's if left out.
        func submitter(now: Int64? = nil) throws -> CommandSubmitter {
            let host = try HostScenario()
            defer { host.remove() }
            var environment = host.environment
            environment.log = log
            if let now { environment.now = { now } }
            environment.ingest = Ingest(log: log, newEventID: environment.newID, hash: { SHA256.hash($0) })
            var manifest = Manifest(name: "irc", file: "irc.toml", command: ["x"])
            manifest.commands = [.registerUser, .createChannel, .sendMessage]
            return CommandSubmitter(policy: CommandPolicy(manifest), environment: environment) { [self] outcomes in
                reported.withLock { $0 += outcomes }
            }
        }

        var ids: [MessageID] { reported.withLock { $0.map(\.id) } }

        /// What became of each: `nil` where it was stored, else the code.
        var codes: [String?] {
            reported.withLock { outcomes in
                outcomes.map { if case .refused(let code, _) = $0.result { code } else { nil } }
            }
        }

        func texts() async throws -> [String] {
            let page = try await log.read(after: 0, limit: 10_000, maxBytes: 1 << 20)
            return page.entries.compactMap { EventEncoder.messageText(in: Array(page.json($0))) }
        }
    }

    private static func order(_ id: Int, _ command: String) -> CommandSubmitter.Order {
        .init(command: PluginMessage.Command(id: MessageID(id), command: Array(command.utf8)))
    }

    private static func message(_ id: Int) -> CommandSubmitter.Order {
        order(id, #"{"type":"SEND_MESSAGE","userId":"irc/ann","channelId":"general","message":"\#(id)"}"#)
    }

    private static let first = [
        order(-2, #"{"type":"REGISTER_USER","userId":"irc/ann","name":"Ann"}"#),
        order(-1, #"{"type":"CREATE_CHANNEL","userId":"irc/ann","channelId":"general"}"#),
    ]

    /// Lets the submitter run while `body` works with it.
    private static func run(_ submitter: CommandSubmitter, _ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await submitter.run() }
            try await body()
            submitter.close()
            group.cancelAll()
        }
    }

    @Test func commandsGoToTheLogAtOnceWhereNothingIsInTheWay() throws {
        let scenario = Scenario()
        let submitter = try scenario.submitter()
        // Nobody runs the submitter.
        submitter.put(Self.first)
        submitter.put([Self.message(1)])
        #expect(scenario.ids == [-2, -1, 1].map { MessageID($0) })
        #expect(scenario.codes == [nil, nil, nil])
    }

    @Test func whatTheLogCouldNotStoreIsStoredBeforeWhatCameLater() async throws {
        let scenario = Scenario()
        let submitter = try scenario.submitter()
        try await Self.run(submitter) {
            submitter.put(Self.first)
            scenario.log.setOutage("the disk is full")
            for id in 1...5 { submitter.put([Self.message(id)]) }
            #expect(scenario.ids.count == 2)
            scenario.log.setOutage(nil)
            try await wait("all five") { scenario.ids.count == 7 }
            try await wait("the way to be free again") {
                submitter.put([Self.message(scenario.ids.count)])
                return scenario.ids.count > 20
            }
        }
        let texts = try await scenario.texts().compactMap { Int($0) }
        #expect(Array(texts.prefix(5)) == [1, 2, 3, 4, 5])
        #expect(texts == texts.sorted())
        #expect(scenario.codes.allSatisfy { $0 == nil })
        #expect(scenario.ids.dropFirst(2).map { $0 } == texts.map { MessageID($0) })
    }

    @Test func whatIsRefusedStandsInItsPlace() async throws {
        let scenario = Scenario()
        let submitter = try scenario.submitter()
        try await Self.run(submitter) {
            submitter.put(Self.first)
            // One that the policy refuses, one that the log does.
            submitter.put([
                Self.message(1), Self.order(2, #"{"type":"JOIN_CHANNEL","userId":"irc/ann","channelId":"general"}"#),
            ])
            submitter.put([
                Self.message(3),
                Self.order(4, #"{"type":"SEND_MESSAGE","userId":"irc/bob","channelId":"general","message":"x"}"#),
            ])
            try await wait("all") { scenario.ids.count == 6 }
        }
        #expect(scenario.ids.suffix(4) == [1, 2, 3, 4].map { MessageID($0) })
        #expect(scenario.codes.suffix(4) == [nil, "forbidden", nil, "user_not_found"])
    }

    @Test func moreThanTheRateWaits() throws {
        let scenario = Scenario()
        let submitter = try scenario.submitter(now: 0)
        submitter.put(Self.first)
        let most = Int(CommandSubmitter.uncausedBurst)
        // Nobody runs the submitter, so that what has to wait is not decided.
        for id in 1...most + CommandSubmitter.batch { submitter.put([Self.message(id)]) }
        #expect(scenario.ids.count == most)
    }
}
