import JSONBytes
import PluginKit
import PluginWire

/// The plugin's `[config]`.
struct WebhookConfiguration: Sendable {
    /// Endpoints of one plugin at most.
    static let maxEndpoints = 1000

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

    /// Why there is no configuration: everything that is wrong with it.
    struct Invalid: Error {
        /// At least one.
        var problems: [PluginMessage.Problem]

        /// The first, with the others in its message.
        var first: PluginMessage.Problem {
            guard var first = problems.first else { return .init(message: "the configuration is wrong") }
            for other in problems.dropFirst().prefix(9) { first.message += "; \(other.path): \(other.message)" }
            if problems.count > 10 { first.message += "; and \(problems.count - 10) more" }
            return first
        }
    }

    /// Reads the configuration that `hello` brings.
    /// - Parameters:
    ///   - isCheck: An endpoint whose URL is refused is an error too, not left out.
    ///   - now: Unix time in seconds; an endpoint whose keys have all expired by then is an error. 0: it is none, as a
    ///     plugin that runs holds such an endpoint, says so in its status and serves the others.
    init(_ json: JSON, isCheck: Bool, now: Int64 = 0) throws(Invalid) {
        let top = ConfigurationTable(json, path: "", known: ["endpoints"])
        var problems = top.problems
        let elements = top.value("endpoints")?.array ?? []
        if elements.isEmpty || elements.count > Self.maxEndpoints {
            let message = "1 to \(Self.maxEndpoints) endpoints are expected, each as [[config.endpoints]]"
            problems.append(PluginMessage.Problem(path: "endpoints", message: message))
            throw Invalid(problems: problems)
        }
        var names: Set<String> = []
        for (i, element) in elements.enumerated() {
            let path = "endpoints[\(i)]"
            var reader = EndpointReader(element, path: path)
            let endpoint = reader.read(element, now: now)
            problems += reader.problems
            let name = element["name"]?.string ?? path
            if !names.insert(name).inserted {
                problems.append(
                    PluginMessage.Problem(path: "\(path).name", message: "another endpoint is named '\(name)' too"))
            }
            if let endpoint { endpoints.append(endpoint) }
            if let refusal = reader.refusal {
                let problem = PluginMessage.Problem(path: "\(path).url", message: "endpoint '\(name)': \(refusal)")
                leftOut.append(LeftOut(name: name, problem: problem))
            }
        }
        if isCheck || endpoints.isEmpty { problems += leftOut.map(\.problem) }
        if !problems.isEmpty { throw Invalid(problems: problems) }
    }

    /// The queues that `ready` declares.
    var queues: [PluginMessage.Queue] {
        endpoints.map(\.queue)
    }

    /// What is posted to each endpoint, by name.
    var formats: [String: BodyFormat] {
        Dictionary(endpoints.map { ($0.name, $0.body) }) { first, _ in first }
    }
}
