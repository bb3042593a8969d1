import HTTPClient
import JSONBytes
import PluginHTTP
import PluginKit
import PluginWire

/// The plugin's `[config]`.
struct AWSConfiguration: SendConfiguration {
    typealias Service = AWSService

    /// Where events go.
    var targets: [Target] = []
    /// Where credentials come from.
    var source: CredentialSource

    /// The process' environment and files.
    var surroundings: Surroundings
    var endpoints: [Target] { targets }

    /// Reads the configuration that `hello` brings.
    /// - Parameter surroundings: The process' environment and files.
    init(_ json: JSON, _ surroundings: Surroundings) throws(InvalidConfiguration) {
        var top = ConfigurationTable(
            json, path: "", known: ["targets", "credentials", "profile", "credentials_file"])
        let source = Self.source(&top, surroundings)
        var targets: [Target] = []
        var problems = top.problems
        problems += readEndpoints(top, "targets", of: "target") { element, path in
            var reader = TargetReader(element, path: path)
            if let target = reader.read(element) { targets.append(target) }
            return reader.problems
        }
        guard problems.isEmpty, let source else { throw InvalidConfiguration(problems: problems) }
        (self.targets, self.source, self.surroundings) = (targets, source, surroundings)
    }

    static func read(_ json: JSON, isCheck: Bool) throws(InvalidConfiguration) -> AWSConfiguration {
        try AWSConfiguration(json, .plugin)
    }

    func prepare(_ event: HostMessage.EventDelivery) -> PreparedDelivery {
        Delivery(event).map { .send($0) }
            ?? .reject(code: "invalid_event", message: "the event has no eventId that a queue can take")
    }

    private static func source(_ top: inout ConfigurationTable, _ surroundings: Surroundings) -> CredentialSource? {
        let (kind, profile) = (top.string("credentials"), top.string("profile"))
        let file = top.string("credentials_file")
        if let kind, !["environment", "file", "container"].contains(kind) {
            top.fail("credentials", "\"environment\", \"file\" or \"container\" is expected")
            return nil
        }
        if let kind, kind != "file" {
            for key in ["profile", "credentials_file"] where top.value(key) != nil {
                top.fail(key, "is of no use with credentials = \"\(kind)\"")
            }
        }
        do throws(CredentialProblem) {
            return try CredentialSettings(kind: kind, profile: profile, file: file).source(surroundings)
        } catch {
            top.fail(error.key ?? "credentials", error.message)
            return nil
        }
    }
}
