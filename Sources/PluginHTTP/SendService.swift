import HTTPClient
import JSONBytes
import PluginKit
import PluginWire

/// A plugin's `[config]`: endpoints, each a queue of its own.
package protocol SendConfiguration: Sendable {
    /// What makes its requests.
    associatedtype Service: SendService where Service.Configuration == Self
    typealias Endpoint = Service.Endpoint

    /// The endpoints that run.
    var endpoints: [Endpoint] { get }

    /// Reads the configuration that `hello` or `config` brings.
    /// - Parameter isCheck: Whether `crowbar check` asks, which is told everything that is wrong.
    static func read(_ json: JSON, isCheck: Bool) throws(InvalidConfiguration) -> Self

    /// What becomes of an event of a queue. Called on the thread that reads the host's messages.
    func prepare(_ event: HostMessage.EventDelivery) -> PreparedDelivery
}

extension SendConfiguration {
    /// The queues that `ready` declares.
    package var queues: [PluginMessage.Queue] { endpoints.map(\.queue) }
}

/// Why there is no configuration: everything that is wrong with it.
package struct InvalidConfiguration: Error {
    /// At least one.
    package var problems: [PluginMessage.Problem]

    package init(problems: [PluginMessage.Problem]) { self.problems = problems }

    /// The first, with the others in its message.
    package var first: PluginMessage.Problem {
        guard var first = problems.first else { return .init(message: "the configuration is wrong") }
        for other in problems.dropFirst().prefix(9) { first.message += "; \(other.path): \(other.message)" }
        if problems.count > 10 { first.message += "; and \(problems.count - 10) more" }
        return first
    }
}

/// Whether requests to an endpoint can be made now.
package enum Readiness<Result: DeliveryResult> {
    case ready
    /// Not yet; a request that is in flight changes it. A test says the result.
    case pending(Result)
    /// No: a request would end with this result, which holds the endpoint.
    case blocked(Result)
}

/// What is specific to a plugin's requests. Belongs to the sender's thread.
package protocol SendService: AnyObject {
    associatedtype Configuration: SendConfiguration where Configuration.Service == Self
    associatedtype Endpoint: SendEndpoint
    /// What a request is for that hands over no events, such as one for credentials.
    associatedtype Preparation

    /// What the plugin calls its endpoints.
    static var words: EndpointWords { get }

    init(_ configuration: Configuration)

    /// Adopts a new configuration.
    func adopt(_ configuration: Configuration)
    /// Lines for the log that came up since the last call.
    func takeLogLines() -> [PluginMessage]
    /// What the status says besides the endpoints.
    var notes: [StatusNote] { get }

    /// Whether requests to an endpoint can be made.
    /// - Parameter time: Unix time in seconds, as everywhere here.
    func readiness(of endpoint: Endpoint, at time: Int64) -> Readiness<Endpoint.Result>
    /// The header lines and the body of a request that is ready to be made.
    func request(for deliveries: [Delivery], to endpoint: Endpoint, at time: Int64) -> (lines: [String], body: [UInt8])
    /// Notes how the tries of a request ended.
    func note(_ results: [Endpoint.Result], of endpoint: Endpoint, at time: Int64)
    /// An operator ends what holds an endpoint.
    func resume(_ endpoint: Endpoint, at time: Int64)

    /// The next request that is due besides those that hand over events; nil: there is none.
    func nextPreparation(at time: Int64) -> PreparationCall<Preparation>?
    /// Notes how such a request ended.
    func finish(_ preparation: Preparation, _ outcome: Outcome, at time: Int64)
    /// When ``nextPreparation(at:)`` has something to do; nil: after an answer.
    func preparationDue(at time: Int64) -> Int64?
    /// Whether something that the status or the endpoints' readiness depends on changed since the last call.
    func takeChange() -> Bool
}

/// A request that hands over no events.
package struct PreparationCall<Preparation> {
    package var preparation: Preparation
    package var call: Call
    /// Its header lines.
    package var lines: [String]
    /// What the program calls itself.
    package var userAgent: String

    package init(_ preparation: Preparation, _ call: Call, lines: [String], userAgent: String) {
        (self.preparation, self.call, self.lines, self.userAgent) = (preparation, call, lines, userAgent)
    }
}

extension SendService {
    package func takeLogLines() -> [PluginMessage] { [] }
    package var notes: [StatusNote] { [] }
    package func note(_ results: [Endpoint.Result], of endpoint: Endpoint, at time: Int64) {}
    package func resume(_ endpoint: Endpoint, at time: Int64) {}
    package func takeChange() -> Bool { false }
}

extension SendService where Preparation == Never {
    package func nextPreparation(at time: Int64) -> PreparationCall<Never>? { nil }
    package func finish(_ preparation: Never, _ outcome: Outcome, at time: Int64) {}
    package func preparationDue(at time: Int64) -> Int64? { nil }
}
