import CrowbarCore
import CrowbarSQLite
import Identity
import Logging
import ServiceLifecycle

/// Looks after the accounts: ends registrations that a crash or a failure left pending, removes what is over, and writes
/// when tokens were last used, so that no call waits for it.
struct AccountsService: Service {
    /// Seconds between two rounds.
    private static let interval = 60

    let accounts: AccountsDatabase
    /// Ends registrations. Its ingest must run.
    let registrar: Registrar
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            repeat {
                flush()
                await endPending()
                await removeExpired()
            } while (try? await Task.sleep(for: .seconds(Self.interval))) != nil
        }
        flush(all: true)
    }

    private func endPending() async {
        do {
            for (userId, outcome) in try await registrar.endPending() {
                switch outcome {
                case .active: logger.notice("a registration was ended after a failure", metadata: ["user": "\(userId)"])
                case .unavailable(let why):
                    logger.warning(
                        "a registration is still pending; the server tries again",
                        metadata: ["user": "\(userId)", "reason": "\(why)"])
                default:
                    logger.notice(
                        "a registration was undone after a failure",
                        metadata: [
                            "user": "\(userId)", "reason": "\(LocalAccounts.error(outcome, userId)?.message ?? "")",
                        ])
                }
            }
        } catch {
            logger.warning("pending registrations cannot be read", metadata: ["reason": "\(error)"])
        }
    }

    private func removeExpired() async {
        do {
            try await accounts.removeExpired(now: Clock.milliseconds())
        } catch {
            logger.warning("sessions, links and invites that are over stay", metadata: ["reason": "\(error)"])
        }
    }

    private func flush(all: Bool = false) {
        do {
            try accounts.flushUses(all: all)
        } catch {
            logger.warning("when tokens were last used cannot be written", metadata: ["reason": "\(error)"])
        }
    }
}
