import ArgumentParser
import Dispatch
import Glibc
import Logging

extension Plugins {
    /// `crowbar plugins try NAME|MANIFEST`.
    struct Try: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Run a plugin without a server, and see both sides of the protocol.",
            discussion: """
                What you type becomes messages of a chat of your own; /help lists the commands. A line that breaks the \
                protocol is followed by the sentence of docs/protocol.md that it breaks. Saving the manifest or the \
                program starts the plugin again. Exits with status 1 if a line broke the protocol.
                """)

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "A plugin of the folder of manifests, or the path of a manifest.") var name: String
        @Option(help: "Write the lines to this file, one JSON object each.") var record: String?

        func run() async throws {
            let configuration = try settings.load()
            let manifest = try TrialPlace.manifest(name, configuration)
            var file: Int32?
            if let record {
                let opened = open(record, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
                guard opened >= 0 else {
                    throw Refusal("'\(record)' cannot be written: \(String(cString: strerror(errno)))")
                }
                file = opened
            }
            let place = try TrialPlace(configuration, level: .critical)
            let interrupts = TrialPlace.removeOnInterrupt(place)
            defer {
                interrupts.forEach { $0.cancel() }
                place.remove()
                if let file { close(file) }
            }
            let printer = TryPrinter(hasColors: Self.hasColors, record: file)
            let loop = TryLoop(place: place, name: name, configuration: configuration, printer: printer)
            if !(await loop.run(manifest)) { throw ExitCode(1) }
        }

        /// Whether standard output shows colours (https://no-color.org).
        private static var hasColors: Bool {
            let environment = ProcessEnvironment.all
            return isatty(STDOUT_FILENO) == 1 && environment["NO_COLOR", default: ""].isEmpty
                && environment["TERM"] != "dumb"
        }
    }
}
