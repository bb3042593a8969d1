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
