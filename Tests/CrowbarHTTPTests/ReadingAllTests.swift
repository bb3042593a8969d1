import CrowbarCore
import NIOHTTP1
import Synchronization
import Testing

@testable import CrowbarHTTP

/// Calls with `all=true` in the audit log (docs/api.md, "Private channels").
@Suite(.serialized) struct ReadingAllTests {
    /// Keeps what is noted.
    private final class KeptAudit: AuditLog {
        private let kept = Mutex<[AuditLine]>([])

        var lines: [AuditLine] { kept.withLock { $0 } }
        /// The lines in words.
        var words: [String] { lines.map { "\($0.action) \($0.target ?? "-") \($0.result)" } }

        func begin(_ line: AuditLine) async throws -> Int64 {
            kept.withLock { lines in
                lines.append(line)
                return Int64(lines.count - 1)
            }
        }

        func end(_ id: Int64, result: String) async throws { kept.withLock { $0[Int(id)].result = result } }

        func lines(before: Int64?, limit: Int) async throws -> [AuditLine] { lines }
    }

    /// A log on a full disk.
    private struct FullAudit: AuditLog {
        struct Full: Error {}
        func begin(_ line: AuditLine) async throws -> Int64 { throw Full() }
        func end(_ id: Int64, result: String) async throws { throw Full() }
        func lines(before: Int64?, limit: Int) async throws -> [AuditLine] { [] }
    }

    private static let plugins = PluginActions(
        show: { _ in [] }, act: { _, _ in [] }, forget: { _, _ in [] }, reload: { [] }, ask: { _, _, _ in [] },
        deliveries: { _, _, _ in Array("[]".utf8) }, logs: { _, _, _ in [] }, setCursor: { _, _, _ in [] },
        deadLetters: { _, _, _, _ in Array("[]".utf8) })

    /// What is read; the last ones are refused after they were noted.
    private static let calls: [(path: String, status: Int)] = [
        ("/api/events?all=true", 200),
        ("/api/events?limit=1&channel=vault&all=true", 200),
        ("/api/events/stream?all=true", 200),
        ("/views/allchannels.json?all=true", 200),
        ("/views/channel/vault.json?all=true", 200),
        ("/views/messages/v%61ult.json?all=true", 200),
        ("/views/allmessages.json?all=true", 200),
        ("/views/search.json?all=true&q=word&channel=vault", 200),
        ("/api/admin/plugins/irc/deliveries?all=true", 200),
        ("/views/channel/never.json?all=true", 404),
        ("/api/events?all=true&after=never", 404),
        ("/views/search.json?all=true", 422),
    ]

    private static func prepare(_ server: TestServer) async throws {
        try await server.seed()
        for json in [
            #"{"type":"CREATE_CHANNEL","channelId":"vault","private":true}"#,
            #"{"type":"SEND_MESSAGE","channelId":"vault","message":"word","eventId":"m"}"#,
        ] { #expect(try await server.client.post(json, token: "alice").status == 200) }
        let answer = try await server.client.call(.GET, "/views/search.json?q=word&min=m&wait=10s", token: "alice")
        #expect(answer.status == 200, "\(answer.text)")
    }

    @Test func everyCallIsNotedBeforeItIsAnswered() async throws {
        let audit = KeptAudit()
        try await TestServer.run(
            plugins: Self.plugins, views: .following, configure: { $0.audit = audit }
        ) { server in
            try await Self.prepare(server)
            for call in Self.calls {
                let isStream = call.path.contains("stream")
                let answer = try await server.client.call(
                    .GET, call.path, token: "root", until: isStream ? { _ in true } : nil)
                #expect(answer.status == call.status, "\(call.path): \(answer.text)")
            }
            #expect(audit.words == Self.calls.map { "read all=true \($0.path.prefix { $0 != "?" }) ok" })
            #expect(audit.lines.allSatisfy { $0.userId == "root" && $0.address == "127.0.0.1" && $0.time > 0 })
        }
    }

    @Test func whatReadsNothingOfOthersIsNotNoted() async throws {
        let audit = KeptAudit()
        try await TestServer.run(
            anonymousRead: true, plugins: Self.plugins, views: .following, configure: { $0.audit = audit }
        ) { server in
            try await Self.prepare(server)
            for call in Self.calls where call.status == 200 && !call.path.contains("stream") {
                for token in ["alice", nil] {
                    let answer = try await server.client.call(.GET, call.path, token: token)
                    #expect(answer.status == (token == nil ? 401 : 403), "\(call.path): \(answer.text)")
                }
                for value in ["false", "yes"] {
                    let path = call.path.replacing("all=true", with: "all=\(value)")
                    let answer = try await server.client.call(.GET, path, token: "root")
                    #expect((answer.status == 422) == (value == "yes"), "\(path): \(answer.text)")
                }
            }
            #expect(audit.words == [])
        }
    }

    @Test func nothingIsReadWithoutTheAuditLog() async throws {
        try await TestServer.run(
            plugins: Self.plugins, views: .following, configure: { $0.audit = FullAudit() }
        ) { server in
            try await Self.prepare(server)
            for call in Self.calls {
                let answer = try await server.client.call(.GET, call.path, token: "root")
                #expect(answer.status == 503 && answer.code == "unavailable", "\(call.path): \(answer.text)")
                let own = call.path.replacing("all=true", with: "all=false")
                if own.contains("stream") { continue }
                #expect(try await server.client.call(.GET, own, token: "root").status != 503, "\(own)")
            }
        }
    }

    /// Who reads by the command line's socket is the operator, and reads everything by right.
    @Test func theSocketIsNotNoted() async throws {
        let audit = KeptAudit()
        let door = Door.commandLine(
            keyHash: TestServer.hash(Array("key".utf8)),
            AdminActions(addUser: { _, _ in }, makeToken: { _, _, _ in "" }))
        try await TestServer.run(door: door, views: .following, configure: { $0.audit = audit }) { server in
            try await server.seed()
            for path in ["/api/events?all=true", "/api/events", "/api/admin/plugins"] {
                #expect(try await server.client.call(.GET, path, token: "key").status == 200, "\(path)")
            }
            #expect(audit.words == [])
        }
    }
}
