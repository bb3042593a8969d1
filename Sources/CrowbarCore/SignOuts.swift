/// A point between two sign-outs that end all sessions of an account.
public struct SignOutMark: Sendable, Equatable {
    /// Sign-outs before it.
    fileprivate var number: Int64
}

/// Which accounts had all their sessions ended since a mark, so that a sign-in that was under way starts no session.
///
/// A value with bounded memory. It lives as long as the process that has the data folder: every sign-out and every
/// sign-in goes through that process, and a sign-in that is under way ends with it.
public struct SignOuts: Sendable {
    /// Accounts that are remembered.
    public static let maxAccounts = 4_096

    private var last: Int64 = 0
    /// Sign-outs up to this one were forgotten: a mark of before may be older than one of any account.
    private var forgotten: Int64 = 0
    private var byUser: [String: Int64] = [:]

    /// Makes one that knows of no sign-out.
    public init() {}

    /// Accounts that are remembered.
    public var count: Int { byUser.count }

    /// The mark of now.
    public var mark: SignOutMark { SignOutMark(number: last) }

    /// Notes that all sessions of a user were ended.
    public mutating func note(_ userId: String) {
        last += 1
        if byUser.count >= Self.maxAccounts, byUser[userId] == nil {
            byUser.removeAll()
            forgotten = last
        }
        byUser[userId] = last
    }

    /// Whether all sessions of a user were, or may have been, ended since a mark.
    public func hasEnded(_ userId: String, since mark: SignOutMark) -> Bool {
        mark.number < forgotten || (byUser[userId] ?? 0) > mark.number
    }
}
