import CrowbarCore
import PluginWire

/// Who would get how much of a replay.
public struct ReplaySurvey: Sendable, Equatable {
    /// A queue, and how many events of the part it wants.
    public struct Queue: Sendable, Equatable {
        /// Its name.
        public var name: String
        /// Events of the part.
        public var events: Int64
    }

    /// The queues, by name.
    public var queues: [Queue]
    /// Whether the plugin names them itself, as the webhook plugin does with its endpoints; else it has one, `main`.
    public var isNamed: Bool

    /// Events in all; one that two queues get is two.
    public var events: Int64 { queues.reduce(0) { $0 + $1.events } }

    /// `12 events to 'audit', 1 event to 'ops'`.
    public var text: String { LogCount.text(queues.map { ($0.name, $0.events) }, isExact: true) }
}

extension Replay {
    /// Why there can be no survey: for people.
    public struct SurveyFailure: Error {
        /// The reason.
        public var reason: String
    }

    /// Starts the plugin to ask for its queues, delivers nothing, and counts what each would get.
    public func survey() async throws(SurveyFailure) -> ReplaySurvey {
        let mailbox = Mailbox()
        let session: PluginSession
        do {
            session = try await SessionFactory(name: manifest.name, environment: environment, lines: nil).make(
                manifest, purpose: .survey, status: SessionStatus(), mailbox: mailbox,
                tell: { news in
                    if case .ready = news { mailbox.post(.drain(why: "it told its queues")) }
                })
        } catch {
            throw SurveyFailure(reason: error.reason)
        }
        let report = await session.run()
        guard let requested = session.requested else {
            throw SurveyFailure(reason: report.end.reason ?? "the plugin ended before it was ready")
        }
        let queues = requested.queues.sorted { $0.name < $1.name }
        if let queue = plan.queue, !queues.contains(where: { $0.name == queue }) {
            throw SurveyFailure(
                reason: ControlRefusal.noQueue(plugin: manifest.name, queue: queue, known: queues.map(\.name))
                    .description)
        }
        let count = LogCount(plugin: manifest.name, ownEvents: manifest.ownEvents, channels: plan.channels)
        let start = plan.start?.position ?? 0
        do {
            let counts = try await count.count(
                queues.map { .init(filter: $0.filter, after: start, through: max(start, plan.through)) },
                in: environment.log)
            return ReplaySurvey(
                queues: zip(queues, counts).filter { plan.wants(queue: $0.0.name) }.map {
                    .init(name: $0.name, events: $1)
                }, isNamed: requested.isNamed)
        } catch {
            throw SurveyFailure(reason: "the log could not be read: \(error)")
        }
    }
}
