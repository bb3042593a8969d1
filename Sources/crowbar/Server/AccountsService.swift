import CrowbarSQLite
import Logging
import ServiceLifecycle

/// Writes from time to time when tokens were last used, so that no call waits for it.
struct AccountsService: Service {
    /// Seconds between two writes.
    private static let interval = 60

    let accounts: AccountsDatabase
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: .seconds(Self.interval))) != nil { flush() }
        }
        flush(all: true)
    }

    private func flush(all: Bool = false) {
        do {
            try accounts.flushUses(all: all)
        } catch {
            logger.warning("when tokens were last used cannot be written", metadata: ["reason": "\(error)"])
        }
    }
}
