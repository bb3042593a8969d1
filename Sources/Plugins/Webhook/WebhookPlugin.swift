import Glibc
import JSONBytes
import PluginKit
import PluginWire

/// `crowbar-webhook`: posts events to HTTP endpoints, each a queue of its own.
@main
struct WebhookPlugin {
    /// The version that `ready` names.
    static let version = "1"

    /// What it says to a person.
    private static let usage = PluginUsage(
        program: "crowbar-webhook", version: version, purpose: "posts the chat's events to HTTP endpoints",
        manifest: "plugins.d/webhook.toml", page: "docs/webhook.md")

    private let connection: PluginConnection
    private var configuration: WebhookConfiguration?
    /// What is posted to each endpoint, by name.
    private var formats: [String: BodyFormat] = [:]
    private var courier: Courier?
    /// The plugin's name.
    private var name = "webhook"

    static func main() {
        usage.exitIfRunByHand()
        var plugin = WebhookPlugin(connection: PluginConnection())
        plugin.run()
    }

    private init(connection: PluginConnection) { self.connection = connection }

    /// Does what the host says until it closes the pipe. What is in flight then is left: nobody is there to hear of it,
    /// and it is delivered again.
    private mutating func run() {
        var isGreeted = false
        for message in HostMessages(connection).joined() {
            isGreeted = true
            switch message {
            case .hello(let hello): greet(hello)
            case .start(let queues): start(queues)
            case .event(let event): deliver(event)
            case .ping(let n): connection.send(.pong(n: n))
            case .drain(let deadlineMs, _):
                if let courier { courier.drain(within: deadlineMs) } else { Self.leave(connection) }
            case .config(let id, let config): reconfigure(id, config)
            case .check(let id, _, _):
                connection.send(.verdict(.deny(id: id, code: "unsupported", message: "webhooks check no commands")))
            case .ask(let id, let what, let queue):
                if let courier {
                    courier.put(.ask(id, what, queue: queue))
                } else {
                    connection.send(.answer(id: id, .refused("it has not begun yet")))
                }
            case .caughtUp, .voided, .result, .error, .unknown: break
            }
        }
        if !isGreeted { Self.usage.exitWithoutHost() }
        exit(0)
    }

    private mutating func greet(_ hello: HostMessage.Hello) {
        guard configuration == nil else { return }
        name = hello.plugin
        guard hello.version == Wire.version else {
            stop("protocol", .init(message: "this plugin speaks protocol \(Wire.version), not \(hello.version)"))
        }
        let isCheck = hello.purpose == .check
        // A check goes on, for what else is wrong.
        let isClosed = Network.isClosed
        if isClosed { refuse("network", [.init(message: Network.advice)], isLast: !isCheck) }
        guard hello.phase == "event" else {
            stop("phase", .init(path: "phase", message: "webhooks are of phase \"event\" only"))
        }
        do throws(WebhookConfiguration.Invalid) {
            let configuration = try WebhookConfiguration(
                hello.config, isCheck: isCheck, now: isCheck ? Int64(time(nil)) : 0)
            self.configuration = configuration
            formats = configuration.formats
            if isClosed { refuse("network", [], isLast: true) }
            var ready = PluginMessage.Ready(
                name: "crowbar-webhook", programVersion: Self.version, reload: true, queues: configuration.queues)
            ready.asks = CourierLoop.asks
            connection.send(.ready(ready))
        } catch {
            // A check is told each by itself.
            refuse("configuration", isCheck ? error.problems : [error.first], isLast: true)
        }
        if isCheck {
            connection.flush()
            exit(0)
        }
    }

    private mutating func start(_ queues: [HostMessage.QueueStart]) {
        guard let configuration else { return }
        if courier == nil {
            let connection = connection
            courier = Courier(
                configuration, plugin: name, send: { connection.send($0) }, drained: { Self.leave(connection) })
        }
        guard let courier else {
            let problem = PluginMessage.Problem(message: "libcurl cannot start: out of memory or files")
            connection.send(.fatal(code: "libcurl", problem: problem, retry: true))
            connection.flush()
            exit(Wire.exitTryLater)
        }
        courier.put(.start(queues))
    }

    /// Takes a new configuration, or says what is wrong with it and goes on with the old one.
    private mutating func reconfigure(_ id: MessageID, _ config: JSON) {
        guard let courier else {
            return connection.send(.configured(id: id, problem: .init(message: "it has not begun yet")))
        }
        do throws(WebhookConfiguration.Invalid) {
            let configuration = try WebhookConfiguration(config, isCheck: false)
            formats = configuration.formats
            courier.put(.configure(id, configuration))
        } catch {
            connection.send(.configured(id: id, problem: error.first))
        }
    }

    private func deliver(_ event: HostMessage.EventDelivery) {
        guard let courier else { return }
        // Of an endpoint that is not configured any more the courier knows what to do.
        let format = formats[event.queue] ?? .event
        do throws(Job.Unposted) {
            courier.put(.deliver(try Job(event, as: format), queue: event.queue))
        } catch {
            switch error {
            case .nothingToSay: connection.send(.ack(.one(event.delivery), state: nil))
            case .noEventId:
                reject(event, "invalid_event", "the event has no eventId that can be sent as webhook-id")
            case .unrenderable(let why): reject(event, why.code, why.message)
            }
        }
    }

    private func reject(_ event: HostMessage.EventDelivery, _ code: String, _ message: String) {
        connection.send(.reject(delivery: event.delivery, code: code, message: message, deadLetter: true))
    }

    /// Ends a process whose configuration is of no use.
    private func stop(_ code: String, _ problem: PluginMessage.Problem) -> Never {
        refuse(code, [problem], isLast: true)
        exit(Wire.exitBadConfiguration)
    }

    /// Tells what is wrong with the configuration.
    /// - Parameter isLast: Whether that is all, and the process ends.
    private func refuse(_ code: String, _ problems: [PluginMessage.Problem], isLast: Bool) {
        for problem in problems { connection.send(.fatal(code: code, problem: problem, retry: false)) }
        guard isLast else { return }
        connection.flush()
        exit(Wire.exitBadConfiguration)
    }

    /// Says the last word and ends the process, at once: exit handlers would run under threads that resolve names.
    private static func leave(_ connection: PluginConnection) {
        connection.send(.drained)
        connection.flush()
        _exit(0)
    }
}
