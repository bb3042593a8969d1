import CrowbarCore
import GRDB
import Glibc

/// Copies a data folder's databases while a server works on them.
///
/// The bookkeeping of plugins is copied first and the log behind it: a cursor of the copy is then never past the copied
/// log's head, so that what is restored has not diverged. Each copy is one database without a journal beside it.
public struct Backup: Sendable {
    /// Why there is no copy.
    public enum Failure: Error, Sendable, Equatable, CustomStringConvertible {
        /// The folder to copy to is there, and is not empty.
        case notEmpty(path: String)
        /// There is no log in the data folder.
        case noLog(path: String)
        /// A call of the system failed; `code` is its `errno`.
        case system(path: String, call: String, code: Int32)
        /// A database could not be read or written; with the reason.
        case database(path: String, why: String)

        public var description: String {
            switch self {
            case .notEmpty(let path): "\(path) is not empty; a copy wants a folder of its own"
            case .noLog(let path): "there is no log in \(path)"
            case .system(let path, let call, let code):
                "\(call) failed for \(path): \(String(cString: strerror(code)))"
            case .database(let path, let why): "\(path) could not be copied: \(why)"
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

    /// In this order: see ``Backup``.
    private static let files = ["host.db", "log.db", "accounts.db"]
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
    /// - Parameter onProgress: Told of each step.
    /// - Throws: ``Failure``; what was copied so far stays, for the operator to look at or to remove.
    public func run(onProgress: @escaping (Progress) -> Void) throws -> Summary {
        guard access(source + "/log.db", F_OK) == 0 else { throw Failure.noLog(path: source) }
        try makeFolder()
        var summary = Summary(bytes: 0, head: nil)
        for file in Self.files where access(source + "/" + file, F_OK) == 0 {
            try copy(file, &summary, onProgress)
        }
        try sync(target, O_RDONLY | O_DIRECTORY)
        return summary
    }

    private func makeFolder() throws {
        if mkdir(target, 0o700) != 0, errno != EEXIST { throw failure(target, "mkdir") }
        guard let folder = opendir(target) else { throw failure(target, "opendir") }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { throw Failure.notEmpty(path: target) }
        }
        if chmod(target, 0o700) != 0 { throw failure(target, "chmod") }
    }

    private func copy(_ file: String, _ summary: inout Summary, _ onProgress: @escaping (Progress) -> Void) throws {
        let path = target + "/" + file
        // Made beforehand, for nobody else's eyes.
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if descriptor < 0 { throw failure(path, "open") }
        close(descriptor)
        do {
            var reading = Configuration()
            reading.readonly = true
            reading.busyMode = .timeout(StoreDatabase.busySeconds)
            let from = try DatabaseQueue(path: source + "/" + file, configuration: reading)
            let to = try DatabaseQueue(path: path)
            // One transaction around all steps: without it each change by the server would begin the copy anew.
            try from.read { source in
                _ = try Int.fetchOne(source, sql: "PRAGMA schema_version")
                try to.writeWithoutTransaction { target in
                    try source.backup(to: target, pagesPerStep: Self.step) {
                        onProgress(Progress(file: file, done: $0.completedPageCount, total: $0.totalPageCount))
                    }
                }
            }
            try to.writeWithoutTransaction { db in
                // A copy is one file until a server opens it.
                try db.execute(sql: "PRAGMA journal_mode = DELETE")
                if file == "log.db" { summary.head = try LogReader.entry(db, atOrBefore: .max)?.id }
            }
            try to.close()
            try from.close()
        } catch let error as DatabaseError {
            throw Failure.database(path: source + "/" + file, why: "\(error)")
        }
        try sync(path, O_RDONLY)
        var info = stat()
        if stat(path, &info) == 0 { summary.bytes += Int64(info.st_size) }
    }

    private func sync(_ path: String, _ flags: Int32) throws {
        let descriptor = open(path, flags | O_CLOEXEC)
        if descriptor < 0 { throw failure(path, "open") }
        defer { close(descriptor) }
        if fsync(descriptor) != 0 { throw failure(path, "fsync") }
    }

    private func failure(_ path: String, _ call: String) -> Failure { .system(path: path, call: call, code: errno) }
}
