/// Why a database of the data folder cannot be used.
public enum StoreError: Error, Sendable, Equatable, CustomStringConvertible {
    /// It cannot be opened; the cause in words.
    case cannotOpen(path: String, why: String)
    /// A newer version of Crowbar wrote it.
    case newerFormat(path: String, found: Int, supported: Int)
    /// An older version of Crowbar wrote them, and who opens them only reads.
    case olderFormat([DatabaseFormat])
    /// It is not there or empty, and who opens it only reads.
    case missing(path: String)
    /// Commits would not be synced: `PRAGMA synchronous` is not 2 (FULL).
    case notDurable(path: String, synchronous: Int)
    /// What it holds cannot be so; in words.
    case failed(String)
    /// It was opened, and could not be read or written: what, such as "cannot be written", and why.
    case unusable(path: String, action: String, cause: StorageCause)

    /// Why, without what only the operator should know.
    public var callersReason: String {
        if case .unusable(_, _, let cause) = self { cause.callersReason } else { "the server's log says why" }
    }

    public var description: String {
        switch self {
        case .cannotOpen(let path, let why): "\(FolderPath.shown(path)) cannot be opened: \(why)"
        case .newerFormat(let path, let found, let supported):
            "\(FolderPath.shown(path)) has format \(found), this version knows up to \(supported); a newer Crowbar "
                + "wrote it: start that version, or, to go back, restore a backup that was made before the upgrade"
        case .olderFormat(let formats):
            formats.map { "\(FolderPath.shown($0.path)) has format \($0.found), this version reads \($0.supported)" }
                .joined(separator: "; ")
                + "; a verb that only reads upgrades nothing: make a backup ('crowbar backup FOLDER'), then start the "
                + "server of this version ('crowbar serve'), which upgrades it"
        case .missing(let path):
            "\(FolderPath.shown(path)) is missing or empty; restore it from a backup, or start the server ('crowbar "
                + "serve'), which makes an empty one"
        case .notDurable(let path, let found):
            "\(FolderPath.shown(path)) would not sync its commits (synchronous is \(found), not 2)"
        case .failed(let why): why
        case .unusable(let path, let action, let cause): "\(FolderPath.shown(path)) \(action): \(cause)"
        }
    }
}

extension StoreError {
    /// The error of a database that could not be opened; one that is not the database's is left as it is.
    public static func opening(_ path: String, _ error: any Error) -> any Error {
        guard let cause = StorageCause(error, path: path) else { return error }
        return StoreError.cannotOpen(path: path, why: "\(cause)")
    }
}
