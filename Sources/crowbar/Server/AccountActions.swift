import CrowbarCore
import CrowbarHTTP
import CrowbarSQLite
import Identity
import OpenSSL

extension Stores {
    /// What the command line does to accounts, with or without a server.
    /// - Parameter note: Is called with each change that was made, in words.
    func accountActions(
        _ ingest: Ingest, note: @escaping @Sendable (String) -> Void = { _ in }
    ) -> AdminActions {
        AdminActions(
            addUser: { name, isAdmin in
                try await addUser(name, isAdmin, ingest)
                note("user '\(name)' added\(isAdmin ? " as an admin" : "")")
            },
            makeToken: { user, scopes, lifetime in
                let token = try await makeToken(user, scopes, lifetime)
                note("token made for '\(user)'")
                return token
            },
            hooks: hookActions(ingest), accounts: accountAdministration(note),
            channels: { after, limit in try await channels(after, limit) })
    }

    /// Registers a user as the operator does: the account may be given to a user whom the log knows already.
    private func addUser(_ name: String, _ isAdmin: Bool, _ ingest: Ingest) async throws {
        if let problem = UserIdRule.problem(operator: name) {
            throw CommandError(.invalidCommand, problem, field: "name")
        }
        let registrar = registrar(ingest)
        if try await endRegistration(of: name, registrar) { return }
        do {
            try Self.explaining("the accounts cannot be read") { try accounts.requireFree(name) }
        } catch AccountFailure.accountExists {
            throw CommandError(.userExists, "the user '\(name)' exists already", field: "name")
        } catch let failure as AccountFailure {
            throw CommandError(.userExists, "\(failure)", field: "name")
        }
        let account = Account(userId: name, isAdmin: isAdmin, created: Clock.milliseconds())
        let outcome = await registrar.register(account, name: name, by: .free, mayAdopt: true)
        if let error = LocalAccounts.error(outcome, name) { throw error }
    }

    /// Ends the registration of a user that an earlier run began.
    /// - Returns: Whether the account is there now because of that.
    private func endRegistration(of name: String, _ registrar: Registrar) async throws -> Bool {
        func account() throws -> Account? {
            try Self.explaining("the accounts cannot be read") { try accounts.user(name) }
        }
        guard try account()?.isPending == true else { return false }
        _ = try await Self.refusing("the accounts cannot be read") { try await registrar.endPending() }
        return try account()?.isPending == false
    }

    /// Makes a token of a user and gives its text, which is kept nowhere.
    func makeToken(_ user: String, _ scopes: Principal.Scopes?, _ lifetime: Int64?) async throws -> String {
        guard let account = try Self.explaining("the accounts cannot be read", { try accounts.user(user) }) else {
            throw CommandError(
                .userNotFound, "there is no account '\(user)'; 'crowbar user add \(user)' makes one", field: "user")
        }
        if account.isErased {
            throw CommandError(.forbidden, "\(AccountFailure.accountErased(user))", field: "user")
        }
        if account.isDisabled {
            try await requireNotErased(user)
            throw CommandError(
                .forbidden, "the account '\(user)' is disabled; 'crowbar user enable \(user)' enables it", field: "user"
            )
        }
        let allowed: Principal.Scopes = account.isAdmin ? .all : .member
        let wanted = scopes ?? allowed
        guard wanted.isSubset(of: allowed) else {
            throw CommandError(.forbidden, "'\(user)' is no admin and gets no token of an admin", field: "scopes")
        }
        let token = try Self.randomToken("cb_")
        let now = Clock.milliseconds()
        try Self.explaining("the token could not be made", after: "There is none.") {
            try accounts.storeToken(
                AccountsDatabase.Token(
                    hash: SHA256.hash(token), userId: user, scopes: wanted, expires: lifetime.map { now + $0 * 1_000 },
                    created: now))
        }
        return String(decoding: token, as: UTF8.self)
    }

    /// An erased user cannot be used again: what is advised for a disabled one does not help.
    func requireNotErased(_ user: String) async throws {
        if try await log.isErased(user) {
            throw CommandError(
                .forbidden, "the user '\(user)' was erased and cannot be used again; 'crowbar user add' makes another",
                field: "user")
        }
    }

    /// 256 random bits in an alphabet that needs no quoting anywhere.
    static func randomToken(_ prefix: String) throws -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        return Array(prefix.utf8)
            + (try SecureRandom.bytes(32)).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    }
}
