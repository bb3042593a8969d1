import CrowbarCore
import CrowbarHTTP
import CrowbarSQLite
import Glibc
import Logging
import NIOCore
import OpenSSL
import PluginHost
import ServiceLifecycle
import UnixSignals

/// The composition root: opens the stores and runs everything on them until a signal comes.
struct Server {
    /// How long a shutdown waits for calls and plugins before it cuts them off, in seconds.
    static let shutdownSeconds = 30

    let configuration: Configuration

    /// Runs until SIGINT or SIGTERM.
    /// - Throws: ``Refusal`` where it cannot start.
    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        // A limit on file sizes is a full disk like any other: an error to live with, not the end.
        signal(SIGXFSZ, SIG_IGN)
        var logger = Logger(label: "crowbar") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .info
        let descriptors = Self.raiseDescriptorLimit(logger)
        let stores = try Stores(configuration)
        let checks = CheckDesk(now: Clock.monotonic)
        let ingest = stores.makeIngest(checks: checks.checks) { [logger] in
            logger.error("an append failed; nothing of it was stored", metadata: ["error": "\($0)"])
        }
        let plugins = try PluginService(configuration, stores, ingest, checks, logger)
        let key = try ControlFiles.makeKey(in: configuration.data, random: { try SecureRandom.bytes($0) })
        let socket = configuration.data + "/" + ControlFiles.socket
        let accounts = stores.accounts
        let api = APIConfiguration(
            ingest: ingest, log: stores.log,
            authenticate: { try accounts.principal(forTokenHash: $0, now: Clock.milliseconds()) },
            hash: { SHA256.hash($0) }, listings: plugins.listings, plugins: plugins.actions,
            hook: { try accounts.hook(forTokenHash: $0).map { IncomingHook($0) } },
            anonymousRead: configuration.anonymousRead, now: Clock.milliseconds, logger: logger)
        let control = APIServer(
            api, address: .unix(path: socket),
            door: .commandLine(keyHash: SHA256.hash(Array(key.utf8)), stores.accountActions(ingest)),
            rules: ListenerRules(connections: descriptors.control))
        let listen = configuration.listen
        let rules = ListenerRules(
            proxies: configuration.http.trustedProxies,
            hosts: HostRule(hosts: configuration.http.hosts, listening: listen.host),
            connections: descriptors.connections)
        let people = APIServer(
            api, address: .tcp(host: listen.host, port: listen.port), door: .people, rules: rules
        ) { port in
            let address = ListenAddress(host: listen.host, port: port ?? listen.port)
            StandardStream.output.write(
                line:
                    "crowbar listens on http://\(address); "
                    + "'crowbar user add NAME' and 'crowbar token NAME' give a token"
            )
        }
        // They end in the reverse order: first the listeners, then the plugins, ingest last, so that what was taken is
        // decided. So they do where a listener cannot listen.
        var group = ServiceGroupConfiguration(
            services: [
                .init(service: IngestService(ingest: ingest)),
                .init(service: plugins),
                .init(
                    service: Listener(server: control, address: socket),
                    failureTerminationBehavior: .gracefullyShutdownGroup),
                .init(
                    service: Listener(server: people, address: "\(listen)"),
                    failureTerminationBehavior: .gracefullyShutdownGroup),
            ],
            gracefulShutdownSignals: [.sigint, .sigterm], logger: Self.quiet)
        group.maximumGracefulShutdownDuration = .seconds(Self.shutdownSeconds)
        do {
            try await ServiceGroup(configuration: group).run()
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal("the server stopped: \(error)")
        }
        unlink(socket)
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

    /// For the libraries: only what a person should act upon.
    private static var quiet: Logger {
        var logger = Logger(label: "crowbar.services") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .critical
        return logger
    }
}

/// Runs ingest until the very end of a shutdown.
private struct IngestService: Service {
    let ingest: Ingest

    func run() async throws {
        await cancelWhenGracefulShutdown { await ingest.run() }
    }
}

/// A listener whose failure to listen is told in words.
private struct Listener: Service {
    let server: APIServer
    let address: String

    func run() async throws {
        do {
            try await server.run()
        } catch let error as IOError {
            switch error.errnoCode {
            case EADDRINUSE:
                throw Refusal(
                    "\(address) is in use; end what listens there, or set [http] listen (or CROWBAR_HTTP_LISTEN) to "
                        + "another address")
            case EACCES: throw Refusal("\(address) may not be listened on by this user; take a port from 1024 on")
            default: throw Refusal("\(address) cannot be listened on: \(error)")
            }
        } catch {
            throw Refusal("\(address) cannot be listened on: \(error)")
        }
    }
}
