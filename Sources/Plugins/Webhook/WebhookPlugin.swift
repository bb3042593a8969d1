import Glibc
import JSONBytes
import PluginKit
import PluginWire

/// `crowbar-webhook`: posts events to HTTP endpoints, each a queue of its own.
@main
struct WebhookPlugin {
    /// The version that `ready` names.
    static let version = "1"

    private let connection: PluginConnection
    private var configuration: WebhookConfiguration?
    private var courier: Courier?
    private var lanes: [String: Int] = [:]

    static func main() async {
        var plugin = WebhookPlugin(connection: PluginConnection())
        await plugin.run()
    }

    private init(connection: PluginConnection) { self.connection = connection }

    /// Does what the host says until it closes the pipe. What is in flight then is left: nobody is there to hear of it,
    /// and it is delivered again.
    private mutating func run() async {
        for await message in connection.messages {
            switch message {
            case .hello(let hello): greet(hello)
            case .start(let queues): start(queues)
            case .event(let event): deliver(event)
            case .ping(let n): connection.send(.pong(n: n))
            case .drain(let deadlineMs, _):
                if let courier { courier.drain(within: deadlineMs) } else { Self.leave(connection) }
            case .config(let id, _):
                let text = "this version takes a new configuration by a restart only"
                connection.send(.configured(id: id, problem: .init(message: text)))
            case .check(let id, _, _):
                connection.send(.verdict(.deny(id: id, code: "unsupported", message: "webhooks check no commands")))
            case .caughtUp, .voided, .result, .unknown: break
            }
        }
        exit(0)
    }

    private mutating func greet(_ hello: HostMessage.Hello) {
        guard configuration == nil else { return }
        guard hello.version == Wire.version else {
            stop("protocol", .init(message: "this plugin speaks protocol \(Wire.version), not \(hello.version)"))
        }
        guard hello.phase == "event" else {
            stop("phase", .init(path: "phase", message: "webhooks are of phase \"event\" only"))
        }
        do throws(WebhookConfiguration.Invalid) {
            let isCheck = hello.purpose == .check
            let configuration = try WebhookConfiguration(
                hello.config, isCheck: isCheck, now: isCheck ? Int64(time(nil)) : 0)
            self.configuration = configuration
            let ready = PluginMessage.Ready(
                name: "crowbar-webhook", programVersion: Self.version, queues: configuration.queues)
            connection.send(.ready(ready))
        } catch {
            stop("configuration", error.first)
        }
        if hello.purpose == .check {
            connection.flush()
            exit(0)
        }
    }

    private mutating func start(_ queues: [HostMessage.QueueStart]) {
        guard let configuration, courier == nil else { return }
        var states: [String: JSON] = [:]
        for queue in queues { states[queue.name] = queue.state }
        for (i, endpoint) in configuration.endpoints.enumerated() { lanes[endpoint.name] = i }
        let connection = connection
        courier = Courier(
            configuration.endpoints.map { ($0, states[$0.name] ?? .null) }, leftOut: configuration.leftOut,
            send: { connection.send($0) }, drained: { Self.leave(connection) })
        if courier == nil {
            let problem = PluginMessage.Problem(message: "libcurl cannot start: out of memory or files")
            connection.send(.fatal(code: "libcurl", problem: problem, retry: true))
            connection.flush()
            exit(Wire.exitTryLater)
        }
    }

    private func deliver(_ event: HostMessage.EventDelivery) {
        guard let courier, let configuration, let lane = lanes[event.queue] else {
            return reject(event, "unknown_queue", "there is no endpoint '\(event.queue)'")
        }
        do throws(Job.Unposted) {
            courier.deliver(try Job(event, as: configuration.endpoints[lane].body), to: lane)
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
        connection.send(.fatal(code: code, problem: problem, retry: false))
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
