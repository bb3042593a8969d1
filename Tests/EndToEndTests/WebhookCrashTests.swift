import CrowbarTesting
import Glibc
import JSONBytes
import Testing

/// Ten thousand deliveries to five endpoints, two of which fail, while the host and the plugin are killed.
@Suite(.serialized) struct WebhookCrashTests {
    private static let channels = 10
    private static let messages = 2_000
    private static let window = 64
    /// What an acknowledgement may wait for its save, with some air, in milliseconds.
    private static let unsaved: Int64 = 150

    /// One request that was answered with success, by endpoint and message.
    private struct Arrival {
        var id: String
        var at: Int64
    }

    /// What came so far, in order, by the path of the endpoint.
    private final class Arrivals {
        var all: [String: [Arrival]] = [:]
        var known: [String: Set<String>] = [:]
        var failures = 0
        var count: Int { known.values.reduce(0) { $0 + $1.count } }

        func take(from server: WebhookServer) async throws {
            let request = try await server.request()
            let path = try #require(request.string("path"))
            let id = try #require(request.string("id"))
            #expect(request.bool("verified") == true)
            if let status = request.int("status"), status >= 300 {
                failures += 1
                return
            }
            all[path, default: []].append(Arrival(id: id, at: request.int("at") ?? 0))
            known[path, default: []].insert(id)
        }

        func take(_ count: Int, from server: WebhookServer) async throws {
            while self.count < count { try await take(from: server) }
        }
    }

    private static func send(_ numbers: Range<Int>) -> [String] {
        numbers.map { number in
            let id = "m-\(number)"
            return """
                {"type":"SEND_MESSAGE","channelId":"c\(number % channels)","eventId":"\(id)","message":"\(id)"}
                """
        }
    }

    @Test func nothingIsLostAndLittleIsDoubled() async throws {
        let server = try await WebhookServer()
        defer { server.stop() }
        let paths = ["/a", "/b", "/c", "/refuses/101", "/busy/8"]
        try server.configure(
            paths.enumerated().map { i, path in
                server.endpoint("e\(i)", "http://127.0.0.1:\(server.port)\(path)")
            })
        try await server.waitLive()
        for channel in 0..<Self.channels {
            let outcome = server.folder.crowbar("channel", "add", "c\(channel)")
            try #require(outcome.status == 0, "\(outcome.error)")
        }
        let joins = (0..<Self.channels).map { "{\"type\":\"JOIN_CHANNEL\",\"channelId\":\"c\($0)\"}" }
        #expect(try await server.post(joins) == Self.channels)
        let arrivals = Arrivals()
        for batch in 0..<20 {
            let commands = Self.send(batch * 100..<batch * 100 + 100)
            if batch == 7 {
                // The host, in the middle of deliveries and with a body under way.
                try await arrivals.take(1_500, from: server)
                let (api, folder) = (server.api, server.folder)
                async let half = WebhookServer.post(commands, to: api, of: folder)
                server.stop(SIGKILL)
                _ = try await half
                #expect(server.folder.poll { server.folder.processes(in: "data/plugins") == 0 })
                try server.start()
            }
            if batch == 14 {
                // The plugin alone.
                try await arrivals.take(3_500, from: server)
                let pid = try #require(try server.plugin()["pid"]?.int)
                #expect(kill(pid_t(pid), SIGKILL) == 0)
            }
            // The same ids again are the same events.
            #expect(try await server.post(commands) == 100)
        }
        // What one endpoint refuses for good ends among the dead letters; all else arrives everywhere.
        let refused = Set(stride(from: 0, to: Self.messages, by: 101).map { "m-\($0)" })
        try await arrivals.take(Self.messages * paths.count - refused.count, from: server)
        #expect(arrivals.failures > refused.count)
        let ids = Set((0..<Self.messages).map { "m-\($0)" })
        for path in paths {
            #expect(arrivals.known[path] == (path.hasPrefix("/refuses") ? ids.subtracting(refused) : ids), "\(path)")
            check(arrivals.all[path] ?? [], of: path)
        }
        #expect(server.folder.poll { (try? server.plugin())?["deadLetters"]?.int == Int64(refused.count) })
    }

    /// First deliveries are in order a channel, and second ones no more than what two kills can bring.
    private func check(_ arrivals: [Arrival], of path: String) {
        var seen: Set<String> = []
        var last = [Int](repeating: -1, count: Self.channels)
        var disorder = 0
        for arrival in arrivals where seen.insert(arrival.id).inserted {
            let number = Int(arrival.id.dropFirst(2)) ?? 0
            if number <= last[number % Self.channels] { disorder += 1 }
            last[number % Self.channels] = number
        }
        #expect(disorder == 0, "\(path)")
        // As many as were ever settled within the time that is not saved yet.
        var (most, first) = (0, 0)
        for (i, arrival) in arrivals.enumerated() {
            while arrival.at - arrivals[first].at > Self.unsaved { first += 1 }
            most = max(most, i - first + 1)
        }
        let doubled = arrivals.count - seen.count
        #expect(doubled <= 2 * (Self.window + most), "\(path): \(doubled) were delivered twice")
    }
}
