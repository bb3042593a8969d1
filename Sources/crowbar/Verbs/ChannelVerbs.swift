import ArgumentParser
import CrowbarCore
import CrowbarSQLite
import JSONBytes

/// `crowbar channel …`.
struct Channel: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Channels.", subcommands: [Add.self, List.self, Invite.self, Remove.self])

    /// Why a text cannot name a channel.
    static func wrongName(_ name: String) -> WrongUsage {
        WrongUsage("'\(name)' is no channel's name: 1 to 64 of a-z 0-9 _ . -, a letter or digit first")
    }

    /// `crowbar channel add NAME`.
    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Create a channel; prints the event's id.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The channel's id: a-z 0-9 _ . - and at most 64 of them.") var name: String
        @Option(name: .customLong("as"), help: "The user who creates it.") var user: String?
        @Flag(name: .customLong("private"), help: "Only members may read it; users join by invitation.")
        var isPrivate = false

        func run() async throws {
            guard Identifier.isChannel(name) else { throw Channel.wrongName(name) }
            let caller = Caller(client: ControlClient(folder: try settings.load().data))
            let eventId = try await caller.sendJoined(
                .createChannel, channel: nil, as: user, isPrivate: isPrivate, ["channelId": name])
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
                channels, json: json, header: ["CHANNEL", "MEMBERS", "CREATOR", "LAST EVENT", "PRIVATE", "INVITED"],
                row: {
                    [
                        AccountTable.cell($0["channelId"]), AccountTable.cell($0["members"]),
                        AccountTable.cell($0["creator"]), AccountTable.time($0["lastEvent"]),
                        $0["private"]?.bool == true ? "yes" : "no", AccountTable.cell($0["invited"]),
                    ]
                })
        }
    }

    /// `crowbar channel invite CHANNEL USER`.
    struct Invite: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Invite a user to a private channel; prints the event's id.",
            discussion: """
                A member invites: cli/LOGIN, who is registered and joined on first use, or --as. The user may join \
                until the invitation is used or withdrawn.
                """)

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The channel's id.") var channel: String
        @Argument(help: "The user who is invited.") var invitee: String
        @Option(name: .customLong("as"), help: "The member who invites.") var user: String?

        func run() async throws {
            let caller = Caller(client: ControlClient(folder: try settings.load().data))
            let eventId = try await caller.sendJoined(
                .inviteUser, channel: channel, as: user, ["channelId": channel, "invitee": invitee])
            StandardStream.output.write(line: eventId)
        }
    }

    /// `crowbar channel remove CHANNEL USER`.
    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a user from a channel, or withdraw an invitation; prints the event's id.",
            discussion: "Speaks as cli/LOGIN, who is registered on first use and need not be a member, or as --as.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The channel's id.") var channel: String
        @Argument(help: "The user who is removed.") var member: String
        @Option(name: .customLong("as"), help: "The user who removes.") var user: String?

        func run() async throws {
            let caller = Caller(client: ControlClient(folder: try settings.load().data))
            let eventId = try await caller.sendJoined(
                .removeUser, channel: channel, as: user, ["channelId": channel, "member": member])
            StandardStream.output.write(line: eventId)
        }
    }
}
