import ArgumentParser
import JSONBytes
import NIOHTTP1

/// `crowbar plugins`.
struct Plugins: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The plugins, their states and queues, and what is to be done with them.",
        subcommands: [
            List.self, Show.self, Logs.self, Start.self, Stop.self, Restart.self, Pause.self, Resume.self, Reload.self,
            Forget.self, TestSend.self, Deliveries.self,
        ], defaultSubcommand: List.self)

    /// `crowbar plugins list`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the plugins.")

        @OptionGroup var settings: ConfigurationOption
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await Listing(settings, "/api/admin/plugins", json: json).print(
                header: [
                    "PLUGIN", "STATE", "PID", "QUEUE", "LAG", "RATE/S", "IN FLIGHT", "RESTARTS", "DEAD", "REASON",
                ],
                rows: { plugin in
                    // Those that the plugin names no more wait for nothing; --json has them.
                    let queues = (plugin["queues"]?.array ?? []).filter { $0["droppedAt"] == nil }
                    return (queues.isEmpty ? [JSON.object([])] : queues).map { queue in
                        [
                            plugin["name"], plugin["state"], plugin["pid"], queue["name"], queue["lag"],
                            queue["ratePerSecond"], queue["inFlight"], plugin["restarts"], plugin["deadLetters"],
                            Self.reason(plugin, queue["name"]?.string),
                        ]
                    }
                })
        }

        /// Why the host does not run a plugin as it should, else what the plugin says of its own health: of the queue
        /// where it tells that (`details.QUEUE` with `state` and `message`), else of itself; nil where all is well.
        private static func reason(_ plugin: JSON, _ queue: String?) -> JSON? {
            if let reason = plugin["reason"], reason.string != nil { return reason }
            guard let status = plugin["status"] else { return nil }
            let part = queue.flatMap { status["details"]?[$0] }
            if let part, let state = part["state"]?.string { return state == "ok" ? nil : part["message"] }
            return status["level"]?.string == "ok" ? nil : status["message"]
        }
    }
}

/// `crowbar cursor …`.
struct Cursor: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Where plugins stand in the log.", subcommands: [Show.self, Set.self])

    /// `crowbar cursor show NAME`.
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show the cursors of a plugin's queues.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The plugin, or NAME/QUEUE.") var name: String
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await Listing(settings, "/api/admin/cursors/" + Listing.escape(name), json: json).print(
                header: ["QUEUE", "EVENT", "POSITION", "LAG"],
                rows: { [[$0["queue"], $0["eventId"], $0["position"], $0["lag"]]] })
        }
    }
}

/// `crowbar dead-letters …`.
struct DeadLetters: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters", abstract: "Events that plugins gave up on.",
        subcommands: [List.self, Show.self, Retry.self, Drop.self])

    /// `crowbar dead-letters list NAME`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List a plugin's dead letters, oldest first.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The plugin, or NAME/QUEUE.") var name: String
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await Listing(settings, "/api/admin/dead-letters/" + Listing.escape(name), json: json).print(
                header: ["QUEUE", "EVENT", "POSITION", "CODE", "ATTEMPTS", "FIRST", "LAST", "MESSAGE"],
                rows: {
                    [
                        [
                            $0["queue"], $0["eventId"], $0["position"], $0["code"], $0["attempts"], $0["first"],
                            $0["last"], $0["message"],
                        ]
                    ]
                })
        }
    }
}

/// A listing that a running server gives as an array of objects.
struct Listing {
    private let client: ControlClient
    private let path: String
    private let json: Bool

    init(_ settings: ConfigurationOption, _ path: String, json: Bool) throws {
        client = ControlClient(folder: try settings.load().data)
        self.path = path
        self.json = json
    }

    /// A name as a part of a path; the `/` of NAME/QUEUE stays.
    static func escape(_ name: String) -> String {
        let digits = Array("0123456789ABCDEF")
        return name.utf8.reduce(into: "") { text, byte in
            let character = Character(Unicode.Scalar(byte))
            if byte < 0x80, character.isLetter || character.isNumber || "-_.~/:".contains(character) {
                text.append(character)
            } else {
                text += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
        }
    }

    /// A name as one part of a path.
    static func escape(part name: String) -> String { escape(name).replacing("/", with: "%2F") }

    /// Prints the JSON as it came, or a table of it.
    func print(header: [String], rows: (JSON) -> [[JSON?]]) async throws {
        let answer = try await client.request(.GET, path)
        if let refusal = answer.refusal { throw Refusal(refusal.message) }
        guard !json else { return StandardStream.output.write(answer.body) }
        guard let elements = (try? JSON(parsing: answer.body))?.array else {
            throw Refusal("the server's answer is not a list")
        }
        let table = [header] + elements.flatMap(rows).map { $0.map(Self.cell) }
        let widths = header.indices.map { column in table.map { $0[column].count }.max() ?? 0 }
        for row in table {
            var line = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
                .joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            StandardStream.output.write(line: line)
        }
    }

    /// A value in a line for people.
    static func cell(_ value: JSON?) -> String {
        switch value {
        case .string(let text): String(text.map { $0.isNewline ? " " : $0 })
        case nil, .null: "-"
        case .some(let other): String(decoding: other.bytes, as: UTF8.self)
        }
    }
}
