import Glibc
import JSONBytes
import PluginWire
import Testing

@testable import PluginHTTP
@testable import Webhook

/// A socket of the loopback that listens and never answers.
private final class DeafListener: Sendable {
    let port: Int64
    private let descriptors: [Int32]

    struct Failure: Error { var call: String, error: Int32 }

    /// - Parameter isFull: Not even a connection comes about, as others wait before it.
    init(isFull: Bool) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var descriptors = [listener]
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        func call(_ name: String, _ make: (UnsafeMutablePointer<sockaddr>) -> Int32) throws {
            let result = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { make($0) }
            }
            if result != 0, errno != EINPROGRESS { throw Failure(call: name, error: errno) }
        }
        try call("bind") { bind(listener, $0, length) }
        guard listen(listener, isFull ? 0 : 16) == 0 else { throw Failure(call: "listen", error: errno) }
        try call("getsockname") { getsockname(listener, $0, &length) }
        if isFull {
            // A backlog of 0 holds one connection; the handshakes of the others stay open.
            for _ in 0..<4 {
                let waiting = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
                descriptors.append(waiting)
                try call("connect") { connect(waiting, $0, length) }
            }
        }
        self.descriptors = descriptors
        port = Int64(UInt16(bigEndian: address.sin_port))
    }

    deinit { for descriptor in descriptors { close(descriptor) } }
}

/// How long the parts of a try may take.
@Suite struct TimeLimitTests {
    /// Posts one delivery with limits of the test's and returns its retry and the milliseconds it took.
    private func retry(_ url: String, _ change: (inout TimeLimits) -> Void) async throws -> (PluginMessage.Retry, Int64)
    {
        var configuration = try WebhookConfiguration(
            .object([.init("endpoints", .array([endpoint("a", url)]))]), isCheck: false)
        try #require(configuration.endpoints.count == 1)
        change(&configuration.endpoints[0].limits)
        let (messages, continuation) = AsyncStream.makeStream(of: PluginMessage.self)
        let (drained, end) = AsyncStream.makeStream(of: Void.self)
        let made = HTTPSender(
            configuration, plugin: "webhook", send: { continuation.yield($0) }, drained: { end.finish() })
        let sender = try #require(made)
        sender.enqueue(.start([.init(name: "a", cursor: nil)]))
        let start = ContinuousClock.now
        let delivery = Delivery(id: 1, eventId: "e1", body: Array("{}".utf8))
        sender.enqueue(.deliver(delivery, queue: "a"))
        var found: PluginMessage.Retry?
        for await message in messages {
            if case .retry(let retry) = message {
                found = retry
                break
            }
            if case .ack = message { break }
        }
        let took = (ContinuousClock.now - start).components
        sender.drain(within: 1000)
        for await _ in drained {}
        return (try #require(found), took.seconds * 1000 + took.attoseconds / 1_000_000_000_000_000)
    }

    @Test func aConnectionThatDoesNotComeAboutIsGivenUp() async throws {
        let listener = try DeafListener(isFull: true)
        let (retry, ms) = try await retry("http://127.0.0.1:\(listener.port)/") { $0.connect = 300 }
        #expect(retry.code == "timeout" && retry.message == "there was no connection within 300 ms")
        #expect(ms >= 300)
        withExtendedLifetime(listener) {}
    }

    @Test func aHandshakeThatDoesNotEndIsGivenUp() async throws {
        let listener = try DeafListener(isFull: false)
        let (retry, ms) = try await retry("https://127.0.0.1:\(listener.port)/") {
            ($0.connect, $0.secure) = (20_000, 300)
        }
        #expect(retry.code == "timeout" && retry.message == "TLS was not ready within 300 ms of the connection")
        #expect(ms >= 300)
        withExtendedLifetime(listener) {}
    }

    @Test func anAnswerThatDoesNotBeginIsGivenUp() async throws {
        let receiver = try await Receiver()
        let (retry, ms) = try await retry(receiver.url("/silent")) { $0.firstByte = 300 }
        #expect(retry.code == "timeout" && retry.message == "no answer began within 300 ms")
        #expect(ms >= 300)
    }

    @Test func aTryThatTakesTooLongAltogetherIsGivenUp() async throws {
        let receiver = try await Receiver()
        let (retry, ms) = try await retry(receiver.url("/silent")) { ($0.firstByte, $0.all) = (20_000, 400) }
        #expect(retry.code == "timeout" && retry.message.contains("Operation timed out after"), "\(retry.message)")
        // libcurl counts whole milliseconds of its own.
        #expect(ms >= 390)
    }

    @Test func theWholeEndsWhatItsPartsWouldLet() async throws {
        let listener = try DeafListener(isFull: false)
        let (retry, _) = try await retry("https://127.0.0.1:\(listener.port)/") {
            ($0.connect, $0.secure, $0.all) = (20_000, 20_000, 300)
        }
        #expect(retry.code == "timeout")
        withExtendedLifetime(listener) {}
    }
}
