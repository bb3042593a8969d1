import Glibc

/// Why a data folder cannot be used.
public enum DataFolderError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Another server works on it; its process id, where it could be read.
    case inUse(path: String, pid: Int32?)
    /// There is no folder, and the caller does not make one.
    case missing(path: String)
    /// The folder is there, but no server has ever used it: it holds no log.
    case notADataFolder(path: String)
    /// Something could not be done with a file or folder: what, such as "cannot be made", and why.
    case failed(path: String, action: String, cause: StorageCause)

    public var description: String {
        switch self {
        case .inUse(let path, let pid):
            "the data folder \(path) is in use by process \(pid.map(String.init) ?? "of another server")"
        case .missing(let path):
            "there is no data folder \(path); go to the folder that the server was started in, or set data (or "
                + "CROWBAR_DATA) to its data folder; 'crowbar serve' makes a new one"
        case .notADataFolder(let path):
            "\(path) is not a data folder of Crowbar (it has no log.db); set data (or CROWBAR_DATA) to the server's "
                + "data folder; 'crowbar serve' makes a new one"
        case .failed(let path, let action, let cause): "\(path) \(action): \(cause)"
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
    /// - Parameter create: Makes the folder where there is none. Only the server does: whoever else finds nothing was
    ///   called in the wrong place, and is told so.
    /// - Throws: ``DataFolderError``.
    public init(path: String, create: Bool) throws(DataFolderError) {
        self.path = path
        if create { try Self.make(path) } else { try Self.requireExisting(path) }
        try Self.makePrivate(path)
        let file = path + "/crowbar.lock"
        let lock = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        if lock < 0 { throw Self.failure(file, "cannot be opened") }
        self.lock = lock
        if flock(lock, LOCK_EX | LOCK_NB) != 0 {
            let error: DataFolderError =
                errno == EWOULDBLOCK ? .inUse(path: path, pid: Self.pid(lock)) : Self.failure(file, "cannot be locked")
            close(lock)
            throw error
        }
        let text = Array("\(getpid())\n".utf8)
        if ftruncate(lock, 0) != 0 || pwrite(lock, text, text.count, 0) != text.count {
            let error = Self.failure(file, "cannot be written")
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
            throw failure(path, "cannot be looked at")
        }
        guard info.st_mode & S_IFMT == S_IFDIR else {
            throw .failed(path: path, action: "cannot be opened", cause: .notAFolder)
        }
        if stat(path + "/log.db", &info) != 0 {
            if errno == ENOENT { throw .notADataFolder(path: path) }
            throw failure(path + "/log.db", "cannot be looked at")
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
        if stat(path, &info) != 0 { throw failure(path, "cannot be looked at") }
        guard info.st_mode & S_IFMT == S_IFDIR else {
            throw .failed(path: path, action: "cannot be opened", cause: .notAFolder)
        }
        // It holds the hashes of tokens and every private channel.
        if info.st_mode & 0o077 != 0, chmod(path, 0o700) != 0 {
            throw failure(path, "is open to other users, and cannot be closed to them")
        }
    }

    private static func pid(_ lock: Int32) -> Int32? {
        var text = [UInt8](repeating: 0, count: 16)
        let count = pread(lock, &text, text.count, 0)
        guard count > 0 else { return nil }
        return Int32(String(decoding: text[..<count].prefix { $0 != 0x0A }, as: UTF8.self))
    }

    private static func failure(_ path: String, _ action: String) -> DataFolderError {
        .failed(path: path, action: action, cause: StorageCause(errno: errno))
    }
}
