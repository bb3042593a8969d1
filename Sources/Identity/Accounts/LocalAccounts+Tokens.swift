import CrowbarCore
import OpenSSL

// A user's own sessions and machine tokens.
extension LocalAccounts {
    /// The account behind a call, with the name that the log has.
    /// - Throws: ``CommandError`` with `user_not_found`; what a store throws.
    public func profile(of userId: String) async throws -> (account: Account, name: String) {
        guard let account = try await store.account(of: userId) else { throw Self.error(.noAccount(userId)) }
        return (account, try await sessions.name(of: userId))
    }

    /// The valid sessions and machine tokens of a user, oldest first.
    public func tokens(of userId: String) async throws -> [AccountToken] {
        try await store.validTokens(of: userId, now: now())
    }

    /// Makes a machine token.
    /// - Parameters:
    ///   - lifetime: Milliseconds that it works; nil: until it is revoked.
    ///   - session: The hash of the session that asks. If it ends meanwhile, no token is made.
    ///   - allowed: The session's scopes.
    /// - Returns: What is stored, and the token's text, which is stored nowhere.
    public func makeToken(
        of userId: String, name: String, scopes: Principal.Scopes, lifetime: Int64?, by session: [UInt8],
        within allowed: Principal.Scopes
    ) async throws -> (stored: AccountToken, text: String) {
        try Self.check(name: name)
        guard !scopes.isEmpty else { throw CommandError(.invalidCommand, "a token needs a scope", field: "scopes") }
        guard scopes.isSubset(of: allowed) else {
            throw CommandError(.forbidden, "the session lacks a scope that the token would have", field: "scopes")
        }
        let time = now()
        let count = try await store.validTokens(of: userId, now: time).count { $0.kind == .token }
        guard count < Limit.machineTokens else {
            throw CommandError(
                .forbidden, "an account has at most \(Limit.machineTokens) tokens; revoke one that is not used")
        }
        let text = try sessions.newToken()
        let token = AccountToken(
            hash: SHA256.hash(text.utf8), userId: userId, name: name, scopes: scopes,
            expires: lifetime.map { time + $0 }, created: time)
        do { try await store.add(token, by: session) } catch let failure as AccountFailure { throw Self.error(failure) }
        return (token, text)
    }

    /// Revokes a user's own session or machine token.
    public func revokeToken(id: String, of userId: String) async throws {
        do {
            try await store.revokeToken(id: id, of: userId)
        } catch let failure as AccountFailure {
            throw Self.error(failure)
        }
    }
}
