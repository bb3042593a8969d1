import CrowbarCore
import PluginHost
import PluginWire
import Synchronization

/// The conformance kit: runs a plugin in the sessions of the real host, through scenarios that a server meets seldom,
/// and says which sentences of docs/protocol.md it keeps.
public struct ConformanceKit: Sendable {
    /// What may be chosen.
    public struct Options: Sendable {
        /// What the chaos is drawn from: the same seed makes the same choices.
        public var seed: UInt64
        /// Texts that the plugin answers, besides those that are tried anyway.
        public var messages: [String] = []
        /// Messages of the burst.
        public var burst = 10_000

        /// Makes the defaults.
        public init(seed: UInt64) { self.seed = seed }
    }

    /// The manifest, as the kit changes it: strict, and with a deadline that fits a short run.
    let manifest: Manifest
    let environment: HostEnvironment
    let options: Options
    /// Moves the clock of the day by so many milliseconds.
    let moveClock: @Sendable (Int64) -> Void

    /// The longest time that an event may be held in a run.
    static let settle: Int64 = 15_000

    /// Makes a kit.
    /// - Parameters:
    ///   - environment: Its log, store and data folder must be the run's own. Its ingest is run by the kit.
    ///   - moveClock: Moves the clock that the log and the environment take times from.
    public init(
        manifest: Manifest, environment: HostEnvironment, options: Options,
        moveClock: @escaping @Sendable (Int64) -> Void
    ) {
        var manifest = manifest
        manifest.isStrict = true
        manifest.isEnabled = true
        var environment = environment
        environment.sessionLimits.ping = 500
        self.manifest = manifest
        self.environment = environment
        self.options = options
        self.moveClock = moveClock
    }

    /// Runs all scenarios.
    /// - Parameter progress: Is told of each scenario that begins.
    public func run(progress: @escaping @Sendable (String) -> Void = { _ in }) async -> ConformanceReport {
        let began = environment.now()
        return await withTaskGroup(of: ConformanceReport?.self) { group in
            group.addTask { [environment] in
                await environment.ingest.run()
                return nil
            }
            group.addTask {
                let run = KitRun(self, progress)
                await run.all()
                return run.report
            }
            var report = ConformanceReport(plugin: manifest.name, seed: options.seed)
            for await done in group {
                guard let done else { continue }
                report = done
                group.cancelAll()
            }
            report.milliseconds = environment.now() - began
            return report
        }
    }
}

/// Random numbers that a seed repeats (SplitMix64).
struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
