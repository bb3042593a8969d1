import NIOCore
import NIOSOCKS

/// The network's end of a channel: cuts what comes into lines and hands them on with the connection's end.
final class IRCLineHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// What the connection does.
    enum Event {
        /// A proxy has reached the server; TLS may be still to come.
        case proxied
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
    private let trust: TLSOptions?
    private var decoder = LineDecoder()
    private var isOpen = false

    /// - Parameters:
    ///   - established: The event that says that the connection can be used; nil: once it is open.
    ///   - skipsTalk: Whether ``TalkFilter`` keeps from it what people say.
    ///   - trust: Whom the connection trusts, for the reason of its failure.
    ///   - report: Where to.
    init(
        established: Any.Type?, skipsTalk: Bool = false, trust: TLSOptions? = nil, report: @escaping (Event) -> Void
    ) {
        self.trust = trust
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
        if event is SOCKSProxyEstablishedEvent { report(.proxied) }
        if let established, type(of: event) == established { open() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        let (lines, isTooLong) = buffer.withUnsafeReadableBytes { decoder.take($0) }
        for line in lines where !skipsTalk || !TalkFilter.isTalk(line) {
            if let message = IRCMessage(line: line) { report(.line(message)) }
        }
        if isTooLong {
            report(.failed("the server sent a line of over \(LineDecoder.maxLine) bytes"))
            context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        report(.caughtUp)
        context.fireChannelReadComplete()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        report(.failed(ConnectReason.text(inChannel: error, trust)))
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        report(.closed)
        context.fireChannelInactive()
    }
}
