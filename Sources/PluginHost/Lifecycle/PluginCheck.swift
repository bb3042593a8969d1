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
        var findings: [Finding] = []
        for (name, error) in contents.errors {
            findings += PluginFolder.problems(name, error).map { Finding(isError: true, text: $0.quoting) }
        }
        findings += contents.unread.map { Finding(isError: false, text: $0.text) }
        environment.isolation.users?.expect(contents.manifests)
        let support = await SandboxSupport.probe(launcher: environment.launcher)
        if let note = support.dataNote { findings.append(Finding(isError: false, text: note)) }
        for manifest in contents.manifests {
            // Where the sandbox is required, the start below is refused for the same reasons.
            for line in support.unsupported(manifest) where manifest.sandbox?.require != true {
                findings.append(Finding(isError: false, text: "\(manifest.file): \(line)"))
            }
            if !manifest.isEnabled {
                findings.append(Finding(isError: false, text: "\(manifest.file): enabled = false: it will not run"))
            }
            if let note = manifest.uncheckedNote {
                findings.append(Finding(isError: false, text: "\(manifest.file): \(note)"))
            }
            if !manifest.privateChannels.isEmpty,
                let found = await environment.privateChannels?(manifest.privateChannels.sorted()),
                let note = manifest.onlyPrivateNote(found)
            {
                findings.append(Finding(isError: false, text: "\(manifest.file): \(note)"))
            }
            findings += await start(manifest, environment)
        }
        return findings
    }

    /// Starts a plugin to ask it about its configuration.
    private static func start(_ manifest: Manifest, _ environment: HostEnvironment) async -> [Finding] {
        let secrets = Secrets.problems(
            manifest.config, environment: environment.environment, folder: SessionFactory.folder(of: manifest.file),
            hidden: environment.isolation.folders(environment.dataFolder))
        if !secrets.isEmpty {
            return secrets.map {
                let place = ManifestReader.place(ofConfig: $0.path, in: manifest.file)
                return Finding(isError: manifest.isEnabled, text: "\(place): \($0.reason)")
            }
        }
        let factory = SessionFactory(name: manifest.name, environment: environment, lines: nil)
        var report: PluginSession.Report
        var findings: [Finding] = []
        do {
            let session = try await factory.make(
                manifest, purpose: .check, status: SessionStatus(), mailbox: Mailbox())
            if let note = session.plan.note {
                findings.append(Finding(isError: false, text: "\(manifest.file): \(note)"))
            }
            report = await session.run()
        } catch {
            report = .init(end: .failed(error.reason), madeProgress: false, attempts: [:])
        }
        switch report.end {
        case .stopped, .drained:
            return findings
                + (await MissingChannels.lines(report.channels, manifest, environment)).map {
                    Finding(isError: false, text: "\(manifest.file): \($0)")
                }
        case .failed(let reason), .crashed(let reason), .notStarted(let reason), .tryLater(let reason),
            .diverged(let reason):
            // A disabled one may well be unfinished.
            return findings
                + (report.problems.isEmpty ? [reason] : report.problems).map {
                    let text = $0.hasPrefix(manifest.file) ? $0 : "\(manifest.file): \($0)"
                    return Finding(isError: manifest.isEnabled, text: text)
                }
        }
    }
}
