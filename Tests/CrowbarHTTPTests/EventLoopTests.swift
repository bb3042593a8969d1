import CrowbarCore
import HTTPTypes
import NIOHTTP1
import NIOPosix
import Synchronization
import Testing

@testable import CrowbarHTTP

/// What runs on the event loop of a connection, and what must not.
@Suite struct EventLoopTests {
    private static let json = "application/json"
    private static let lines = "application/x-ndjson; charset=utf-8"

    private static let requests: [(path: String, length: String?, type: String, isOnLoop: Bool)] = [
        ("/api/commands", "100", json, true), ("/api/commands", "16384", json, true), ("/healthz", nil, json, true),
        ("/api/commands", "16385", json, false), ("/api/commands", "x", json, false),
        ("/api/commands", nil, json, false), ("/api/commands", "100", lines, false),
        ("/readyz", nil, json, false), ("/api/events", nil, json, false), ("/api/events/stream", nil, json, false),
        ("/views/allchannels.json", nil, json, false), ("/api/read", "50", json, false),
        ("/hooks/x", "50", json, false), ("/api/admin/plugins", nil, json, false), ("/nothing", nil, json, false),
    ]

    @Test(arguments: requests.indices) func onlyShortWorkIsDoneThere(_ row: Int) {
        let (path, length, type, isOnLoop) = Self.requests[row]
        var head = HTTPRequest(method: .post, scheme: "http", authority: "localhost", path: path)
        head.headerFields[.contentType] = type
        head.headerFields[.contentLength] = length
        #expect(EventLoopWork.includes(head) == isOnLoop)
    }

    private static var isOnLoop: Bool { MultiThreadedEventLoopGroup.currentEventLoop != nil }

    /// Where the accounts were asked, and where the time was.
    private final class Threads: Sendable {
        private let seen = Mutex<(accounts: [Bool], clock: Set<Bool>)>(([], []))

        var accounts: [Bool] { seen.withLock { $0.accounts } }
        var clock: Set<Bool> { seen.withLock { $0.clock } }

        func noteAccounts() { seen.withLock { $0.accounts.append(EventLoopTests.isOnLoop) } }
        func noteClock() { seen.withLock { _ = $0.clock.insert(EventLoopTests.isOnLoop) } }
    }

    @Test func accountsAreNeverReadThere() async throws {
        let threads = Threads()
        let accounts = TestAccounts { _ in
            threads.noteAccounts()
            return Principal(userId: "alice", scopes: [.commands, .read, .admin])
        }
        let now: @Sendable () -> Int64 = {
            threads.noteClock()
            return TestServer.now()
        }
        try await TestServer.run(accounts: accounts, views: .closed, now: now) { server in
            try await server.seed()
            let command = #"{"type":"SEND_MESSAGE","channelId":"general","message":"x"}"#
            #expect(try await server.client.post(command, token: "1").status == 200)
            #expect(threads.clock.contains(true), "a command is handled on the event loop")
            #expect(try await server.client.postLines([command], token: "2").status == 200)
            #expect(try await server.client.call(.GET, "/api/events", token: "3").status == 200)
            #expect(try await server.client.call(.GET, "/views/unread.json", token: "4").status == 503)
            #expect(try await server.client.call(.GET, "/api/admin/plugins", token: "5").status == 200)
            #expect(threads.accounts == [false, false, false, false, false])
        }
    }
}
