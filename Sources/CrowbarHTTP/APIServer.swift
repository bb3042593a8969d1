import CrowbarCore
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle

/// The HTTP API on one listener; runs until it is shut down.
public struct APIServer: Service {
    /// Where a server listens.
    public enum Address: Sendable, CustomStringConvertible {
        /// A host and a port; port 0 takes a free one.
        case tcp(host: String, port: Int)
        /// A Unix socket's path, of at most 107 bytes; an old socket there is replaced.
        case unix(path: String)

        public var description: String {
            switch self {
            case .tcp(let host, let port): "\(host.contains(":") ? "[\(host)]" : host):\(port)"
            case .unix(let path): path
            }
        }
    }

    private let configuration: APIConfiguration
    private let address: Address
    private let door: Door
    private let rules: ListenerRules
    private let onListening: @Sendable (_ port: Int?) async -> Void

    /// Makes a server.
    /// - Parameters:
    ///   - configuration: What it needs of the rest.
    ///   - address: Where it listens.
    ///   - door: What callers may be there.
    ///   - rules: What is asked of those who connect.
    ///   - onListening: Told once calls are taken, with the port.
    public init(
        _ configuration: APIConfiguration, address: Address, door: Door, rules: ListenerRules = ListenerRules(),
        onListening: @escaping @Sendable (_ port: Int?) async -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.address = address
        self.door = door
        self.rules = rules
        self.onListening = onListening
    }

    /// Serves until a graceful shutdown or cancellation.
    /// - Throws: NIO's `IOError` where the address cannot be bound.
    public func run() async throws {
        if rules.hosts?.acceptsEveryName == true {
            configuration.logger.warning(
                """
                every Host is accepted on \(address); name this server's hosts in [http] hosts, so that pages of other \
                names cannot pass for its own (DNS rebinding)
                """)
        }
        let log = SparseLog(configuration.logger, now: configuration.now)
        let broadcaster = EventBroadcaster(log: ReadableLog(configuration.log), logger: configuration.logger)
        let (responder, date) = (
            APIResponder(configuration, door: door, rules: rules, log: log, broadcaster: broadcaster), DateLine()
        )
        let listener = HTTPListener(
            address: address, rules: rules, log: log, logger: configuration.logger,
            metrics: door.isCommandLine ? nil : configuration.counters, onListening: onListening)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await broadcaster.run() }
            if let feed = feed(broadcaster) { group.addTask { await feed.run() } }
            // Streams end before what feeds them: the group is cancelled once the listener has ended.
            defer { group.cancelAll() }
            try await listener.run(shortcut: responder.shortCommands(date), handler(responder, date))
        }
    }

    private func feed(_ broadcaster: EventBroadcaster) -> ReadMarkFeed? {
        configuration.markers.map {
            ReadMarkFeed(
                markers: $0, views: configuration.views, rights: ReadAccess(configuration.log),
                broadcaster: broadcaster, logger: configuration.logger)
        }
    }

    private func handler(_ responder: APIResponder, _ date: DateLine) -> HTTPChannelHandler.Responder {
        let (now, proxies, cors) = (configuration.now, rules.proxies, rules.cors)
        return { request, writer, channel in
            let length = request.headers[.contentLength].flatMap { Int($0) } ?? 0
            if request.headers[.expect] == "100-continue", length <= APIConfiguration.Limit.commands {
                try await writer.writeInformationalHead(HTTPResponse(status: .continue))
            }
            let peer = channel.remoteAddress?.ipAddress
            let requestID = RequestID.of(request.headers, peer: peer, proxies)
            var response = await RequestID.$current.withValue(requestID) {
                await responder.respond(to: request, on: channel) {
                    peer.map { proxies.caller(peer: $0, request.headers) } ?? "local"
                }
            }
            response.headers[.requestID] = requestID
            response.headers[.date] = date.text(now())
            cors.apply(to: &response.headers, of: request.headers)
            let ends = response.status == .contentTooLarge || response.status == .requestTimeout
            if ends { response.headers[.connection] = "close" }
            if response.body.contentLength ?? .max > APIConfiguration.Limit.kernelBuffer {
                // Else the kernel keeps megabytes for a reader that does not read.
                try? await channel.setOption(
                    .socketOption(.so_sndbuf), value: numericCast(APIConfiguration.Limit.kernelBuffer)
                ).get()
            }
            let answer = response.answer(to: request)
            try await writer.write(response: answer.head, body: answer.body)
            // What is left of the body is not worth reading: ending the connection ends it.
            if ends { throw ConnectionEnded() }
        }
    }
}
