import ArgumentParser
import CrowbarCore
import CrowbarSQLite
import Dispatch
import Glibc
import JSONBytes
import Logging
import PluginHost
import Settings

/// `crowbar replay NAME`.
struct ReplayVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Give a plugin a part of the log once more, by a process of its own beside the live one.",
        discussion: "NAME/QUEUE is one of its queues; NAME are all, of which it says what they get, and asks.")

    @OptionGroup var settings: ConfigurationOption
    @Argument(help: "The plugin, or NAME/QUEUE.") var name: String
    @Option(help: "Where it begins: beginning, id:EVENTID (after it) or @2026-11-01T00:00:00Z.") var from: String?
    @Option(help: "Where it ends: now, id:EVENTID (with it) or @TIME (before it).") var until = "now"
    @Option(help: "Events a second at most.") var rate: Double?
    @Option(help: "A channel, or a pattern that ends in '*'; may be given several times.") var channel: [String] = []
    @Flag(help: "Go on with a replay that was interrupted.") var resume = false
    @Flag(help: "Drop a replay that was interrupted, and begin anew.") var restart = false
    @Flag(help: "Begin without asking.") var yes = false
    @Flag(help: "Print the outcome as JSON.") var json = false
    /// For the server, which starts replays as child processes: prints reports, and stops at the end of its input.
    @Flag(help: .hidden) var report = false

    func validate() throws {
        if resume, restart { throw ValidationError("--resume and --restart exclude each other.") }
        if resume, from != nil {
            throw ValidationError("--resume goes on with the part it began with; leave --from out.")
        }
        if !resume, from == nil { throw ValidationError("Say where to begin: --from beginning, id:EVENTID or @TIME.") }
        if let rate, !(rate > 0 && rate <= 1_000_000) { throw ValidationError("--rate is from above 0 to 1,000,000.") }
    }

    func run() async throws {
        try requirePlaces()
        let names = try QueueName(name)
        let configuration = try settings.load()
        do { try DataFolder.requireExisting(configuration.data) } catch { throw Refusal("\(error)") }
        let manifest = try manifest(configuration, of: names.plugin)
        umask(0o077)
        signal(SIGXFSZ, SIG_IGN)
        let folder: DataFolder
        let log: SQLiteLog
        do {
            // No lock on the data: the log is only read, beside a server too. The replay's own folder is locked.
            try DatabaseFormat.requireCurrent(["log.db"], in: configuration.data)
            log = try SQLiteLog(
                path: configuration.data + "/log.db", now: Clock.milliseconds, random32: { [] })
            folder = try DataFolder(
                path: PluginService.absolute(configuration.data) + "/replays/" + names.plugin, create: true)
        } catch DataFolderError.inUse(_, let pid) {
            throw Refusal(
                "a replay of '\(names.plugin)' is under way already (process \(pid.map(String.init) ?? "unknown"))")
        } catch {
            throw Refusal("\(error)")
        }
        let files = ReplayFiles(folder: folder.path)
        func makeEnvironment(_ store: String) throws -> HostEnvironment {
            do {
                return try PluginService.replayEnvironment(
                    configuration, log: log, folder: folder.path, store: store)
            } catch {
                throw Refusal("\(error)")
            }
        }
        let plan: ReplayPlan
        if resume {
            plan = try kept(files, names)
        } else {
            plan = try await newPlan(log, files, names)
            defer { files.endSurvey() }
            // What is to be said of the plugin is said by the replay itself.
            var asking = try makeEnvironment(ReplayFiles.survey)
            asking.logger.logLevel = .critical
            try await confirm(Replay(manifest: manifest, plan: plan, environment: asking))
            try files.begin(plan)
        }
        let environment = try makeEnvironment(ReplayFiles.store)
        let replay = Replay(manifest: manifest, plan: plan, environment: environment)
        let (outcome, seconds) = await follow(replay, environment.store)
        let letters = (try? await environment.store.deadLetters(of: names.plugin, queue: nil, limit: 1_000)) ?? []
        try finish(outcome, replay.progress, letters, seconds, files)
    }

    private func manifest(_ configuration: Configuration, of name: String) throws -> Manifest {
        let contents: PluginFolder.Contents
        do {
            contents = try PluginFolder.read(PluginService.absolute(configuration.plugins))
        } catch {
            throw Refusal("\(error)")
        }
        if let broken = contents.errors.first(where: { $0.name == name }) { throw Refusal(broken.error.quoting) }
        guard let manifest = contents.manifests.first(where: { $0.name == name }) else {
            throw Refusal(
                "there is no manifest '\(PluginService.absolute(configuration.plugins))/\(name).toml'; "
                    + (contents.manifests.isEmpty
                        ? "go to the folder that the server was started in, or set plugins (or CROWBAR_PLUGINS) to its "
                            + "folder of manifests" : "'crowbar plugins' shows which plugins there are"))
        }
        guard manifest.phase == .event else {
            throw Refusal("\(manifest.file) is of phase \"command\", in which nothing is delivered")
        }
        guard manifest.replay else {
            throw Refusal("\(manifest.file) says replay = false: what this plugin does cannot be done twice")
        }
        return manifest
    }

    /// The part that was begun.
    private func kept(_ files: ReplayFiles, _ names: QueueName) throws -> ReplayPlan {
        guard var kept = files.plan else {
            throw Refusal("there is no replay of '\(name)' to go on with; begin one with --from")
        }
        let begun = names.plugin + (kept.queue.map { "/" + $0 } ?? "")
        if let queue = names.queue, queue != kept.queue {
            throw Refusal(
                "the replay that was interrupted is of '\(begun)'; go on with it: crowbar replay \(begun) --resume")
        }
        if let rate { kept.rate = rate }
        return kept
    }

    /// Says which queues get how much where all of the plugin's do, and asks.
    private func confirm(_ replay: Replay) async throws {
        let survey: ReplaySurvey
        do { survey = try await replay.survey() } catch { throw Refusal(error.reason) }
        if yes || !survey.isNamed || survey.events == 0 || name.contains("/") { return }
        let one = survey.queues.first.map { "; for one of them alone: crowbar replay \(name)/\($0.name)" } ?? ""
        try Confirmation.ask("this would deliver again: \(survey.text)\(one)", before: "replay")
    }

    /// A new part.
    private func newPlan(_ log: SQLiteLog, _ files: ReplayFiles, _ names: QueueName) async throws -> ReplayPlan {
        if files.plan != nil, !restart {
            throw Refusal(
                "a replay of '\(names.plugin)' was interrupted; go on with --resume, or drop it with --restart and "
                    + "--from")
        }
        if let refusal = try await Self.refusal(ofChannels: channel, log) { throw Refusal(refusal) }
        let head = try await log.head()?.position ?? 0
        let start = try await entry(from ?? "beginning", log)
        let end: Int64 = until == "now" ? head : try await entry(until, log)?.position ?? 0
        return ReplayPlan(
            start: start, through: end, channels: channel.isEmpty ? nil : channel, rate: rate, queue: names.queue)
    }

    /// Why channels that are named cannot be replayed; nil where each, also a pattern, names one at least. One that was
    /// destroyed has its events in the log still.
    private static func refusal(ofChannels wanted: [String], _ log: SQLiteLog) async throws -> String? {
        for text in wanted {
            guard try await !log.hasEvents(ofChannel: text) else { continue }
            return "no event of the log is of the channel '\(text)'; 'crowbar channel list' lists those there are"
        }
        return nil
    }

    /// The entry that a place stands behind; nil for the beginning.
    private func entry(_ text: String, _ log: SQLiteLog) async throws -> LogEntryID? {
        switch StartPoint(text) {
        case .beginning: return nil
        case .at(let milliseconds): return try await log.lastEntry(before: milliseconds)
        case .after(let id):
            guard let position = try await log.position(of: id) else { throw Refusal("the log has no event '\(id)'") }
            return LogEntryID(position: position, eventId: id)
        case .now, nil: throw Self.noPlace(text)
        }
    }

    private static func noPlace(_ text: String) -> WrongUsage {
        WrongUsage("'\(text)' is no place: beginning, id:EVENTID or @2026-11-01T00:00:00Z")
    }

    /// Refuses what is no place before anything is looked at.
    private func requirePlaces() throws {
        for text in [from, until == "now" ? nil : until].compactMap(\.self) {
            if case .now? = StartPoint(text) { throw Self.noPlace(text) }
            if StartPoint(text) == nil { throw Self.noPlace(text) }
        }
    }

    /// Runs it, shows how far it is, and lets it be interrupted.
    private func follow(_ replay: Replay, _ store: any HostStore) async -> (Replay.Outcome, Double) {
        var sources: [any DispatchSourceSignal] = []
        for number in [SIGINT, SIGTERM] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler { replay.cancel() }
            source.resume()
            sources.append(source)
        }
        defer { sources.forEach { $0.cancel() } }
        if report { Self.onEndOfInput { replay.cancel() } }
        let began = Clock.monotonic()
        let outcome = await withTaskGroup(of: Replay.Outcome?.self) { group in
            group.addTask { await replay.run() }
            group.addTask {
                var meter = ProgressMeter(isTerminal: isatty(STDERR_FILENO) == 1, began: began)
                while (try? await Task.sleep(for: .milliseconds(ProgressMeter.interval))) != nil {
                    for _ in 0..<ProgressMeter.pieces where await !replay.measure() { break }
                    if report {
                        await writeReport(replay, store)
                    } else if let text = meter.text(replay.progress, now: Clock.monotonic()) {
                        StandardStream.error.write(raw: Array(text.utf8))
                    }
                }
                // Also of one that was over before the first look.
                for _ in 0..<ProgressMeter.lastPieces where await !replay.measure() { break }
                if report {
                    await writeReport(replay, store)
                } else if let text = meter.text(replay.progress, now: Clock.monotonic(), isLast: true) {
                    StandardStream.error.write(raw: Array(text.utf8))
                }
                return nil
            }
            var outcome: Replay.Outcome?
            for await end in group {
                if let end {
                    outcome = end
                    group.cancelAll()
                }
            }
            return outcome ?? .cancelled
        }
        return (outcome, Double(Clock.monotonic() - began) / 1000)
    }

    private func writeReport(_ replay: Replay, _ store: any HostStore) async {
        let letters = (try? await store.deadLetterCounts())?.values.reduce(0, +) ?? 0
        StandardStream.output.write(ReplayReport(replay.progress, deadLetters: letters).line)
    }

    /// Calls `action` once the standard input has ended.
    private static func onEndOfInput(_ action: @escaping @Sendable () -> Void) {
        DispatchQueue(label: "crowbar.replay.input").async {
            var bytes = [UInt8](repeating: 0, count: 256)
            while true {
                let count = read(STDIN_FILENO, &bytes, bytes.count)
                if count > 0 || count < 0 && errno == EINTR { continue }
                break
            }
            action()
        }
    }

    private func finish(
        _ outcome: Replay.Outcome, _ progress: Replay.Progress, _ letters: [DeadLetter], _ seconds: Double,
        _ files: ReplayFiles
    ) throws {
        if outcome == .done { files.end() }
        if report {
            StandardStream.output.write(ReplayReport(progress, deadLetters: letters.count).line)
        } else if json {
            let word =
                switch outcome {
                case .done: "done"
                case .cancelled: "cancelled"
                case .failed: "failed"
                }
            let members: [JSON.Member] = [
                .init("name", .string(name)), .init("outcome", .string(word)), .init("settled", .int(progress.settled)),
                .init("matching", .int(progress.matching)), .init("position", .int(progress.position)),
                .init("through", .int(progress.through)),
                .init("deadLetters", .int(Int64(letters.count))),
            ]
            StandardStream.output.write(JSON.object(members).bytes + [0x0A])
        } else {
            let rate = Int(Double(progress.settled) / max(seconds, 0.001))
            StandardStream.output.write(
                line: "\(name): \(progress.settled) events settled, \(rate) a second, dead letters: \(letters.count)")
            for letter in letters.prefix(20) {
                let answer = TerminalText.line("\(letter.code): \(letter.message)")
                StandardStream.output.write(line: "  \(letter.entry.eventId): \(answer)")
            }
        }
        switch outcome {
        case .done: return
        case .cancelled:
            let all = "\(progress.isCounted ? "" : "at least ")\(max(progress.matching, progress.done))"
            throw Refusal(
                "interrupted after \(progress.done) of \(all) events; go on with: crowbar replay \(name) --resume")
        case .failed(let reason):
            throw Refusal("\(reason); once that is mended, go on with: crowbar replay \(name) --resume")
        }
    }
}
