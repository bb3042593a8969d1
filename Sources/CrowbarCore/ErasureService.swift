/// Deletes and erases messages and users, in steps that are short and can be repeated: after an error or a restart the
/// same call goes on where the work stands.
public struct ErasureService: Sendable {
    /// Limits of a step.
    enum Limit {
        /// The messages that one step deletes.
        static let messages = 200
        /// The channels that the user leaves in one step.
        static let channels = 200
        /// The positions of the log that one step goes through.
        static let positions = 20_000
        /// How long a token may work after its end, in milliseconds (docs/api.md).
        static let revocation: Int64 = 6_000
    }

    /// What became of a message.
    public struct Message: Sendable, Equatable {
        /// Whether it had to be deleted first.
        public var wasDeletedNow: Bool
        /// Its events.
        public var events: ErasedEvents
    }

    /// A step of a user's erasing; the first one is ``account``, the last one ``done``.
    public enum UserStep: Sendable, Equatable {
        /// Disable the account, delete what belongs to it, and rename the user.
        case account
        /// Leave all channels, and withdraw invitations.
        case channels
        /// Delete the user's messages.
        case messages
        /// Erase texts and names in the log behind a position.
        case log(after: Int64)
        /// Remove the former bytes from the files.
        case files
        /// All is done.
        case done
    }

    /// What a step did and what comes next.
    public struct UserProgress: Sendable, Equatable {
        /// The next step.
        public var next: UserStep
        /// How long the caller waits before the next step, in milliseconds: until then the server may still accept
        /// commands by a token that it has looked up before.
        public var pause: Int64 = 0
        /// The messages deleted or events changed in this step.
        public var changed = 0
        /// The last position of the log, in a step through it.
        public var end: Int64?
    }

    private let ingest: Ingest
    private let eraser: any Eraser
    private let accounts: any AccountEraser
    private let note: @Sendable (String) -> Void

    /// Makes the service.
    /// - Parameters:
    ///   - ingest: Accepts the commands that delete messages; its `run` must run.
    ///   - eraser: Erases in the log.
    ///   - accounts: Deletes what belongs to an account.
    ///   - note: Is called with what was done, in words, for the server's log.
    public init(
        ingest: Ingest, eraser: any Eraser, accounts: any AccountEraser,
        note: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.ingest = ingest
        self.eraser = eraser
        self.accounts = accounts
        self.note = note
    }

    /// Deletes a message if it is not deleted yet, and erases its text now.
    /// - Throws: ``CommandError`` with `message_not_found` if the channel never had such a message, or why it could not
    ///   be deleted; ``LogError``.
    public func eraseMessage(_ messageId: String, in channel: String) async throws -> Message {
        let live = try await eraser.message(messageId, in: channel)
        if let live { try await delete([live]) }
        let events = try await eraser.eraseMessage(messageId, in: channel)
        if events.found == 0 {
            throw CommandError(
                .messageNotFound,
                "the log has no message '\(messageId.prefix(128))' in a channel '\(channel.prefix(64))'; give the "
                    + "message's id, as 'messageId' in the event: it can differ from the event's id",
                field: "messageId")
        }
        note("message '\(messageId)' in '\(channel)' erased by the operator")
        return Message(wasDeletedNow: live != nil, events: events)
    }

    /// Does one step of a user's erasing.
    /// - Throws: ``CommandError`` with `user_not_found`, with `forbidden` for the last enabled admin, or why a message
    ///   could not be deleted; ``LogError``, or the accounts' error.
    public func eraseUser(_ user: String, _ step: UserStep) async throws -> UserProgress {
        switch step {
        case .account:
            guard let name = try await eraser.userName(user) else {
                throw CommandError(.userNotFound, "there is no user '\(user.prefix(128))'", field: "user")
            }
            let hadTokens = try await accounts.eraseAccount(of: user)
            note("erasing user '\(user)' for the operator")
            // A plugin's user comes back as soon as the plugin registers it again.
            if !user.contains("/") { try await eraser.markErased(user) }
            // An event, so that views and plugins follow. The names before it are erased with the texts.
            if name != EventErasure.replacedName {
                let rename = Command(.renameUser, .renameUser(name: EventErasure.replacedName))
                _ = try await ingest.submit([Ingest.Request(rename, actor: user, isAdmin: true)]).first?.get()
            }
            return UserProgress(next: .channels, pause: hadTokens ? Limit.revocation : 0)
        case .channels:
            let found = try await eraser.memberships(of: user, limit: Limit.channels)
            if found.isEmpty { return UserProgress(next: .messages) }
            try await leave(found, user)
            return UserProgress(next: .channels, changed: found.count)
        case .messages:
            let found = try await eraser.messages(of: user, limit: Limit.messages)
            if found.isEmpty { return UserProgress(next: .log(after: 0)) }
            try await delete(found)
            return UserProgress(next: .messages, changed: found.count)
        case .log(let position):
            let part = try await eraser.eraseUser(user, after: position, limit: Limit.positions)
            return UserProgress(
                next: part.position >= part.end ? .files : .log(after: part.position), changed: part.events,
                end: part.end)
        case .files:
            // What came in meanwhile, by a command that was under way.
            if try await !eraser.memberships(of: user, limit: 1).isEmpty { return UserProgress(next: .channels) }
            if try await !eraser.messages(of: user, limit: 1).isEmpty { return UserProgress(next: .messages) }
            _ = try await accounts.eraseAccount(of: user)
            guard try await eraser.purgeErased() else { return UserProgress(next: .files) }
            note("user '\(user)' erased by the operator")
            return UserProgress(next: .done)
        case .done: return UserProgress(next: .done)
        }
    }

    /// Deletes messages in the name of their authors with an admin's right: an author may have left the channel.
    private func delete(_ messages: [StoredMessage]) async throws {
        let requests = messages.map { message in
            Ingest.Request(
                Command(
                    .deleteMessage, .deleteMessage(messageId: message.messageId), channelId: message.channel),
                actor: message.author, isAdmin: true)
        }
        // Somebody else may have deleted it, or destroyed the channel, meanwhile.
        try await submit(requests, unless: [.messageNotFound, .channelNotFound])
    }

    /// Takes a user out of channels by events, so that views, plugins and streams follow.
    private func leave(_ memberships: [StoredMembership], _ user: String) async throws {
        let requests = memberships.map { membership in
            let command =
                membership.isMember
                ? Command(.leaveChannel, .leaveChannel, channelId: membership.channel)
                : Command(.removeUser, .removeUser(member: user), channelId: membership.channel)
            return Ingest.Request(command, actor: user, isAdmin: true)
        }
        try await submit(requests, unless: [.notAMember, .channelNotFound])
    }

    private func submit(_ requests: [Ingest.Request], unless done: Set<CommandError.Code>) async throws {
        for outcome in await ingest.submit(requests) {
            if case .failure(let error) = outcome, !done.contains(error.code) { throw error }
        }
    }
}

/// Deletes what belongs to an account.
public protocol AccountEraser: Sendable {
    /// Disables the account of a user, if there is one, and deletes its password, its tokens and the read markers.
    /// - Returns: Whether it had tokens.
    /// - Throws: ``CommandError`` with `forbidden` for the last enabled admin and for the user of an incoming hook that
    ///   is not revoked, or the store's error.
    func eraseAccount(of user: String) async throws -> Bool
}
