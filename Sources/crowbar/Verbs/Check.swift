import ArgumentParser
import JSONBytes
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
    @Flag(help: "Only show what this version will do to each database when the server starts.") var upgrade = false
    @Flag(help: "Print JSON; with --upgrade.") var json = false

    func validate() throws {
        if json, !upgrade { throw ValidationError("--json goes with --upgrade") }
    }

    func run() async throws {
        if upgrade { return try showUpgrade() }
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

    private func showUpgrade() throws {
        let folder = try settings.load().data
        guard let check = UpgradeCheck(folder) else {
            throw Refusal(
                "there is no data folder '\(folder)', so there is nothing to upgrade; 'crowbar serve' makes it")
        }
        if json {
            StandardStream.output.write(check.json.bytes + [0x0A])
        } else {
            for line in check.lines { StandardStream.output.write(line: line) }
            for line in check.advice { StandardStream.error.write(line: "note: \(TerminalText.line(line))") }
        }
        for line in check.errors { StandardStream.error.write(line: "error: \(TerminalText.line(line))") }
        if !check.errors.isEmpty { throw ExitCode(1) }
    }
}
