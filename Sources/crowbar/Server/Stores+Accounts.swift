import CrowbarCore
import CrowbarHTTP
import CrowbarSQLite
import JSONBytes

// Users, tokens and channels as the command line sees them, with or without a server. All of it is JSON.
extension Stores {
    /// What the command line does to users and tokens.
    /// - Parameter note: Is called with each change that was made, in words.
    func accountAdministration(
        _ note: @escaping @Sendable (String) -> Void = { _ in }
    ) -> AccountAdministration {
        AccountAdministration(
            listUsers: { query in Self.array(try await listUsers(query)) { $1.account.write(&$0, name: $1.name) } },
            showUser: { user in try await showUser(user) },
            changeUser: { user, isAdmin, isDisabled in
                if isDisabled == false { try await requireNotErased(user) }
                let verb = isDisabled.map { $0 ? "disabled" : "enabled" } ?? "changed"
                try Self.refusing("the user '\(user)' could not be \(verb)", after: "Nothing has changed.") {
                    try accounts.changeUser(user, isAdmin: isAdmin, isDisabled: isDisabled)
                }
                if let isAdmin { note("user '\(user)' has the role \(isAdmin ? "admin" : "member")") }
                if let isDisabled { note("user '\(user)' is \(isDisabled ? "disabled" : "enabled")") }
                return try await showUser(user)
            },
            listTokens: { query in
                if let user = query.user { _ = try await showUser(user) }
                let page = try Self.refusing("the tokens cannot be read") {
                    try accounts.tokens(
                        of: query.user, after: query.after, limit: query.limit, includesRevoked: query.includesRevoked)
                }
                let now = Clock.milliseconds()
                return Self.array(page) { $1.write(&$0, now: now) }
            },
            revokeToken: { id in
                let token = try Self.refusing("the token could not be revoked", after: "It is still valid.") {
                    try accounts.revoke(tokenId: id)
                }
                note("token \(token.id) of '\(token.userId)' revoked")
                var json = JSONWriter()
                token.write(&json, now: Clock.milliseconds())
                return json.bytes
            })
    }

    /// Accounts that one listing looks at, at most.
    private static let mostLookedAt = 20_000

    private typealias NamedAccount = (account: AccountsDatabase.ListedAccount, name: String?)

    private func listUsers(_ query: AccountAdministration.UserQuery) async throws -> [NamedAccount] {
        let text = query.text?.lowercased()
        let size = text == nil ? query.limit : AccountsDatabase.Limit.page
        var (found, after, looked): ([NamedAccount], String?, Int) = ([], query.after, 0)
        while looked < Self.mostLookedAt {
            let page = try Self.explaining("the accounts cannot be read") {
                try accounts.accounts(after: after, limit: size, now: Clock.milliseconds())
            }
            for account in page {
                let name = try await log.userName(account.account.userId)
                let isWanted = text.map { text in
                    account.account.userId.lowercased().contains(text) || name?.lowercased().contains(text) == true
                }
                if isWanted ?? true { found.append((account, name)) }
                if found.count == query.limit { return found }
            }
            guard page.count == size, let last = page.last else { return found }
            (after, looked) = (last.account.userId, looked + page.count)
        }
        return found
    }

    private func showUser(_ user: String) async throws -> [UInt8] {
        let page = try Self.explaining("the accounts cannot be read") {
            try accounts.accounts(of: user, now: Clock.milliseconds())
        }
        guard let found = page.first else { throw Self.refusal(.noAccount(user)) }
        var json = JSONWriter()
        found.write(&json, name: try await log.userName(user))
        return json.bytes
    }

    /// A page of the channels.
    func channels(_ after: String?, _ limit: Int) async throws -> [UInt8] {
        Self.array(try await log.channels(after: after, limit: limit)) { json, channel in
            json.beginObject()
            json.member("channelId", channel.id)
            json.member("creator", channel.creator)
            json.member("private", channel.isPrivate)
            json.member("members", channel.members)
            json.member("invited", channel.invited)
            if let time = channel.lastEvent { json.member("lastEvent", time) }
            json.endObject()
        }
    }

    static func array<T>(_ elements: [T], _ write: (inout JSONWriter, T) -> Void) -> [UInt8] {
        var json = JSONWriter()
        json.beginArray()
        for element in elements { write(&json, element) }
        json.endArray()
        return json.bytes
    }

    /// Runs `body`; where the database fails the caller is told what was not done, why, and how things stand.
    /// - Parameters:
    ///   - failed: What was not done, as "the token could not be revoked".
    ///   - state: How things are after that, as a sentence.
    static func explaining<T>(_ failed: String, after state: String = "", _ body: () throws -> T) throws -> T {
        do { return try body() } catch let error as StoreError {
            let words = "\(failed): \(error.callersReason)" + (state.isEmpty ? "" : ". \(state)")
            throw ActionFailure(CommandError(.unavailable, words), detail: "\(failed): \(error)")
        }
    }

    /// Runs `body` as `explaining` does; a refusal of the accounts becomes one in the API's codes.
    static func refusing<T: Sendable>(
        _ failed: String, after state: String = "", _ body: () async throws -> T
    ) async throws -> T {
        do {
            return try await body()
        } catch let error as StoreError {
            return try explaining(failed, after: state) { throw error }
        } catch let failure as AccountsDatabase.Failure {
            throw refusal(failure)
        }
    }

    /// As the other one, for what does not wait.
    @discardableResult
    private static func refusing<T>(_ failed: String, after state: String = "", _ body: () throws -> T) throws -> T {
        do { return try explaining(failed, after: state, body) } catch let failure as AccountsDatabase.Failure {
            throw refusal(failure)
        }
    }

    private static func refusal(_ failure: AccountsDatabase.Failure) -> CommandError {
        switch failure {
        case .noAccount(let user):
            CommandError(
                .userNotFound, "there is no account '\(user.prefix(128))'; 'crowbar user list' shows all", field: "user"
            )
        case .lastAdmin, .accountErased, .accountDisabled: CommandError(.forbidden, "\(failure)", field: "user")
        case .noToken(let id):
            CommandError(.notFound, "\(AccountsDatabase.Failure.noToken(String(id.prefix(64))))", field: "id")
        case .noInvite(let id):
            CommandError(.notFound, "\(AccountsDatabase.Failure.noInvite(String(id.prefix(64))))", field: "id")
        case .adminExists: CommandError(.forbidden, "\(failure)")
        default: CommandError(.invalidCommand, "\(failure)")
        }
    }
}

extension Stores: AccountEraser {
    func eraseAccount(of user: String) async throws -> Bool {
        let failed = "the account '\(user)' could not be erased"
        let hooks = try Self.explaining(failed) { try accounts.hooks() }
        if let hook = hooks.first(where: { IncomingHook($0).userId == user }) {
            throw CommandError(
                .forbidden,
                "the incoming hook '\(hook.name)' speaks as '\(user)'; 'crowbar hooks revoke \(hook.name)' first",
                field: "user")
        }
        let hadTokens = try Self.refusing(failed, after: "Nothing has changed.") {
            try accounts.eraseAccount(of: user)
        }
        do { try await markers?.removeAll(of: user) } catch let error as StoreError {
            try Self.explaining("the read markers of '\(user)' could not be erased") { throw error }
        }
        return hadTokens
    }
}

extension AccountsDatabase.ListedAccount {
    /// Writes it as listings have it.
    fileprivate func write(_ json: inout JSONWriter, name: String?) {
        json.beginObject()
        json.member("userId", account.userId)
        json.member("name", name ?? account.userId)
        json.member("role", account.isAdmin ? "admin" : "member")
        json.member("roleSource", account.roleSource.name)
        json.member("disabled", account.isDisabled)
        if account.isErased { json.member("erased", true) }
        json.member("created", account.created)
        if let lastUsed { json.member("lastSeen", lastUsed) }
        json.member("tokens", tokens)
        json.member("sessions", sessions)
        json.endObject()
    }
}

extension AccountsDatabase.Token {
    /// Writes it as listings have it: without its hash.
    fileprivate func write(_ json: inout JSONWriter, now: Int64) {
        json.beginObject()
        json.member("id", id)
        json.member("userId", userId)
        json.member("kind", kind.name)
        if let name { json.member("name", name) }
        json.key("scopes")
        json.beginArray()
        for (name, scope) in Principal.Scopes.names where scopes.contains(scope) { json.string(name) }
        json.endArray()
        json.member("created", created)
        if let expires { json.member("expires", expires) }
        if let lastUsed { json.member("lastUsed", lastUsed) }
        if let address { json.member("address", address) }
        let isExpired = end.map { $0 <= now } ?? false
        json.member("state", isRevoked ? "revoked" : isExpired ? "expired" : "valid")
        json.endObject()
    }
}
