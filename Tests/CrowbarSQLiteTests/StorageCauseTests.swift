import CrowbarCore
import CrowbarTesting
import Foundation
import GRDB
import GRDBSQLite
import Testing

@testable import CrowbarSQLite

/// What SQLite's codes and the system's errors read like.
@Suite struct StorageCauseTests {
    struct Row: Sendable {
        var code: Int32
        var systemError: Int32
        var cause: StorageCause
    }

    /// Extended codes are the primary one and 256 times a number (sqlite3.h).
    static let rows = [
        Row(code: SQLITE_FULL, systemError: 0, cause: .diskFull),
        Row(code: SQLITE_IOERR + 768, systemError: ENOSPC, cause: .diskFull),
        Row(code: SQLITE_IOERR + 768, systemError: EDQUOT, cause: .quotaUsedUp),
        Row(code: SQLITE_IOERR + 768, systemError: EFBIG, cause: .fileSizeLimit),
        Row(code: SQLITE_IOERR + 768, systemError: EIO, cause: .ioError),
        Row(code: SQLITE_IOERR + 768, systemError: 0, cause: .ioError),
        Row(code: SQLITE_IOERR + 3072, systemError: 0, cause: .outOfMemory),
        Row(code: SQLITE_IOERR + 8192, systemError: 0, cause: .damaged),
        Row(code: SQLITE_IOERR + 8448, systemError: 0, cause: .damaged),
        Row(code: SQLITE_NOMEM, systemError: 0, cause: .outOfMemory),
        Row(code: SQLITE_READONLY, systemError: 0, cause: .readOnly),
        Row(code: SQLITE_READONLY + 1024, systemError: 0, cause: .movedAway),
        Row(code: SQLITE_PERM, systemError: 0, cause: .permissionDenied),
        Row(code: SQLITE_CANTOPEN, systemError: 0, cause: .missing),
        Row(code: SQLITE_CANTOPEN, systemError: EACCES, cause: .permissionDenied),
        Row(code: SQLITE_CANTOPEN, systemError: EMFILE, cause: .tooManyOpenFiles),
        Row(code: SQLITE_CANTOPEN, systemError: EROFS, cause: .readOnly),
        Row(code: SQLITE_CANTOPEN + 512, systemError: 0, cause: .isAFolder),
        Row(code: SQLITE_CORRUPT, systemError: 0, cause: .damaged),
        Row(code: SQLITE_NOTADB, systemError: 0, cause: .notADatabase),
        Row(code: SQLITE_BUSY, systemError: 0, cause: .locked),
        Row(code: SQLITE_BUSY + 256, systemError: 0, cause: .locked),
        Row(code: SQLITE_LOCKED, systemError: 0, cause: .locked),
        Row(code: SQLITE_PROTOCOL, systemError: 0, cause: .locked),
        Row(code: SQLITE_ERROR, systemError: 0, cause: .other("words (SQLite 1)")),
    ]

    @Test(arguments: rows)
    func codes(row: Row) {
        #expect(StorageCause(sqlite: row.code, message: "words", systemError: row.systemError) == row.cause)
    }

    @Test func everyCauseThatSomebodyCanDoSomethingAboutSaysWhat() {
        let causes: [StorageCause] = [
            .diskFull, .quotaUsedUp, .fileSizeLimit, .readOnly, .permissionDenied, .missing, .notAFolder, .isAFolder,
            .badPath, .damaged, .notADatabase, .locked, .movedAway, .ioError, .tooManyOpenFiles, .outOfMemory,
        ]
        for cause in causes {
            let text = "\(cause)"
            #expect(text.contains("; ") && !text.contains("SQLite error") && !text.contains("errno"), "\(text)")
        }
        #expect("\(StorageCause.other("words"))" == "words")
    }

    /// Puts something in the place of a database and opens it.
    private func opening(_ name: String, _ prepare: (String) throws -> Void) throws -> String {
        let folder = try TemporaryFolder()
        let path = folder.file(name)
        try prepare(path)
        do {
            switch name {
            case "log.db": _ = try SQLiteLog(path: path, now: { 1 }, random32: { Array(0..<32) })
            case "host.db": _ = try SQLiteHostStore(path: path)
            case "markers.db": _ = try SQLiteMarkers(path: path)
            default: _ = try AccountsDatabase(path: path)
            }
            return "opened"
        } catch {
            return "\(error)".replacingOccurrences(of: path, with: "PATH")
        }
    }

    @Test(arguments: ["log.db", "host.db", "accounts.db", "markers.db"])
    func whatCannotBeOpenedIsNamedWithItsCause(name: String) throws {
        let garbage = try opening(name) { try Data(repeating: 0x78, count: 8_192).write(to: URL(fileURLWithPath: $0)) }
        #expect(garbage.hasPrefix("'PATH' cannot be opened: the file is not a SQLite database; "))
        let folder = try opening(name) {
            try FileManager.default.createDirectory(atPath: $0, withIntermediateDirectories: true)
        }
        #expect(folder.hasPrefix("'PATH' cannot be opened: a folder is where a file is expected; "))
        let damaged = try opening(name) { path in
            let queue = try DatabaseQueue(path: path)
            try queue.write { try $0.execute(sql: "CREATE TABLE t (a); PRAGMA user_version = 0") }
            try queue.close()
            let file = try #require(FileHandle(forUpdatingAtPath: path))
            // The first page behind the header.
            try file.seek(toOffset: 100)
            try file.write(contentsOf: Data(repeating: 0xFF, count: 3_000))
            try file.close()
        }
        #expect(
            damaged.hasPrefix("'PATH' cannot be opened: the database is damaged; restore it from a backup"),
            "\(damaged)")
    }

    @Test func aFolderThatIsGoneIsTold() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("gone/log.db")
        #expect {
            try SQLiteLog(path: path, now: { 1 }, random32: { [] })
        } throws: {
            "\($0)" == "'\(path)' cannot be opened: no such file or folder; check the path"
        }
    }

    @Test func theHealthOfWritesIsTriedAgainAfterAWhile() {
        var health = WriteHealth()
        let atFirst = health.beginProbe(now: 0)
        #expect(!atFirst)
        health.failed(LogError(.diskFull, path: "x"))
        let tries = [0, 1, WriteHealth.interval - 1, WriteHealth.interval].map { health.beginProbe(now: $0) }
        #expect(tries == [true, false, false, true])
        // What is not the log's fault changes nothing.
        health.failed(nil)
        #expect(health.failure != nil)
        health.succeeded()
        let after = health.beginProbe(now: 10_000)
        #expect(!after && health.failure == nil)
    }

    @Test func callersAreToldToMakeRoomAndOperatorsWhere() {
        let causes: [(StorageCause, String)] = [
            (.diskFull, "disk full; free some space on the server's disk, then try again"),
            (.quotaUsedUp, "disk full: the disk quota of the server's user is used up; free some space or raise it"),
            (.fileSizeLimit, "disk full: a file has reached the largest size that the server may write; raise that"),
        ]
        for (cause, words) in causes {
            let error = LogError(cause, path: "/data/log.db")
            #expect(error.callersReason.hasPrefix(words), "\(error.callersReason)")
            #expect(error.callersReason.hasSuffix(", then try again"))
            #expect(error.isFileSizeLimit == (cause == .fileSizeLimit))
            #expect("\(error)".hasPrefix("the log cannot be written: /data/log.db: disk full; "))
        }
        let other = LogError(.permissionDenied, path: "/data/log.db")
        #expect(!other.callersReason.contains("/data") && other.callersReason.contains("permission denied"))
    }
}
