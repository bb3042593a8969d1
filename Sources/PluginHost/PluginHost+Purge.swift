import CrowbarCore
import Logging

// Queues that their plugins name no more.
extension PluginHost {
    /// How long a queue is kept after its plugin ceased to name it, in milliseconds.
    static let keepsDropped: Int64 = 7 * 24 * 60 * 60 * 1000
    /// Between two looks for what is older.
    static let purgeInterval = Duration.seconds(60 * 60)

    /// Removes what was kept long enough, now and every hour, until cancelled.
    func purgeDroppedQueues() async {
        repeat {
            do {
                let now = environment.unixNow()
                try await environment.store.capDropTimes(at: now)
                try await environment.store.purge(droppedBefore: now - Self.keepsDropped)
            } catch {
                environment.logger.error("queues that were dropped a week ago cannot be removed: \(error)")
            }
        } while (try? await Task.sleep(for: Self.purgeInterval)) != nil
    }
}
