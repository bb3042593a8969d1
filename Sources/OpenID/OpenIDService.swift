import CrowbarCore
import HTTPClient
import Identity
import Logging
import OpenSSL
import Synchronization

/// Signs people in by the OpenID provider, and verifies its tokens that programs send: the shell around
/// ``CodeExchange`` and ``SubjectAdmission``.
public final class OpenIDService: Sendable {
    /// What it needs of the rest of the server.
    public struct Surroundings: Sendable {
        /// The accounts.
        public var accounts: any AccountStore
        /// Registers subjects at first sight.
        public var registrar: Registrar
        /// The name that the log has of a user; nil where it has no such user.
        public var nameOfUser: @Sendable (_ userId: String) async throws -> String?
        /// Renames a user in the log.
        public var rename: @Sendable (_ userId: String, _ name: String) async throws(CommandError) -> Void
        /// A new token's text.
        public var newToken: @Sendable () throws -> [UInt8]
        /// The content of a file; nil where it cannot be read or has more than 1 MiB.
        public var readFile: @Sendable (_ path: String) -> [UInt8]?
        /// The Unix time in milliseconds.
        public var now: @Sendable () -> Int64
        /// Milliseconds of a clock that is never set.
        public var monotonic: @Sendable () -> Int64
        /// Where failures of the provider are logged; never a code, a token or a secret.
        public var logger: Logger
        /// Where it is noted that the provider's groups change a role; nil: in the server's log only.
        public var audit: (any AuditLog)?

        /// Makes them.
        public init(
            accounts: any AccountStore, registrar: Registrar,
            nameOfUser: @escaping @Sendable (_ userId: String) async throws -> String?,
            rename: @escaping @Sendable (_ userId: String, _ name: String) async throws(CommandError) -> Void,
            newToken: @escaping @Sendable () throws -> [UInt8],
            readFile: @escaping @Sendable (_ path: String) -> [UInt8]?, now: @escaping @Sendable () -> Int64,
            monotonic: @escaping @Sendable () -> Int64, logger: Logger, audit: (any AuditLog)? = nil
        ) {
            self.accounts = accounts
            self.registrar = registrar
            self.nameOfUser = nameOfUser
            self.rename = rename
            self.newToken = newToken
            self.readFile = readFile
            self.now = now
            self.monotonic = monotonic
            self.logger = logger
            self.audit = audit
        }
    }

    /// A session that has started.
    public struct SignedIn: Sendable, Equatable {
        /// The session's token, which is stored nowhere.
        public var token: String
        /// The user.
        public var userId: String
        /// The name that the user is shown by.
        public var name: String
        /// Whether the user is an admin.
        public var isAdmin: Bool
        /// When the session ends, Unix milliseconds.
        public var expires: Int64
    }

    /// What a page needs to start a sign-in: public.
    public struct About: Sendable, Equatable {
        /// What the button says.
        public var label: String
        /// The provider's address for sign-ins.
        public var authorize: String
        /// The client's id.
        public var clientId: String
        /// What to ask the provider for.
        public var scopes: String
        /// The provider's address for signing out; nil where it names none.
        public var endSession: String?
    }

    /// The settings.
    public let settings: OpenIDSettings
    let surroundings: Surroundings
    private let client: ProviderClient
    private let metadata = SharedFetch(MetadataCache())
    private let keys = SharedFetch(KeyCache())
    private let verified = Mutex(VerifiedTokenCache())
    private let shares = Mutex(SignInShares())
    private let verifier: TokenVerifier

    /// Makes a service.
    /// - Parameter userAgent: What requests to the provider call this program.
    /// - Returns: Nil where libcurl cannot start.
    public init?(_ settings: OpenIDSettings, userAgent: String, _ surroundings: Surroundings) {
        guard
            let client = ProviderClient(
                userAgent: userAgent, caFile: settings.caFile, monotonic: surroundings.monotonic)
        else { return nil }
        self.client = client
        self.settings = settings
        self.surroundings = surroundings
        verifier = TokenVerifier(rules: settings.rules)
    }

    /// Fetches the provider's addresses and keys ahead of the first sign-in. A failure is logged.
    public func prepare() async {
        guard case .success = await endpoints() else { return }
        _ = await keySet(keyId: nil)
    }

    /// What a page needs; nil where the provider's addresses cannot be had now.
    public func about() async -> About? {
        guard case .success(let endpoints) = await endpoints() else { return nil }
        return About(
            label: settings.label, authorize: "\(endpoints.authorize)", clientId: settings.rules.clientId,
            scopes: settings.scopes, endSession: endpoints.endSession.map { "\($0)" })
    }

    // MARK: People

    /// Exchanges the code of a sign-in for a session.
    /// - Parameter caller: From where the user signs in.
    /// - Throws: ``CommandError``: `unauthorized`, `forbidden`, `user_exists`, `invalid_command`, `rate_limited` or
    ///   `unavailable`.
    public func signIn(
        _ request: CodeExchange.Request, from caller: LocalAccounts.Caller
    ) async throws(CommandError) -> SignedIn {
        switch shares.withLock({ $0.take(caller.limitKey) }) {
        case nil: break
        case .network:
            throw CommandError(
                .rateLimited,
                "\(SignInShares.each) sign-ins from this address are under way, the most at once; try again in a second"
            )
        case .all:
            throw CommandError(
                .unavailable, "\(SignInShares.all) sign-ins are under way, the most at once; try again in a second")
        }
        defer { shares.withLock { $0.give(caller.limitKey) } }
        let mark: SignOutMark
        do { mark = try await surroundings.accounts.signOutMark() } catch { throw storeFailed(error) }
        let start = Start(caller: caller, mark: mark)
        var exchange = CodeExchange(request, settings: settings)
        var action = exchange.start()
        while true {
            if case .end(let result) = action {
                if case .failure(let error) = result, error.code == .unavailable {
                    surroundings.logger.warning("a sign-in failed: \(error.message)")
                }
                return try result.get()
            }
            action = exchange.next(await perform(action, start))
        }
    }

    /// How a sign-in began.
    private struct Start {
        var caller: LocalAccounts.Caller
        /// The mark of before the code was exchanged.
        var mark: SignOutMark
    }

    private func perform(_ action: CodeExchange.Action, _ start: Start) async -> CodeExchange.Input {
        switch action {
        case .findProvider:
            switch await endpoints() {
            case .success(let endpoints): return .provider(endpoints)
            case .failure(let failure): return .unavailable("\(failure)")
            }
        case .post(let form): return .outcome(await client.post(form))
        case .verify(let token, let nonce):
            do { return .verified(try await verify(token, for: .exchange(nonce: nonce))) } catch let refusal
                as TokenRefusal
            {
                return .refused(refusal)
            } catch {
                return .unavailable("\(error)")
            }
        case .admit(let token):
            do throws(CommandError) {
                let account = try await admit(token)
                return .admitted(.success(try await startSession(account, token, start)))
            } catch {
                return .admitted(.failure(error))
            }
        case .end(let result): return .admitted(result)
        }
    }

    private func startSession(
        _ account: Account, _ token: VerifiedToken, _ start: Start
    ) async throws(CommandError) -> SignedIn {
        do {
            let text = try surroundings.newToken()
            let session = AccountToken.session(
                hash: SHA256.hash(text), userId: account.userId, scopes: .all,
                lifetime: settings.session, address: start.caller.address, network: start.caller.limitKey,
                now: surroundings.now())
            try await surroundings.accounts.start(session, since: start.mark)
            return SignedIn(
                token: String(decoding: text, as: UTF8.self), userId: account.userId,
                name: try await surroundings.nameOfUser(account.userId) ?? token.name, isAdmin: account.isAdmin,
                expires: session.end ?? surroundings.now())
        } catch AccountFailure.accountDisabled(let user) {
            throw CommandError(.forbidden, "the account '\(user)' is disabled")
        } catch AccountFailure.sessionEnded {
            throw CommandError(.unauthorized, "\(AccountFailure.sessionEnded)")
        } catch {
            throw storeFailed(error)
        }
    }

    // MARK: Programs

    /// A token that was verified less than a minute ago.
    /// - Parameter hash: The token's SHA-256.
    public func remembered(hash: [UInt8]) -> VerifiedToken? {
        verified.withLock { $0.token(hash: hash, now: surroundings.now()) }
    }

    /// Verifies a JWT that a program sends, and admits its subject. A token that was verified a moment ago costs no
    /// signature.
    /// - Parameter hash: The token's SHA-256.
    /// - Throws: ``CommandError``: `unauthorized`, `forbidden`, `user_exists` or `unavailable`.
    public func authenticate(
        _ token: [UInt8], hash: [UInt8]
    ) async throws(CommandError) -> (token: VerifiedToken, principal: Principal) {
        if let known = remembered(hash: hash) {
            if let principal = try await principal(of: known) { return (known, principal) }
            throw CommandError(.unauthorized, "the account of this token is disabled or was removed")
        }
        do {
            let found = try await verify(token, for: .bearer)
            let principal = principal(found, try await admit(found))
            verified.withLock { $0.store(found, hash: hash, now: surroundings.now()) }
            return (found, principal)
        } catch let refusal as TokenRefusal {
            if refusal == .group { throw CodeExchange.error(refusal) }
            throw CommandError(.unauthorized, "\(refusal)")
        } catch let error as CommandError {
            throw error
        } catch {
            throw CommandError(.unavailable, "the token cannot be verified now: \(error)")
        }
    }

    /// Whom a token that was verified before stands for now; nil where its account is disabled or was removed.
    /// - Throws: ``CommandError`` with `unavailable`.
    public func principal(of token: VerifiedToken) async throws(CommandError) -> Principal? {
        do {
            let account = try await surroundings.accounts.account(of: Self.identity(token))
            guard let account, !account.isDisabled, !account.isPending else { return nil }
            return principal(token, account)
        } catch {
            throw storeFailed(error)
        }
    }

    private func principal(_ token: VerifiedToken, _ account: Account) -> Principal {
        // A token that is accepted by the leeway alone is good until that ends.
        let isOver = token.expires <= surroundings.now()
        return Principal(
            userId: account.userId, scopes: account.isAdmin ? .all : .member,
            expires: isOver ? token.expires + TokenVerifier.leeway : token.expires, kind: .machineToken)
    }

    // MARK: Accounts

    /// Registers the subject of a token if need be, and gives it its role and name.
    private func admit(_ token: VerifiedToken) async throws(CommandError) -> Account {
        var admission = SubjectAdmission(token, syncsNames: settings.syncsNames)
        var action = admission.first
        while true {
            if case .end(let result) = action { return try result.get() }
            let input: SubjectAdmission.Input
            do {
                input = try await perform(action, token)
            } catch let error as CommandError {
                input = .failed(error)
            } catch {
                input = .failed(storeFailed(error))
            }
            action = admission.next(input)
        }
    }

    private func perform(
        _ action: SubjectAdmission.Action, _ token: VerifiedToken
    ) async throws -> SubjectAdmission.Input {
        let accounts = surroundings.accounts
        switch action {
        case .find: return .account(try await accounts.account(of: Self.identity(token)))
        case .register:
            if token.isAdmin == true { try await noteRole(isAdmin: true, of: token.userId) }
            return .registered(await register(token.userId, token.name, token))
        case .setRole(let isAdmin, let userId):
            try await noteRole(isAdmin: isAdmin, of: userId)
            let account = try await accounts.setGroupRole(isAdmin: isAdmin, of: userId)
            return .account(account)
        case .rename(let userId):
            if try await surroundings.nameOfUser(userId) != token.name {
                try await surroundings.rename(userId, token.name)
            }
            return .renamed
        case .end(.success(let account)): return .account(account)
        case .end(.failure(let error)): return .failed(error)
        }
    }

    /// Notes that the provider's groups change a role, before it changes.
    private func noteRole(isAdmin: Bool, of userId: String) async throws {
        surroundings.logger.notice(
            "audit: the provider's groups \(isAdmin ? "give" : "take") the role admin", metadata: ["user": "\(userId)"])
        _ = try await surroundings.audit?.begin(
            AuditLine(
                time: surroundings.now(), userId: AuditLine.provider, address: AuditLine.nobody,
                action: "groups role=\(isAdmin ? "admin" : "member")", target: userId, result: AuditLine.ok))
    }

    private func register(_ userId: String, _ name: String, _ token: VerifiedToken) async -> RegistrationMachine.Outcome
    {
        await surroundings.registrar.register(
            Account(
                userId: userId, isAdmin: token.isAdmin ?? false, roleSource: .oidc, created: surroundings.now()),
            name: name, identity: Self.identity(token), by: .free)
    }

    /// Registers the subject of a Cognito trigger. A trigger of another source does nothing.
    /// - Throws: ``CommandError``.
    public func register(_ trigger: CognitoTrigger) async throws(CommandError) {
        guard let (subject, name) = try trigger.subject(settings.rules) else { return }
        let token = VerifiedToken(
            kind: .identity, issuer: settings.rules.issuer, subject: subject,
            userId: UserIdRule.id(ofSubject: subject), name: name, groups: [], isAdmin: nil, expires: 0)
        var admission = SubjectAdmission(token, syncsNames: false)
        // The trigger does not tell groups, so it changes no role of an account that is there.
        do {
            if try await surroundings.accounts.account(of: Self.identity(token)).map({ !$0.isPending }) == true {
                return
            }
        } catch { throw storeFailed(error) }
        _ = admission.next(.account(nil))
        let outcome = await register(token.userId, name, token)
        if case .end(.failure(let error)) = admission.next(.registered(outcome)) { throw error }
    }

    /// Whether the provider gives the user's name, so that nobody else may.
    /// - Throws: What the accounts throw.
    public func ownsName(of userId: String) async throws -> Bool {
        guard settings.syncsNames else { return false }
        return try await surroundings.accounts.identity(of: userId)?.issuer == settings.rules.issuer
    }

    private static func identity(_ token: VerifiedToken) -> PendingRegistration.Identity {
        .init(issuer: token.issuer, subject: token.subject)
    }

    private func storeFailed(_ error: any Error) -> CommandError {
        surroundings.logger.error("the accounts cannot be read or written", metadata: ["error": "\(error)"])
        return CommandError(.unavailable, "the accounts cannot be read or written now; try again in a second")
    }

    // MARK: The provider

    /// - Throws: ``TokenRefusal``, ``ProviderFailure``.
    private func verify(_ token: [UInt8], for purpose: TokenVerifier.Purpose) async throws -> VerifiedToken {
        let parsed = try JSONWebToken(parsing: token)
        let keys = try await keySet(keyId: parsed.keyId).get()
        return try verifier.verify(parsed, keys: keys, for: purpose, now: surroundings.now())
    }

    private func endpoints() async -> Result<OpenIDSettings.Endpoints, ProviderFailure> {
        if let endpoints = settings.endpoints { return .success(endpoints) }
        while true {
            switch metadata.decide({ $0.decide(now: surroundings.now()) }) {
            case .use(let endpoints): return .success(endpoints)
            case .join: await metadata.join()
            case .unavailable: return .failure(ProviderFailure("its discovery document could not be fetched"))
            case .fetch:
                let url = settings.issuer.discovery
                let issuer = settings.rules.issuer
                switch await client.document(url).flatMap({ document in
                    Result { () throws(ProviderFailure) in try ProviderMetadata.endpoints(document, issuer: issuer) }
                }) {
                case .success(let endpoints): metadata.end { $0.fetched(endpoints, now: surroundings.now()) }
                case .failure(let failure):
                    metadata.end { $0.failed() }
                    surroundings.logger.warning("the OpenID provider's discovery document \(url): \(failure)")
                }
            }
        }
    }

    private func keySet(keyId: String?) async -> Result<KeySet, ProviderFailure> {
        while true {
            switch keys.decide({ $0.decide(keyId: keyId, now: surroundings.now()) }) {
            case .use(let keys): return .success(keys)
            case .join: await keys.join()
            case .unavailable: return .failure(ProviderFailure("its keys could not be fetched"))
            case .fetch:
                switch await fetchKeys() {
                case .success(let set): keys.end { $0.fetched(set, now: surroundings.now()) }
                case .failure(let failure):
                    keys.end { $0.failed() }
                    surroundings.logger.warning("the OpenID provider's keys could not be fetched: \(failure)")
                }
            }
        }
    }

    private func fetchKeys() async -> Result<KeySet, ProviderFailure> {
        let document: Result<[UInt8], ProviderFailure>
        switch await endpoints().map(\.keys) {
        case .failure(let failure): return .failure(failure)
        case .success(.url(let url)): document = await client.document(url)
        case .success(.file(let path)):
            document =
                surroundings.readFile(path).map { .success($0) }
                ?? .failure(
                    ProviderFailure("the file '\(path)' cannot be read"))
        }
        return document.flatMap { bytes in
            Result { () throws(KeySet.Malformed) in try KeySet(parsing: bytes) }
                .mapError { ProviderFailure("\($0)") }
        }
    }
}
