import CrowbarCore
import Logging
import PluginWire

// What the operator and a change of the manifest do to a process that is there.
extension PluginSession {
    /// What concerns the plugin's runtime.
    enum News: Sendable {
        /// It is ready: held, or at work.
        case ready(takesConfig: Bool)
        /// It took its new configuration, or says what is wrong with it.
        case configured(PluginMessage.Problem?)
        /// It did not say.
        case notConfigured
    }

    /// Lets a process begin that was held, or that has not come so far.
    func release(_ earlier: [String: [Int64: DeliveryQueue.Attempts]], _ now: Int64) async {
        isHeld = false
        self.earlier = earlier
        guard case .held(let ready) = phase else { return }
        phase = .awaitingReady
        await take(ready, now)
    }

    /// Sends a configuration in place of the one before.
    func configure(_ secrets: Secrets, _ now: Int64) {
        guard case .working = phase, !isDraining else { return }
        log.learn(secrets.values)
        configurations += 1
        configuring = configurations
        clock.awaitConfigured(now: now)
        send(.config(id: MessageID(configurations), config: secrets.config))
    }

    func take(configured id: MessageID, _ problem: PluginMessage.Problem?, _ now: Int64) {
        guard let number = configuring, id.number == Int64(number) else {
            return ignore("configured", id: id, asked: configurations, now)
        }
        configuring = nil
        clock.configured()
        tell(
            .configured(
                problem.map {
                    .init(path: log.mask($0.path, limit: 256), message: log.mask($0.message, limit: 1024))
                }))
    }

    /// Holds deliveries back, or lets them go; deadlines stand still meanwhile.
    func pause(_ isPaused: Bool, _ now: Int64) {
        if self.isPaused, !isPaused { renewDeadlines(now) }
        self.isPaused = isPaused
        log.note(.info, isPaused ? "paused by the operator" : "resumed by the operator")
    }

    /// Holds back the deliveries of these queues, and of no others; the deadlines of these stand still meanwhile.
    func pause(queues names: Set<String>, _ now: Int64) {
        pausedQueues = names
        for i in queues.indices where queues[i].droppedAt == nil {
            let name = queues[i].id.queue
            let isPaused = names.contains(name)
            if queues[i].isPaused == isPaused { continue }
            if !isPaused { queues[i].queue.extendDeadline(to: now + queues[i].queue.settings.ackDeadline) }
            queues[i].isPaused = isPaused
            log.note(.info, "queue '\(name)' was \(isPaused ? "paused" : "resumed") by the operator")
        }
    }

    /// Tries at once what waits for another try in a queue.
    func hasten(_ queue: String, _ now: Int64) {
        guard let i = index(of: queue) else { return }
        queues[i].queue.hasten(now: now)
        queues[i].isDirty = true
        log.note(.info, "queue '\(queue)' tries at once what waits for another try, as the operator wants")
    }
}
