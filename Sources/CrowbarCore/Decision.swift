/// What a command becomes once it has been held against the state: the facts that the event adds to the command.
public struct Decision: Sendable, Equatable {
    /// The acting user's name, on `MESSAGE_*`.
    public var userName: String?
    /// The text before an edit.
    public var previous: String?
    /// How the state changes.
    public var change: StateChange?
    /// Who may read the event, as ``LogPage/Entry/audience``. The creation of a private channel has no audience before
    /// the change is applied: see ``audience(in:)``.
    private var audience: Int64 = 0

    init(userName: String? = nil, previous: String? = nil, change: StateChange? = nil) {
        self.userName = userName
        self.previous = previous
        self.change = change
    }

    /// Who may read the event, as ``LogPage/Entry/audience``.
    /// - Parameter tables: The state after ``change``.
    /// - Throws: ``LogError/damaged(_:)`` if the tables do not have the channel that the change created.
    public func audience(in tables: some DecisionTables) throws -> Int64 {
        guard case .channelCreated(let id, _, isPrivate: true) = change else { return audience }
        guard let channel = try tables.channel(id), channel.isPrivate else {
            throw LogError.damaged("the private channel '\(id)' is missing after its creation")
        }
        return channel.audience
    }

    /// Holds a command against the state (docs/domain.md, "Commands and events").
    ///
    /// The rules are asked in the order that the codes promise: the user, then the channel, then membership, then the
    /// command's own.
    /// - Parameters:
    ///   - submission: The command and who gives it.
    ///   - tables: The state at the head of the log.
    ///   - position: The position that the event will have.
    /// - Throws: ``CommandError``, or whatever the tables throw.
    public static func decide(
        _ submission: Submission, against tables: some DecisionTables, position: Int64
    ) throws -> Decision {
        let command = submission.command
        if case .registerUser(let name) = command.body {
            let id = command.userId ?? submission.actor
            if try tables.userName(id) != nil {
                throw CommandError(.userExists, "the user '\(id)' exists already", field: "userId")
            }
            return Decision(change: .userNamed(id: id, name: name))
        }
        let actor = submission.actor
        guard let name = try tables.userName(actor) else {
            throw CommandError(
                .userNotFound, "the user '\(actor)' is not registered; send REGISTER_USER first", field: "userId")
        }
        if case .renameUser(let name) = command.body { return Decision(change: .userNamed(id: actor, name: name)) }
        let existing = try tables.channel(command.channelId)
        if case .createChannel = command.body {
            if existing != nil {
                throw CommandError(
                    .channelExists, "the channel '\(command.channelId)' exists already", field: "channelId")
            }
            return Decision(
                change: .channelCreated(id: command.channelId, creator: actor, isPrivate: false))
        }
        guard let channel = existing else {
            throw CommandError(
                .channelNotFound, "there is no channel '\(command.channelId)'; CREATE_CHANNEL makes one",
                field: "channelId")
        }
        var decision = try decide(submission, in: channel, name: name, against: tables, position: position)
        decision.audience = channel.audience
        return decision
    }

    private static func decide(
        _ submission: Submission, in channel: ChannelState, name: String, against tables: some DecisionTables,
        position: Int64
    ) throws -> Decision {
        let (command, actor) = (submission.command, submission.actor)
        func requireMembership() throws {
            if try tables.isMember(actor, of: channel) { return }
            throw CommandError(
                .notAMember, "'\(actor)' is not in '\(command.channelId)'; JOIN_CHANNEL first", field: "channelId")
        }
        switch command.body {
        case .registerUser, .renameUser, .createChannel:
            // Decided before a channel was looked for.
            return Decision()
        case .destroyChannel:
            guard submission.isAdmin || channel.creator == actor else {
                throw CommandError(.forbidden, "only its creator or an admin can destroy '\(command.channelId)'")
            }
            return Decision(change: .channelDestroyed(id: command.channelId, channel))
        case .setTopic:
            try requireMembership()
            return Decision()
        case .joinChannel:
            if try tables.isMember(actor, of: channel) {
                throw CommandError(.alreadyAMember, "'\(actor)' is in '\(command.channelId)' already")
            }
            return Decision(change: .joined(user: actor, channel))
        case .leaveChannel:
            try requireMembership()
            return Decision(change: .left(user: actor, channel))
        case .sendMessage(_, let messageId, _, let replyTo):
            try requireMembership()
            if let messageId, try tables.message(messageId, in: channel) != nil {
                throw CommandError.messageExists(messageId)
            }
            if let replyTo, try tables.message(replyTo, in: channel).map(\.isDeleted) ?? true {
                throw notFound(replyTo, field: "replyTo")
            }
            let id = messageId ?? submission.eventId
            return Decision(
                userName: name, change: .messageSent(id: id, author: actor, channel, position: position))
        case .editMessage(let id, _):
            try requireMembership()
            let message = try liveMessage(id, in: channel, tables)
            guard message.author == actor else {
                throw CommandError(.forbidden, "only its author can edit the message '\(id)'")
            }
            return Decision(
                userName: name, previous: try tables.text(of: message),
                change: .messageEdited(id: id, channel, position: position))
        case .deleteMessage(let id):
            try requireMembership(unlessAdmin: submission.isAdmin)
            let message = try liveMessage(id, in: channel, tables)
            guard submission.isAdmin || message.author == actor else {
                throw CommandError(.forbidden, "only its author or an admin can delete the message '\(id)'")
            }
            return Decision(userName: name, change: .messageDeleted(id: id, channel))
        }
        func requireMembership(unlessAdmin isAdmin: Bool) throws {
            if !isAdmin { try requireMembership() }
        }
    }

    private static func liveMessage(
        _ id: String, in channel: ChannelState, _ tables: some DecisionTables
    ) throws -> MessageState {
        guard let message = try tables.message(id, in: channel), !message.isDeleted else {
            throw notFound(id, field: "messageId")
        }
        return message
    }

    private static func notFound(_ id: String, field: String) -> CommandError {
        CommandError(.messageNotFound, "there is no message '\(id.prefix(128))' in this channel", field: field)
    }
}
