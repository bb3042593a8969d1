import Logging
import ServiceLifecycle
import UnixSignals

/// Waits for a signal that stops the server, and logs which one it was. Its end is what the service group stops for.
struct StopSignals: Service {
    let logger: Logger

    func run() async throws {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        await cancelWhenGracefulShutdown {
            for await signal in signals {
                logger.notice("signal received, shutting down", metadata: ["signal": "\(signal)"])
                return
            }
        }
    }
}
