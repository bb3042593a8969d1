import CrowbarTesting
import NIOCore
import OpenSSL
import Synchronization
import Testing

/// What becomes of bytes, promises and ends once, and before, the handshake is done.
@Suite(.timeLimit(.minutes(2))) struct TLSStreamTests {
    private let host = "irc.example.org"

    private func server(_ mode: TLSServer.Mode) async throws -> (TLSServer, CertificateAuthority) {
        let authority = try await CertificateAuthority()
        return (try await TLSServer(mode, authority.identity("DNS:irc.example.org")), authority)
    }

    @Test func fiveMegabytesComeBackIntact() async throws {
        let (server, authority) = try await server(.echo)
        let client = try await TLSClient(server, host: host, caFile: authority.file)
        var (state, sent) = (UInt64(1), [UInt8]())
        sent.reserveCapacity(5 << 20)
        for _ in 0..<5 << 20 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            sent.append(UInt8(truncatingIfNeeded: state >> 33))
        }
        // It is more than is held before the handshake, so each piece waits for the one before.
        var written = client.write([])
        for start in stride(from: 0, to: sent.count, by: 300_001) {
            let piece = Array(sent[start..<min(start + 300_001, sent.count)])
            written = written.flatMap { client.write(piece) }
        }
        try await written.get()
        let came = try await client.data(sent.count)
        #expect(came.count == sent.count)
        #expect(came == sent)
        try await client.channel.close()
    }

    @Test func whatIsHeldGoesBeforeWhatIsWrittenOnceEstablished() async throws {
        let (server, authority) = try await server(.echo)
        let order = Collected<String>()
        let client = try await TLSClient(
            server, host: host, caFile: authority.file,
            atOnce: { channel in
                // The callback of the first runs while the second is on its way: its write must still come third.
                channel.writeAndFlush(ByteBuffer(string: "one ")).whenSuccess {
                    order.add("one")
                    channel.writeAndFlush(ByteBuffer(string: "three ")).whenSuccess { order.add("three") }
                }
                channel.writeAndFlush(ByteBuffer(string: "two ")).whenSuccess { order.add("two") }
            },
            onEstablished: { $0.writeAndFlush(ByteBuffer(string: "four"), promise: nil) })
        let text = String(decoding: try await client.data(18), as: UTF8.self)
        #expect(text.hasPrefix("one two "))
        #expect(Set(text.split(separator: " ")) == ["one", "two", "three", "four"])
        #expect(order.all.first == "one")
        #expect(Set(order.all) == ["one", "two", "three"])
        try await client.channel.close()
    }

    @Test func tooMuchHeldEndsTheConnectionAndFailsEveryWrite() async throws {
        let (server, authority) = try await server(.silent)
        let client = try await TLSClient(server, host: host, caFile: authority.file)
        let first = client.write([1])
        let second = client.write([UInt8](repeating: 0, count: TLSClientHandler.heldLimit))
        let error = TLSError.tooMuchHeld(limit: TLSClientHandler.heldLimit)
        await #expect(throws: error) { try await first.get() }
        await #expect(throws: error) { try await second.get() }
        #expect(try await client.events() == [.active, .failed(error), .inactive])
        await #expect(throws: ChannelError.self) { try await client.write([1]).get() }
    }

    @Test func aCloseInTheHandshakeFailsWhatIsHeld() async throws {
        let (server, authority) = try await server(.silent)
        let client = try await TLSClient(server, host: host, caFile: authority.file)
        let write = client.write([1])
        try await client.channel.close()
        await #expect(throws: ChannelError.ioOnClosedChannel) { try await write.get() }
        #expect(try await client.events() == [.active, .inactive])
    }

    @Test func aRefusedCertificateFailsWhatIsHeld() async throws {
        let (server, _) = try await server(.echo)
        let authority = try await CertificateAuthority()
        let written = Collected<EventLoopFuture<Void>>()
        let client = try await TLSClient(
            server, host: host, caFile: authority.file,
            atOnce: { written.add($0.writeAndFlush(ByteBuffer(string: "password"))) })
        let error = TLSError.untrusted(host: host, code: 20, reason: "unable to get local issuer certificate")
        #expect(try await client.events() == [.active, .failed(error), .inactive])
        let write = try #require(written.all.first)
        await #expect(throws: error) { try await write.get() }
    }

    @Test func theServersEndIsNoError() async throws {
        let (server, authority) = try await server(.bye)
        let client = try await TLSClient(server, host: host, caFile: authority.file)
        #expect(
            try await client.events() == [
                .active, .established(version: "TLSv1.3"), .data(Array("bye".utf8)), .inputClosed, .inactive,
            ])
        #expect(try await server.said() == "name irc.example.org")
        // Python's unwrap() returns only once the client has answered with its own end.
        #expect(try await server.said() == "end")
    }

    @Test func aStreamCutWithoutTLSsEndIsReported() async throws {
        let (server, authority) = try await server(.truncate)
        for halfClosure in [false, true] {
            let client = try await TLSClient(server, host: host, caFile: authority.file, halfClosure: halfClosure)
            #expect(
                try await client.events() == [
                    .active, .established(version: "TLSv1.3"), .data(Array("half a sen".utf8)),
                    .failed(.truncated(host: host)), .inactive,
                ])
        }
    }

    @Test("the answer to a half-closed stream is read", arguments: [false, true])
    func halfClose(inHandshake: Bool) async throws {
        let (server, authority) = try await server(.count)
        let end: @Sendable (any Channel) -> Void = { channel in
            channel.writeAndFlush(ByteBuffer(repeating: 7, count: 100_000), promise: nil)
            channel.close(mode: .output, promise: nil)
            channel.writeAndFlush(ByteBuffer(string: "too late"), promise: nil)
        }
        let client = try await TLSClient(
            server, host: host, caFile: authority.file, atOnce: { if inHandshake { end($0) } },
            onEstablished: { if !inHandshake { end($0) } })
        #expect(
            try await client.events() == [
                .active, .established(version: "TLSv1.3"), .data(Array("100000".utf8)), .inputClosed, .inactive,
            ])
    }
}

/// What callbacks on an event loop hand to their test.
private final class Collected<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])

    var all: [Element] { elements.withLock { $0 } }

    func add(_ element: Element) { elements.withLock { $0.append(element) } }
}
