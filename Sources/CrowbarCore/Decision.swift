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
        if case .renameUser(let name) = command.body {
            if name != EventErasure.replacedName { try requireNotErased(actor, field: "userId", tables) }
            return Decision(change: .userNamed(id: actor, name: name))
        }
        let existing = try tables.channel(command.channelId)
        if case .createChannel(_, _, let isPrivate) = command.body {
            if existing != nil {
                throw CommandError(
                    .channelExists, "the channel '\(command.channelId)' exists already", field: "channelId")
            }
            try requireNotErased(actor, field: "userId", tables)
            return Decision(change: .channelCreated(id: command.channelId, creator: actor, isPrivate: isPrivate))
        }
        // To those who may not know of a private channel it is not there, in the same words.
        guard let channel = existing, try isKnown(channel, to: submission, tables),
            submission.checkedChannel.map({ $0 == channel.key }) ?? true
        else { throw CommandError.channelNotFound(command.channelId) }
        var decision = try decide(submission, in: channel, name: name, against: tables, position: position)
        decision.audience = channel.audience
        return decision
    }

    private static func isKnown(
        _ channel: ChannelState, to submission: Submission, _ tables: some DecisionTables
    ) throws -> Bool {
        try submission.knows(
            channel, isMember: try tables.isMember(submission.actor, of: channel),
            isInvited: try tables.isInvited(submission.actor, to: channel))
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
        /// Whether the actor may do what is for the creator and admins. Of a private channel the creator has to be a
        /// member.
        func isInCharge() throws -> Bool {
            if submission.isAdmin { return true }
            guard channel.creator == actor else { return false }
            return try !channel.isPrivate || tables.isMember(actor, of: channel)
        }
        switch command.body {
        case .registerUser, .renameUser, .createChannel:
            // Decided before a channel was looked for.
            return Decision()
        case .destroyChannel:
            guard try isInCharge() else {
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
            try requireNotErased(actor, field: "userId", tables)
            return Decision(change: .joined(user: actor, channel))
        case .leaveChannel:
            try requireMembership()
            return Decision(change: .left(user: actor, channel))
        case .inviteUser(let invitee):
            guard channel.isPrivate else {
                throw CommandError(
                    .invalidCommand,
                    "'\(command.channelId)' is a public channel, which everybody can join; it has no invitations",
                    field: "channelId")
            }
            try requireMembership()
            return try invite(invitee, to: channel, command.channelId, tables)
        case .removeUser(let member):
            guard try isInCharge() else {
                throw CommandError(
                    .forbidden, "only its creator or an admin can remove somebody from '\(command.channelId)'")
            }
            guard try tables.isMember(member, of: channel) || tables.isInvited(member, to: channel) else {
                throw CommandError(
                    .notAMember, "'\(member)' is not in '\(command.channelId)'", field: "member")
            }
            return Decision(change: .removed(user: member, channel))
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
            if !submission.isAdmin { try requireMembership() }
            let message = try liveMessage(id, in: channel, tables)
            guard submission.isAdmin || message.author == actor else {
                throw CommandError(.forbidden, "only its author or an admin can delete the message '\(id)'")
            }
            return Decision(userName: name, change: .messageDeleted(id: id, channel))
        case .addReaction(let id, let reaction):
            try requireMembership()
            _ = try liveMessage(id, in: channel, tables)
            try requireRoom(for: reaction, of: actor, on: id, in: channel, tables)
            return Decision(change: .reactionAdded(reaction, message: id, user: actor, channel))
        case .removeReaction(let id, let reaction):
            try requireMembership()
            _ = try liveMessage(id, in: channel, tables)
            guard try tables.hasReacted(actor, with: reaction, on: id, in: channel) else {
                throw CommandError(
                    .notReacted, "'\(actor)' has no reaction '\(reaction)' on the message '\(id)'", field: "reaction")
            }
            return Decision(change: .reactionRemoved(reaction, message: id, user: actor, channel))
        }
    }

    private static func invite(
        _ user: String, to channel: ChannelState, _ id: String, _ tables: some DecisionTables
    ) throws -> Decision {
        guard try tables.userName(user) != nil else {
            throw CommandError(.userNotFound, "there is no user '\(user)'", field: "invitee")
        }
        try requireNotErased(user, field: "invitee", tables)
        if try tables.isMember(user, of: channel) {
            throw CommandError(.alreadyAMember, "'\(user)' is in '\(id)' already", field: "invitee")
        }
        if try tables.isInvited(user, to: channel) {
            throw CommandError(.alreadyInvited, "'\(user)' is invited to '\(id)' already", field: "invitee")
        }
        return Decision(change: .invited(user: user, channel))
    }

    /// An erased user's id stays registered, so that nobody can take it.
    private static func requireNotErased(_ user: String, field: String, _ tables: some DecisionTables) throws {
        if try tables.isErased(user) {
            throw CommandError(.userNotFound, "the user '\(user)' was erased", field: field)
        }
    }

    private static func requireRoom(
        for reaction: String, of user: String, on message: String, in channel: ChannelState,
        _ tables: some DecisionTables
    ) throws {
        if try tables.hasReacted(user, with: reaction, on: message, in: channel) {
            throw CommandError(
                .alreadyReacted, "'\(user)' has the reaction '\(reaction)' on the message '\(message)' already",
                field: "reaction")
        }
        if try !tables.hasReaction(reaction, on: message, in: channel),
            try tables.reactionCount(on: message, in: channel) >= Reaction.maxKinds
        {
            throw CommandError(
                .tooManyReactions,
                "the message '\(message)' has \(Reaction.maxKinds) different reactions, the most; use one of them",
                field: "reaction")
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
