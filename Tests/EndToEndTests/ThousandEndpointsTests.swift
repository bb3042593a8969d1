import CrowbarTesting
import Glibc
import JSONBytes
import Testing

/// One process of the plugin serves a thousand endpoints: each gets its events, and none has a thread of its own.
@Suite(.serialized) struct ThousandEndpointsTests {
    private static let endpoints = 1_000
    private static let messages = 3
    /// The main one, the reader's, the writer's, the courier's, and some of the runtime's pool, as there are cores.
    private static let threads = 8 + max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))

    @Test func eachGetsItsEvents() async throws {
        let server = try await WebhookServer()
        defer { server.stop() }
        try server.configure(
            (0..<Self.endpoints).map { server.endpoint("e\($0)", "http://127.0.0.1:\(server.port)/e\($0)") })
        try await server.waitLive()
        let pid = try #require(try server.plugin()["pid"]?.int)
        #expect(try server.plugin()["queues"]?.array?.count == Self.endpoints)
        try await server.send((0..<Self.messages).map { "m\($0)" })
        var received: [String: [String]] = [:]
        for _ in 0..<Self.endpoints * Self.messages {
            let request = try await server.request()
            #expect(request.bool("verified") == true)
            let event = try JSON(parsing: Array((request.string("body") ?? "").utf8))
            received[request.string("path") ?? "", default: []].append(event["message"]?.string ?? "")
        }
        #expect(received.count == Self.endpoints)
        #expect(received.values.allSatisfy { $0 == ["m0", "m1", "m2"] })
        #expect(threads(of: pid) <= Self.threads, "\(threads(of: pid)) threads")
        // One goes, and the others stay as they are.
        try server.configure(
            (1..<Self.endpoints).map { server.endpoint("e\($0)", "http://127.0.0.1:\(server.port)/e\($0)") })
        try await server.waitReload()
        #expect(
            server.folder.poll {
                ((try? server.plugin())?["queues"]?.array ?? []).count { $0["droppedAt"] == nil } == Self.endpoints - 1
            })
        try await server.send(["last"])
        var paths: Set<String> = []
        for _ in 1..<Self.endpoints { paths.insert(try await server.request().string("path") ?? "") }
        #expect(paths.count == Self.endpoints - 1 && !paths.contains("/e0"))
        #expect(try server.plugin()["pid"]?.int == pid)
    }

    private func threads(of pid: Int64) -> Int {
        guard let folder = opendir("/proc/\(pid)/task") else { return -1 }
        defer { closedir(folder) }
        var count = -2  // "." and ".."
        while readdir(folder) != nil { count += 1 }
        return count
    }
}
