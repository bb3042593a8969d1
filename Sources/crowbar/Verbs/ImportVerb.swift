import ArgumentParser
import CrowbarSQLite
import Settings

/// `crowbar import …`.
struct ImportVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Take over the configuration of another program.",
        subcommands: [Matterbridge.self])

    /// `crowbar import matterbridge FILE`.
    struct Matterbridge: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write plugin manifests from a matterbridge configuration.",
            discussion: """
                Writes plugins.d/irc.toml and plugins.d/webhook.toml, the passwords as files in secrets/, and \
                IMPORT.md, which says of each line of the original what became of it. Nothing that is there is \
                overwritten. Run it as the user that the server runs as: secrets are for their owner alone.
                """)

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The configuration, such as matterbridge.toml.") var file: String
        @Option(name: .customLong("out"), help: "The folder to write to; made if it is not there.") var folder: String
        @Flag(help: "Make the channels, in the running server or in the data folder.") var createChannels = false

        func run() async throws {
            let configuration = try settings.load()
            guard let bytes = try SmallFile.read(file) else { throw Refusal("there is no file '\(file)'") }
            let imported: ImportedConfiguration
            do throws(SettingsError) {
                let original = try MatterbridgeFile(parsing: bytes, file: file)
                imported = try MatterbridgeImport.run(original, folder: Self.folder(of: FolderPath.absolute(file)))
            } catch {
                throw Refusal(error.quoting)
            }
            var path = FolderPath.absolute(folder)
            while path.hasSuffix("/"), path != "/" { path.removeLast() }
            let target = ImportFolder(path: path)
            try target.requireFree(imported.files)
            // Channels first: a running server starts plugins as soon as their manifests are there.
            let channels =
                createChannels
                ? try await ImportedChannels(configuration: configuration).create(imported.channels) : nil
            try target.write(imported.files)
            report(imported, target, channels)
        }

        private static func folder(of path: String) -> String {
            String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        }

        private func report(
            _ imported: ImportedConfiguration, _ target: ImportFolder, _ channels: (made: [String], present: [String])?
        ) {
            var lines = imported.files.map { "wrote \(target.path)/\($0.path)" }
            if let channels {
                lines += channels.made.map { "made the channel \($0)" }
                lines += channels.present.map { "the channel \($0) was there" }
            } else if !imported.channels.isEmpty {
                lines.append(
                    "channels to make with 'crowbar channel add NAME': \(imported.channels.joined(separator: ", "))")
            }
            let counts = ImportReport.Verdict.allCases.map { "\(imported.report.count($0)) \($0.rawValue)" }
            let file = ImportedConfiguration.reportFile
            lines.append("lines of the original: \(counts.joined(separator: ", ")); \(file) names each")
            for line in lines { StandardStream.output.write(line: TerminalText.line(line)) }
            if imported.files.allSatisfy({ !$0.path.hasPrefix("plugins.d/") }) {
                StandardStream.error.write(
                    line: "note: no enabled gateway has an IRC channel or a webhook, so there is no plugin to run")
            }
        }
    }
}
