import ArgumentParser

/// `crowbar check`.
struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check crowbar.toml, the plugins' manifests and each plugin's own configuration.")

    @OptionGroup var settings: ConfigurationOption

    func run() async throws {
        let configuration = try settings.load()
        let findings = await PluginService.check(configuration)
        for finding in findings { StandardStream.error.write(line: "crowbar: \(finding)") }
        if findings.contains(where: \.isError) { throw ExitCode(1) }
        StandardStream.output.write(line: "ok")
    }
}
