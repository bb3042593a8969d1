import CrowbarTesting
import Glibc
import JSONBytes
import Testing

/// Endpoints that come, change and go in the manifest of a running server.
@Suite(.serialized) struct WebhookReloadTests {
    @Test func endpointsComeChangeAndGoUnderTheSameProcess() async throws {
        let server = try await WebhookServer()
        defer { server.stop() }
        func write(_ endpoints: String...) throws { try server.configure(endpoints) }
        func url(_ path: String) -> String { "http://127.0.0.1:\(server.port)\(path)" }
        try write(server.endpoint("a", url("/a")), server.endpoint("b", url("/b")))
        try await server.waitLive()
        let pid = try server.plugin()["pid"]?.int
        try await server.send(["1"])
        try await server.expect(["/a 1", "/b 1"])
        // One goes, one comes.
        try write(server.endpoint("a", url("/a")), server.endpoint("c", url("/c")))
        try await server.waitQueues(["a", "c"])
        try await server.send(["2"])
        try await server.expect(["/a 2", "/c 2"])
        // One changes its URL, one its filter.
        try write(server.endpoint("a", url("/moved")), server.endpoint("c", url("/c"), #"channels = ["other"]"#))
        try await server.waitReload()
        try await server.send(["3"])
        try await server.expect(["/moved 3"])
        // The one that went comes back within the week, and gets what it missed.
        try write(server.endpoint("a", url("/moved")), server.endpoint("b", url("/b")))
        try await server.waitQueues(["a", "b"])
        try await server.expect(["/b 2", "/b 3"])
        // A wrong one is refused by its path, and the old one goes on.
        try write(server.endpoint("a", url("/moved"), "concurrency = 0"), server.endpoint("b", url("/b")))
        let isTold = server.folder.poll {
            ((try? server.plugin()["reason"]?.string) ?? "").contains("config.endpoints[0].concurrency: a whole number")
        }
        #expect(isTold)
        try await server.send(["4"])
        try await server.expect(["/moved 4", "/b 4"])
        #expect(try server.plugin()["pid"]?.int == pid)
        #expect(try server.plugin()["restarts"]?.int == 0)
        #expect(try server.plugin()["deadLetters"]?.int == 0)
    }
}
