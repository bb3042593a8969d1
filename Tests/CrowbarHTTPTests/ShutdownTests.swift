import CrowbarCore
import CrowbarSQLite
import Foundation
import JSONBytes
import NIOCore
import NIOPosix
import Testing

@testable import CrowbarHTTP

/// What a graceful shutdown does with requests that were accepted, and with connections, over real sockets.
@Suite(.serialized) struct ShutdownTests {
    private static let message = #"{"type":"SEND_MESSAGE","channelId":"general","message":"x"}"#

    /// A request that the server confirms before its body is sent: from then on it is accepted.
    private static func head(
        _ method: String, _ path: String, token: String = "alice", length: Int = 0, _ more: String = ""
    ) -> String {
        "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(token)\r\nExpect: 100-continue\r\n"
            + "Content-Length: \(length)\r\n\(more)\r\n"
    }

    private static let confirmed = "HTTP/1.1 100 Continue\r\n\r\n"

    /// Sends a request's head and waits until the server has accepted it.
    private static func accept(
        _ head: String, _ reader: inout RawClient.Reader, _ writer: RawClient.Writer
    ) async throws {
        try await writer.write(ByteBuffer(string: head))
        let isAccepted = try await reader.read(until: confirmed)
        #expect(isAccepted, "\(reader.text)")
        reader.text = reader.text.components(separatedBy: confirmed).dropFirst().joined()
    }

    /// Shuts down and waits until the listener takes no more connections.
    private static func shutDown(_ server: TestServer) async throws {
        await server.shutDown()
        try await waitUntil("new connections are refused") { isRefused(server.client.port) }
    }

    private static func isRefused(_ port: Int) -> Bool {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        return result != 0 && errno == ECONNREFUSED
    }

    /// Stores messages of 16 MB in all.
    private static func storeLongMessages(_ server: TestServer) async throws {
        let text = String(repeating: "x", count: 16_000)
        let line = #"{"type":"SEND_MESSAGE","channelId":"general","message":"\#(text)"}"#
        let stored = try await server.client.postLines([String](repeating: line, count: 1_000), token: "alice")
        #expect(stored.status == 200 && !stored.text.contains("error"))
    }

    private static func expectLast(_ text: String, _ status: Int) {
        #expect(text.hasPrefix("HTTP/1.1 \(status) "), "\(text.prefix(300))")
        #expect(text.lowercased().contains("connection: close\r\n"), "\(text.prefix(300))")
    }

    @Test func aBodyThatIsHalfSentIsAwaitedAndAnswered() async throws {
        try await TestServer.run { server in
            try await server.seed()
            let body = Self.message
            try await RawClient(port: server.client.port).connect { reader, writer in
                let head = Self.head("POST", "/api/commands", length: body.utf8.count)
                try await Self.accept(head, &reader, writer)
                try await writer.write(ByteBuffer(string: String(body.prefix(10))))
                try await Self.shutDown(server)
                #expect(!server.hasEnded)
                try await writer.write(ByteBuffer(string: String(body.dropFirst(10))))
                await reader.readToEnd()
                Self.expectLast(reader.text, 200)
                let isStored = reader.text.contains("\"position\"")
                #expect(isStored)
            }
            try await waitUntil("the listener has ended") { server.hasEnded }
        }
    }

    @Test(arguments: [
        ("/api/commands", "alice"), ("/hooks/ci-token", "none"), ("/api/admin/plugins/reload", "root"),
    ]) func aBodyThatDoesNotComeIsRefused(_ path: String, _ token: String) async throws {
        var rules = ListenerRules()
        (rules.times.tick, rules.times.shutdownBody) = (20, 100)
        try await TestServer.run(rules: rules) { server in
            try await RawClient(port: server.client.port).connect { reader, writer in
                try await Self.accept(Self.head("POST", path, token: token, length: 1_000), &reader, writer)
                try await Self.shutDown(server)
                await reader.readToEnd()
                Self.expectLast(reader.text, 503)
                let (hasWait, hasReason) = (
                    reader.text.lowercased().contains("retry-after: 1\r\n"),
                    reader.text.contains("the server is shutting down")
                )
                #expect(hasWait && hasReason, "\(reader.text)")
            }
            try await waitUntil("the listener has ended") { server.hasEnded }
        }
    }

    /// Many commands: most of them wait for the log when the shutdown begins.
    @Test func commandsInTheWritersQueueAreStoredAndAnswered() async throws {
        try await TestServer.run { server in
            try await server.seed()
            let port = server.client.port
            let lines = [String](repeating: Self.message, count: 3_000).joined(separator: "\n")
            let (accepted, accept) = AsyncStream.makeStream(of: Void.self)
            let (begun, begin) = AsyncStream.makeStream(of: Void.self)
            let clients = 24
            let answers = try await withThrowingTaskGroup(of: String.self) { group in
                for client in 0..<clients {
                    group.addTask {
                        try await RawClient(port: port).connect { reader, writer in
                            let body = client.isMultiple(of: 2) ? Self.message : lines
                            let kind = client.isMultiple(of: 2) ? "" : "Content-Type: application/x-ndjson\r\n"
                            let head = Self.head("POST", "/api/commands", length: body.utf8.count, kind)
                            try await Self.accept(head, &reader, writer)
                            accept.yield()
                            try await writer.write(ByteBuffer(string: body))
                            if client == 1 {
                                let isBegun = try await reader.read(until: "position")
                                #expect(isBegun, "\(reader.text)")
                                begin.yield()
                            }
                            await reader.readToEnd()
                            return reader.text
                        }
                    }
                }
                var left = clients
                for await _ in accepted {
                    left -= 1
                    if left == 0 { break }
                }
                _ = await begun.first { _ in true }
                try await Self.shutDown(server)
                return try await group.reduce(into: [String]()) { $0.append($1) }
            }
            var stored = 0
            for answer in answers {
                #expect(answer.hasPrefix("HTTP/1.1 200 "), "\(answer.prefix(300))")
                #expect(!answer.contains("error"), "\(answer.suffix(300))")
                let count = answer.components(separatedBy: "{\"eventId\"").count - 1
                #expect(count == 1 || count == 3_000)
                stored += count
            }
            #expect(stored == clients / 2 * 3_001)
            let before = try await server.log.count(after: 0, through: .max)
            #expect(before >= Int64(stored))
            try await waitUntil("the listener has ended") { server.hasEnded }
        }
    }

    @Test func aViewThatWaitsAndASearchAreAnswered() async throws {
        try await TestServer.run(views: .following) { server in
            try await server.seed()
            let sent = try await server.client.post(
                #"{"type":"SEND_MESSAGE","channelId":"general","message":"needle","eventId":"e1"}"#, token: "alice")
            #expect(sent.status == 200)
            let port = server.client.port
            try await RawClient(port: port).connect { search, searchWriter in
                try await Self.accept(
                    Self.head("GET", "/views/search.json?q=needle&min=e1&wait=10s"), &search, searchWriter)
                try await RawClient(port: port).connect { view, viewWriter in
                    let path = "/views/messages/general.json?min=e1&wait=10s"
                    try await Self.accept(Self.head("GET", path), &view, viewWriter)
                    try await Self.shutDown(server)
                    await view.readToEnd()
                    await search.readToEnd()
                    for text in [view.text, search.text] {
                        #expect(text.hasPrefix("HTTP/1.1 200 ") && text.contains("needle"), "\(text)")
                    }
                }
            }
            try await waitUntil("the listener has ended") { server.hasEnded }
        }
    }

    @Test func aViewThatStaysBehindIsAnswered() async throws {
        try await TestServer.run(views: .closed) { server in
            try await server.seed()
            let sent = try await server.client.post(
                #"{"type":"SEND_MESSAGE","channelId":"general","message":"x","eventId":"e1"}"#, token: "alice")
            #expect(sent.status == 200)
            try await RawClient(port: server.client.port).connect { reader, writer in
                let path = "/views/messages/general.json?min=e1&wait=1s"
                try await Self.accept(Self.head("GET", path), &reader, writer)
                try await Self.shutDown(server)
                await reader.readToEnd()
                let (isRefused, isBehind) = (
                    reader.text.hasPrefix("HTTP/1.1 503 "), reader.text.contains("view_behind")
                )
                #expect(isRefused && isBehind, "\(reader.text)")
            }
            try await waitUntil("the listener has ended") { server.hasEnded }
        }
    }

    /// Long answers, one that is written part by part, and one that is written at once: what the network had not
    /// accepted yet was lost.
    @Test(arguments: [
        ("/api/events?limit=100000", "alice", "\r\n0\r\n\r\n"), ("/api/admin/cursors/long", "root", "]\n"),
    ]) func aLongAnswerIsSentToItsEnd(_ path: String, _ token: String, _ end: String) async throws {
        try await TestServer.run { server in
            try await server.seed()
            if token == "alice" { try await Self.storeLongMessages(server) }
            try await RawClient(port: server.client.port).connect { reader, writer in
                try await Self.accept(Self.head("GET", path, token: token), &reader, writer)
                try await Self.shutDown(server)
                #expect(!server.hasEnded)
                var (count, last) = (reader.text.utf8.count, reader.text)
                while let part = try? await reader.iterator.next() {
                    count += part.readableBytes
                    last = String((last + String(buffer: part)).suffix(16))
                }
                let isWhole = last.hasSuffix(end)
                #expect(count > 16_000_000 && isWhole, "\(count)")
            }
            try await waitUntil("the listener has ended") { server.hasEnded }
        }
    }

    @Test func anAnswerThatIsNotReadIsCutOffAtTheDeadline() async throws {
        var rules = ListenerRules()
        (rules.times.tick, rules.times.shutdown) = (20, 200)
        try await TestServer.run(rules: rules) { server in
            try await server.seed()
            try await Self.storeLongMessages(server)
            let client = RawClient(port: server.client.port)
            try await client.connect { reader, writer in
                try await writer.write(
                    ByteBuffer(
                        string: "GET /api/events?limit=100000 HTTP/1.1\r\nHost: localhost\r\n"
                            + "Authorization: Bearer alice\r\n\r\n"))
                let isBegun = try await reader.read(until: "position")
                #expect(isBegun)
                await server.shutDown()
                try await waitUntil("the listener has ended") { server.hasEnded }
                #expect(server.lines.all.contains { $0.contains("was cut off by the shutdown") })
            }
        }
    }

    @Test func idleConnectionsCloseAndPipelinedRequestsAreAllAnswered() async throws {
        try await TestServer.run { server in
            try await server.seed()
            let raw = RawClient(port: server.client.port)
            try await raw.connect { idle, idleWriter in
                try await idleWriter.write(ByteBuffer(string: "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"))
                let isAnswered = try await idle.read(until: "alive")
                #expect(isAnswered)
                let body = Self.message
                try await raw.connect { reader, writer in
                    let first = Self.head("POST", "/api/commands", length: body.utf8.count)
                    try await Self.accept(first, &reader, writer)
                    try await Self.shutDown(server)
                    await idle.readToEnd()
                    let isClosedWithoutMore = idle.text.hasSuffix("{\"status\":\"alive\"}\n")
                    #expect(isClosedWithoutMore, "\(idle.text)")
                    // The rest of the first request, and a second one in the same write.
                    try await writer.write(
                        ByteBuffer(string: body + "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"))
                    await reader.readToEnd()
                    let answers = reader.text.components(separatedBy: "HTTP/1.1 200 ").dropFirst()
                    #expect(answers.count == 2, "\(reader.text)")
                    let isSaid = answers.map { $0.lowercased().contains("connection: close") }
                    #expect(isSaid == [false, true], "only the last answer says that the connection closes")
                }
            }
            try await waitUntil("the listener has ended") { server.hasEnded }
        }
    }
}
