import ArgumentParser
import Dispatch
import Glibc
import JSONBytes
import Logging
import PluginConformance
import PluginHost

extension Plugins {
    /// `crowbar plugins test NAME|MANIFEST`.
    struct Test: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Test whether a plugin keeps to the protocol, without a server.",
            discussion: """
                Starts the plugin many times on a log of its own, sends it thousands of events, kills it, and checks \
                the numbered sentences of docs/protocol.md. The plugin does what it always does with events: give it \
                a configuration for tests. Exits with status 1 if a check fails.
                """)

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "A plugin of the folder of manifests, or the path of a manifest.") var name: String
        @Option(help: "A text that the plugin answers with a message; may be given several times.")
        var message: [String] = []
        @Option(help: "The seed of the random choices, as an earlier run printed it.") var seed: UInt64?
        @Option(help: "Messages of the burst.") var burst = 10_000
        @Flag(help: "List the sentences about the host too.") var all = false
        @Flag(help: "Print JSON.") var json = false
        @Flag(help: "Print the Test Anything Protocol.") var tap = false

        func validate() throws {
            if json, tap { throw ValidationError("--json and --tap exclude each other.") }
            guard (1_000...1_000_000).contains(burst) else {
                throw ValidationError("--burst is from 1,000 to 1,000,000.")
            }
        }

        func run() async throws {
            let configuration = try settings.load()
            let manifest = try TrialPlace.manifest(name, configuration)
            let place = try TrialPlace(configuration, level: .critical)
            let interrupts = TrialPlace.removeOnInterrupt(place)
            defer {
                interrupts.forEach { $0.cancel() }
                place.remove()
            }
            var options = ConformanceKit.Options(seed: seed ?? UInt64.random(in: 0...9_999_999_999))
            options.messages = message
            options.burst = burst
            let kit = ConformanceKit(
                manifest: manifest, environment: place.environment, options: options, moveClock: place.clock.move)
            let isTerminal = isatty(STDERR_FILENO) == 1
            let report = await kit.run { if isTerminal { StandardStream.error.write(line: "\($0) …") } }
            if json {
                StandardStream.output.write(report.json.bytes + [0x0A])
            } else {
                for line in tap ? report.tap : report.text(isWhole: all) {
                    StandardStream.output.write(line: TerminalText.line(line))
                }
            }
            if !report.isPassed { throw ExitCode(1) }
        }
    }
}

extension TrialPlace {
    /// Removes a place when the program is interrupted; its processes end with it.
    static func removeOnInterrupt(_ place: TrialPlace) -> [any DispatchSourceSignal] {
        [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler {
                place.remove()
                Glibc.exit(128 + number)
            }
            source.resume()
            return source
        }
    }
}
