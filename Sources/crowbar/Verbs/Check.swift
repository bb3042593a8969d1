import ArgumentParser
import PluginHost
import Settings

/// `crowbar check`.
struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check crowbar.toml, the data folder, the address, and the plugins with their configurations.",
        discussion: """
            Reads the same file and the same environment variables as 'serve', and prints every problem, each with \
            its file, line and key where they are known. Run it as the user that the server runs as. It changes \
            nothing, and may be run beside the server.
            """)

    @OptionGroup var settings: ConfigurationOption

    func run() async throws {
        let (problems, configuration) = try settings.review()
        for problem in problems { StandardStream.error.write(line: "crowbar: \(problem.quoting)") }
        for line in ConfigurationOption.misspeltVariables { StandardStream.error.write(line: "note: \(line)") }
        let file = settings.file
        if let line = ConfigurationOption.misspeltFile(named: file) ?? ConfigurationOption.missingFile(named: file) {
            StandardStream.error.write(line: "note: \(line)")
        }
        guard let configuration else { throw ExitCode(1) }
        // With settings missing nobody knows which folder and which address are meant.
        var findings = problems.isEmpty ? await settings.placeCheck(configuration).findings() : []
        findings += try await PluginService.check(configuration)
        if !problems.isEmpty { findings.removeAll { !$0.isError } }
        for finding in findings {
            StandardStream.error.write(line: "\(finding.isError ? "error" : "note"): \(finding.text)")
        }
        if !problems.isEmpty || findings.contains(where: \.isError) { throw ExitCode(1) }
        StandardStream.output.write(line: "ok")
    }
}
