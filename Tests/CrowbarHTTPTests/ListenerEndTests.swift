import CrowbarTesting
import Glibc
import Testing

@testable import CrowbarHTTP

/// A listener that ends while connections come in.
@Suite(.serialized) struct ListenerEndTests {
    /// Connects many times, without waiting for an answer; some of them send a request.
    private static func connect(_ count: Int, to port: Int) -> [Int32] {
        let request = Array("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
        return (0..<count).map { number in
            let socket = LoopbackPort.connect(port) ?? -1
            if number.isMultiple(of: 2) { send(socket, request, request.count, Int32(MSG_NOSIGNAL)) }
            return socket
        }
    }

    /// Whether the other side has closed a connection: nothing more comes than an answer.
    private static func isClosed(_ socket: Int32) -> Bool {
        var wait = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
        var bytes = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(socket, &bytes, bytes.count, 0)
            if count == 0 || (count < 0 && errno == ECONNRESET) { return true }
            if count < 0, errno != EINTR { return false }
        }
    }

    /// SwiftNIO would end this process where a connection that was accepted is dropped.
    @Test func connectionsOfTheLastMomentEndWithTheListener() async throws {
        for _ in 0..<50 {
            let (sockets, made) = AsyncStream.makeStream(of: [Int32].self)
            try await TestServer.run { server in
                // They are accepted while the listener is ended, as this returns at once.
                made.yield(Self.connect(100, to: server.client.port))
            }
            made.finish()
            for await all in sockets {
                #expect(all.allSatisfy { $0 >= 0 && Self.isClosed($0) })
                for socket in all { close(socket) }
            }
        }
    }
}
