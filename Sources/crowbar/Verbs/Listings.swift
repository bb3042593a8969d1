import ArgumentParser
import JSONBytes

/// `crowbar plugins`.
struct Plugins: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The plugins, their states and queues, and what is to be done with them.",
        subcommands: [
            List.self, Show.self, Logs.self, Start.self, Stop.self, Restart.self, Pause.self, Resume.self, Reload.self,
            Forget.self, TestSend.self, Deliveries.self, New.self, Test.self, Try.self,
            Replay.self, Mock.self,
        ], defaultSubcommand: List.self)

    /// `crowbar plugins list`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the plugins with their queues.",
            discussion: "HEALTH is ok, degraded, down, or off for what is not meant to run; REASON says why.")

        @OptionGroup var settings: ConfigurationOption
        @Flag(help: "Print JSON.") var json = false
        @Flag(help: "Exit with status 1 where a plugin is down.") var check = false

        func run() async throws {
            let plugins = try await Listing(settings, "/api/admin/plugins", json: json).print(
                columns: QueueRow.columns, rows: { QueueRow.rows(of: $0) })
            guard check else { return }
            let down = plugins.filter { $0["health"]?.string == "down" }.map { plugin in
                let reason = plugin["healthReason"]?.string.map { " (\($0))" } ?? ""
                return "\(plugin["name"]?.string ?? "")\(reason)"
            }
            if !down.isEmpty { throw Refusal("down: \(down.joined(separator: ", "))") }
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
            _ = try QueueName(name)
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

    /// `crowbar dead-letters list [NAME]`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List dead letters, oldest first, with what the plugin or its target answered.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The plugin, or NAME/QUEUE; all plugins if left out.") var name: String?
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            if let name { _ = try QueueName(name) }
            let path = "/api/admin/dead-letters" + (name.map { "/" + Listing.escape($0) } ?? "")
            try await Listing(settings, path, json: json).print(
                columns: [
                    .init("PLUGIN"), .init("QUEUE"), .init("EVENT"), .init("POSITION"), .init("CHANNEL"),
                    .init("TEXT", limit: 80), .init("CODE"), .init("ATTEMPTS"), .init("FIRST"), .init("LAST"),
                    .init("ANSWER"),
                ],
                rows: {
                    [
                        [
                            $0["plugin"], $0["queue"], $0["eventId"], $0["position"], $0["channelId"],
                            $0["private"]?.bool == true ? .string("(private: see dead-letters show)") : $0["text"],
                            $0["code"], $0["attempts"], DisplayTime.json($0["first"]), DisplayTime.json($0["last"]),
                            $0["message"].map(Table.cell).map {
                                .string(TerminalText.cut($0, to: 200, more: "crowbar dead-letters show"))
                            },
                        ]
                    ]
                })
        }
    }
}
