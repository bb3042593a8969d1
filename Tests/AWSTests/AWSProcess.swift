import CrowbarTesting
import JSONBytes
import PluginWire

/// `crowbar-aws` as a process, with the test as its host.
struct AWSProcess {
    /// The credentials that the world knows.
    static let keys = ["AWS_ACCESS_KEY_ID=AKIATEST", "AWS_SECRET_ACCESS_KEY=own/secret+"]

    let plugin: PluginProcess

    /// Starts it and greets it with a configuration.
    init(
        _ targets: [JSON], _ more: JSON.Member..., environment: [String] = keys,
        purpose: HostMessage.Hello.Purpose = .live
    ) async throws {
        plugin = try PluginProcess(PluginProcess.product("crowbar-aws"), environment: environment)
        let config = JSON.object([.init("targets", .array(targets))] + more)
        let hello = HostMessage.Hello(
            plugin: "aws", phase: "event", purpose: purpose, session: "s1", config: config, dataDir: "/nonexistent")
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

    private func configure(_ targets: [JSON], _ more: [JSON.Member]) async throws {
        let config = JSON.object([.init("targets", .array(targets))] + more)
        try await plugin.send(.config(id: MessageID(7), config: config))
    }

    /// Sends a new configuration and waits until it is adopted; returns the queues it declares.
    @discardableResult
    func reload(_ targets: [JSON], _ more: JSON.Member...) async throws -> [PluginMessage.Queue] {
        try await configure(targets, more)
        let queues = try await plugin.first("queues") { message in
            if case .queues(let queues) = message { queues } else { nil }
        }
        _ = try await plugin.first("configured") { message in
            if case .configured(MessageID(7), nil) = message { true } else { nil }
        }
        return queues
    }

    /// Sends a new configuration and waits until it is refused.
    func refusal(of targets: [JSON]) async throws -> PluginMessage.Problem {
        try await configure(targets, [])
        return try await plugin.first("a refusal") { message in
            if case .configured(MessageID(7), let problem) = message { problem } else { nil }
        }
    }

    /// Says that a queue starts.
    func begin(_ queue: String, state: JSON = .null) async throws {
        try await plugin.send(.start([.init(name: queue, cursor: nil, state: state)]))
    }

    /// Delivers an event of a channel.
    func deliver(_ delivery: Int64, to queue: String, attempt: Int64 = 1, event: String? = nil) async throws {
        try await plugin.send(
            .event(
                .init(
                    queue: queue, delivery: delivery, position: delivery, attempt: attempt,
                    event: Array((event ?? Self.event(delivery)).utf8))))
    }

    /// The event that a delivery brings.
    static func event(_ n: Int64) -> String {
        #"{"eventId":"e\#(n)","type":"MESSAGE_SENT","channelId":"c\#(n % 3)","text":"häß & 😀 <x>"}"#
    }

    /// Waits until deliveries are acknowledged, alone or with others.
    func acks(_ wanted: Set<Int64>, within limit: Duration = .seconds(30)) async throws {
        var missing = wanted
        while !missing.isEmpty { missing.subtract(try await ack(within: limit)) }
    }

    /// Waits for the next acknowledgement; a retry or reject is none.
    func ack(within limit: Duration = .seconds(30)) async throws -> [Int64] {
        try await plugin.first("acks", within: limit) { message in
            switch message {
            case .ack(.one(let delivery), _): [delivery]
            case .ack(.many(let deliveries), _): deliveries
            case .retry, .reject: throw Unexpected(message: message)
            default: nil
            }
        }
    }

    /// Waits for the `retry` of a delivery.
    func retry(_ delivery: Int64, within limit: Duration = .seconds(20)) async throws -> PluginMessage.Retry {
        try await plugin.first("a retry of \(delivery)", within: limit) { message in
            if case .retry(let retry) = message, retry.delivery == delivery { retry } else { nil }
        }
    }

    /// Waits for the `reject` of a delivery; returns its code and message.
    func reject(_ delivery: Int64) async throws -> (code: String, message: String) {
        try await plugin.first("a reject of \(delivery)", within: .seconds(20)) { message in
            guard case .reject(delivery, let code, let text, true) = message else { return nil }
            return (code, text)
        }
    }

    /// Waits for a `window` of a queue.
    func window(_ queue: String) async throws -> Int64 {
        try await plugin.first("a window of \(queue)") { message in
            if case .window(queue, let events) = message { events } else { nil }
        }
    }

    /// Waits for a `status` of a level; returns its message.
    func status(_ wanted: PluginMessage.Level) async throws -> String {
        try await plugin.first("a status \(wanted)", within: .seconds(20)) { message in
            if case .status(wanted, let text, _) = message { text } else { nil }
        }
    }

    /// Waits for a status with this message; others may come before it.
    func status(_ wanted: PluginMessage.Level, saying text: String) async throws {
        try await plugin.first("the status '\(text)'", within: .seconds(20)) { message in
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
