import Logging
import ServiceLifecycle
import Synchronization

/// Notes when the shutdown begins, and logs how the server ended: the last line of its log.
final class ServerEnd: Service {
    private let logger: Logger
    /// When the server began, and when its shutdown did, on the monotonic clock in milliseconds.
    private let began: Int64
    private let stopping = Mutex<Int64?>(nil)

    init(logger: Logger) {
        self.logger = logger
        began = Clock.monotonic()
    }

    func run() async throws {
        try? await gracefulShutdown()
        stopping.withLock { $0 = Clock.monotonic() }
    }

    /// Logs the end.
    /// - Parameters:
    ///   - error: Why it could not go on, where that was the reason.
    ///   - limit: After how long a shutdown cuts off what is not done, in milliseconds.
    func log(_ error: String?, limit: Int64) {
        let now = Clock.monotonic()
        var fields: Logger.Metadata = ["uptimeSeconds": .stringConvertible((now - began) / 1_000)]
        let took = stopping.withLock { $0 }.map { now - $0 }
        if let took { fields["stopMs"] = .stringConvertible(took) }
        if let error {
            fields["error"] = .string(error)
            logger.error("the server stopped because of an error", metadata: fields)
        } else if let took, took >= limit {
            logger.warning("the server stopped; what took too long was cut off", metadata: fields)
        } else {
            logger.notice("the server stopped; all that was under way is done", metadata: fields)
        }
    }
}
