/// Why a command was not stored.
public struct CommandError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The reasons, by the code that clients see (docs/api.md).
    public enum Code: String, Sendable, CaseIterable {
        case malformed
        case unauthorized
        case forbidden
        case userNotFound = "user_not_found"
        case channelNotFound = "channel_not_found"
        case messageNotFound = "message_not_found"
        case eventNotFound = "event_not_found"
        case notFound = "not_found"
        case userExists = "user_exists"
        case channelExists = "channel_exists"
        case messageExists = "message_exists"
        case alreadyAMember = "already_a_member"
        case notAMember = "not_a_member"
        case alreadyInvited = "already_invited"
        case alreadyReacted = "already_reacted"
        case notReacted = "not_reacted"
        case tooManyReactions = "too_many_reactions"
        case eventIdConflict = "event_id_conflict"
        /// An `Idempotency-Key` that came with another request before.
        case idempotencyKeyConflict = "idempotency_key_conflict"
        case tooLarge = "too_large"
        /// A body that took too long to arrive.
        case tooSlow = "too_slow"
        /// A request for a host that this server is not.
        case misdirected
        case invalidCommand = "invalid_command"
        case emptyMessage = "empty_message"
        case messageTooLong = "message_too_long"
        case refused
        case rateLimited = "rate_limited"
        case unavailable
        /// A view that has not applied the events that the answer needs.
        case viewBehind = "view_behind"
        /// A plugin's command in answer to an old event.
        case replay
        /// A plugin's command at the end of too long a chain of causes.
        case loop
    }

    /// The reason.
    public var code: Code
    /// What is wrong and what to do, for people.
    public var message: String
    /// The field at fault, where it is one's.
    public var field: String?

    /// Makes an error.
    public init(_ code: Code, _ message: String, field: String? = nil) {
        self.code = code
        self.message = message
        self.field = field
    }

    public var description: String { "\(code.rawValue): \(message)" }
}

extension CommandError {
    /// There is no such channel, or the caller may not know of it.
    public static func channelNotFound(_ id: String) -> CommandError {
        CommandError(
            .channelNotFound,
            "there is no channel '\(id)'; CREATE_CHANNEL makes one, and a private one is shown to those it invites",
            field: "channelId")
    }

    /// A message's id is taken in its channel.
    public static func messageExists(_ id: String) -> CommandError {
        CommandError(.messageExists, "there is a message '\(id)' already", field: "messageId")
    }

    /// An event's id stands in the log for another command.
    public static func eventIdConflict(_ id: String) -> CommandError {
        CommandError(.eventIdConflict, "the event '\(id)' came from another command", field: "eventId")
    }
}
