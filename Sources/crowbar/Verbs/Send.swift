import ArgumentParser
import CrowbarCore

/// `crowbar send CHANNEL TEXT`.
struct Send: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send a message to a channel; prints the event's id.",
        discussion: "Speaks as cli/LOGIN, who is registered and joined on first use, or as --as.")

    @OptionGroup var settings: ConfigurationOption
    @Argument(help: "The channel's id.") var channel: String
    @Argument(help: "The message.") var text: String
    @Option(name: .customLong("as"), help: "The user who speaks.") var user: String?

    func run() async throws {
        let caller = Caller(client: ControlClient(folder: try settings.load().data))
        let eventId = try await caller.sendJoined(
            .sendMessage, channel: channel, as: user, ["channelId": channel, "message": text])
        StandardStream.output.write(line: eventId)
    }
}

/// `crowbar channel …`.
struct Channel: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Channels.", subcommands: [Add.self])

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
}
