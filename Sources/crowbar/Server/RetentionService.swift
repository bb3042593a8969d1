import CrowbarCore
import Logging
import ServiceLifecycle
import Synchronization

/// Erases the texts of deleted messages once `[log] keep_deleted` has passed.
struct RetentionService: Service {
    /// Deletions that are looked at in one part.
    private static let part = 500

    /// The setting, which a reload of the configuration changes.
    final class Setting: Sendable {
        private let current: Mutex<KeepDeleted>

        init(_ value: KeepDeleted) { current = Mutex(value) }

        var value: KeepDeleted {
            get { current.withLock { $0 } }
            set { current.withLock { $0 = newValue } }
        }
    }

    /// The clocks, in milliseconds.
    struct Clocks: Sendable {
        /// The Unix time.
        var unix: @Sendable () -> Int64
        /// A clock that is never set.
        var monotonic: @Sendable () -> Int64

        static let system = Clocks(unix: Clock.milliseconds, monotonic: Clock.monotonic)
    }

    /// The pause between two removals of copies. It rewrites the search index, which can be large.
    static let purgePause: Int64 = 600_000

    let setting: Setting
    let log: any Eraser & EventLog
    let copies: any ErasedCopies
    let clock: Clocks
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var hasFailed = false
            var nextPurge = Int64.min
            repeat {
                do {
                    try await erase()
                    if clock.monotonic() >= nextPurge, let erasure = try await log.unpurgedErasure() {
                        // Where it is not done yet, it is tried again with the next look.
                        if try await purge(erasure) { nextPurge = clock.monotonic() + Self.purgePause }
                    }
                    hasFailed = false
                } catch {
                    // A disk may be full for days.
                    if !hasFailed, !Task.isCancelled {
                        logger.error(
                            "texts of deleted messages cannot be erased; the server tries again",
                            metadata: ["reason": "\(error)"])
                    }
                    hasFailed = true
                }
            } while (try? await Task.sleep(for: .seconds(setting.value.interval))) != nil
        }
    }

    /// Erases all that is due.
    private func erase() async throws {
        guard let due = setting.value.due(now: clock.unix()) else { return }
        var (events, hasMore) = (0, true)
        while hasMore, !Task.isCancelled {
            let part = try await log.eraseDeleted(before: due, limit: Self.part)
            (events, hasMore) = (events + part.events, part.hasMore)
        }
        if events > 0 { logger.info("texts of deleted messages erased", metadata: ["events": "\(events)"]) }
    }

    /// Removes what is left of erased texts in the log's files and in the copies.
    /// - Returns: Whether nothing is left.
    private func purge(_ erasure: Int64) async throws -> Bool {
        let head = try await log.head()?.position ?? 0
        guard try await log.purgeErased(), try await copies.purgeErased(through: head) else { return false }
        try await log.notePurged(erasure)
        return true
    }
}
