import CrowbarCore
import CrowbarHTTP
import CrowbarMetrics
import CrowbarSQLite
import CrowbarViews
import Glibc
import Logging
import NIOCore
import OpenID
import OpenSSL
import PluginHost
import ServiceLifecycle

/// The composition root: opens the stores and runs everything on them until a signal comes.
struct Server {
    /// How long a shutdown waits for calls and plugins before it cuts them off, in seconds.
    static let shutdownSeconds = 30

    let configuration: Configuration
    /// Reads the configuration again.
    let reload: @Sendable () throws -> Configuration
    /// Whether the metrics' listener listens: the server has not started before.
    let metricsListening = ListenSignal()

    /// Runs until a signal asks for a shutdown (``SignalPolicy``).
    /// - Throws: ``Refusal`` where it cannot start.
    func run() async throws {
        let signals = try SignalPipe.install(SignalPolicy.table)
        let logging = LogSettings(configuration.log)
        let logger = Logger("crowbar", logging)
        let end = ServerEnd(logger: logger)
        warnOfMisspeltNames(logger)
        let descriptors = Self.raiseDescriptorLimit(logger)
        let socket = configuration.data + "/" + ControlFiles.socket
        try checkPlaces(socket: socket, end)
        let stores = try openStores(logger)
        let checks = CheckCoordinator(now: Clock.monotonic)
        let counters = IngestMetrics(now: MonotonicClock.nanoseconds)
        let ingest = stores.makeIngest(checks: checks.checks, metrics: counters) { [logger] in
            logger.error("an append failed; nothing of it was stored", metadata: ["error": "\($0)"])
        }
        let keyHash = SHA256.hash(
            try ControlFiles.makeKey(in: configuration.data, random: { try SecureRandom.bytes($0) }).utf8)
        let plugins = try PluginService(configuration, stores, ingest, checks, logger)
        for line in await ChannelCheck(stores).hookLines() { logger.warning("\(line)") }
        let views = makeViews(stores, logging)
        let rates = CallerRates(machineTokens: configuration.limits)
        let publishers = Publishers(
            configuration.publish, of: views, logger: Logger("crowbar.publish", logging),
            now: { Clock.milliseconds() / 1_000 })
        let openID = try stores.openID(configuration.openID, ingest, Logger("crowbar.oidc", logging))
        let setup = SetupLink(stores: stores, policy: configuration.auth, address: PublicAddress(configuration))
        let status = ServerStatus(
            dataFolder: PluginService.absolute(configuration.data), log: stores.log, plugins: plugins.listings.plugins)
        let actions = makeActions(stores, ingest, status, setup, logger)
        var api = makeAPI(stores, ingest, plugins, views, rates, logger)
        let outcome = ReloadOutcome()
        let metrics = makeMetrics(stores, counters, api, plugins, views, outcome)
        api.metrics = { try await metrics.text() }
        api.openID = openID
        api.accounts = stores.localAccounts(configuration.auth, ingest) { setup.removeFile() }
        api.administration = actions
        let replays = makeReplays(logger)
        api.console = plugins.console(status, replays)
        let keep = RetentionService.Setting(configuration.keepDeleted)
        let control = APIServer(
            api, address: .unix(path: socket), door: .commandLine(keyHash: keyHash, actions),
            rules: ListenerRules(connections: descriptors.control))
        let people = people(api, status, setup, descriptors, logger)
        // They end in the reverse order: first the listeners, then the plugins, ingest last, so that what was taken is
        // decided. So they do where a listener cannot listen.
        let (requests, shutdown) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let reloader = makeReload(
            plugins,
            [
                "log": { logging.values = $0.log }, "log.keep_deleted": { keep.value = $0.keepDeleted },
                "limits": { rates.machineTokens = $0.limits },
            ], outcome, logger)
        let signalService = SignalService(
            descriptor: signals, table: SignalPolicy.table, reload: reloader, shutdown: shutdown, logger: logger)
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = [.init(service: signalService)]
        services += storeServices(stores, ingest, views, publishers, keep, openID, logger)
        services += [.init(service: plugins), .init(service: replays)]
        services += listeners(metrics, control, socket: socket, people, logger)
        services += [
            .init(
                service: ShutdownService(requests: requests),
                successTerminationBehavior: .gracefullyShutdownGroup),
            .init(service: end, successTerminationBehavior: .ignore),
        ]
        let group = ServiceGroupConfiguration(
            services: services, logger: Logger("crowbar.services", logging, level: .critical))
        try await run(group, end, socket: socket)
    }

    /// The listeners. If one of them cannot listen, the server ends.
    private func listeners(
        _ metrics: ServerMetrics, _ control: APIServer, socket: String, _ people: APIServer, _ logger: Logger
    ) -> [ServiceGroupConfiguration.ServiceConfiguration] {
        let listeners = [
            Listener(server: control, address: socket), Listener(server: people, address: "\(configuration.listen)"),
        ]
        return ([metricsListener(metrics, logger)].compactMap(\.self) + listeners).map {
            .init(service: $0, failureTerminationBehavior: .gracefullyShutdownGroup)
        }
    }

    /// What works on the stores. Ingest starts before what registers users, and ends after it.
    private func storeServices(
        _ stores: Stores, _ ingest: Ingest, _ views: Views, _ publishers: Publishers,
        _ keep: RetentionService.Setting, _ openID: OpenIDService?, _ logger: Logger
    ) -> [ServiceGroupConfiguration.ServiceConfiguration] {
        [
            .init(service: ViewsService(views: views)),
            .init(service: PublishingService(publishers: publishers)),
            .init(service: IngestService(ingest: ingest)),
            .init(
                service: AccountsService(
                    accounts: stores.accounts, registrar: stores.registrar(ingest), logger: logger)),
            .init(
                service: RetentionService(
                    setting: keep, log: stores.log, copies: views, clock: .system, logger: logger)),
            .init(service: OpenIDPreparation(service: openID)),
        ]
    }

    /// What the API needs of the rest of the server.
    private func makeAPI(
        _ stores: Stores, _ ingest: Ingest, _ plugins: PluginService, _ views: Views, _ rates: CallerRates,
        _ logger: Logger
    ) -> APIConfiguration {
        let accounts = stores.accounts
        var api = APIConfiguration(
            ingest: ingest, log: stores.log,
            authenticate: { try accounts.principal(forTokenHash: $0, now: Clock.milliseconds(), address: $1) },
            hash: { SHA256.hash($0) }, listings: plugins.listings, plugins: plugins.actions, views: views,
            markers: stores.markers.map { ReadMarkers(log: stores.log, markers: $0) },
            hook: { try accounts.hook(forTokenHash: $0).map { IncomingHook($0) } },
            anonymousRead: configuration.anonymousRead, rates: rates, now: Clock.milliseconds, logger: logger)
        api.audit = ExplainedAudit(accounts: accounts)
        return api
    }

    /// What the command line, and in part admins over TCP, do.
    private func makeActions(
        _ stores: Stores, _ ingest: Ingest, _ status: ServerStatus, _ setup: SetupLink, _ logger: Logger
    ) -> AdminActions {
        let note: @Sendable (String) -> Void = { [logger] in logger.notice("\($0)") }
        var actions = stores.accountActions(ingest, note: note)
        actions.access = stores.accessActions(ingest, configuration.auth, setup.address, note: note)
        actions.status = { try await status.json() }
        actions.linkUser = { [openID = configuration.openID] user, subject in
            try await stores.linkUser(user, to: subject, of: openID, note: note)
        }
        actions.erasure = stores.erasure(ingest, note: note)
        return actions
    }

    private func makeViews(_ stores: Stores, _ logging: LogSettings) -> Views {
        Views(
            path: stores.folder.file("views.db"), log: stores.log, logger: Logger("crowbar.views", logging),
            clock: Clock.monotonic)
    }

    private func makeReplays(_ logger: Logger) -> ReplayService {
        ReplayService(
            configurationFile: configuration.file,
            newID: { Clock.milliseconds().description + String(UInt16.random(in: .min ... .max), radix: 16) },
            logger: logger)
    }

    private func warnOfMisspeltNames(_ logger: Logger) {
        for line in ConfigurationOption.misspeltVariables { logger.warning("\(line)") }
        let named = configuration.file == ConfigurationReader.defaultFile ? nil : configuration.file
        if let line = ConfigurationOption.misspeltFile(named: named) { logger.warning("\(line)") }
    }

    /// Checks the paths and the address before anything is made.
    /// - Throws: ``Refusal``.
    private func checkPlaces(socket: String, _ end: ServerEnd) throws {
        if socket.utf8.count > ListenProblem.maxSocketPath {
            throw Refusal(ListenProblem.text(socket, errno: ENAMETOOLONG))
        }
        try DataLocation.check(configuration.data)
        if let reason = addressProblemBeforeFirstStart() {
            end.log(reason, limit: 0)
            throw Refusal(reason)
        }
        try PublishPlace.check(configuration)
    }

    /// What SIGHUP does.
    /// - Parameter reloadable: The keys that take effect at once, each with what applies it.
    private func makeReload(
        _ plugins: PluginService, _ reloadable: [String: @Sendable (Configuration) -> Void], _ outcome: ReloadOutcome,
        _ logger: Logger
    ) -> ServerReload {
        ServerReload(
            running: configuration, load: reload, reloadPlugins: { try plugins.reload() },
            problems: { $0.isPluginFolderNamed ? MissingPlugins.text($0).map { [$0] } ?? [] : [] },
            reloadable: reloadable, outcome: outcome, logger: logger)
    }

    /// Why the address cannot be bound, before a new data folder is made for it: a start that fails leaves nothing
    /// behind. nil if the folder exists: a server may already run on it, which its lock reports better.
    private func addressProblemBeforeFirstStart() -> String? {
        guard access(configuration.data, F_OK) != 0, configuration.listen.port != 0 else { return nil }
        return ListenProbe.problem(configuration.listen).map { ListenProblem.text(configuration.listen, $0) }
    }

    /// Opens the stores, and logs what was made, is missing, or was upgraded.
    /// - Throws: ``Refusal``.
    private func openStores(_ logger: Logger) throws -> Stores {
        let missing = DataFolder.missingBesideLog(configuration.data)
        let isNew = access(configuration.data, F_OK) != 0
        let stores = try Stores(configuration, for: .serving) { upgraded in
            logger.notice(
                "\(Stores.words(upgraded))",
                metadata: [
                    "database": "\(upgraded.name)", "from": "\(upgraded.found)", "to": "\(upgraded.supported)",
                ])
        }
        // A misspelt path is a folder that is made.
        if isNew {
            logger.notice("the data folder \(FolderPath.shown(stores.folder.path)) was not there, and was made")
        }
        for file in missing { logger.warning("\(DataFolder.warning(configuration.data, missing: file))") }
        return stores
    }

    /// The listener for people and programs.
    private func people(
        _ api: APIConfiguration, _ status: ServerStatus, _ setup: SetupLink, _ descriptors: DescriptorBudget,
        _ logger: Logger
    ) -> APIServer {
        let listen = configuration.listen
        let rules = ListenerRules(
            proxies: configuration.http.trustedProxies,
            hosts: HostRule(hosts: configuration.http.hosts, listening: listen.host),
            cors: configuration.http.cors,
            connections: descriptors.connections)
        return APIServer(
            api, address: .tcp(host: listen.host, port: listen.port), door: .people, rules: rules
        ) { [metricsListening] port in
            guard await metricsListening.wait() else { return }
            let address = ListenAddress(host: listen.host, port: port ?? listen.port)
            setup.address.note(port: address.port)
            await setup.announce(logger)
            status.note(address: "http://\(address)")
            logger.notice(
                "started", metadata: ["version": "\(CrowbarVersion.current)", "address": "http://\(address)"])
            StandardStream.output.write(
                line:
                    "crowbar listens on http://\(address); "
                    + "'crowbar user add NAME' and 'crowbar token NAME' give a token"
            )
        }
    }

    /// Runs the services to their end, and logs how it came.
    private func run(_ group: ServiceGroupConfiguration, _ end: ServerEnd, socket: String) async throws {
        var group = group
        group.maximumGracefulShutdownDuration = .seconds(Self.shutdownSeconds)
        do {
            try await ServiceGroup(configuration: group).run()
        } catch {
            let reason = (error as? Refusal)?.description ?? "\(error)"
            end.log(reason, limit: Int64(Self.shutdownSeconds) * 1_000)
            throw error as? Refusal ?? Refusal("the server stopped: \(error)")
        }
        unlink(socket)
        end.log(nil, limit: Int64(Self.shutdownSeconds) * 1_000)
    }

    /// Open files at most, below which the log says that it is little.
    private static let fewDescriptors = 4_096

    /// Raises the limit of open files as far as this process may, and divides it.
    private static func raiseDescriptorLimit(_ logger: Logger) -> DescriptorBudget {
        let (before, after) = DescriptorLimit.raise()
        let budget = DescriptorBudget(limit: after)
        logger.log(
            level: after < fewDescriptors ? .warning : .info,
            """
            open files: the limit is \(after) (it was \(before)), which allows \(budget.connections) HTTP connections \
            at once\(after < fewDescriptors ? "; raise the hard limit (ulimit -Hn, LimitNOFILE=) for more" : "")
            """)
        return budget
    }
}

/// Runs ingest until the very end of a shutdown.
private struct IngestService: Service {
    let ingest: Ingest

    func run() async throws {
        await cancelWhenGracefulShutdown { await ingest.run() }
    }
}
