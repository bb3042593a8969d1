import CrowbarCore
import OpenSSL

/// A session that has started, as the API answers it. The token's text is stored nowhere.
public struct OpenedSession: Sendable, Equatable {
    /// The session's token.
    public var token: String
    /// The user.
    public var userId: String
    /// The name that the user is shown by.
    public var name: String
    /// Whether the user is an admin.
    public var isAdmin: Bool
    /// When it ends at the latest, Unix milliseconds. It ends earlier where it is not used.
    public var expires: Int64
}

/// Makes sessions and other secret tokens, and starts sessions of accounts.
///
/// A session allows everything that its user may do, so a change of the role holds for sessions that exist.
public struct Sessions: Sendable {
    /// By what a user signed in.
    public enum Kind: Sendable, Equatable {
        /// A password, a registration or a one-time link: 30 days without use, a year at most.
        case local
        /// An OpenID provider, which must be asked again after this many milliseconds.
        case openID(lifetime: Int64)

        fileprivate var lifetime: Int64? {
            switch self {
            case .local: nil
            case .openID(let lifetime): lifetime
            }
        }
    }

    /// A session that a store can start, with the text of its token.
    public struct Prepared: Sendable {
        /// The text, which only the user gets.
        public var token: String
        /// What is stored.
        public var stored: AccountToken
    }

    /// The start of the text of a token that calls the API.
    public static let prefix = "cb_"
    /// Random bytes of a token.
    private static let tokenBytes = 32

    private let store: any AccountStore
    private let nameOfUser: @Sendable (_ userId: String) async throws -> String?
    private let random: @Sendable (Int) throws -> [UInt8]

    /// Makes them.
    /// - Parameters:
    ///   - nameOfUser: The name that the log has of a user; nil where it has no such user.
    ///   - random: Gives that many random bytes.
    public init(
        store: any AccountStore, nameOfUser: @escaping @Sendable (_ userId: String) async throws -> String?,
        random: @escaping @Sendable (Int) throws -> [UInt8] = { try SecureRandom.bytes($0) }
    ) {
        self.store = store
        self.nameOfUser = nameOfUser
        self.random = random
    }

    /// A secret of 256 random bits in hexadecimal digits, which need no quoting anywhere.
    /// - Throws: What the source of random bytes throws.
    public func newToken(prefix: String = Sessions.prefix) throws -> String {
        let digits = Array("0123456789abcdef".utf8)
        let text = try random(Self.tokenBytes).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return prefix + String(decoding: text, as: UTF8.self)
    }

    /// A session that begins now and is stored by the caller.
    /// - Parameters:
    ///   - caller: From where the user signs in.
    ///   - now: The Unix time in milliseconds.
    func prepare(_ userId: String, _ kind: Kind, from caller: LocalAccounts.Caller, now: Int64) throws -> Prepared {
        let token = try newToken()
        return Prepared(
            token: token,
            stored: .session(
                hash: SHA256.hash(token.utf8), userId: userId, scopes: .all, lifetime: kind.lifetime,
                address: caller.address, network: caller.limitKey, now: now))
    }

    /// Starts a session of a user whose password was verified.
    /// - Parameters:
    ///   - passwordHash: The hash that was compared.
    ///   - mark: The mark of before it was compared.
    ///   - caller: From where the user signs in.
    /// - Throws: ``AccountFailure``: `noAccount`, `accountPending`, `accountDisabled`, `passwordChanged` or
    ///   `sessionEnded`; what the store throws.
    func open(
        _ userId: String, passwordHash: String, since mark: SignOutMark, from caller: LocalAccounts.Caller, now: Int64
    ) async throws -> OpenedSession {
        let session = try prepare(userId, .local, from: caller, now: now)
        try await store.start(session.stored, ifPasswordHashIs: passwordHash, since: mark)
        return try await opened(session)
    }

    /// The name that a user is shown by.
    func name(of userId: String) async throws -> String { try await nameOfUser(userId) ?? userId }

    /// What the user gets of a session that has started.
    public func opened(_ session: Prepared) async throws -> OpenedSession {
        let userId = session.stored.userId
        let account = try await store.account(of: userId)
        return OpenedSession(
            token: session.token, userId: userId, name: try await name(of: userId),
            isAdmin: account?.isAdmin ?? false, expires: session.stored.expires ?? session.stored.created)
    }
}
