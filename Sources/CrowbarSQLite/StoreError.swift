/// Why a database of the data folder cannot be used.
public enum StoreError: Error, Sendable, Equatable, CustomStringConvertible {
    /// It cannot be opened; the cause in words.
    case cannotOpen(path: String, why: String)
    /// A newer version of Crowbar wrote it.
    case newerFormat(path: String, found: Int, supported: Int)
    /// Commits would not be synced: `PRAGMA synchronous` is not 2 (FULL).
    case notDurable(path: String, synchronous: Int)
    /// An operation on it failed; which file and why, in words.
    case failed(String)

    public var description: String {
        switch self {
        case .cannotOpen(let path, let why): "\(path) cannot be opened: \(why)"
        case .newerFormat(let path, let found, let supported):
            "\(path) has format \(found), this version knows up to \(supported); a newer Crowbar wrote it"
        case .notDurable(let path, let found): "\(path) would not sync its commits (synchronous is \(found), not 2)"
        case .failed(let why): why
        }
    }
}
