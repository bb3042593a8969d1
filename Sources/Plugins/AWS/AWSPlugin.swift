import Glibc
import PluginKit
import PluginWire

/// `crowbar-aws`: hands events to Lambda functions, SQS queues and SNS topics, each a queue of its own.
@main
struct AWSPlugin {
    /// The version that `ready` names.
    static let version = "1"

    /// What it says to a person.
    private static let usage = PluginUsage(
        program: "crowbar-aws", version: version,
        purpose: "hands the chat's events to Lambda functions, SQS queues and SNS topics",
        manifest: "plugins.d/aws.toml", page: "docs/aws.md")

    private let connection: PluginConnection
    private var configuration: AWSConfiguration?
    private var courier: Courier?
    private var commandsInFlight: Int64 = 1
    private var lanes: [String: Int] = [:]

    static func main() {
        usage.exitIfRunByHand()
        var plugin = AWSPlugin(connection: PluginConnection())
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
            case .start: start()
            case .event(let event): deliver(event)
            case .ping(let n): connection.send(.pong(n: n))
            case .drain(let deadlineMs, _):
                if let courier { courier.drain(within: deadlineMs) } else { Self.leave(connection) }
            case .config(let id, _):
                let text = "this version takes a new configuration by a restart only"
                connection.send(.configured(id: id, problem: .init(message: text)))
            case .check(let id, _, _):
                connection.send(.verdict(.deny(id: id, code: "unsupported", message: "targets check no commands")))
            case .result(let result): courier?.answer(result)
            case .ask(let id, let what, let queue): ask(id, what, queue)
            case .caughtUp, .voided, .error, .unknown: break
            }
        }
        if !isGreeted { Self.usage.exitWithoutHost() }
        exit(0)
    }

    private mutating func greet(_ hello: HostMessage.Hello) {
        guard configuration == nil else { return }
        guard hello.version == Wire.version else {
            stop("protocol", .init(message: "this plugin speaks protocol \(Wire.version), not \(hello.version)"))
        }
        let isCheck = hello.purpose == .check
        // A check goes on, for what else is wrong.
        let isClosed = Network.isClosed
        if isClosed { refuse("network", [.init(message: Network.advice)], isLast: !isCheck) }
        guard hello.phase == "event" else {
            stop("phase", .init(path: "phase", message: "targets are of phase \"event\" only"))
        }
        do throws(AWSConfiguration.Invalid) {
            let configuration = try AWSConfiguration(hello.config, .plugin)
            self.configuration = configuration
            commandsInFlight = hello.commandsInFlight
            if isClosed { refuse("network", [], isLast: true) }
            var ready = PluginMessage.Ready(
                name: "crowbar-aws", programVersion: Self.version, queues: configuration.queues)
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

    private mutating func start() {
        guard let configuration, courier == nil else { return }
        for (i, target) in configuration.targets.enumerated() { lanes[target.name] = i }
        let connection = connection
        courier = Courier(
            configuration, .plugin, commandsInFlight: commandsInFlight, send: { connection.send($0) },
            drained: { Self.leave(connection) })
        if courier == nil {
            let problem = PluginMessage.Problem(message: "libcurl cannot start: out of memory or files")
            connection.send(.fatal(code: "libcurl", problem: problem, retry: true))
            connection.flush()
            exit(Wire.exitTryLater)
        }
    }

    private func ask(_ id: MessageID, _ what: String, _ queue: String?) {
        guard let courier else {
            return connection.send(.answer(id: id, .refused("it has not started yet; try again")))
        }
        courier.ask(id, what, queue)
    }

    private func deliver(_ event: HostMessage.EventDelivery) {
        guard let courier, let lane = lanes[event.queue] else {
            let message = "there is no target '\(event.queue)'"
            connection.send(
                .reject(delivery: event.delivery, code: "unknown_queue", message: message, deadLetter: true))
            return
        }
        if let job = Job(event) {
            courier.deliver(job, to: lane)
        } else {
            let message = "the event has no eventId that a queue can take"
            connection.send(
                .reject(delivery: event.delivery, code: "invalid_event", message: message, deadLetter: true))
        }
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
