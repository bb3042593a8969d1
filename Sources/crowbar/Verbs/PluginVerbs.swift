import ArgumentParser
import JSONBytes
import NIOHTTP1
import PluginHost

/// A verb that does something to one plugin, or to one of its queues, and tells how that is then.
protocol PluginVerb: AsyncParsableCommand {
    static var verb: String { get }
    var settings: ConfigurationOption { get }
    var name: String { get }
    var json: Bool { get }
}

extension PluginVerb {
    func run() async throws {
        let names = try QueueName(name)
        let client = ControlClient(folder: try settings.load().data)
        let answer = try await client.request(
            .POST, "/api/admin/plugins/\(Listing.escape(part: names.plugin))/\(Self.verb)", body: names.body)
        try PluginOutcome.print(answer, of: Self.verb, json: json)
    }
}

/// How a plugin, or one of its queues, is after a verb, for people: `irc: draining`, `webhook/audit: paused`.
enum PluginOutcome {
    static func print(_ answer: ControlClient.Answer, of verb: String, json: Bool) throws {
        if let refusal = answer.refusal { throw Refusal(refusal.message) }
        if json { return StandardStream.output.write(answer.body) }
        let plugin = try? JSON(parsing: answer.body)
        let name = plugin?["name"]?.string ?? ""
        let reason = plugin?["reason"]?.string.map { " (\(TerminalText.line($0)))" } ?? ""
        let subject = plugin?["queue"]?.string.map { "\(name)/\($0)" } ?? name
        let resumed = resumed(plugin).map { verb == "restart" ? $0 + "; what waits is tried now" : $0 }
        let words = resumed ?? "\(plugin?["state"]?.string ?? "")\(reason)"
        StandardStream.output.write(line: "\(TerminalText.line(subject)): \(words)")
    }

    /// What a queue was let go from; nil where that was not the verb.
    private static func resumed(_ plugin: JSON?) -> String? {
        guard let plugin, let was = plugin["was"] else { return nil }
        let words = was.string.map { "resumed; it was \(TerminalText.line($0))" } ?? "nothing held it"
        guard let state = plugin["plugin"]?.string, let name = plugin["name"]?.string else { return words }
        return words + "; '\(name)' as a whole is \(state)"
    }

    /// What `cursor set` did, and how it goes on: `irc: 1 queue set to now; it starts again`.
    static func cursors(_ plugin: JSON?, at place: String) -> String {
        let count = plugin?["queues"]?.array?.count ?? 0
        let state = plugin?["state"]?.string ?? ""
        let rest =
            switch state {
            case "stopped", "failed": "it is \(state)"
            default: "it starts again"
            }
        return "\(plugin?["name"]?.string ?? ""): \(count) \(count == 1 ? "queue" : "queues") set to \(place); \(rest)"
    }
}

extension Plugins {
    /// `crowbar plugins start NAME`.
    struct Start: PluginVerb {
        static let verb = "start"
        static let configuration = CommandConfiguration(
            abstract: "Start a plugin that is down, also a failed one.",
            discussion: "NAME/QUEUE resumes one of its queues, as 'resume' does.")
        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The plugin, or NAME/QUEUE.") var name: String
        @Flag(help: "Print JSON.") var json = false
    }

    /// `crowbar plugins stop NAME`.
    struct Stop: PluginVerb {
        static let verb = "stop"
        static let configuration = CommandConfiguration(
            abstract: "Let a plugin finish and stay down until 'start', or until the server starts anew.",
            discussion: "NAME/QUEUE pauses one of its queues, as 'pause' does.")
        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The plugin, or NAME/QUEUE.") var name: String
        @Flag(help: "Print JSON.") var json = false
    }

    /// `crowbar plugins restart NAME`.
    struct Restart: PluginVerb {
        static let verb = "restart"
        static let configuration = CommandConfiguration(
            abstract: "Let a plugin finish and start it again.",
            discussion: "NAME/QUEUE resumes one of its queues and tries at once what waits in it for another try.")
        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The plugin, or NAME/QUEUE.") var name: String
        @Flag(help: "Print JSON.") var json = false
    }

    /// `crowbar plugins pause NAME`.
    struct Pause: PluginVerb {
        static let verb = "pause"
        static let configuration = CommandConfiguration(
            abstract: "Hold a plugin's deliveries back; its process stays. Ends with the server, if not before.",
            discussion: "NAME/QUEUE holds back one queue: a webhook's endpoint, an AWS target, an IRC network.")
        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The plugin, or NAME/QUEUE.") var name: String
        @Flag(help: "Print JSON.") var json = false
    }

    /// `crowbar plugins resume NAME` or `NAME/QUEUE`.
    struct Resume: PluginVerb {
        static let verb = "resume"
        static let configuration = CommandConfiguration(
            abstract: "Let a paused plugin's deliveries go on, or those of one of its queues.",
            discussion: "NAME/QUEUE ends what holds the queue: a pause, a 410, a wait that the receiver asked for.")
        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The plugin, or NAME/QUEUE.") var name: String
        @Flag(help: "Print JSON.") var json = false
    }

    /// `crowbar plugins forget NAME`.
    struct Forget: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Drop the queues, dead letters and folder of a plugin that is down or has no manifest.",
            discussion: """
                NAME/QUEUE drops one queue with its dead letters, if the plugin is down or names it no more. Where \
                something is lost by it, it says what, and asks.
                """)

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The plugin, or NAME/QUEUE.") var name: String
        @Flag(help: "Drop it without asking.") var yes = false
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let names = try QueueName(name)
            let client = ControlClient(folder: try settings.load().data)
            let queue = names.queue.map { [JSON.Member("queue", .string($0))] } ?? []
            func forget(isConfirmed: Bool) async throws -> ControlClient.Answer {
                try await client.request(
                    .POST, "/api/admin/plugins/\(Listing.escape(part: names.plugin))/forget",
                    body: JSON.object([.init("confirm", .bool(isConfirmed))] + queue).bytes)
            }
            var answer = try await forget(isConfirmed: yes)
            if let refusal = answer.refusal, refusal.field == "confirm" {
                try Confirmation.ask(refusal.message, before: "plugins forget")
                answer = try await forget(isConfirmed: true)
            }
            if let refusal = answer.refusal { throw Refusal(refusal.message) }
            if json { return StandardStream.output.write(answer.body) }
            let dropped = try? JSON(parsing: answer.body)
            StandardStream.output.write(
                line: "\(name): forgotten; queues: \(dropped?["queues"]?.int ?? 0), "
                    + "dead letters: \(dropped?["deadLetters"]?.int ?? 0)")
        }
    }

    /// `crowbar plugins reload`.
    struct Reload: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read the folder of manifests now; it is watched, so this is rarely needed.")

        @OptionGroup var settings: ConfigurationOption
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let client = ControlClient(folder: try settings.load().data)
            let answer = try await client.request(.POST, "/api/admin/plugins/reload", body: [])
            if let refusal = answer.refusal { throw Refusal(refusal.message) }
            if json { return StandardStream.output.write(answer.body) }
            let changes = (try? JSON(parsing: answer.body))?.array ?? []
            if changes.isEmpty { StandardStream.output.write(line: "nothing changed") }
            for change in changes {
                let reason = change["reason"]?.string.map { " (\(TerminalText.line($0)))" } ?? ""
                StandardStream.output.write(
                    line: "\(change["name"]?.string ?? ""): \(change["change"]?.string ?? "")\(reason)")
            }
        }
    }
}

extension Cursor {
    /// `crowbar cursor set NAME[/QUEUE] PLACE`.
    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put a plugin's cursors to a place; its process is restarted.",
            discussion: "Where that delivers events again, it says how many to which queues, and asks.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The plugin, or NAME/QUEUE.") var name: String
        @Argument(help: "beginning, now, id:EVENTID (reads on after it) or @2026-11-01T00:00:00Z.") var place: String
        @Flag(help: "Deliver events again without asking.") var yes = false
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            _ = try QueueName(name)
            if StartPoint(place) == nil {
                throw WrongUsage("'\(place)' is no place: beginning, now, id:EVENTID or @2026-11-01T00:00:00Z")
            }
            let client = ControlClient(folder: try settings.load().data)
            func set(isConfirmed: Bool) async throws -> ControlClient.Answer {
                let body = JSON.object([.init("to", .string(place)), .init("confirm", .bool(isConfirmed))])
                return try await client.request(.PUT, "/api/admin/cursors/" + Listing.escape(name), body: body.bytes)
            }
            var answer = try await set(isConfirmed: yes)
            if let refusal = answer.refusal, refusal.field == "confirm" {
                try Confirmation.ask(refusal.message, before: "cursor set")
                answer = try await set(isConfirmed: true)
            }
            if let refusal = answer.refusal { throw Refusal(refusal.message) }
            if json { return StandardStream.output.write(answer.body) }
            StandardStream.output.write(line: PluginOutcome.cursors(try? JSON(parsing: answer.body), at: place))
        }
    }
}
