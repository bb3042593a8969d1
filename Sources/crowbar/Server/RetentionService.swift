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

    let setting: Setting
    let eraser: any Eraser
    let copies: any ErasureFollower
    let now: @Sendable () -> Int64
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var hasFailed = false
            // Former bytes may have stayed in files when a server before this one ended.
            var needsPurge = true
            copies.erased(.text)
            repeat {
                do {
                    if try await erase() { needsPurge = true }
                    if needsPurge, try await eraser.purgeErased() { needsPurge = false }
                    hasFailed = false
                } catch is CancellationError {
                    return
                } catch {
                    // A disk may be full for days.
                    if !hasFailed {
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
    /// - Returns: Whether something was.
    private func erase() async throws -> Bool {
        guard let due = setting.value.due(now: now()) else { return false }
        var (events, hasMore) = (0, true)
        while hasMore, !Task.isCancelled {
            let part = try await eraser.eraseDeleted(before: due, limit: Self.part)
            (events, hasMore) = (events + part.events, part.hasMore)
        }
        if events == 0 { return false }
        copies.erased(.text)
        logger.info("texts of deleted messages erased", metadata: ["events": "\(events)"])
        return true
    }
}

/// For when nothing keeps copies of events.
struct NoCopies: ErasureFollower {
    func erased(_ what: EventErasure) {}
}
