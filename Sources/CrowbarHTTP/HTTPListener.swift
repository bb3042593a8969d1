import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// A listener for HTTP/1.1, with the sizes, times and number of connections that bound every listener of the server.
struct HTTPListener: Sendable {
    let address: APIServer.Address
    let rules: ListenerRules
    let log: SparseLog
    let logger: Logger
    /// Where refused connections are counted; nil: nowhere.
    var metrics: HTTPMetrics?
    /// Told once calls are accepted, with the port.
    var onListening: @Sendable (_ port: Int?) async -> Void = { _ in }

    /// Serves until a graceful shutdown or cancellation.
    /// - Parameters:
    ///   - shortcut: What answers short commands without a task; nil: nothing does.
    ///   - responder: Answers all other requests.
    /// - Throws: NIO's `IOError` where the address cannot be bound.
    func run(shortcut: ShortCommands? = nil, _ responder: @escaping HTTPChannelHandler.Responder) async throws {
        typealias Limit = APIConfiguration.Limit
        var decoder = HTTP1Channel.Configuration.DecoderConfiguration()
        decoder.maxHeaderFieldSize = Limit.header
        decoder.maxHeaderListSize = Limit.headers
        decoder.maxHeaderFieldCount = Limit.headerCount
        // The library logs every connection; the server's own lines are enough.
        var quiet = logger
        quiet.logLevel = .warning
        let bind: BindAddress =
            switch address {
            case .tcp(let host, let port): .hostname(host, port: port)
            case .unix(let path): .unixDomainSocket(path: path)
            }
        let gate = ConnectionGate(limit: rules.connections, log: log, metrics: metrics)
        let http = HTTP1Channel(
            responder: responder,
            configuration: .init(
                additionalChannelHandlers: [ConnectionGuard(rules, gate: gate, log: log, metrics: metrics)]
                    + (shortcut.map { [CommandShortcut($0)] } ?? []),
                httpDecoderConfiguration: decoder))
        let accepted = AcceptedConnections()
        let server = AccountedChannel(http: http, accepted: accepted).server(
            configuration: ServerConfiguration(address: bind, availableConnectionsDelegate: gate),
            onServerRunning: { [onListening] in await onListening($0.localAddress?.port) },
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: quiet)
        do {
            try await server.run()
        } catch {
            await accepted.end()
            throw error
        }
        await accepted.end()
    }
}

extension Response {
    /// The answer as it is sent: to HEAD without its body, which a client would take for the beginning of the next
    /// answer (RFC 9110, section 9.3.2).
    func answer(to request: Request) -> Response { request.method == .head ? createHeadResponse() : self }
}

/// Ends a connection whose body is not worth reading; never seen by anybody.
struct ConnectionEnded: Error {}
