import Glibc
import JSONBytes
import PluginKit
import PluginWire

/// What a plugin says of itself.
package struct SendingProgram: Sendable {
    /// The program's name.
    package var name: String
    /// The version that `ready` names.
    package var version: String
    /// What it does: `posts events to HTTP endpoints`.
    package var purpose: String
    /// What it is about, in texts: `webhooks`.
    package var subject: String
    /// A manifest to begin with.
    package var manifest: String
    /// The page about it.
    package var page: String

    package init(
        name: String, version: String, purpose: String, subject: String, manifest: String, page: String
    ) {
        (self.name, self.version, self.purpose, self.subject) = (name, version, purpose, subject)
        (self.manifest, self.page) = (manifest, page)
    }
}

/// A plugin that sends events by HTTP: its end of the protocol. What is specific to it is in its configuration.
package struct SendingPlugin<Configuration: SendConfiguration> {
    private let program: SendingProgram
    private let usage: PluginUsage
    private let connection: PluginConnection
    private var configuration: Configuration?
    private var sender: HTTPSender<Configuration>?
    private var commandsInFlight: Int64 = 1
    /// The plugin's name.
    private var name: String

    /// Runs until the host closes the pipe.
    package static func main(_ program: SendingProgram) {
        let usage = PluginUsage(
            program: program.name, version: program.version, purpose: program.purpose, manifest: program.manifest,
            page: program.page)
        usage.exitIfRunByHand()
        var plugin = SendingPlugin(program, usage, PluginConnection())
        plugin.run()
    }

    private init(_ program: SendingProgram, _ usage: PluginUsage, _ connection: PluginConnection) {
        (self.program, self.usage, self.connection) = (program, usage, connection)
        name = program.name
    }

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
                if let sender { sender.drain(within: deadlineMs) } else { Self.leave(connection) }
            case .config(let id, let config): reconfigure(id, config)
            case .check(let id, _, _):
                let message = "\(program.subject) check no commands"
                connection.send(.verdict(.deny(id: id, code: "unsupported", message: message)))
            case .result(let result): sender?.enqueue(.result(result))
            case .ask(let id, let what, let queue):
                if let sender {
                    sender.enqueue(.ask(id, what, queue: queue))
                } else {
                    connection.send(.answer(id: id, .refused("it has not started yet; try again")))
                }
            case .caughtUp, .voided, .error, .unknown: break
            }
        }
        if !isGreeted { usage.exitWithoutHost() }
        exit(0)
    }

    private mutating func greet(_ hello: HostMessage.Hello) {
        guard configuration == nil else { return }
        name = hello.plugin
        commandsInFlight = hello.commandsInFlight
        guard hello.version == Wire.version else {
            stop("protocol", .init(message: "this plugin speaks protocol \(Wire.version), not \(hello.version)"))
        }
        let isCheck = hello.purpose == .check
        // A check goes on, for what else is wrong.
        let isClosed = Network.isClosed
        if isClosed { refuse("network", [.init(message: Network.advice)], isLast: !isCheck) }
        guard hello.phase == "event" else {
            stop("phase", .init(path: "phase", message: "\(program.subject) are of phase \"event\" only"))
        }
        do throws(InvalidConfiguration) {
            let configuration = try Configuration.read(hello.config, isCheck: isCheck)
            self.configuration = configuration
            if isClosed { refuse("network", [], isLast: true) }
            var ready = PluginMessage.Ready(
                name: program.name, programVersion: program.version, reload: true, queues: configuration.queues)
            ready.asks = SendQuestions.all
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
        if sender == nil {
            let connection = connection
            sender = HTTPSender(
                configuration, plugin: name, commandsInFlight: commandsInFlight, send: { connection.send($0) },
                drained: { Self.leave(connection) })
        }
        guard let sender else {
            let problem = PluginMessage.Problem(message: "libcurl cannot start: out of memory or files")
            connection.send(.fatal(code: "libcurl", problem: problem, retry: true))
            connection.flush()
            exit(Wire.exitTryLater)
        }
        sender.enqueue(.start(queues))
    }

    /// Adopts a new configuration, or says what is wrong with it and goes on with the old one.
    private mutating func reconfigure(_ id: MessageID, _ config: JSON) {
        guard let sender else {
            return connection.send(.configured(id: id, problem: .init(message: "it has not started yet")))
        }
        do throws(InvalidConfiguration) {
            let new = try Configuration.read(config, isCheck: false)
            configuration = new
            sender.enqueue(.configure(id, new))
        } catch {
            connection.send(.configured(id: id, problem: error.first))
        }
    }

    private func deliver(_ event: HostMessage.EventDelivery) {
        guard let sender, let configuration else { return }
        switch configuration.prepare(event) {
        case .send(let delivery): sender.enqueue(.deliver(delivery, queue: event.queue))
        case .skip: connection.send(.ack(.one(event.delivery), state: nil))
        case .reject(let code, let message):
            connection.send(.reject(delivery: event.delivery, code: code, message: message, deadLetter: true))
        }
    }

    /// Ends a process whose configuration is of no use.
    private func stop(_ code: String, _ problem: PluginMessage.Problem) -> Never {
        refuse(code, [problem], isLast: true)
        exit(Wire.exitBadConfiguration)
    }

    /// Reports what is wrong with the configuration.
    /// - Parameter isLast: Whether that is all, and the process ends.
    private func refuse(_ code: String, _ problems: [PluginMessage.Problem], isLast: Bool) {
        for problem in problems { connection.send(.fatal(code: code, problem: problem, retry: false)) }
        guard isLast else { return }
        connection.flush()
        exit(Wire.exitBadConfiguration)
    }

    /// Sends the last message and ends the process, at once: exit handlers would run under threads that resolve names.
    private static func leave(_ connection: PluginConnection) {
        connection.send(.drained)
        connection.flush()
        _exit(0)
    }
}
