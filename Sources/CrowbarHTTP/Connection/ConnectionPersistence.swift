import NIOCore
import NIOHTTP1

/// Which requests end their connection (RFC 9112, section 9.3): a value without I/O.
///
/// What stands behind it knows neither the version of a request nor that the options of `Connection` are compared
/// without regard to case. So it gets a request that ends the connection with `Connection: close`, and none after that.
struct PersistenceRule: Sendable {
    /// The versions of the requests whose answers have not begun.
    private var unanswered: [HTTPVersion] = []
    /// Whether the last request came.
    private(set) var hasLast = false

    /// Looks at a request.
    /// - Returns: Whether it is answered: none is behind the last one.
    mutating func receive(_ head: inout HTTPRequestHead) -> Bool {
        if hasLast { return false }
        unanswered.append(head.version)
        let isOld = Self.isOld(head.version)
        guard isOld || !head.isKeepAlive else { return true }
        hasLast = true
        head.headers.replaceOrAdd(name: "connection", value: "close")
        // Such a client knows no `100 Continue` (RFC 9110, section 10.1.1).
        if isOld { head.headers.remove(name: "expect") }
        return true
    }

    /// Whether a version is of before HTTP/1.1.
    private static func isOld(_ version: HTTPVersion) -> Bool { (version.major, version.minor) < (1, 1) }

    /// Gives an answer the form that its request needs.
    mutating func answer(_ head: inout HTTPResponseHead) {
        guard !(100..<200).contains(head.status.code), !unanswered.isEmpty else { return }
        let version = unanswered.removeFirst()
        // Else a body of unknown length has the coding `chunked`, which HTTP/1.0 does not know.
        if Self.isOld(version) { head.version = .http1_0 }
        if hasLast, unanswered.isEmpty { head.headers.replaceOrAdd(name: "connection", value: "close") }
    }
}

/// Ends connections as ``PersistenceRule`` says.
final class ConnectionPersistence: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private var rule = PersistenceRule()
    /// The parts of a request behind the last one.
    private var isDropping = false

    init() {}

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head(var head) = unwrapInboundIn(data) {
            isDropping = !rule.receive(&head)
            if !isDropping { context.fireChannelRead(wrapInboundOut(.head(head))) }
        } else if !isDropping {
            context.fireChannelRead(data)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .head(var head) = unwrapOutboundIn(data) else { return context.write(data, promise: promise) }
        rule.answer(&head)
        context.write(wrapOutboundOut(.head(head)), promise: promise)
    }
}
