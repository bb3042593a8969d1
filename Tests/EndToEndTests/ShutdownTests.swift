import Glibc
import Testing

/// What the real server answers after SIGTERM.
@Suite(.serialized) struct ShutdownTests {
    /// A connection that blocks, with a limit of 20 seconds for each call.
    private final class Connection {
        private let descriptor: Int32

        /// Connects; nil if the server refuses.
        init?(_ port: String) {
            descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var wait = timeval(tv_sec: 20, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = in_port_t(UInt16(port) ?? 0).bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            let result = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            if result != 0 { return nil }
        }

        deinit { close(descriptor) }

        func write(_ text: String) { send(descriptor, text, text.utf8.count, Int32(MSG_NOSIGNAL)) }

        /// Reads until a text has come, or to the end.
        func read(until text: String? = nil) -> String {
            var (bytes, chunk) = ([UInt8](), [UInt8](repeating: 0, count: 4_096))
            while true {
                let all = String(decoding: bytes, as: UTF8.self)
                if let text, all.contains(text) { return all }
                let count = recv(descriptor, &chunk, chunk.count, 0)
                if count <= 0 { return all + (count < 0 ? " [errno \(errno)]" : "") }
                bytes += chunk[..<count]
            }
        }
    }

    private static let message =
        #"{"type":"SEND_MESSAGE","channelId":"general","message":"the last one","eventId":"last"}"#

    @Test func whatWasAcceptedBeforeTheSignalIsAnsweredAndStored() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", "data = \"d\"\n[http]\nlisten = \"127.0.0.1:0\"\n")
        let server = try #require(folder.serve())
        var hasEnded = false
        defer { if !hasEnded { kill(server.pid, SIGKILL) } }
        #expect(folder.crowbar("channel", "add", "general").status == 0)
        #expect(folder.crowbar("user", "add", "ann").status == 0)
        let token = folder.crowbar("token", "ann").output.split(separator: "\n").first.map(String.init) ?? ""
        func request(_ method: String, _ path: String, _ more: String = "") -> String {
            "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(token)\r\n\(more)\r\n"
        }
        let join = try #require(Connection(server.port))
        let body = #"{"type":"JOIN_CHANNEL","channelId":"general"}"#
        join.write(request("POST", "/api/commands", "Content-Length: \(body.utf8.count)\r\n") + body)
        #expect(join.read(until: "}\n").hasPrefix("HTTP/1.1 200"))
        // It stays open, as a browser's does.
        let stream = try #require(Connection(server.port))
        stream.write(request("GET", "/api/events/stream"))
        #expect(stream.read(until: ": following").hasPrefix("HTTP/1.1 200"))
        let late = try #require(Connection(server.port))
        late.write(
            request("POST", "/api/commands", "Content-Length: \(Self.message.utf8.count)\r\nExpect: 100-continue\r\n"))
        #expect(late.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 100"))
        late.write(String(Self.message.prefix(20)))
        kill(server.pid, SIGTERM)
        #expect(folder.poll { Connection(server.port) == nil }, "new connections are refused")
        #expect(join.read() == "", "an idle connection is closed")
        #expect(stream.read().hasSuffix("0\r\n\r\n"), "a stream ends in order")
        #expect(!CommandLineFolder.hasEnded(server.pid))
        late.write(String(Self.message.dropFirst(20)))
        let answer = late.read()
        #expect(answer.hasPrefix("HTTP/1.1 200") && answer.contains("\"eventId\":\"last\""), "\(answer)")
        #expect(answer.lowercased().contains("connection: close\r\n"))
        #expect(folder.poll { CommandLineFolder.hasEnded(server.pid) })
        hasEnded = true
        #expect(CommandLineFolder.wait(server.pid) == 0)
        #expect(folder.read("serve.err").contains("all that was under way is done"), "\(folder.read("serve.err"))")
        let export = folder.crowbar("events", "export")
        #expect(export.output.contains("the last one"), "\(export.error)")
    }
}
