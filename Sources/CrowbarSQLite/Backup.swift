import CrowbarCore
import GRDB
import Glibc

/// Copies a data folder's databases while a server works on them.
///
/// The bookkeeping of plugins and the read markers are copied first and the log behind them: a cursor or marker of the
/// copy is then never past the copied log's head, so that what is restored has not diverged. Each copy is one database
/// without a journal beside it.
public struct Backup: Sendable {
    /// Why there is no copy.
    public enum Failure: Error, Sendable, Equatable, CustomStringConvertible {
        /// The folder to copy to is there, and is not empty.
        case notEmpty(path: String)
        /// The folder to copy to lies in the data folder.
        case insideSource(path: String)
        /// There is no log in the data folder.
        case noLog(path: String)
        /// Something could not be done with a file or folder of the copy.
        case file(StorageFault)
        /// A database could not be read, or copied to another.
        case database(path: String, action: String, why: String)
        /// The caller gave it up.
        case interrupted

        public var description: String {
            switch self {
            case .notEmpty(let path): "\(FolderPath.shown(path)) is not empty; a copy wants a folder of its own"
            case .insideSource(let path):
                "\(FolderPath.shown(path)) lies in the data folder, which is to be copied; name a folder outside of "
                    + "it, best on another disk"
            case .noLog(let path):
                "there is no log in \(FolderPath.shown(path)); set data (or CROWBAR_DATA) to the server's data folder"
            case .file(let fault): "\(fault)"
            case .database(let path, let action, let why): "\(FolderPath.shown(path)) \(action): \(why)"
            case .interrupted: "interrupted; nothing was copied"
            }
        }
    }

    /// A file that was copied, or is being copied.
    public struct Progress: Sendable, Equatable {
        /// Its name.
        public var file: String
        /// Pages copied.
        public var done: Int
        /// All its pages.
        public var total: Int
    }

    /// What a copy holds.
    public struct Summary: Sendable, Equatable {
        /// Bytes of all files.
        public var bytes: Int64
        /// The last entry of the copied log; nil where it is empty.
        public var head: LogEntryID?
    }

    /// In this order: see ``Backup``. `views.db` is left out: a server rebuilds it from the log.
    private static let files = ["host.db", "markers.db", "log.db", "accounts.db"]
    /// Pages copied between two reports of progress.
    private static let step: CInt = 1_024

    private let source: String
    private let target: String

    /// Makes a backup of one folder into another, which must be new or empty.
    public init(from source: String, to target: String) {
        self.source = source
        self.target = target
    }

    /// Copies.
    /// - Parameter onProgress: Told of each step; what it throws ends the copy.
    /// - Throws: ``Failure``, or what `onProgress` threw. Whatever was made until then is removed again, folders
    ///   included.
    public func run(onProgress: @escaping (Progress) throws -> Void) throws -> Summary {
        guard access(source + "/log.db", F_OK) == 0 else { throw Failure.noLog(path: source) }
        if FolderPath.isInside(target, folder: source) { throw Failure.insideSource(path: target) }
        var made: [String] = []
        do {
            try makeFolder(&made)
            var summary = Summary(bytes: 0, head: nil)
            for file in Self.files where access(source + "/" + file, F_OK) == 0 {
                try copy(file, &summary, onProgress)
            }
            try sync(target, O_RDONLY | O_DIRECTORY)
            return summary
        } catch {
            // A folder that holds what is somebody else's is not touched.
            if case Failure.notEmpty = error { throw error }
            remove(made)
            throw error
        }
    }

    /// Makes the folder and those above it; those that were not there before are put into `made`.
    private func makeFolder(_ made: inout [String]) throws {
        var path = ""
        for part in target.split(separator: "/", omittingEmptySubsequences: false) {
            path += String(part)
            if !path.isEmpty {
                if mkdir(path, path == target ? 0o700 : 0o755) == 0 {
                    made.append(path)
                } else if errno != EEXIST {
                    let fault = StorageFault.last(FolderPath.absolute(path), "cannot be made")
                    // Of a folder that is there some systems say that nothing can be made in its place.
                    if access(path, F_OK) != 0 { throw Failure.file(fault) }
                }
            }
            path += "/"
        }
        guard let folder = opendir(target) else { throw failure(target, "cannot be opened") }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { throw Failure.notEmpty(path: target) }
        }
        if chmod(target, 0o700) != 0 { throw failure(target, "cannot be closed to other users") }
    }

    private func remove(_ folders: [String]) {
        for file in Self.files {
            for suffix in ["", "-journal", "-wal", "-shm"] { unlink(target + "/" + file + suffix) }
        }
        for folder in folders.reversed() { rmdir(folder) }
    }

    private func copy(
        _ file: String, _ summary: inout Summary, _ onProgress: @escaping (Progress) throws -> Void
    ) throws {
        let (from, path) = (source + "/" + file, target + "/" + file)
        // Made beforehand, for nobody else's eyes.
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if descriptor < 0 { throw failure(path, "cannot be made") }
        close(descriptor)
        var reading = Configuration()
        reading.readonly = true
        reading.busyMode = .timeout(StoreDatabase.busySeconds)
        let original = try explain(from, "cannot be read") { try DatabaseQueue(path: from, configuration: reading) }
        let made = try explain(path, "cannot be written") { try DatabaseQueue(path: path) }
        // One transaction around all steps: without it each change by the server would restart the copy.
        try original.read { source in
            _ = try explain(from, "cannot be read") { try Int.fetchOne(source, sql: "PRAGMA schema_version") }
            try made.writeWithoutTransaction { target in
                try explain(from, "cannot be copied to \(path)", target: path) {
                    try source.backup(to: target, pagesPerStep: Self.step) {
                        try onProgress(Progress(file: file, done: $0.completedPageCount, total: $0.totalPageCount))
                    }
                }
            }
        }
        try explain(path, "cannot be written") {
            try made.writeWithoutTransaction { db in
                // A copy is one file until a server opens it.
                try db.execute(sql: "PRAGMA journal_mode = DELETE")
                if file == "log.db" { summary.head = try LogReader.entry(db, atOrBefore: .max)?.id }
            }
            try made.close()
        }
        try? original.close()
        try sync(path, O_RDONLY)
        var info = stat()
        if stat(path, &info) == 0 { summary.bytes += Int64(info.st_size) }
    }

    /// Runs `body`; SQLite's errors become a ``Failure`` with the cause in words.
    /// - Parameter target: Where both a source and a target are at work, the target: what can only be its fault is
    ///   told of it.
    private func explain<T>(
        _ path: String, _ action: String, target: String? = nil, _ body: () throws -> T
    ) throws -> T {
        do { return try body() } catch {
            guard let cause = StorageCause(error, path: target ?? path) else { throw error }
            if let target, cause.isFull || cause == .readOnly {
                throw Failure.database(path: target, action: "cannot be written", why: "\(cause)")
            }
            throw Failure.database(path: path, action: action, why: "\(cause)")
        }
    }

    private func sync(_ path: String, _ flags: Int32) throws {
        let descriptor = open(path, flags | O_CLOEXEC)
        if descriptor < 0 { throw failure(path, "cannot be opened") }
        defer { close(descriptor) }
        if fsync(descriptor) != 0 { throw failure(path, "cannot be written to the disk") }
    }

    private func failure(_ path: String, _ action: String) -> Failure {
        .file(.last(FolderPath.absolute(path), action))
    }
}
