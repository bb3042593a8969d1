import Glibc
import JSONBytes
import PluginHTTP
import PluginKit
import PluginWire

/// The plugin's `[config]`.
struct WebhookConfiguration: SendConfiguration {
    typealias Service = WebhookService

    /// An endpoint that is left out, as its URL is refused.
    struct LeftOut: Sendable, Equatable {
        /// Its name.
        var name: String
        /// Where and why; the message quotes no path, query or credential.
        var problem: PluginMessage.Problem
    }

    /// The endpoints that run.
    var endpoints: [Endpoint] = []
    /// The endpoints that are left out.
    var leftOut: [LeftOut] = []

    /// What is posted to each endpoint, by name.
    private var formats: [String: BodyFormat] = [:]

    /// Reads the configuration that `hello` brings.
    /// - Parameters:
    ///   - isCheck: An endpoint whose URL is refused is an error too, not left out.
    ///   - now: Unix time in seconds; an endpoint whose keys have all expired by then is an error. 0: it is none, as a
    ///     plugin that runs holds such an endpoint, says so in its status and serves the others.
    init(_ json: JSON, isCheck: Bool, now: Int64 = 0) throws(InvalidConfiguration) {
        let top = ConfigurationTable(json, path: "", known: ["endpoints"])
        var (endpoints, leftOut): ([Endpoint], [LeftOut]) = ([], [])
        var problems = top.problems
        problems += readEndpoints(top, "endpoints", of: "endpoint") { element, path in
            var reader = EndpointReader(element, path: path)
            if let endpoint = reader.read(element, now: now) { endpoints.append(endpoint) }
            if let refusal = reader.refusal {
                let name = element["name"]?.string ?? path
                let problem = PluginMessage.Problem(path: "\(path).url", message: "endpoint '\(name)': \(refusal)")
                leftOut.append(LeftOut(name: name, problem: problem))
            }
            return reader.problems
        }
        if isCheck || endpoints.isEmpty { problems += leftOut.map(\.problem) }
        if !problems.isEmpty { throw InvalidConfiguration(problems: problems) }
        (self.endpoints, self.leftOut) = (endpoints, leftOut)
        formats = Dictionary(endpoints.map { ($0.name, $0.body) }) { first, _ in first }
    }

    static func read(_ json: JSON, isCheck: Bool) throws(InvalidConfiguration) -> WebhookConfiguration {
        try WebhookConfiguration(json, isCheck: isCheck, now: isCheck ? Int64(time(nil)) : 0)
    }

    func prepare(_ event: HostMessage.EventDelivery) -> PreparedDelivery {
        // The sender knows what to do about an endpoint that is not configured any more.
        let format = formats[event.queue] ?? .event
        do throws(Delivery.Unposted) {
            return .send(try Delivery(event, as: format))
        } catch {
            switch error {
            case .nothingToSay: return .skip
            case .noEventId:
                return .reject(
                    code: "invalid_event", message: "the event has no eventId that can be sent as webhook-id")
            case .unrenderable(let why): return .reject(code: why.code, message: why.message)
            }
        }
    }
}
