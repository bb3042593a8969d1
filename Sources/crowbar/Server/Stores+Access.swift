import CrowbarCore
import CrowbarHTTP
import CrowbarSQLite
import Identity
import JSONBytes
import OpenSSL

// Accounts for others, one-time links, invites and sign-out, with or without a server.
extension Stores {
    /// What admins and the command line do about access.
    /// - Parameters:
    ///   - ingest: Where users are registered; nil where no user is added.
    ///   - note: Is called with each change that was made, in words.
    func accessActions(
        _ ingest: Ingest?, _ policy: SignInPolicy, _ address: PublicAddress,
        note: @escaping @Sendable (String) -> Void = { _ in }
    ) -> AccessActions {
        let setup = SetupLink(stores: self, policy: policy, address: address)
        return AccessActions(
            addUser: { userId, name, isAdmin in
                try await addMember(userId, name, isAdmin, ingest)
                note("user '\(userId)' added\(isAdmin ? " as an admin" : "")")
                let link = policy.passwords ? try await makeResetLink(userId, address) : nil
                return Self.json(userId: userId, link)
            },
            resetLink: { user in
                guard policy.passwords else { throw CommandError(.forbidden, "this server has no passwords") }
                let link = try await makeResetLink(user, address)
                note("reset link made for '\(user)'")
                return Self.json(userId: user, link)
            },
            setupLink: {
                let link = try await setup.make()
                note("setup link made")
                return Self.json(link)
            },
            signOut: { user in
                try await Self.refusing("the sessions of '\(user)' could not be ended") {
                    if try await accounts.account(of: user) == nil { throw AccountFailure.noAccount(user) }
                    _ = try await accounts.endSessions(of: user, except: nil)
                }
                note("sessions of '\(user)' ended")
            },
            listInvites: { try await listInvites() },
            makeInvite: { invite in
                if let problem = policy.inviteProblem { throw CommandError(.forbidden, problem) }
                let made = try await makeInvite(invite, address)
                note("invite made by '\(invite.creator)'")
                return made
            },
            removeInvite: { id in
                try await Self.refusing("the invite could not be removed", after: "It still works.") {
                    try await accounts.removeInvite(id: id)
                }
                note("invite \(id.prefix(16)) removed")
            })
    }

    /// Registers a user as an admin does: with an id that nobody has, also not in the log.
    private func addMember(_ userId: String, _ name: String?, _ isAdmin: Bool, _ ingest: Ingest?) async throws {
        guard let ingest else { throw CommandError(.unavailable, "no user can be registered here") }
        if let problem = UserIdRule.problem(local: userId) {
            throw CommandError(.invalidCommand, problem, field: "userId")
        }
        if let problem = name.flatMap({ DisplayName.problem($0) }) {
            throw CommandError(.invalidCommand, problem, field: "name")
        }
        let outcome = await registrar(ingest).register(
            Account(userId: userId, isAdmin: isAdmin, created: Clock.milliseconds()), name: name ?? userId, by: .free)
        if let error = LocalAccounts.error(outcome, userId) { throw error }
    }

    private func makeResetLink(_ user: String, _ address: PublicAddress) async throws -> (link: String, expires: Int64)
    {
        let token = try sessions.newToken(prefix: "")
        let expires = Clock.milliseconds() + LocalAccounts.Limit.resetLink
        try await Self.refusing("the reset link could not be made") {
            try await accounts.add(
                AccountLink(hash: SHA256.hash(token.utf8), purpose: .reset(userId: user), expires: expires))
        }
        return (address.link("reset", token: token), expires)
    }

    private func makeInvite(_ invite: AccessActions.Invite, _ address: PublicAddress) async throws -> [UInt8] {
        let token = try sessions.newToken(prefix: "")
        let now = Clock.milliseconds()
        let stored = AccountInvite(
            hash: SHA256.hash(token.utf8), uses: invite.uses, expires: now + invite.lifetime * 1_000, created: now,
            creator: invite.creator, note: invite.note)
        try await Self.refusing("the invite could not be made", after: "There is none.") {
            try await accounts.add(stored)
        }
        var json = JSONWriter()
        json.beginObject()
        json.member("id", stored.id)
        json.member("link", address.link("invite", token: token))
        json.member("expires", stored.expires)
        json.endObject()
        return json.bytes
    }

    private func listInvites() async throws -> [UInt8] {
        let invites = try await Self.refusing("the invites cannot be read") {
            try await accounts.invites(now: Clock.milliseconds())
        }
        return Self.array(invites) { json, invite in
            json.beginObject()
            json.member("id", invite.id)
            json.member("uses", invite.uses)
            json.member("used", invite.used)
            json.member("created", invite.created)
            json.member("expires", invite.expires)
            json.member("creator", invite.creator)
            json.member("note", ifPresent: invite.note)
            json.endObject()
        }
    }

    /// The user, and a link if there is one.
    private static func json(userId: String? = nil, _ link: (link: String, expires: Int64)?) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.member("userId", ifPresent: userId)
        json.member("link", ifPresent: link?.link)
        if let link { json.member("expires", link.expires) }
        json.endObject()
        return json.bytes
    }
}
