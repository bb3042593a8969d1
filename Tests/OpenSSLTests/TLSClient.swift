import NIOCore
import NIOPosix
import OpenSSL
import Synchronization

/// A connection through the handler under test, with all that comes out of it.
final class TLSClient: Sendable {
    /// What came out of the handler, in its order; data that follow each other are joined.
    enum Event: Equatable {
        case active
        case established(version: String)
        case data([UInt8])
        case inputClosed
        case failed(TLSError)
        case failedOtherwise(String)
        case inactive
    }

    /// The longest that a connection may live before a test gives it up.
    private static let limit = TimeAmount.seconds(30)

    let channel: any Channel
    private let recorder: Recorder

    /// Connects to a server on loopback.
    /// - Parameters:
    ///   - host: The name that is asked for, whatever the address.
    ///   - atOnce: Called on the event loop when the connection stands, before any byte came.
    ///   - onEstablished: Called with the event.
    init(
        _ server: TLSServer, host: String, caFile: String?, halfClosure: Bool = false,
        atOnce: @escaping @Sendable (any Channel) -> Void = { _ in },
        onEstablished: @escaping @Sendable (any Channel) -> Void = { _ in }
    ) async throws {
        let recorder = Recorder()
        let context = try TLSClientContext(caFile: caFile)
        self.recorder = recorder
        channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: halfClosure)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(TLSClientHandler(context: context, host: host))
                    try pipeline.addHandler(
                        RecordingHandler(recorder: recorder, atOnce: atOnce, onEstablished: onEstablished))
                }
            }
            .connect(host: "127.0.0.1", port: server.port).get()
        let channel = channel
        let timer = channel.eventLoop.scheduleTask(in: Self.limit) { channel.close(promise: nil) }
        channel.closeFuture.whenComplete { _ in timer.cancel() }
    }

    /// All that came out, once the connection is closed.
    func events() async throws -> [Event] {
        try await channel.closeFuture.get()
        return recorder.events.withLock { $0 }
    }

    /// Waits until so many bytes of data came, or the connection ended; the data.
    func data(_ count: Int) async throws -> [UInt8] {
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            let found: [UInt8]? = recorder.events.withLock { events in
                let pieces = events.compactMap { if case .data(let bytes) = $0 { bytes } else { nil } }
                let isOver = events.last == .inactive || ContinuousClock.now > deadline
                let came = pieces.reduce(0) { $0 + $1.count }
                return came >= count || isOver ? Array(pieces.joined()) : nil
            }
            if let found { return found }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    func write(_ bytes: [UInt8]) -> EventLoopFuture<Void> {
        channel.writeAndFlush(ByteBuffer(bytes: bytes))
    }
}

final class Recorder: Sendable {
    let events = Mutex<[TLSClient.Event]>([])

    func add(_ event: TLSClient.Event) {
        events.withLock { events in
            if case .data(let more) = event, case .data(var bytes) = events.last {
                // Taken out first, so that the array is not copied for each piece.
                events.removeLast()
                bytes += more
                events.append(.data(bytes))
            } else {
                events.append(event)
            }
        }
    }
}

private final class RecordingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let recorder: Recorder
    private let atOnce: @Sendable (any Channel) -> Void
    private let onEstablished: @Sendable (any Channel) -> Void

    init(
        recorder: Recorder, atOnce: @escaping @Sendable (any Channel) -> Void,
        onEstablished: @escaping @Sendable (any Channel) -> Void
    ) {
        (self.recorder, self.atOnce, self.onEstablished) = (recorder, atOnce, onEstablished)
    }

    func channelActive(context: ChannelHandlerContext) {
        recorder.add(.active)
        atOnce(context.channel)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        recorder.add(.data(Array(unwrapInboundIn(data).readableBytesView)))
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? TLSClientHandler.Established {
            recorder.add(event.cipher.isEmpty ? .failedOtherwise("no cipher") : .established(version: event.version))
            onEstablished(context.channel)
        } else if let event = event as? ChannelEvent, event == .inputClosed {
            recorder.add(.inputClosed)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        recorder.add((error as? TLSError).map { .failed($0) } ?? .failedOtherwise("\(error)"))
    }

    func channelInactive(context: ChannelHandlerContext) {
        recorder.add(.inactive)
    }
}
