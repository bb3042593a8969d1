import CrowbarCore
import PluginWire
import Settings

/// What `crowbar check` finds about plugins.
public struct PluginCheck: Sendable {
    /// One finding.
    public struct Finding: Sendable, Equatable {
        /// Whether it keeps the plugin from running.
        public var isError: Bool
        /// Where and what, for people.
        public var text: String

        /// Makes a finding.
        public init(isError: Bool, text: String) {
            self.isError = isError
            self.text = text
        }
    }

    /// Validates a folder of manifests and, by starting each with `purpose: "check"`, the plugins' own configurations.
    /// - Throws: ``SettingsError`` where the folder itself cannot be read.
    public static func run(folder: String, environment: HostEnvironment) async throws(SettingsError) -> [Finding] {
        let contents = try PluginFolder.read(folder)
        var findings = contents.errors.map { Finding(isError: true, text: $0.error.description) }
        let ability = await MachineAbility.probe(launcher: environment.launcher)
        for manifest in contents.manifests {
            // Where the sandbox is required, the start below is refused for the same reasons.
            for line in ability.shortfalls(manifest) where manifest.sandbox?.require != true {
                findings.append(Finding(isError: false, text: "\(manifest.file): \(line)"))
            }
            if !manifest.isEnabled {
                findings.append(Finding(isError: false, text: "\(manifest.file): enabled = false: it will not run"))
            }
            let factory = SessionFactory(name: manifest.name, environment: environment, lines: nil)
            let end: Supervisor.End
            do {
                let session = try await factory.make(
                    manifest, purpose: .check, board: SessionBoard(), mailbox: Mailbox())
                end = await session.run().end
            } catch {
                end = .failed(error.reason)
            }
            switch end {
            case .stopped, .drained: break
            case .failed(let reason), .crashed(let reason), .notStarted(let reason), .tryLater(let reason),
                .diverged(let reason):
                // A disabled one may well be unfinished.
                let text = reason.hasPrefix(manifest.file) ? reason : "\(manifest.file): \(reason)"
                findings.append(Finding(isError: manifest.isEnabled, text: text))
            }
        }
        return findings
    }
}
