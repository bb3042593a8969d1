import CrowbarSQLite
import CrowbarTesting
import Foundation
import Testing

@Suite struct DataFolderTests {
    @Test func isPrivateAlsoWhereItWasNot() throws {
        let folder = try TemporaryFolder()
        for path in [folder.file("new/data"), folder.path] {
            let data = try DataFolder(path: path, create: true)
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o700)
            #expect(data.file("log.db") == path + "/log.db")
        }
    }

    @Test func aSecondOneIsRefusedAndNamesTheFirstsPid() throws {
        let folder = try TemporaryFolder()
        do {
            let first = try DataFolder(path: folder.path, create: true)
            #expect(throws: DataFolderError.inUse(path: folder.path, pid: getpid())) {
                _ = try DataFolder(path: first.path, create: true)
            }
            withExtendedLifetime(first) {}
        }
        _ = try DataFolder(path: folder.path, create: true)
    }

    @Test func aKilledHoldersLockIsFree() throws {
        let folder = try TemporaryFolder()
        // util-linux's flock holds the same lock in another process.
        let holder = Process()
        holder.executableURL = URL(fileURLWithPath: "/usr/bin/flock")
        holder.arguments = ["--no-fork", folder.file("crowbar.lock"), "sh", "-c", "echo locked; exec sleep 60"]
        let pipe = Pipe()
        holder.standardOutput = pipe
        try holder.run()
        #expect(!pipe.fileHandleForReading.availableData.isEmpty)
        #expect(throws: DataFolderError.inUse(path: folder.path, pid: nil)) {
            _ = try DataFolder(path: folder.path, create: true)
        }
        kill(holder.processIdentifier, SIGKILL)
        holder.waitUntilExit()
        _ = try DataFolder(path: folder.path, create: true)
    }

    @Test func onlyWhoeverCreatesItMakesAFolder() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("a/data")
        #expect(throws: DataFolderError.missing(path: path)) { _ = try DataFolder(path: path, create: false) }
        #expect(throws: DataFolderError.missing(path: path)) { try DataFolder.requireExisting(path) }
        #expect(!FileManager.default.fileExists(atPath: folder.file("a")))
        // A folder that is no data folder stays as it is.
        chmod(folder.path, 0o755)
        #expect(throws: DataFolderError.notADataFolder(path: folder.path)) {
            _ = try DataFolder(path: folder.path, create: false)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
        let mode = try FileManager.default.attributesOfItem(atPath: folder.path)[.posixPermissions] as? Int
        #expect(mode == 0o755)

        _ = try DataFolder(path: path, create: true)
        // A server that has never stored anything has made its log.
        _ = FileManager.default.createFile(atPath: path + "/log.db", contents: nil)
        try DataFolder.requireExisting(path)
        let opened = try DataFolder(path: path, create: false)
        #expect(throws: DataFolderError.inUse(path: path, pid: getpid())) {
            _ = try DataFolder(path: path, create: false)
        }
        withExtendedLifetime(opened) {}
    }

    @Test(arguments: [
        (ENOSPC, "disk full; free some space"), (EDQUOT, "disk full; the disk quota"), (EFBIG, "disk full; the file"),
        (EROFS, "read-only"), (EACCES, "permission denied"), (EPERM, "permission denied"), (ENOTDIR, "not a folder"),
        (EMFILE, "too many open files"), (EIO, "read or write error"),
    ])
    func whatTheSystemSaysBecomesASentence(code: Int32, words: String) {
        let cause = StorageCause(errno: code)
        #expect("\(cause)".contains(words))
        #expect(cause.advice != nil)
    }

    @Test func aFileInItsPlaceIsNamed() throws {
        let folder = try TemporaryFolder()
        try Data().write(to: URL(fileURLWithPath: folder.file("f")))
        do {
            _ = try DataFolder(path: folder.file("f/data"), create: true)
            Issue.record("opened")
        } catch {
            #expect(
                "\(error)".contains("'\(folder.file("f/data"))' cannot be made: a part of the path is not a folder"))
        }
    }
}
