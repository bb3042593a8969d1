import CrowbarCore
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle

/// The listener of `[metrics]`: `GET /metrics` without a token, and nothing else. Runs until it is shut down.
public struct MetricsServer: Service {
    /// Connections at once. A monitoring system needs one.
    public static let connections = 16

    private let address: APIServer.Address
    private let rules: ListenerRules
    private let metrics: @Sendable () async throws -> [UInt8]
    private let now: @Sendable () -> Int64
    private let logger: Logger
    private let onListening: @Sendable (_ port: Int?) async -> Void

    /// Makes a server.
    /// - Parameters:
    ///   - address: Where it listens.
    ///   - hosts: Which names it answers to.
    ///   - metrics: Gives the metrics as text.
    ///   - now: The Unix time in milliseconds.
    ///   - onListening: Told once calls are accepted, with the port.
    public init(
        address: APIServer.Address, hosts: HostRule, metrics: @escaping @Sendable () async throws -> [UInt8],
        now: @escaping @Sendable () -> Int64, logger: Logger,
        onListening: @escaping @Sendable (_ port: Int?) async -> Void = { _ in }
    ) {
        self.address = address
        rules = ListenerRules(hosts: hosts, connections: Self.connections)
        self.metrics = metrics
        self.now = now
        self.logger = logger
        self.onListening = onListening
    }

    /// Serves until a graceful shutdown or cancellation.
    /// - Throws: NIO's `IOError` where the address cannot be bound.
    public func run() async throws {
        let log = SparseLog(logger, now: now)
        let date = DateLine()
        let listener = HTTPListener(address: address, rules: rules, log: log, logger: logger, onListening: onListening)
        try await listener.run { [rules, metrics, now] request, writer, _ in
            var response = await Self.respond(to: request, rules, metrics, log)
            response.headers[.requestID] = RequestID.new()
            response.headers[.date] = date.text(now())
            // No request here needs a body: ending the connection is cheaper than reading one.
            let hasBody = request.headers[.contentLength].map { $0 != "0" } ?? false
            let ends = hasBody || request.headers[.transferEncoding] != nil
            if ends { response.headers[.connection] = "close" }
            let answer = response.answer(to: request)
            try await writer.write(response: answer.head, body: answer.body)
            if ends { throw ConnectionEnded() }
        }
    }

    private static func respond(
        to request: Request, _ rules: ListenerRules, _ metrics: @Sendable () async throws -> [UInt8], _ log: SparseLog
    ) async -> Response {
        do {
            try check(request, rules.hosts)
            return MetricsRoute.response(try await metrics())
        } catch let failure as APIFailure {
            return failure.response
        } catch {
            log.warn(.metrics, "the metrics cannot be read: \(error)")
            return APIFailure(.unavailable, "the metrics cannot be read now; the server's log says why").response
        }
    }

    private static func check(_ request: Request, _ hosts: HostRule?) throws(APIFailure) {
        switch hosts?.verdict(request.head.authority, isRepeated: request.headers[.host] != nil) {
        case nil, .allowed: break
        case .malformed(let reason): throw APIFailure(.malformed, reason)
        case .misdirected: throw APIFailure(.misdirected, "this server is not known under that name; see [http] hosts")
        }
        let path = (request.head.path ?? "/").prefix { $0 != "?" }
        guard path == MetricsRoute.path else {
            throw APIFailure(.notFound, "there is nothing but \(MetricsRoute.path) here")
        }
        guard request.method == .get || request.method == .head else {
            throw APIFailure.methodNotAllowed(MetricsRoute.path, allowed: [.get, .head])
        }
    }
}
