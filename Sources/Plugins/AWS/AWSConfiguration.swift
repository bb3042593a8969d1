import HTTPClient
import JSONBytes
import PluginKit
import PluginWire

/// The plugin's `[config]`.
struct AWSConfiguration: Sendable {
    /// Targets of one plugin at most.
    static let maxTargets = 1000

    /// Where events go.
    var targets: [Target] = []
    /// Where credentials come from.
    var source: CredentialSource

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
    /// - Parameter surroundings: The process' environment and files.
    init(_ json: JSON, _ surroundings: Surroundings) throws(Invalid) {
        var top = ConfigurationTable(
            json, path: "", known: ["targets", "credentials", "profile", "credentials_file"])
        let source = Self.source(&top, surroundings)
        var problems = top.problems
        let elements = top.value("targets")?.array ?? []
        if elements.isEmpty || elements.count > Self.maxTargets {
            let message = "1 to \(Self.maxTargets) targets are expected, each as [[config.targets]]"
            problems.append(PluginMessage.Problem(path: "targets", message: message))
        }
        var names: Set<String> = []
        for (i, element) in elements.prefix(Self.maxTargets).enumerated() {
            let path = "targets[\(i)]"
            var reader = TargetReader(element, path: path)
            if let target = reader.read() { targets.append(target) }
            problems += reader.problems
            if let name = element["name"]?.string, !names.insert(name).inserted {
                problems.append(.init(path: "\(path).name", message: "another target is named '\(name)' too"))
            }
        }
        guard problems.isEmpty, let source else { throw Invalid(problems: problems) }
        self.source = source
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

    /// The queues that `ready` declares.
    var queues: [PluginMessage.Queue] {
        targets.map { target in
            PluginMessage.Queue(
                name: target.name, types: target.types, channels: target.channels, window: target.concurrency,
                order: target.order, start: target.start, maxAttempts: RetrySchedule.maxAttempts)
        }
    }
}
