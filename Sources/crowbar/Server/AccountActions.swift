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

    private func addUser(_ name: String, _ isAdmin: Bool, _ ingest: Ingest) async throws {
        if let problem = UserIdRule.problem(operator: name) {
            throw CommandError(.invalidCommand, problem, field: "name")
        }
        do {
            try Self.explaining("the accounts cannot be read") { try accounts.requireFree(name) }
        } catch AccountFailure.accountExists {
            throw CommandError(.userExists, "the user '\(name)' exists already", field: "name")
        } catch let failure as AccountFailure {
            throw CommandError(.userExists, "\(failure)", field: "name")
        }
        let registration = Ingest.Request(Command(.registerUser, .registerUser(name: name), userId: name), actor: name)
        // The user may be there already, registered by a command, or by a run of this that ended between the two
        // writes: then an account is what is missing.
        if case .failure(let error)? = await ingest.submit([registration]).first, error.code != .userExists {
            throw error
        }
        try Self.explaining("the account could not be made", after: "There is none.") {
            try accounts.add(
                AccountsDatabase.Account(userId: name, isAdmin: isAdmin, created: Clock.milliseconds()))
        }
    }

    /// Makes a token of a user and gives its text, which is kept nowhere.
    func makeToken(_ user: String, _ scopes: Principal.Scopes?, _ lifetime: Int64?) async throws -> String {
        guard let account = try Self.explaining("the accounts cannot be read", { try accounts.user(user) }) else {
            throw CommandError(
                .userNotFound, "there is no account '\(user)'; 'crowbar user add \(user)' makes one", field: "user")
        }
        if account.isDisabled {
            try await requireNotErased(user)
            throw CommandError(
                .forbidden, "the account '\(user)' is disabled; 'crowbar user enable \(user)' enables it", field: "user"
            )
        }
        let allowed: Principal.Scopes = account.isAdmin ? [.commands, .read, .admin] : [.commands, .read]
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
