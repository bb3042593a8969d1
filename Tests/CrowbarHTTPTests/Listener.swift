import CrowbarHTTP
import Logging
import ServiceLifecycle
import Synchronization

/// A server's listener, which can be shut down while its test goes on.
final class Listener: Sendable {
    private let group: ServiceGroup
    private let ended = Mutex(false)

    init(_ server: any Service, _ logger: Logger) {
        group = ServiceGroup(services: [server], logger: logger)
    }

    /// Whether it has ended.
    var hasEnded: Bool { ended.withLock { $0 } }

    func run() async throws {
        defer { ended.withLock { $0 = true } }
        try await group.run()
    }

    func shutDown() async { await group.triggerGracefulShutdown() }
}
