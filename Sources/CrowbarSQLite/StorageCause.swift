import Glibc

/// Why a file, folder or database of the data folder cannot be used: the cause in words, and what to do about it.
///
/// Every error of the data folder that reaches a person is worded here, from `errno` and from SQLite's result codes.
public enum StorageCause: Sendable, Equatable, CustomStringConvertible {
    /// The file system has no space left.
    case diskFull
    /// The user's share of the disk is used up.
    case quotaUsedUp
    /// The file has reached the largest size that the process may write.
    case fileSizeLimit
    /// The file or its file system may only be read.
    case readOnly
    /// This user may not.
    case permissionDenied
    /// There is no such file or folder.
    case missing
    /// A part of the path is a file.
    case notAFolder
    /// A folder is where a file is expected.
    case isAFolder
    /// The path is too long, or goes round in symbolic links.
    case badPath
    /// The file is a database, and its contents contradict themselves.
    case damaged
    /// The file is something else than a database.
    case notADatabase
    /// Another process has locked it.
    case locked
    /// The file was moved or removed while it was open.
    case movedAway
    /// The disk reports an error.
    case ioError
    /// The process has no file descriptor left.
    case tooManyOpenFiles
    /// There is no memory left.
    case outOfMemory
    /// Something else, in the words of the library or the system.
    case other(String)

    /// The cause that `errno` names.
    public init(errno code: Int32) {
        self =
            switch code {
            case ENOSPC: .diskFull
            case EDQUOT: .quotaUsedUp
            case EFBIG: .fileSizeLimit
            case EROFS: .readOnly
            case EACCES, EPERM: .permissionDenied
            case ENOENT: .missing
            case ENOTDIR: .notAFolder
            case EISDIR: .isAFolder
            case ENAMETOOLONG, ELOOP: .badPath
            case EBUSY, EWOULDBLOCK, ETXTBSY: .locked
            case EIO: .ioError
            case EMFILE, ENFILE: .tooManyOpenFiles
            case ENOMEM: .outOfMemory
            default: .other(String(cString: strerror(code)))
            }
    }

    /// Whether nothing more can be stored until somebody makes room.
    public var isFull: Bool { self == .diskFull || self == .quotaUsedUp || self == .fileSizeLimit }

    /// The cause in a few words, without what to do.
    public var summary: String {
        switch self {
        case .diskFull, .quotaUsedUp, .fileSizeLimit: "disk full"
        case .readOnly: "the file or its file system is read-only"
        case .permissionDenied: "permission denied"
        case .missing: "no such file or folder"
        case .notAFolder: "a part of the path is not a folder"
        case .isAFolder: "a folder is where a file is expected"
        case .badPath: "the path is too long or has a loop of symbolic links"
        case .damaged: "the database is damaged"
        case .notADatabase: "the file is not a SQLite database"
        case .locked: "another process has locked it"
        case .movedAway: "the file was moved or removed while it was in use"
        case .ioError: "the disk reports a read or write error"
        case .tooManyOpenFiles: "too many open files"
        case .outOfMemory: "out of memory"
        case .other(let words): words
        }
    }

    /// What to do about it; nil where only the words of the library are known.
    public var advice: String? {
        switch self {
        case .diskFull: "free some space on its file system"
        case .quotaUsedUp: "the disk quota of this user is used up: free some space, or raise the quota"
        case .fileSizeLimit:
            "the file has reached the largest size that this process may write: raise the limit (ulimit -f, or "
                + "LimitFSIZE= of a systemd unit)"
        case .readOnly: "make it writable (chmod), or mount the file system read-write"
        case .permissionDenied:
            "this process runs as user \(geteuid()): run it as the user whom that belongs to, or, while no server "
                + "runs, give user \(geteuid()) the right (chown, chmod)"
        case .missing: "check the path"
        case .notAFolder: "choose another path, or move that file away"
        case .isAFolder: "choose another path, or move that folder away"
        case .badPath: "choose another path"
        case .damaged: "restore it from a backup"
        case .notADatabase: "move it away, or restore it from a backup"
        case .locked: "end that process, or try again once it is done"
        case .movedAway: "put it back, and start the server again"
        case .ioError: "look into the kernel's log (dmesg) and check the disk"
        case .tooManyOpenFiles: "raise the limit (ulimit -n, or LimitNOFILE= of a systemd unit)"
        case .outOfMemory: "free some memory, or raise the limit of this process"
        case .other: nil
        }
    }

    /// Why nothing can be stored, for callers, who know nothing of the server's files.
    public var callersReason: String {
        switch self {
        case .diskFull: "disk full; free some space on the server's disk, then try again"
        case .quotaUsedUp:
            "disk full: the disk quota of the server's user is used up; free some space or raise it, then try again"
        case .fileSizeLimit:
            "disk full: a file has reached the largest size that the server may write; raise that limit (ulimit -f, "
                + "LimitFSIZE=), then try again"
        default: "\(summary); try again once that is mended: the server's log says more"
        }
    }

    public var description: String { advice.map { "\(summary); \($0)" } ?? summary }
}
