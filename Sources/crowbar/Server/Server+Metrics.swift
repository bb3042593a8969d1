import CrowbarCore
import CrowbarHTTP
import CrowbarViews
import Logging
import ServiceLifecycle

// The metrics, and the listener of their own.
extension Server {
    /// What collects the metrics of a server's parts.
    func makeMetrics(
        _ stores: Stores, _ counters: IngestMetrics, _ api: APIConfiguration, _ plugins: PluginService, _ views: Views,
        _ outcome: ReloadOutcome
    ) -> ServerMetrics {
        ServerMetrics(
            .init(
                log: stores.log, ingest: counters, http: api.counters, plugins: plugins.host, views: views,
                reload: outcome, folder: PluginService.absolute(configuration.data)))
    }

    /// The listener of `[metrics] listen`; nil where it is not set.
    func metricsListener(_ metrics: ServerMetrics, _ logger: Logger) -> Listener? {
        guard let listen = configuration.metrics.listen else {
            metricsListening.note()
            return nil
        }
        let server = MetricsServer(
            address: .tcp(host: listen.host, port: listen.port),
            hosts: HostRule(hosts: configuration.http.hosts, listening: listen.host),
            metrics: { try await metrics.text() }, now: Clock.milliseconds, logger: logger
        ) { [metricsListening] port in
            metricsListening.note()
            let address = ListenAddress(host: listen.host, port: port ?? listen.port)
            logger.notice("metrics are served without a token", metadata: ["address": "http://\(address)/metrics"])
        }
        return Listener(
            server: server, address: "\(listen)", setting: ListenProblem.metricsSetting,
            onEnd: { [metricsListening] in metricsListening.end() })
    }
}

/// A listener whose failure to listen is told in words.
struct Listener: Service {
    let server: any Service
    let address: String
    /// The setting of the address.
    var setting = ListenProblem.httpSetting
    var onEnd: @Sendable () -> Void = {}

    func run() async throws {
        defer { onEnd() }
        do {
            try await server.run()
        } catch {
            throw Refusal(ListenProblem.text(address, error, setting: setting))
        }
    }
}

/// Whether a listener listens, for what is said only then.
struct ListenSignal: Sendable {
    private let events: AsyncStream<Void>
    private let noted: AsyncStream<Void>.Continuation

    init() { (events, noted) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1)) }

    /// It listens.
    func note() { noted.yield() }

    /// It listens no more, or never did.
    func end() { noted.finish() }

    /// Waits until it listens. For one caller.
    /// - Returns: false if it never will.
    func wait() async -> Bool { await events.first { _ in true } != nil }
}
