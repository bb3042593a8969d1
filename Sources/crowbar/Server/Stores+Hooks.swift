import CrowbarCore
import CrowbarHTTP
import CrowbarSQLite
import OpenSSL

extension Stores {
    /// What the command line does to incoming hooks, with or without a server.
    func hookActions(_ ingest: Ingest) -> HookActions {
        HookActions(
            add: { name, kind, channel in try await addHook(name, kind, channel, ingest) },
            list: { try hooks() },
            revoke: { name in try revokeHook(name) })
    }

    /// All hooks.
    func hooks() throws -> [IncomingHook] {
        try Self.explaining("the hooks cannot be read") { try accounts.hooks().map { IncomingHook($0) } }
    }

    /// Ends a hook. Its user stays, as its messages do.
    func revokeHook(_ name: String) throws {
        let isRevoked = try Self.explaining("the hook could not be revoked", after: "It still works.") {
            try accounts.revoke(hook: name)
        }
        guard isRevoked else {
            throw CommandError(.notFound, "there is no hook '\(name.prefix(64))'", field: "name")
        }
    }

    private func addHook(
        _ name: String, _ kind: IncomingHook.Kind, _ channel: String, _ ingest: Ingest
    ) async throws -> String {
        // The shape of channels' ids, which is fit for a part of a user's id too.
        guard Identifier.isChannel(name) else {
            throw CommandError(
                .invalidCommand, "a hook's name is 1 to 64 of a-z 0-9 _ . -, a letter or digit first", field: "name")
        }
        switch kind {
        case .message:
            guard Identifier.isChannel(channel) else {
                throw CommandError(.invalidCommand, "'\(channel.prefix(64))' is no channel's name", field: "channel")
            }
        case .cognito:
            guard channel.isEmpty else {
                throw CommandError(.invalidCommand, "a hook of the kind 'cognito' has no channel", field: "channel")
            }
        }
        if try hooks().contains(where: { $0.name == name }) { throw Self.exists(name) }
        let token = try Self.randomToken("hook_")
        let hook = AccountsDatabase.Hook(
            name: name, kind: kind.rawValue, channelId: channel, hash: SHA256.hash(token),
            created: Clock.milliseconds())
        if kind == .message { try await join(channel, as: IncomingHook(hook).userId, name, ingest) }
        do {
            try Self.explaining("the hook could not be made", after: "There is none.") { try accounts.add(hook) }
        } catch AccountsDatabase.Failure.hookExists { throw Self.exists(name) }
        return String(decoding: token, as: UTF8.self)
    }

    /// Registers the user of a hook for messages, and has it join the channel.
    private func join(_ channel: String, as user: String, _ name: String, _ ingest: Ingest) async throws {
        let steps = [
            (Command(.registerUser, .registerUser(name: name), userId: user), CommandError.Code.userExists),
            (Command(.joinChannel, .joinChannel, channelId: channel), .alreadyAMember),
        ]
        // The user may be there already, of an earlier hook of this name.
        for (command, isFine) in steps {
            var request = Ingest.Request(command, actor: user)
            // The operator may put a hook into a private channel.
            request.mayJoinPrivate = true
            if case .failure(let error)? = await ingest.submit([request]).first,
                error.code != isFine
            {
                throw error.code == .channelNotFound
                    ? CommandError(
                        error.code, "there is no channel '\(channel)'; 'crowbar channel add \(channel)' makes one",
                        field: "channel") : error
            }
        }
    }

    private static func exists(_ name: String) -> CommandError {
        CommandError(
            .invalidCommand, "\(AccountsDatabase.Failure.hookExists(name))", field: "name")
    }
}

extension IncomingHook {
    /// A hook as it is stored, without its token's hash.
    init(_ hook: AccountsDatabase.Hook) {
        self.init(
            name: hook.name, kind: Kind(rawValue: hook.kind) ?? .message, channelId: hook.channelId,
            created: hook.created)
    }
}
