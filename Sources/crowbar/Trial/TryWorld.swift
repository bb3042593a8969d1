import CrowbarCore
import PluginConformance
import PluginHost

/// The chat of `crowbar plugins try`.
struct TryWorld: Sendable {
    let environment: HostEnvironment

    /// A channel that the plugin may see.
    static func firstChannel(_ manifest: Manifest) -> String {
        let names = (manifest.channels ?? []).map { $0.hasSuffix("*") ? $0.dropLast() + "try" : $0 }
        return names.first { Identifier.isChannel($0) } ?? "general"
    }

    /// Lets a user into a channel. Both are made where they are not there.
    /// - Returns: Why it is refused.
    @discardableResult func enter(_ channel: String, as user: String) async -> String? {
        let commands = [
            Command(.registerUser, .registerUser(name: user), userId: user),
            Command(.createChannel, .createChannel(name: nil, description: nil), channelId: channel),
            Command(.joinChannel, .joinChannel, channelId: channel),
        ]
        // As people type them: names that no command may have are refused by what they are used for.
        guard Identifier.isChannel(channel) else { return "'\(channel)' cannot name a channel" }
        guard Identifier.isUser(user) else { return "'\(user)' cannot name a user" }
        for result in await environment.ingest.submit(commands.map { Ingest.Request($0, actor: user) }) {
            guard case .failure(let error) = result else { continue }
            if [.userExists, .channelExists, .alreadyAMember].contains(error.code) { continue }
            return error.description
        }
        return nil
    }

    /// Sends a message.
    /// - Returns: The message's id.
    func say(_ text: String, in channel: String, as user: String) async -> Result<String, CommandError> {
        let command = Command(
            .sendMessage, .sendMessage(text, messageId: nil, kind: nil, replyTo: nil), channelId: channel)
        return await environment.ingest.submit([Ingest.Request(command, actor: user)])[0].map(\.eventId)
    }

    /// Does what was typed about a channel or its last message.
    /// - Returns: Why it is refused.
    func submit(_ line: TypedLine, message: String?, in channel: String, as user: String) async -> String? {
        let command: Command
        switch (line, message) {
        case (.edit(let text), let id?):
            command = Command(.editMessage, .editMessage(messageId: id, text), channelId: channel)
        case (.delete, let id?): command = Command(.deleteMessage, .deleteMessage(messageId: id), channelId: channel)
        case (.topic(let text), _): command = Command(.setTopic, .setTopic(text), channelId: channel)
        case (.leave, _): command = Command(.leaveChannel, .leaveChannel, channelId: channel)
        default: return "there is no message in '\(channel)' yet"
        }
        guard case .failure(let error) = await environment.ingest.submit([Ingest.Request(command, actor: user)])[0]
        else { return nil }
        return error.description
    }

    /// Whether the plugin has settled all that is in the log.
    func isSettled(_ trial: PluginTrial, _ conversation: TryConversation) async -> Bool {
        let head = (try? await environment.log.head()?.position) ?? 0
        let observer = conversation.observer
        guard observer.open == 0, observer.undecided == 0, observer.unanswered == 0 else { return false }
        if trial.manifest.phase == .command { return true }
        let queues = trial.queues
        return !queues.isEmpty && queues.allSatisfy { $0.isHeld || $0.waiting > 0 || $0.settledThrough >= head }
    }
}
