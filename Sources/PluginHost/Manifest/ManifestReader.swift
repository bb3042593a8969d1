import CrowbarCore
import JSONBytes
import PluginWire
import Settings

/// Reads a file of plugins.d.
struct ManifestReader {
    static let keys = [
        "command", "phase", "enabled", "types", "channels", "private", "start", "order", "window", "commands",
        "own_events",
        "act_as",
        "priority", "on_failure", "ping", "strict", "replay", "commands_in_history", "retry", "limits", "sandbox",
        "env", "config",
    ]

    /// Keys that mean nothing in phase `command`, where no events are delivered.
    static let eventKeys = ["start", "order", "window", "own_events", "replay", "commands_in_history", "retry"]
    /// Keys that mean nothing in phase `event`.
    static let commandKeys = ["priority", "on_failure"]

    /// Paths in each list of `[sandbox]`.
    static let maxPaths = 64

    let settings: SettingsReader

    /// Reads a manifest.
    /// - Parameters:
    ///   - bytes: The file's text.
    ///   - name: The plugin's name: the file's without `.toml`.
    ///   - file: The file's name, as errors give it.
    /// - Throws: ``SettingsError`` with file, line where known, key and reason.
    static func read(_ bytes: [UInt8], name: String, file: String) throws(SettingsError) -> Manifest {
        guard Wire.isName(name), name != "cli", name != "incoming" else {
            throw SettingsError(
                file: file,
                reason: "'\(name)' cannot name a plugin: [a-z0-9][a-z0-9_-]{0,63}, and neither 'cli' nor 'incoming'")
        }
        return try ManifestReader(settings: SettingsReader(parsing: bytes, file: file)).manifest(name)
    }

    /// The most problems that are told of one manifest.
    static let maxProblems = 100

    /// Everything that is wrong with a manifest, in the order of its lines.
    /// - Parameters: As of ``read(_:name:file:)``.
    static func problems(_ bytes: [UInt8], name: String, file: String) -> [SettingsError] {
        var problems: [SettingsError] = []
        do throws(SettingsError) {
            _ = try read(bytes, name: name, file: file)
            return []
        } catch {
            problems.append(error)
        }
        guard problems[0].key != nil, var settings = try? SettingsReader(parsing: bytes, file: file) else {
            return problems
        }
        // What is wrong is taken away, and the rest read again.
        while problems.count < maxProblems, let last = problems.last, settings.remove(last) {
            do throws(SettingsError) {
                _ = try ManifestReader(settings: settings).manifest(name)
                break
            } catch {
                // What was taken away is missing now.
                if problems.contains(where: { $0.key == error.key }) { break }
                problems.append(error)
            }
        }
        return SettingsError.sorted(problems)
    }

    /// Names a key of a manifest's `[config]` the way errors of the host's own do.
    /// - Parameters:
    ///   - path: The path within the configuration, as `networks[0].port`.
    ///   - file: The manifest, which is read again: it is asked for rarely, and only then are its lines needed.
    static func place(ofConfig path: String, in file: String) -> String {
        var parts = ["config"]
        for name in path.split(separator: ".") {
            let pieces = name.split(separator: "[")
            for (index, piece) in pieces.enumerated() { parts.append(index == 0 ? String(piece) : "[" + piece) }
        }
        guard let bytes = try? FileBytes.read(file, limit: SettingsReader.maxBytes),
            let reader = try? SettingsReader(parsing: bytes, file: file)
        else { return "\(file): config.\(path)" }
        let line = reader.error(at: parts, "").line
        return "\(file)\(line.map { ":\($0)" } ?? ""): config.\(path)"
    }

    private func manifest(_ name: String) throws(SettingsError) -> Manifest {
        try settings.refuseUnknown(knowing: Self.keys)
        let command = try settings.strings("command")
        if let command, command.first?.isEmpty ?? true { throw settings.error("command", "must name a program") }
        var manifest = Manifest(name: name, file: settings.file, command: command ?? [])
        manifest.isEnabled = try settings.bool("enabled") ?? true
        try readPhase(&manifest)
        manifest.channels = try channels()
        manifest.isPrivate = try isPrivate(manifest)
        manifest.start = try start()
        manifest.order = try settings.string("order", oneOf: ["channel", "total", "none"]) ?? manifest.order
        manifest.window = try settings.int("window", in: 0...Int64(Wire.maxWindow)) ?? manifest.window
        manifest.commands = try commandTypes("commands") ?? []
        manifest.ownEvents = try settings.bool("own_events") ?? false
        manifest.actAs = try settings.strings("act_as") ?? []
        manifest.ping = try settings.bool("ping") ?? true
        manifest.isStrict = try settings.bool("strict") ?? false
        manifest.replay = try settings.bool("replay") ?? true
        manifest.commandsInHistory = try settings.bool("commands_in_history") ?? false
        if let retry = try settings.table("retry") {
            try retry.refuseUnknown(knowing: ["max_attempts", "ack_deadline"])
            if let attempts = try retry.int("max_attempts", in: 1...1000) {
                (manifest.maxAttempts, manifest.limitsAttempts) = (attempts, true)
            }
            manifest.ackDeadline = try duration(retry, "ack_deadline") ?? manifest.ackDeadline
        }
        manifest.limits = try limits()
        manifest.sandbox = try sandbox()
        try readEnvironment(&manifest)
        if let config = try settings.table("config") { manifest.config = config.json }
        // Last, so that it hides none of the mistakes in what is there.
        if command == nil {
            throw settings.error("command", "is missing: the program and its arguments, as [\"crowbar-irc\"]")
        }
        return manifest
    }

    private func readPhase(_ manifest: inout Manifest) throws(SettingsError) {
        let phase = try settings.string("phase", oneOf: ["event", "command"])
        manifest.phase = phase.flatMap(Manifest.Phase.init) ?? .event
        let (others, other) =
            manifest.phase == .event ? (Self.commandKeys, Manifest.Phase.command) : (Self.eventKeys, .event)
        for key in others where settings[key] != nil {
            throw settings.error(key, "belongs to phase \"\(other.rawValue)\"; this plugin's is \"\(manifest.phase)\"")
        }
        guard manifest.phase == .command else {
            manifest.types = try types()
            return
        }
        manifest.commandTypes = try commandTypes("types")
        manifest.priority = try settings.int("priority", in: -1_000_000...1_000_000) ?? 0
        manifest.onFailure =
            try settings.string("on_failure", oneOf: ["allow", "refuse"]).flatMap(Manifest.OnFailure.init) ?? .allow
    }

    private func types() throws(SettingsError) -> [EventType]? {
        guard let names = try settings.strings("types") else { return nil }
        let known = EventType.allCases.map(\.name)
        var types: [EventType] = []
        for (index, name) in names.enumerated() {
            guard let type = EventType(name: name) else {
                throw settings.error(at: ["types", "[\(index)]"], unknown("event type", name, known))
            }
            types.append(type)
        }
        return types
    }

    private func commandTypes(_ key: String) throws(SettingsError) -> [CommandType]? {
        guard let names = try settings.strings(key) else { return nil }
        let known = CommandType.allCases.map(\.rawValue)
        var commands: [CommandType] = []
        for (index, name) in names.enumerated() {
            guard let type = CommandType(rawValue: name) else {
                throw settings.error(at: [key, "[\(index)]"], unknown("command", name, known))
            }
            commands.append(type)
        }
        return commands
    }

    private func unknown(_ what: String, _ name: String, _ known: [String]) -> String {
        let hint = NearestName.to(name, among: known).map { "; did you mean '\($0)'?" }
        return "there is no \(what) '\(name)'\(hint ?? "; there are \(known.joined(separator: ", "))")"
    }

    private func channels() throws(SettingsError) -> [String]? {
        guard let channels = try settings.strings("channels") else { return nil }
        for (index, channel) in channels.enumerated() {
            let stem = channel.hasSuffix("*") ? String(channel.dropLast()) : channel
            if !stem.isEmpty || channel == "*", stem.isEmpty || Identifier.isChannel(stem) { continue }
            throw settings.error(
                at: ["channels", "[\(index)]"],
                "'\(channel)' is neither a channel nor the beginning of one before a '*'")
        }
        return channels
    }

    private func isPrivate(_ manifest: Manifest) throws(SettingsError) -> Bool {
        guard try settings.bool("private") ?? false else { return false }
        // In phase `command` it stands for all private channels where no channels are listed.
        if manifest.phase == .command, manifest.channels == nil { return true }
        if manifest.channels?.contains(where: { !$0.hasSuffix("*") }) ?? false { return true }
        throw settings.error(
            "private",
            "needs the private channels by their ids, as channels = [\"board\"]; a '*' never matches a private channel")
    }

    private func start() throws(SettingsError) -> StartPoint {
        guard let text = try settings.string("start") else { return .now }
        guard let start = StartPoint(text) else {
            throw settings.error(
                "start", "must be \"now\", \"beginning\", \"id:EVENTID\" or \"@2026-11-01T00:00:00Z\"")
        }
        return start
    }

    /// A time such as `60s`, `5m`, `500ms`, in milliseconds.
    private func duration(_ table: SettingsReader, _ key: String) throws(SettingsError) -> Int64? {
        guard let text = try table.string(key) else { return nil }
        for (unit, factor) in [("ms", Int64(1)), ("s", 1000), ("m", 60_000), ("h", 3_600_000)]
        where text.hasSuffix(unit) {
            guard let number = Int64(text.dropLast(unit.count)), (1...86_400_000 / factor).contains(number) else {
                continue
            }
            return number * factor
        }
        throw table.error(key, "must be a time from \"1ms\" to \"24h\", as \"60s\"")
    }

    private func limits() throws(SettingsError) -> Manifest.Limits? {
        guard let table = try settings.table("limits") else { return nil }
        try table.refuseUnknown(knowing: ["memory", "cpu", "files", "processes", "disk"])
        return Manifest.Limits(
            memory: try size(table, "memory"), cpu: try table.double("cpu", in: 0.01...1024),
            files: try table.int("files", in: 16...1_048_576), processes: try table.int("processes", in: 1...65_536),
            disk: try size(table, "disk"))
    }

    private func size(_ table: SettingsReader, _ key: String) throws(SettingsError) -> Int64? {
        guard let text = try table.string(key) else { return nil }
        for (unit, factor) in [("KB", Int64(1) << 10), ("MB", 1 << 20), ("GB", 1 << 30)] where text.hasSuffix(unit) {
            if let number = Int64(text.dropLast(2)), (1...1_048_576).contains(number) { return number * factor }
        }
        throw table.error(key, "must be a size as \"256MB\" (KB, MB, GB)")
    }

    private func sandbox() throws(SettingsError) -> Manifest.Sandbox? {
        guard let table = try settings.table("sandbox") else { return nil }
        try table.refuseUnknown(knowing: ["network", "read", "write", "require"])
        let sandbox = Manifest.Sandbox(
            network: try table.bool("network") ?? false, read: try table.strings("read") ?? [],
            write: try table.strings("write") ?? [], require: try table.bool("require") ?? false)
        for (key, paths) in [("read", sandbox.read), ("write", sandbox.write)] {
            if paths.count > Self.maxPaths { throw table.error(key, "lists at most \(Self.maxPaths) paths") }
            for (index, path) in paths.enumerated() where !path.hasPrefix("/") {
                throw table.error(at: [key, "[\(index)]"], "must be a path from the root")
            }
        }
        for (index, path) in sandbox.write.enumerated() where FileBytes.resolved(path) == "/" {
            throw table.error(
                at: ["write", "[\(index)]"],
                "must not be the root itself ('\(path)'): name the folders that the plugin is to write")
        }
        return sandbox
    }

    private func readEnvironment(_ manifest: inout Manifest) throws(SettingsError) {
        guard let table = try settings.table("env") else { return }
        try table.refuseUnknown(knowing: ["set", "pass"])
        manifest.passedEnvironment = try table.strings("pass") ?? []
        guard let set = try table.table("set") else { return }
        for key in set.keys { manifest.environment[key] = try set.string(key) }
    }
}
