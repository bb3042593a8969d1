import ArgumentParser
import CrowbarCore
import CrowbarSQLite
import JSONBytes

/// `crowbar channel …`.
struct Channel: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Channels.", subcommands: [Add.self, List.self])

    /// `crowbar channel add NAME`.
    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Create a channel; prints the event's id.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The channel's id: a-z 0-9 _ . - and at most 64 of them.") var name: String
        @Option(name: .customLong("as"), help: "The user who creates it.") var user: String?

        func run() async throws {
            let caller = Caller(client: ControlClient(folder: try settings.load().data))
            let eventId = try await caller.sendJoined(.createChannel, channel: nil, as: user, ["channelId": name])
            StandardStream.output.write(line: eventId)
        }
    }

    /// `crowbar channel list`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the channels; works without a running server too.")

        @OptionGroup var settings: ConfigurationOption
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let channels = try await AccountCaller(settings).pages("channels?", key: "channelId") { stores, after in
                try await stores.channels(after, AccountsDatabase.Limit.page)
            }
            AccountTable.print(
                channels, json: json, header: ["CHANNEL", "MEMBERS", "CREATOR", "LAST EVENT"],
                row: {
                    [
                        AccountTable.cell($0["channelId"]), AccountTable.cell($0["members"]),
                        AccountTable.cell($0["creator"]), AccountTable.time($0["lastEvent"]),
                    ]
                })
        }
    }
}
