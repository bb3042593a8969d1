import Glibc

/// Why a data folder cannot be used.
public enum DataFolderError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Another server works on it; its process id, where it could be read.
    case inUse(path: String, pid: Int32?)
    /// A call of the system failed; `code` is its `errno`.
    case system(path: String, call: String, code: Int32)

    public var description: String {
        switch self {
        case .inUse(let path, let pid):
            "the data folder \(path) is in use by process \(pid.map(String.init) ?? "of another server")"
        case .system(let path, let call, let code): "\(call) failed for \(path): \(String(cString: strerror(code)))"
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

    /// Makes or opens a folder for its owner alone and takes its lock.
    /// - Throws: ``DataFolderError``.
    public init(path: String) throws(DataFolderError) {
        self.path = path
        try Self.makePrivate(path)
        let file = path + "/crowbar.lock"
        let lock = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        if lock < 0 { throw Self.failure(file, "open") }
        self.lock = lock
        if flock(lock, LOCK_EX | LOCK_NB) != 0 {
            let error: DataFolderError =
                errno == EWOULDBLOCK ? .inUse(path: path, pid: Self.pid(lock)) : Self.failure(file, "flock")
            close(lock)
            throw error
        }
        let text = Array("\(getpid())\n".utf8)
        if ftruncate(lock, 0) != 0 || pwrite(lock, text, text.count, 0) != text.count {
            let error = Self.failure(file, "write")
            close(lock)
            throw error
        }
    }

    deinit { close(lock) }

    /// The path of a file in the folder.
    public func file(_ name: String) -> String { path + "/" + name }

    private static func makePrivate(_ path: String) throws(DataFolderError) {
        var made = ""
        for part in path.split(separator: "/", omittingEmptySubsequences: false) {
            made += made.isEmpty && part.isEmpty ? "" : String(part)
            if !made.isEmpty, made != "/", mkdir(made, made == path ? 0o700 : 0o755) != 0, errno != EEXIST {
                throw failure(made, "mkdir")
            }
            made += "/"
        }
        var info = stat()
        if stat(path, &info) != 0 { throw failure(path, "stat") }
        // It holds the hashes of tokens and every private channel.
        // Plugins that are users of their own may have to pass through it (0711).
        if info.st_mode & 0o066 != 0, chmod(path, 0o700) != 0 { throw failure(path, "chmod") }
    }

    private static func pid(_ lock: Int32) -> Int32? {
        var text = [UInt8](repeating: 0, count: 16)
        let count = pread(lock, &text, text.count, 0)
        guard count > 0 else { return nil }
        return Int32(String(decoding: text[..<count].prefix { $0 != 0x0A }, as: UTF8.self))
    }

    private static func failure(_ path: String, _ call: String) -> DataFolderError {
        .system(path: path, call: call, code: errno)
    }
}
