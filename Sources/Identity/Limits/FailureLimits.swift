/// Limits guesses of passwords and registrations, by account and by address: a value without clock or I/O.
///
/// An attempt counts before its password is looked at, and is taken back where it succeeds. So attempts at the same
/// time cannot pass together. Attempts that are refused count for nothing. Nobody is locked out by others: a refusal is
/// for the pair of account and address, or for the address. The limit of an account does not apply to addresses from
/// which it signed in before.
public struct FailureLimits: Sendable {
    /// The limits.
    public enum Limit {
        /// Failures a minute of an account from one address.
        public static let perPair = 10
        /// Failures a minute from one address.
        public static let perAddress = 30
        /// Failures an hour of an account from all addresses from which it has not signed in.
        public static let perAccount = 100
        /// How long an address from which an account signed in is exempt from ``perAccount``, in milliseconds.
        public static let knownAddress: Int64 = 30 * 86_400_000
        /// Registrations an hour from one address.
        public static let registrationsPerAddress = 10
        /// Registrations an hour from all addresses.
        public static let registrations = 100
        /// Refusals an hour that are worth a line of the audit log, of all addresses and accounts together.
        public static let notes = 60
        /// Keys of each counter that are remembered.
        public static let keys = 8_192
        /// The bytes of an account's id that are looked at.
        static let accountBytes = 128
    }

    /// A refusal, which the API answers as 429.
    public struct Refusal: Error, Sendable, Equatable {
        /// What has too many failures or registrations.
        public enum Reason: Sendable, Equatable {
            case pair, address, account, registrationsFromAddress, registrations
        }

        /// What has too many.
        public var reason: Reason
        /// When to try again, in seconds from now, rounded up: `Retry-After`.
        public var retryAfter: Int64
    }

    private static let minute: Int64 = 60_000
    private static let hour: Int64 = 3_600_000

    private var pairs = WindowCounter(limit: Limit.perPair, per: minute, capacity: Limit.keys)
    private var addresses = WindowCounter(limit: Limit.perAddress, per: minute, capacity: Limit.keys)
    private var accounts = WindowCounter(limit: Limit.perAccount, per: hour, capacity: Limit.keys)
    private var registrationsByAddress = WindowCounter(
        limit: Limit.registrationsPerAddress, per: hour, capacity: Limit.keys)
    private var registrations = WindowCounter(limit: Limit.registrations, per: hour, capacity: 1)
    private var notes = WindowCounter(limit: 1, per: hour, capacity: Limit.keys)
    private var allNotes = WindowCounter(limit: Limit.notes, per: hour, capacity: 1)

    /// Makes limits that have seen nothing.
    public init() {}

    /// The keys that are remembered.
    var count: Int {
        [pairs, addresses, accounts, registrationsByAddress, registrations, notes, allNotes].reduce(0) { $0 + $1.count }
    }

    /// Admits an attempt to sign in, and counts it as a failure until ``succeeded(_:from:isKnown:now:)``.
    /// - Parameters:
    ///   - account: The account's id, whether it exists or not.
    ///   - address: The address, or the network that counts as one.
    ///   - isKnown: Whether the account signed in from there within ``Limit/knownAddress``.
    ///   - now: The Unix time in milliseconds.
    /// - Throws: ``Refusal``.
    public mutating func attempt(
        _ account: String, from address: String, isKnown: Bool, now: Int64
    ) throws(Refusal) {
        let account = Self.key(account)
        let pair = Self.pair(account, address)
        try Self.admit(pairs.wait(pair, now: now), .pair)
        try Self.admit(addresses.wait(address, now: now), .address)
        if !isKnown { try Self.admit(accounts.wait(account, now: now), .account) }
        pairs.add(pair, now: now)
        addresses.add(address, now: now)
        if !isKnown { accounts.add(account, now: now) }
    }

    /// Whether a refused attempt is worth a line of the audit log: once an hour for what has too many failures, and
    /// ``Limit/notes`` times in all. Callers can bring refusals about at will, and must not push other lines out.
    public mutating func shouldNote(
        _ refusal: Refusal, of account: String, from address: String, now: Int64
    ) -> Bool {
        let account = Self.key(account)
        let key =
            switch refusal.reason {
            case .pair: "pair " + Self.pair(account, address)
            case .account: "account " + account
            default: "address " + address
            }
        guard notes.wait(key, now: now) == nil, allNotes.wait("", now: now) == nil else { return false }
        notes.add(key, now: now)
        allNotes.add("", now: now)
        return true
    }

    /// Takes an attempt back that succeeded, or whose password nobody looked at.
    public mutating func succeeded(_ account: String, from address: String, isKnown: Bool, now: Int64) {
        let account = Self.key(account)
        pairs.remove(Self.pair(account, address), now: now)
        addresses.remove(address, now: now)
        if !isKnown { accounts.remove(account, now: now) }
    }

    /// Admits a registration, and counts it.
    /// - Throws: ``Refusal``.
    public mutating func register(from address: String, now: Int64) throws(Refusal) {
        try Self.admit(registrationsByAddress.wait(address, now: now), .registrationsFromAddress)
        try Self.admit(registrations.wait("", now: now), .registrations)
        registrationsByAddress.add(address, now: now)
        registrations.add("", now: now)
    }

    /// Notes that an admitted registration made no account. It still counts for its address, so that ids are not tried
    /// out, but takes no room from others.
    public mutating func registrationFailed(now: Int64) { registrations.remove("", now: now) }

    private static func admit(_ wait: Int64?, _ reason: Refusal.Reason) throws(Refusal) {
        guard let wait else { return }
        throw Refusal(reason: reason, retryAfter: max(1, (wait + 999) / 1_000))
    }

    /// An id without regard to case, cut to what an id can have.
    private static func key(_ account: String) -> String {
        UserIdRule.folded(String(decoding: account.utf8.prefix(Limit.accountBytes), as: UTF8.self))
    }

    /// No address holds a space.
    private static func pair(_ account: String, _ address: String) -> String { address + " " + account }
}
