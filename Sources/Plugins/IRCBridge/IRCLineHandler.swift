import NIOCore

/// The network's end of a channel: cuts what comes into lines and hands them on with the connection's end.
final class IRCLineHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// The longest line taken, in bytes: 8,191 of tags and 512 (IRCv3 message-tags), with room for a loose server.
    static let maxLine = 16 << 10

    /// What the connection does.
    enum Event {
        case opened
        case line(IRCMessage)
        /// All that has come for now was handed on.
        case caughtUp
        case failed(String)
        case closed
    }

    private let established: Any.Type?
    private let report: (Event) -> Void
    private let skipsTalk: Bool
    private var partial: [UInt8] = []
    private var isOpen = false

    /// - Parameters:
    ///   - established: The event that says that the connection can be used; nil: once it is open.
    ///   - skipsTalk: Whether ``TalkFilter`` keeps from it what people say.
    ///   - report: Where to.
    init(established: Any.Type?, skipsTalk: Bool = false, report: @escaping (Event) -> Void) {
        self.established = established
        self.skipsTalk = skipsTalk
        self.report = report
    }

    // A channel that has just connected is active, and says so once more a moment later.
    private func open() {
        if !isOpen { report(.opened) }
        isOpen = true
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive, established == nil { open() }
    }

    func channelActive(context: ChannelHandlerContext) {
        if established == nil { open() }
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let established, type(of: event) == established { open() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        var lines: [[UInt8]] = []
        buffer.withUnsafeReadableBytes { bytes in
            var start = 0
            for at in 0..<bytes.count where bytes[at] == 0x0A {
                var line = partial
                partial = []
                line.append(contentsOf: bytes[start..<at])
                start = at + 1
                while line.last == 0x0D { line.removeLast() }
                lines.append(line)
            }
            partial.append(contentsOf: bytes[start...])
        }
        for line in lines where !skipsTalk || !TalkFilter.isTalk(line) {
            if let message = IRCMessage(line: line) { report(.line(message)) }
        }
        if partial.count > Self.maxLine {
            report(.failed("the server sent a line of over \(Self.maxLine) bytes"))
            context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        report(.caughtUp)
        context.fireChannelReadComplete()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        report(.failed(ConnectReason.text(inChannel: error)))
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        report(.closed)
        context.fireChannelInactive()
    }
}
