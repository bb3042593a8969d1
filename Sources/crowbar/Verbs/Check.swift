import ArgumentParser
import PluginHost

/// `crowbar check`.
struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check crowbar.toml, the plugins' manifests and each plugin's own configuration.")

    @OptionGroup var settings: ConfigurationOption

    func run() async throws {
        let configuration = try settings.load()
        let findings = try await PluginService.check(configuration)
        for finding in findings {
            StandardStream.error.write(line: "\(finding.isError ? "error" : "note"): \(finding.text)")
        }
        if findings.contains(where: \.isError) { throw ExitCode(1) }
        StandardStream.output.write(line: "ok")
    }
}
