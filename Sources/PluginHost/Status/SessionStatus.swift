import CrowbarCore
import JSONBytes
import PluginWire
import Synchronization

/// What the operator sees of a plugin: written by its session, read on request, never waiting for the plugin.
final class SessionStatus: Sendable {
    /// A queue at a snapshot.
    struct Queue: Sendable {
        var name: String
        var cursor: LogEntryID?
        var scanned: Int64
        var inFlight: Int
        var parked: Int
        var settlements: Int64
        var ratePerSecond: Double
        var filter = QueueFilter(types: nil, channels: nil)
        var waiting = DeliveryQueue.Waiting()
        /// The plugin wants nothing of it for now: a window of 0.
        var isHeld = false
        /// What was there when the process began is through.
        var hasCaughtUp = false
        /// All up to this position is settled; the cursor is stored a moment later.
        var settledThrough: Int64 = 0
    }

    /// A plugin's process at a snapshot.
    struct View: Sendable {
        var pid: Int32?
        var version: String?
        var isReady = false
        var isCaughtUp = false
        var isDraining = false
        var status: (level: PluginMessage.Level, message: String, details: JSON?)?
        var queues: [Queue] = []
        var strikes = 0
        var ignored = 0
        /// The last message of the plugin's that was not taken, and why.
        var refusal: String?
        /// Why nothing is delivered while the store cannot be written.
        var storeTrouble: String?
        /// Why nothing is delivered while the log cannot be read.
        var logTrouble: String?
        /// The channels that it names, by queue, as ``MissingChannels`` has them.
        var channels: [String: [String]] = [:]
        /// That commands have been waiting for long.
        var commandTrouble: String?
        /// What of these the operator is to be shown first.
        var trouble: String? { storeTrouble ?? logTrouble ?? commandTrouble ?? refusal }
    }

    private let view = Mutex(View())

    var current: View { view.withLock { $0 } }

    func show(_ view: View) { self.view.withLock { $0 = view } }

    /// Notes that the process is gone; where its queues stand remains.
    func clear() {
        view.withLock {
            $0.pid = nil
            $0.isReady = false
            $0.isCaughtUp = false
            $0.isDraining = false
            $0.refusal = nil
            $0.storeTrouble = nil
            $0.logTrouble = nil
            $0.commandTrouble = nil
            $0.channels = [:]
            for i in $0.queues.indices {
                $0.queues[i].inFlight = 0
                $0.queues[i].ratePerSecond = 0
            }
        }
    }
}
