/// What admins and the command line do about access: accounts for others, one-time links, invites, sign-out. Each
/// answers with JSON and throws a `CommandError` where it is refused. A link's secret is only in the answer that makes
/// it.
public struct AccessActions: Sendable {
    /// What an invite is made with.
    public struct Invite: Sendable, Equatable {
        /// Accounts that it can make.
        public static let uses: ClosedRange<Int64> = 1...1_000
        /// How long it can work, in seconds: from an hour to 90 days.
        public static let lifetimes: ClosedRange<Int64> = 3_600...90 * 86_400
        /// How long it works where nothing is said, in seconds.
        public static let usualLifetime: Int64 = 7 * 86_400
        /// The bytes of a note at most.
        public static let note = 256

        /// Accounts that it can make.
        public var uses: Int64
        /// How long it works, in seconds.
        public var lifetime: Int64
        /// A note for admins.
        public var note: String?
        /// Who makes it.
        public var creator: String

        /// Makes one.
        public init(uses: Int64 = 1, lifetime: Int64 = usualLifetime, note: String? = nil, creator: String) {
            self.uses = uses
            self.lifetime = lifetime
            self.note = note
            self.creator = creator
        }
    }

    /// Registers a user with an account and no password, and makes a reset link.
    public var addUser: @Sendable (_ userId: String, _ name: String?, _ isAdmin: Bool) async throws -> [UInt8]
    /// Makes a link by which a user chooses a new password.
    public var resetLink: @Sendable (_ user: String) async throws -> [UInt8]
    /// Makes a link by which the first admin is made.
    public var setupLink: @Sendable () async throws -> [UInt8]
    /// Ends all sessions of a user.
    public var signOut: @Sendable (_ user: String) async throws -> Void
    /// The invites that are not over.
    public var listInvites: @Sendable () async throws -> [UInt8]
    /// Makes an invite.
    public var makeInvite: @Sendable (_ invite: Invite) async throws -> [UInt8]
    /// Removes an invite. Accounts that it made stay.
    public var removeInvite: @Sendable (_ id: String) async throws -> Void

    /// Makes the actions.
    public init(
        addUser: @escaping @Sendable (_ userId: String, _ name: String?, _ isAdmin: Bool) async throws -> [UInt8],
        resetLink: @escaping @Sendable (_ user: String) async throws -> [UInt8],
        setupLink: @escaping @Sendable () async throws -> [UInt8],
        signOut: @escaping @Sendable (_ user: String) async throws -> Void,
        listInvites: @escaping @Sendable () async throws -> [UInt8],
        makeInvite: @escaping @Sendable (_ invite: Invite) async throws -> [UInt8],
        removeInvite: @escaping @Sendable (_ id: String) async throws -> Void
    ) {
        self.addUser = addUser
        self.resetLink = resetLink
        self.setupLink = setupLink
        self.signOut = signOut
        self.listInvites = listInvites
        self.makeInvite = makeInvite
        self.removeInvite = removeInvite
    }
}
