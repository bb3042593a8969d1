import ArgumentParser
import JSONBytes
import NIOHTTP1

/// A verb that does something to one plugin and tells how it is then.
protocol PluginVerb: AsyncParsableCommand {
    static var verb: String { get }
    var settings: ConfigurationOption { get }
    var name: String { get }
    var json: Bool { get }
}

extension PluginVerb {
    func run() async throws {
        let client = ControlClient(folder: try settings.load().data)
        let answer = try await client.request(
            .POST, "/api/admin/plugins/\(Listing.escape(part: name))/\(Self.verb)", body: [])
        try PluginOutcome.print(answer, json: json)
    }
}

/// How a plugin is after a verb, for people: `irc: draining`.
enum PluginOutcome {
    static func print(_ answer: ControlClient.Answer, json: Bool) throws {
        if let refusal = answer.refusal { throw Refusal(refusal.message) }
        if json { return StandardStream.output.write(answer.body) }
        let plugin = try? JSON(parsing: answer.body)
        let reason = plugin?["reason"]?.string.map { " (\(TerminalText.line($0)))" } ?? ""
        StandardStream.output.write(
            line: "\(plugin?["name"]?.string ?? ""): \(plugin?["state"]?.string ?? "")\(reason)")
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
        static let configuration = CommandConfiguration(abstract: "Start a plugin that is down, also a failed one.")
        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The plugin.") var name: String
        @Flag(help: "Print JSON.") var json = false
    }

    /// `crowbar plugins stop NAME`.
    struct Stop: PluginVerb {
        static let verb = "stop"
        static let configuration = CommandConfiguration(
            abstract: "Let a plugin finish and stay down until 'start', or until the server starts anew.")
        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The plugin.") var name: String
        @Flag(help: "Print JSON.") var json = false
    }

    /// `crowbar plugins restart NAME`.
    struct Restart: PluginVerb {
        static let verb = "restart"
        static let configuration = CommandConfiguration(abstract: "Let a plugin finish and start it again.")
        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The plugin.") var name: String
        @Flag(help: "Print JSON.") var json = false
    }

    /// `crowbar plugins pause NAME`.
    struct Pause: PluginVerb {
        static let verb = "pause"
        static let configuration = CommandConfiguration(
            abstract: "Hold a plugin's deliveries back; its process stays. Ends with the server, if not before.")
        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The plugin.") var name: String
        @Flag(help: "Print JSON.") var json = false
    }

    /// `crowbar plugins resume NAME` or `NAME/QUEUE`.
    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a paused plugin's deliveries go on, or those to one endpoint of a webhook plugin.",
            discussion: "NAME/ENDPOINT ends what holds the endpoint: a 410, a wait that it asked for, a pause.")
        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The plugin, or NAME/ENDPOINT.") var name: String
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let names = try QueueName(name)
            let queue = names.queue
            let client = ControlClient(folder: try settings.load().data)
            let answer = try await client.request(
                .POST, "/api/admin/plugins/\(Listing.escape(part: names.plugin))/resume",
                body: queue.map { JSON.object([.init("queue", .string($0))]).bytes } ?? [])
            if queue == nil || json || answer.refusal != nil { return try PluginOutcome.print(answer, json: json) }
            let was = (try? JSON(parsing: answer.body))?["was"]?.string
            let words = was.map { "resumed; it was \(TerminalText.line($0))" } ?? "nothing held it"
            StandardStream.output.write(line: "\(TerminalText.line(name)): \(words)")
        }
    }

    /// `crowbar plugins forget NAME`.
    struct Forget: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Drop the queues, dead letters and folder of a plugin that is down or has no manifest.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The plugin.") var name: String
        @Flag(help: "Do it though something is lost by it.") var yes = false
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let client = ControlClient(folder: try settings.load().data)
            let answer = try await client.request(
                .POST, "/api/admin/plugins/\(Listing.escape(part: name))/forget",
                body: Array(#"{"confirm":\#(yes)}"#.utf8))
            if let refusal = answer.refusal {
                // The command line's word for it.
                throw Refusal(refusal.message.replacing(#""confirm": true"#, with: "--yes"))
            }
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
            abstract: "Put a plugin's cursors to a place; its process is restarted.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The plugin, or NAME/QUEUE.") var name: String
        @Argument(help: "beginning, now, id:EVENTID (reads on after it) or @2026-11-01T00:00:00Z.") var place: String
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let client = ControlClient(folder: try settings.load().data)
            var body = JSONWriter()
            body.beginObject()
            body.member("to", place)
            body.endObject()
            let answer = try await client.request(
                .PUT, "/api/admin/cursors/" + Listing.escape(name), body: body.bytes)
            if let refusal = answer.refusal { throw Refusal(refusal.message) }
            if json { return StandardStream.output.write(answer.body) }
            StandardStream.output.write(line: PluginOutcome.cursors(try? JSON(parsing: answer.body), at: place))
        }
    }
}
