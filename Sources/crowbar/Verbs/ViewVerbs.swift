import ArgumentParser
import Glibc
import JSONBytes
import NIOHTTP1

/// `crowbar views`.
struct ViewVerbs: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "views", abstract: "The views that are computed from the log.",
        subcommands: [List.self, Rebuild.self], defaultSubcommand: List.self)

    /// `crowbar views list`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the views, how far each is and how large.",
            discussion: """
                LAG is the events of the log that a view lacks. PUBLISHING is how copying it to the targets of \
                [[views.publish]] goes.
                """)

        @OptionGroup var settings: ConfigurationOption
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await Listing(settings, "/api/admin/views", json: json).print(
                header: ["NAME", "VERSION", "STATE", "POSITION", "LAG", "SIZE", "PUBLISHING", "REASON"],
                rows: { view in
                    let progress = view["build"]?["progress"].map { " \(Int(Self.percent($0))) %" } ?? ""
                    return [
                        [
                            view["name"], view["version"], .string((view["state"]?.string ?? "") + progress),
                            view["position"], view["lag"],
                            view["bytes"]?.int.map { .string(Status.size($0)) }, Self.publishing(view),
                            Self.reason(view),
                        ]
                    ]
                })
        }

        /// The states of the targets to which a view is published.
        private static func publishing(_ view: JSON) -> JSON? {
            let states = (view["publishing"]?.array ?? []).map { target in
                let pending = target["pending"]?.int ?? 0
                return (target["state"]?.string ?? "") + (pending > 0 ? " (\(pending) pending)" : "")
            }
            return states.isEmpty ? nil : .string(states.joined(separator: ", "))
        }

        /// Why a view stopped, or else why it cannot be published.
        private static func reason(_ view: JSON) -> JSON? {
            if let reason = view["reason"] { return reason }
            let failing = view["publishing"]?.array?.first { $0["reason"] != nil }
            return failing.map { .string("\($0["to"]?.string ?? ""): \($0["reason"]?.string ?? "")") }
        }

        /// `0.42` in percent.
        static func percent(_ progress: JSON) -> Int {
            Int(((Double(String(decoding: progress.bytes, as: UTF8.self)) ?? 0) * 100).rounded())
        }
    }

    /// `crowbar views rebuild`.
    struct Rebuild: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Build views anew from the log, beside the ones that are served until then.",
            discussion: """
                It goes on in the server, also if this command is interrupted or the server restarts; the same command \
                again follows it.

                With --channel only the rows of that channel are computed anew, up to 100,000 events, in one step that \
                no reader sees half done. The search index follows the messages: it is rebuilt if texts were wrong.
                """)

        @OptionGroup var settings: ConfigurationOption
        @Argument(
            help: """
                users (for allusers.json), channels (allchannels.json, channel/ID.json), messages (messages/ID.json, \
                allmessages.json, unread.json) or search; all of them if left out.
                """) var name: String?
        @Option(help: "Rebuild this channel only, of channels or messages.") var channel: String?

        func validate() throws {
            if channel != nil, name == nil { throw ValidationError("--channel needs a view: channels or messages") }
        }

        func run() async throws {
            let client = ControlClient(folder: try settings.load().data)
            var body = JSONWriter()
            body.beginObject()
            body.member("name", ifPresent: name)
            body.member("channel", ifPresent: channel)
            body.endObject()
            var meter = RebuildMeter(isTerminal: isatty(STDERR_FILENO) == 1)
            let answer = try await client.request(.POST, "/api/admin/views/rebuild", body: body.bytes)
            if let refusal = answer.refusal {
                meter.end()
                throw Refusal(refusal.message)
            }
            guard let channel, let name else {
                try await follow(name, client, &meter)
                StandardStream.output.write(line: "rebuilt: \(name ?? "all views")")
                return
            }
            let rebuilt = try? JSON(parsing: answer.body)
            if rebuilt?["search"]?.bool == true {
                try await follow("search", client, &meter)
            } else {
                meter.show([])
            }
            StandardStream.output.write(
                line: "rebuilt: \(name) of channel '\(channel)', \(rebuilt?["events"]?.int ?? 0) events")
        }

        /// Shows how far a rebuild is until it is done.
        private func follow(_ name: String?, _ client: ControlClient, _ meter: inout RebuildMeter) async throws {
            while true {
                let answer = try await client.request(.GET, "/api/admin/views?sizes=false")
                if let refusal = answer.refusal { throw Refusal(refusal.message) }
                let views = ((try? JSON(parsing: answer.body))?.array ?? []).filter {
                    // The index of new messages is built after them, which takes longer.
                    let shown = $0["name"]?.string
                    return name == nil || shown == name || name == "messages" && shown == "search"
                }
                if let stopped = views.first(where: { $0["reason"] != nil }) {
                    meter.end()
                    throw Refusal(
                        "view '\(stopped["name"]?.string ?? "")' stopped: \(stopped["reason"]?.string ?? "")")
                }
                let builds = views.compactMap { view in
                    view["build"]?["progress"].map { (view["name"]?.string ?? "", List.percent($0)) }
                }
                meter.show(builds)
                if builds.isEmpty { break }
                try await Task.sleep(for: .milliseconds(ProgressMeter.interval))
            }
        }
    }
}

/// How far rebuilds are, for people: a bar on a terminal, a line each tenth of the way elsewhere.
struct RebuildMeter {
    let isTerminal: Bool
    private var told = -1
    private var hasBar = false

    init(isTerminal: Bool) { self.isTerminal = isTerminal }

    /// Writes how far they are; an empty list means that all are done.
    mutating func show(_ builds: [(name: String, percent: Int)]) {
        if let text = text(builds) { StandardStream.error.write(raw: Array(text.utf8)) }
    }

    /// Leaves the line of the bar.
    mutating func end() {
        if hasBar { StandardStream.error.write(raw: [0x0A]) }
        hasBar = false
    }

    /// What is to be written now, or nil.
    mutating func text(_ builds: [(name: String, percent: Int)]) -> String? {
        let percent = builds.isEmpty ? 100 : builds.map(\.percent).min() ?? 0
        let words = builds.isEmpty ? "100 %, done" : "\(percent) %, \(builds.map(\.name).joined(separator: ", "))"
        if isTerminal {
            hasBar = !builds.isEmpty
            return ProgressMeter.bar(percent: percent, words) + (builds.isEmpty ? "\n" : "")
        }
        guard told < 0 || percent / 10 > told / 10 else { return nil }
        told = percent
        return "\(words)\n"
    }
}
