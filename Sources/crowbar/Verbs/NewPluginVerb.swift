import ArgumentParser
import CrowbarSQLite

extension PluginTemplate.Language: ExpressibleByArgument {}
extension PluginTemplate.Kind: ExpressibleByArgument {}

extension Plugins {
    /// `crowbar plugins new NAME`.
    struct New: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a plugin to begin with: a program, its test, and its manifest.",
            discussion: """
                The folder NAME is made beside the folder of the manifests. A running server starts the plugin at \
                once. Nothing that is there is overwritten.

                Kinds: 'sink' hands events to something outside; 'bridge' answers events with commands; 'check' is \
                asked before a command is stored.
                """)
        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "A name: a-z 0-9 _ -") var name: String
        @Option(help: "The language of the program.") var lang: PluginTemplate.Language
        @Option(help: "What the plugin does.") var kind: PluginTemplate.Kind = .sink

        func run() throws {
            guard PluginName.isFree(name) else {
                throw Refusal(
                    "'\(TerminalText.line(name))' cannot name a plugin: take up to 64 of a-z 0-9 _ -, a letter or "
                        + "digit first, and neither 'cli' nor 'incoming'")
            }
            var manifests = FolderPath.absolute(try settings.load().plugins)
            while manifests.hasSuffix("/") { manifests.removeLast() }
            let place = PluginPlace(name: name, manifests: manifests)
            let template = PluginTemplate(
                name: name, language: lang, kind: kind, interpreter: Interpreter.path(of: lang.command))
            try place.write(template)
            let paths = template.files.map { place.folder + "/" + $0.path } + [place.manifest]
            StandardStream.output.write(
                line: paths.map { TerminalText.line($0) + "\n" }.joined()
                    + "a running server starts it at once: 'crowbar plugins show \(name)'")
        }
    }
}
