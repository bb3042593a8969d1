import GRDB
import GRDBSQLite
import Glibc

extension StorageCause {
    /// The cause that SQLite's result code names.
    /// - Parameters:
    ///   - code: The extended result code.
    ///   - message: SQLite's own words, for codes that nobody can do anything about.
    ///   - systemError: The `errno` of the call that failed; 0 where it is not known.
    ///   - path: The database. Where the code says only that something failed, its file and folder are asked.
    init(sqlite code: Int32, message: String, systemError: Int32 = 0, path: String? = nil) {
        if let cause = Self.plain(code) {
            self = cause
            return
        }
        let general: StorageCause? =
            switch code & 0xFF {
            case SQLITE_IOERR: .ioError
            case SQLITE_READONLY: .readOnly
            case SQLITE_PERM, SQLITE_AUTH: .permissionDenied
            // Most often the folder has gone.
            case SQLITE_CANTOPEN: .missing
            default: nil
            }
        guard let general else {
            self = .other("\(message) (SQLite \(code))")
            return
        }
        let named = systemError == 0 ? nil : StorageCause(errno: systemError)
        if let named, named != .ioError, !named.isOther {
            self = named
        } else {
            self = path.flatMap { Self.found(at: $0) } ?? general
        }
    }

    /// The cause of codes that say it all.
    private static func plain(_ code: Int32) -> StorageCause? {
        func extended(_ primary: Int32, _ number: Int32) -> Int32 { primary | number << 8 }
        switch code {
        // SQLITE_READONLY_DBMOVED
        case extended(SQLITE_READONLY, 4): return .movedAway
        // SQLITE_IOERR_NOMEM
        case extended(SQLITE_IOERR, 12): return .outOfMemory
        // SQLITE_IOERR_DATA, SQLITE_IOERR_CORRUPTFS
        case extended(SQLITE_IOERR, 32), extended(SQLITE_IOERR, 33): return .damaged
        // SQLITE_CANTOPEN_ISDIR
        case extended(SQLITE_CANTOPEN, 2): return .isAFolder
        default: break
        }
        switch code & 0xFF {
        case SQLITE_FULL: return .diskFull
        case SQLITE_CORRUPT: return .damaged
        case SQLITE_NOTADB: return .notADatabase
        case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_PROTOCOL: return .locked
        case SQLITE_NOMEM: return .outOfMemory
        case SQLITE_NOLFS: return .fileSizeLimit
        default: return nil
        }
    }

    private var isOther: Bool { if case .other = self { true } else { false } }

    // MARK: What the file system says

    /// Bytes of free space below which a file system is full: less than an append may need.
    public static let leastSpace: UInt64 = 64 << 10

    /// What is wrong with a database's file or folder as it is now; nil where nothing is to be seen.
    ///
    /// Nothing is opened: to close a descriptor of a database's file drops the locks that SQLite has on it (POSIX).
    static func found(at path: String) -> StorageCause? {
        let folder = Self.folder(of: path)
        var info = stat()
        if stat(folder, &info) != 0 { return StorageCause(errno: errno) }
        if info.st_mode & S_IFMT != S_IFDIR { return .notAFolder }
        if isFull(folder) { return .diskFull }
        // SQLite makes files beside its own.
        if faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) != 0 { return StorageCause(errno: errno) }
        for suffix in ["", "-wal", "-shm"] {
            let file = path + suffix
            if stat(file, &info) != 0 {
                if errno == ENOENT { continue }
                return StorageCause(errno: errno)
            }
            if info.st_mode & S_IFMT == S_IFDIR { return .isAFolder }
            if faccessat(AT_FDCWD, file, R_OK | W_OK, AT_EACCESS) != 0 { return StorageCause(errno: errno) }
            if isAtLimit(info.st_size) { return .fileSizeLimit }
        }
        return nil
    }

    /// Whether a file is as large as this process may make it, but for a page or two.
    private static func isAtLimit(_ size: Int) -> Bool {
        var limit = rlimit()
        return getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0 && limit.rlim_cur != UInt.max
            && UInt64(size) + leastSpace > limit.rlim_cur
    }

    /// Whether a database or its WAL is as large as this process may make it, but for a page or two.
    static func isAtFileSizeLimit(_ path: String) -> Bool {
        [path, path + "-wal"].contains { file in
            var info = stat()
            return stat(file, &info) == 0 && isAtLimit(info.st_size)
        }
    }

    /// Whether the file system of a folder has next to no room left for this user.
    static func isFull(_ folder: String) -> Bool {
        var info = statvfs()
        guard statvfs(folder, &info) == 0, info.f_blocks > 0 else { return false }
        let free = geteuid() == 0 ? info.f_bfree : info.f_bavail
        return UInt64(free).multipliedReportingOverflow(by: UInt64(info.f_frsize)).partialValue < leastSpace
    }

    static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}

extension StorageCause {
    /// The cause of an error of GRDB or SQLite; nil for others.
    /// - Parameter path: The database, where it is known.
    package init?(_ error: any Error, path: String? = nil) {
        switch error {
        case let error as DatabaseError:
            self.init(
                sqlite: error.extendedResultCode.rawValue, message: error.message ?? "it failed", path: path)
        case let failure as RawStatement.Failure:
            self.init(
                sqlite: failure.code, message: failure.message, systemError: failure.systemError,
                path: path ?? failure.path)
        default: return nil
        }
    }
}
