import NIOCore
import NIOPosix
import PluginKit
import PluginWire

/// The host's end of the protocol on the loop that everything else lives on: no thread stands between the host's pipe
/// and the networks' sockets, and what is said in one turn of the loop goes out in one piece.
final class HostPipe {
    private let loop: any EventLoop
    private var lines: HostLines
    private var channel: (any Channel)?
    private var out = ByteBuffer()
    /// Deliveries that are settled one behind the other, for one message.
    private var settled: [Int64] = []
    private var isFlushDue = false
    private var isOver = false
    private var afterwards: [() -> Void] = []

    /// - Parameter lines: What has read the pipe so far.
    init(loop: any EventLoop, lines: HostLines) {
        self.loop = loop
        self.lines = lines
    }

    /// Takes over standard input and output.
    /// - Parameters:
    ///   - onMessages: Is handed what the host says, in order.
    ///   - onEnd: Is told once that the host says nothing any more.
    func begin(onMessages: @escaping ([HostMessage]) -> Void, onEnd: @escaping () -> Void) {
        loop.preconditionInEventLoop()
        NIOPipeBootstrap(group: loop)
            // The host closes the one side first, and reads the other one's last words.
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.autoRead, value: false)
            .takingOwnershipOfDescriptors(input: 0, output: 1)
            .assumeIsolated()
            .whenComplete { [self] result in
                guard case .success(let channel) = result else { return end(onEnd) }
                self.channel = channel
                let reader = Reader { [self] bytes in
                    onMessages(bytes.withUnsafeReadableBytes { lines.feed($0, send) })
                } end: { [self] in
                    end(onEnd)
                }
                do {
                    try channel.pipeline.syncOperations.addHandler(reader)
                } catch {
                    return end(onEnd)
                }
                channel.setOption(.autoRead, value: true).whenFailure { _ in }
                write()
            }
    }

    /// Queues a message; messages are written in the order of the calls.
    func send(_ message: PluginMessage) {
        loop.preconditionInEventLoop()
        if isOver { return }
        switch message {
        case .ack(.one(let delivery), state: nil): settled.append(delivery)
        case .ack(.many(let deliveries), state: nil): settled += deliveries
        default: put(message)
        }
        guard !isFlushDue else { return }
        isFlushDue = true
        loop.assumeIsolated().execute(.toHost) { [self] in write() }
    }

    private func put(_ message: PluginMessage) {
        putSettled()
        out.writeBytes(message.line)
        out.writeInteger(0x0A as UInt8)
    }

    private func putSettled() {
        guard !settled.isEmpty else { return }
        let all = settled
        settled = []
        put(.ack(all.count == 1 ? .one(all[0]) : .many(all), state: nil))
    }

    /// Calls back once all that was queued has been handed to the host, or the host is gone.
    func flush(_ then: @escaping () -> Void) {
        afterwards.append(then)
        if isOver { callBack() } else { write() }
    }

    /// Hands what is queued to the host now.
    func write() {
        putSettled()
        guard let channel, out.readableBytes > 0 || !afterwards.isEmpty else { return }
        isFlushDue = false
        let bytes = out
        out = ByteBuffer()
        let told = afterwards
        afterwards = []
        let written = channel.writeAndFlush(bytes)
        if !told.isEmpty { written.assumeIsolated().whenComplete { _ in for tell in told { tell() } } }
    }

    private func end(_ onEnd: () -> Void) {
        guard !isOver else { return }
        // The other side may still be read, by a host that is only shutting down.
        onEnd()
        if channel?.isActive != true {
            isOver = true
            callBack()
        }
    }

    private func callBack() {
        let told = afterwards
        afterwards = []
        for tell in told { tell() }
    }

    /// Hands on what comes, and that nothing comes any more.
    private final class Reader: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let take: (ByteBuffer) -> Void
        private let end: () -> Void
        private var hasEnded = false

        init(take: @escaping (ByteBuffer) -> Void, end: @escaping () -> Void) {
            (self.take, self.end) = (take, end)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { take(unwrapInboundIn(data)) }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if event as? ChannelEvent == .inputClosed { endOnce() }
            context.fireUserInboundEventTriggered(event)
        }

        func channelInactive(context: ChannelHandlerContext) { endOnce() }

        // A host that reads no more is gone.
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

        private func endOnce() {
            if hasEnded { return }
            hasEnded = true
            end()
        }
    }
}
