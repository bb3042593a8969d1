import CrowbarTesting
import JSONBytes
import PluginWire

/// `crowbar-webhook` as a process, with the test as its host.
struct WebhookProcess {
    let plugin: PluginProcess

    /// Starts it and greets it with a configuration.
    /// - Parameter environment: What its environment holds besides the path, as `NAME=value`.
    init(
        _ endpoints: [JSON], purpose: HostMessage.Hello.Purpose = .live, environment: [String] = []
    ) async throws {
        try await self.init(
            config: .object([.init("endpoints", .array(endpoints))]), purpose: purpose, environment: environment)
    }

    /// Starts it and greets it with any configuration.
    init(config: JSON, purpose: HostMessage.Hello.Purpose, environment: [String] = []) async throws {
        plugin = try PluginProcess(
            PluginProcess.product("crowbar-webhook"), environment: ["PATH=/usr/bin:/bin"] + environment)
        let hello = HostMessage.Hello(
            plugin: "webhook", phase: "event", purpose: purpose, session: "s1", config: config, dataDir: "/nonexistent")
        try await plugin.send(.hello(hello))
    }

    /// Waits for `ready`, then says `start`.
    @discardableResult
    func start(states: [String: JSON] = [:]) async throws -> PluginMessage.Ready {
        let ready = try await plugin.first("ready") { message in
            if case .ready(let ready) = message { ready } else { nil }
        }
        let queues = (ready.queues ?? []).map { queue in
            HostMessage.QueueStart(name: queue.name, cursor: nil, state: states[queue.name] ?? .null)
        }
        try await plugin.send(.start(queues))
        return ready
    }

    /// Delivers an event.
    func deliver(
        _ delivery: Int64, to queue: String, attempt: Int64 = 1, uncounted: Int64 = 0, event: String? = nil
    ) async throws {
        let event = event ?? #"{"eventId":"e\#(delivery)","type":"MESSAGE_SENT","message":"häß\u2028 😀"}"#
        try await plugin.send(
            .event(
                .init(
                    queue: queue, delivery: delivery, position: delivery, attempt: attempt, uncounted: uncounted,
                    event: Array(event.utf8))))
    }

    /// Waits until a delivery is acknowledged, alone or with others.
    func acks(_ wanted: Set<Int64>, within limit: Duration = .seconds(20)) async throws {
        var missing = wanted
        while !missing.isEmpty {
            let settled: [Int64] = try await plugin.first("the acks of \(missing)", within: limit) { message in
                switch message {
                case .ack(.one(let delivery), _): [delivery]
                case .ack(.many(let deliveries), _): deliveries
                case .retry(let retry) where missing.contains(retry.delivery): throw Unexpected(message: message)
                case .reject(let delivery, _, _, _) where missing.contains(delivery):
                    throw Unexpected(message: message)
                default: nil
                }
            }
            missing.subtract(settled)
        }
    }

    /// Waits for the `retry` of a delivery.
    func retry(_ delivery: Int64, within limit: Duration = .seconds(10)) async throws -> PluginMessage.Retry {
        try await plugin.first("a retry of \(delivery)", within: limit) { message in
            if case .retry(let retry) = message, retry.delivery == delivery { retry } else { nil }
        }
    }

    /// Waits for the `reject` of a delivery; returns its code and message.
    func reject(_ delivery: Int64) async throws -> (code: String, message: String, deadLetter: Bool) {
        try await plugin.first("a reject of \(delivery)") { message in
            guard case .reject(delivery, let code, let text, let deadLetter) = message else { return nil }
            return (code, text, deadLetter)
        }
    }

    /// Waits for a `window` of a queue.
    func window(_ queue: String) async throws -> Int64 {
        try await plugin.first("a window of \(queue)") { message in
            if case .window(queue, let events) = message { events } else { nil }
        }
    }

    /// Waits for a `status` of a level.
    func status(_ wanted: PluginMessage.Level) async throws -> (message: String, details: JSON) {
        try await plugin.first("a status \(wanted)") { message in
            if case .status(wanted, let text, let details) = message { (text, details ?? .null) } else { nil }
        }
    }

    /// Waits for a status with this message; others may come before it.
    func status(_ wanted: PluginMessage.Level, saying text: String) async throws {
        try await plugin.first("the status '\(text)'") { message in
            if case .status(wanted, text, _) = message { () } else { nil }
        }
    }

    /// Waits for `fatal`; returns its problem.
    func fatal() async throws -> PluginMessage.Problem {
        try await plugin.first("fatal") { message in
            if case .fatal(_, let problem, false) = message { problem } else { nil }
        }
    }

    /// A delivery came to what it should not.
    struct Unexpected: Error { var message: PluginMessage }
}

/// An endpoint's table: a name, a URL, the example's secret, leave for private addresses, and what else is given.
func endpoint(_ name: String, _ url: String, allowPrivate: JSON? = .bool(true), _ more: JSON.Member...) -> JSON {
    let base = [
        JSON.Member("name", .string(name)), JSON.Member("url", .string(url)),
        JSON.Member("secret", .string(Receiver.secret)),
    ]
    return .object(base + (allowPrivate.map { [JSON.Member("allow_private", $0)] } ?? []) + more)
}
