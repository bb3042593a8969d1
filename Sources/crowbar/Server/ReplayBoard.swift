import CrowbarCore
import CrowbarHTTP
import JSONBytes
import PluginHost

/// The replays that admins started through the API. A pure value: which may start, what they report, which are kept.
struct ReplayBoard {
    /// Replays that run at once, at most.
    static let running = 2
    /// Replays that ended and are still listed, at most.
    static let kept = 20

    /// How a replay is.
    enum State: String { case running, done, cancelled, failed }

    /// A replay.
    struct Entry {
        let id: String
        let request: ConsoleActions.ReplayRequest
        let started: Int64
        var state = State.running
        var ended: Int64?
        var report = ReplayReport()
        /// The last line that is no report: what the replay says before it fails.
        var lastLine: String?
        var reason: String?
        var isCancelled = false
    }

    private(set) var entries: [Entry] = []

    /// Adds a replay.
    /// - Returns: The arguments of its process.
    /// - Throws: `CommandError` if it may not start.
    mutating func start(
        _ request: ConsoleActions.ReplayRequest, id: String, now: Int64
    ) throws(CommandError) -> [String] {
        try Self.check(request.from, "from")
        if let until = request.until, until != "now" { try Self.check(until, "until") }
        let active = entries.filter { $0.state == .running }
        if active.contains(where: { $0.request.plugin == request.plugin }) {
            throw CommandError(
                .invalidCommand, "a replay of '\(request.plugin)' already runs; cancel it first", field: "plugin")
        }
        if active.count >= Self.running {
            throw CommandError(
                .unavailable, "\(Self.running) replays already run; cancel one, or wait until it ends")
        }
        entries.append(Entry(id: id, request: request, started: now))
        return Self.arguments(request)
    }

    private static func check(_ place: String, _ field: String) throws(CommandError) {
        switch StartPoint(place) {
        case .beginning, .after, .at: return
        case .now, nil:
            throw CommandError(
                .invalidCommand, "'\(field)' must be beginning, id:EVENTID or @2026-11-01T00:00:00Z", field: field)
        }
    }

    /// The words after `crowbar`. Each value is joined to its option, so that none is read as an option.
    static func arguments(_ request: ConsoleActions.ReplayRequest) -> [String] {
        var words = ["replay", "--report", "--yes", "--from=\(request.from)"]
        if let until = request.until { words.append("--until=\(until)") }
        if let rate = request.rate { words.append("--rate=\(rate)") }
        words += request.channels.map { "--channel=\($0)" }
        if request.restart { words.append("--restart") }
        return words + ["--", request.plugin + (request.queue.map { "/" + $0 } ?? "")]
    }

    /// Notes a line that a replay's process wrote.
    mutating func note(_ id: String, line: [UInt8]) {
        guard let index = entries.firstIndex(where: { $0.id == id }) else { return }
        if let report = ReplayReport(line: line) {
            entries[index].report = report
        } else {
            let text = String(decoding: line.prefix(1_000), as: UTF8.self)
            if !text.isEmpty { entries[index].lastLine = text }
        }
    }

    /// Notes that a replay is to stop.
    /// - Returns: Whether it runs.
    /// - Throws: `CommandError` if there is none of that id.
    mutating func cancel(_ id: String) throws(CommandError) -> Bool {
        guard let index = entries.firstIndex(where: { $0.id == id }) else {
            throw CommandError(.notFound, "there is no replay '\(id.prefix(64))'")
        }
        guard entries[index].state == .running else { return false }
        entries[index].isCancelled = true
        return true
    }

    /// Notes that a replay's process ended.
    /// - Parameter status: Its exit status; nil if a signal ended it, or it did not start.
    mutating func end(_ id: String, status: Int32?, now: Int64) {
        guard let index = entries.firstIndex(where: { $0.id == id }) else { return }
        entries[index].ended = now
        if status == 0 {
            entries[index].state = .done
        } else if entries[index].isCancelled {
            entries[index].state = .cancelled
        } else {
            entries[index].state = .failed
            let line = entries[index].lastLine ?? "the replay's process was ended by a signal or did not start"
            entries[index].reason = line.hasPrefix("crowbar: ") ? String(line.dropFirst(9)) : line
        }
        let ended = entries.filter { $0.state != .running }
        if ended.count > Self.kept, let oldest = ended.first { entries.removeAll { $0.id == oldest.id } }
    }

    /// All replays, newest first.
    var json: [UInt8] {
        var json = JSONWriter()
        json.beginArray()
        for entry in entries.reversed() { Self.write(entry, to: &json) }
        json.endArray()
        return json.bytes
    }

    /// One replay.
    func json(of id: String) -> [UInt8] {
        var json = JSONWriter()
        if let entry = entries.first(where: { $0.id == id }) { Self.write(entry, to: &json) }
        return json.bytes
    }

    private static func write(_ entry: Entry, to json: inout JSONWriter) {
        let (request, report) = (entry.request, entry.report)
        json.beginObject()
        json.member("id", entry.id)
        json.member("plugin", request.plugin)
        json.member("queue", ifPresent: request.queue)
        json.member("from", request.from)
        json.member("until", ifPresent: request.until)
        if let rate = request.rate {
            json.key("rate")
            json.raw(JSON.double(rate).bytes)
        }
        if !request.channels.isEmpty {
            json.key("channels")
            json.beginArray()
            for channel in request.channels { json.string(channel) }
            json.endArray()
        }
        json.member("state", entry.state.rawValue)
        json.key("progress")
        json.raw(JSON.double(entry.state == .done ? 1 : report.progress).bytes)
        json.member("matched", report.matching)
        json.member("isCounted", report.isCounted)
        json.member("done", report.done)
        json.member("deadLetters", report.deadLetters)
        json.member("reason", ifPresent: entry.reason)
        json.member("started", entry.started)
        if let ended = entry.ended { json.member("ended", ended) }
        json.endObject()
    }
}

/// What a replay's process writes about itself: one JSON line, `{"replay":{…}}`.
struct ReplayReport: Equatable {
    /// Events that match, as far as they are counted.
    var matching: Int64 = 0
    /// Whether all that match are counted.
    var isCounted = false
    /// Those of them that are settled.
    var done: Int64 = 0
    var deadLetters: Int64 = 0

    /// How much is done, from 0 to 1, in hundredths.
    var progress: Double {
        guard isCounted, matching > 0 else { return 0 }
        return Double(min(100, done * 100 / matching)) / 100
    }

    init() {}

    /// The state of a replay.
    init(_ progress: Replay.Progress, deadLetters: Int) {
        (matching, isCounted) = (progress.matching, progress.isCounted)
        (done, self.deadLetters) = (progress.done, Int64(deadLetters))
    }

    /// Reads a line; nil if it is no report.
    init?(line: [UInt8]) {
        guard line.starts(with: #"{"replay":"#.utf8), let report = (try? JSON(parsing: line))?["replay"] else {
            return nil
        }
        matching = report["matching"]?.int ?? 0
        isCounted = report["isCounted"]?.bool ?? false
        done = report["done"]?.int ?? 0
        deadLetters = report["deadLetters"]?.int ?? 0
    }

    /// The line, with its line feed.
    var line: [UInt8] {
        let members: [JSON.Member] = [
            .init("matching", .int(matching)), .init("isCounted", .bool(isCounted)), .init("done", .int(done)),
            .init("deadLetters", .int(deadLetters)),
        ]
        return JSON.object([.init("replay", .object(members))]).bytes + [0x0A]
    }
}
