import Glibc

/// Why a data folder cannot be used.
public enum DataFolderError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Another server works on it; its process id, where it could be read.
    case inUse(path: String, pid: Int32?)
    /// There is no folder, and the caller does not make one.
    case missing(path: String)
    /// The folder is there, but no server has ever used it: it holds no log.
    case notADataFolder(path: String)
    /// There are databases of a server, as these, but not its log.
    case logMissing(path: String, found: [String])
    /// The folder holds what no server made, as this file.
    case foreign(path: String, file: String)
    /// The folder, or the one it lies in, is another user's.
    case otherOwner(path: String, folder: String, user: UInt32)
    /// The folder is this user's, who has taken the right to write there away.
    case closed(path: String, mode: UInt32)
    /// Something could not be done with a file or folder: what, such as "cannot be made", and why.
    case failed(path: String, action: String, cause: StorageCause)

    public var description: String {
        switch self {
        case .inUse(let path, let pid):
            "the data folder \(FolderPath.shown(path)) is in use by process "
                + (pid.map(String.init) ?? "of another server")
        case .missing(let path):
            "there is no data folder \(FolderPath.shown(path)); go to the folder that the server was started in, or "
                + "set data (or CROWBAR_DATA) to its data folder; 'crowbar serve' makes a new one"
        case .notADataFolder(let path):
            "\(FolderPath.shown(path)) is not a data folder of Crowbar (it has no log.db); set data (or CROWBAR_DATA) "
                + "to the server's data folder; 'crowbar serve' makes a new one"
        case .logMissing(let path, let found):
            "the data folder \(FolderPath.shown(path)) has \(found.joined(separator: ", ")), but no log.db: the log is "
                + "missing; restore it from a backup, or, to begin anew, move the folder away"
        case .foreign(let path, let file):
            "\(FolderPath.shown(path)) holds other files ('\(file.prefix(64))') and is no data folder of Crowbar; set "
                + "data (or CROWBAR_DATA) to an empty folder, or to one that is not there yet"
        case .otherOwner(let path, let folder, let user):
            "the data folder \(FolderPath.shown(path)) "
                + (folder == FolderPath.absolute(path) ? "" : "lies in \(FolderPath.shown(folder)), which ")
                + "belongs to user \(user); run this as that user (sudo -u '#\(user)' crowbar …), or set data (or "
                + "CROWBAR_DATA) to a folder of your own"
        case .closed(let path, let mode):
            "the data folder \(FolderPath.shown(path)) cannot be read and written by its own user (mode "
                + "0\(String(mode, radix: 8))); chmod it to 700"
        case .failed(let path, let action, let cause): "\(FolderPath.shown(path)) \(action): \(cause)"
        }
    }
}

/// The folder of a server's databases, held against every other server as long as this object lives.
///
/// The lock is the kernel's (`flock`), so it ends with the process however that ends, and no stale one can stay behind.
public final class DataFolder: Sendable {
    /// The folder.
    public let path: String
    private let lock: Int32

    /// Opens a folder for its owner alone and takes its lock.
    /// - Parameter create: Makes the folder where there is none. Only the server does: a verb that finds nothing was
    ///   called in the wrong place, and says so.
    /// - Throws: ``DataFolderError``.
    public init(path: String, create: Bool) throws(DataFolderError) {
        self.path = path
        if create { try Self.make(path) } else { try Self.requireExisting(path) }
        try Self.makePrivate(path)
        try Self.requireAccess(path)
        let file = path + "/crowbar.lock"
        let lock = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        if lock < 0 { throw Self.failure(file, "cannot be opened", errno, in: path) }
        self.lock = lock
        if flock(lock, LOCK_EX | LOCK_NB) != 0 {
            let error: DataFolderError =
                errno == EWOULDBLOCK
                ? .inUse(path: path, pid: Self.pid(lock)) : Self.failure(file, "cannot be locked", errno)
            close(lock)
            throw error
        }
        let text = Array("\(getpid())\n".utf8)
        if ftruncate(lock, 0) != 0 || pwrite(lock, text, text.count, 0) != text.count {
            let error = Self.failure(file, "cannot be written", errno)
            close(lock)
            throw error
        }
    }

    deinit { close(lock) }

    /// The path of a file in the folder.
    public func file(_ name: String) -> String { path + "/" + name }

    /// Makes sure that a path is a data folder, without changing or locking anything: for verbs that read it, or ask
    /// the server that works on it.
    /// - Throws: ``DataFolderError/missing(path:)``, ``DataFolderError/notADataFolder(path:)`` or
    ///   ``DataFolderError/failed(path:action:cause:)``.
    public static func requireExisting(_ path: String) throws(DataFolderError) {
        var info = stat()
        if stat(path, &info) != 0 {
            if errno == ENOENT { throw .missing(path: path) }
            throw failure(path, "cannot be looked at", errno)
        }
        guard info.st_mode & S_IFMT == S_IFDIR else {
            throw .failed(path: path, action: "cannot be opened", cause: .notAFolder)
        }
        if stat(path + "/log.db", &info) != 0 {
            if errno == ENOENT { throw .notADataFolder(path: path) }
            throw failure(path + "/log.db", "cannot be looked at", errno, in: path)
        }
        if faccessat(AT_FDCWD, path + "/log.db", R_OK, AT_EACCESS) != 0 {
            throw failure(path + "/log.db", "cannot be read", errno, in: path)
        }
    }

    /// Makes the folder and those above it.
    private static func make(_ path: String) throws(DataFolderError) {
        var made = ""
        for part in path.split(separator: "/", omittingEmptySubsequences: false) {
            made += made.isEmpty && part.isEmpty ? "" : String(part)
            if !made.isEmpty, made != "/", mkdir(made, made == path ? 0o700 : 0o755) != 0, errno != EEXIST {
                // Of a folder that is there some systems say that nothing can be made in its place.
                let code = errno
                var info = stat()
                if stat(made, &info) != 0 || info.st_mode & S_IFMT != S_IFDIR {
                    throw .failed(path: made, action: "cannot be made", cause: StorageCause(errno: code))
                }
            }
            made += "/"
        }
    }

    private static func makePrivate(_ path: String) throws(DataFolderError) {
        var info = stat()
        if stat(path, &info) != 0 { throw failure(path, "cannot be looked at", errno) }
        guard info.st_mode & S_IFMT == S_IFDIR else {
            throw .failed(path: path, action: "cannot be opened", cause: .notAFolder)
        }
        // It holds the hashes of tokens and every private channel.
        // Plugins that are users of their own may have to pass through it (0711).
        if info.st_mode & 0o066 != 0, chmod(path, 0o700) != 0 {
            throw failure(path, "is open to other users, and cannot be closed to them", errno)
        }
    }

    private static func pid(_ lock: Int32) -> Int32? {
        var text = [UInt8](repeating: 0, count: 16)
        let count = pread(lock, &text, text.count, 0)
        guard count > 0 else { return nil }
        return Int32(String(decoding: text[..<count].prefix { $0 != 0x0A }, as: UTF8.self))
    }

    /// - Parameter code: The `errno` of what failed.
    static func failure(
        _ file: String, _ action: String, _ code: Int32, in folder: String? = nil
    ) -> DataFolderError {
        if code == EACCES || code == EPERM { return denial(folder ?? file, file: file, action) }
        return .failed(path: file, action: action, cause: StorageCause(errno: code))
    }
}
