import CrowbarSQLite
import Foundation
import Testing

@Suite struct DataFolderTests {
    @Test func isPrivateAlsoWhereItWasNot() throws {
        let folder = try TemporaryFolder()
        for path in [folder.file("new/data"), folder.path] {
            let data = try DataFolder(path: path)
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o700)
            #expect(data.file("log.db") == path + "/log.db")
        }
    }

    @Test func aSecondOneIsRefusedAndNamesTheFirstsPid() throws {
        let folder = try TemporaryFolder()
        do {
            let first = try DataFolder(path: folder.path)
            #expect(throws: DataFolderError.inUse(path: folder.path, pid: getpid())) {
                _ = try DataFolder(path: first.path)
            }
            withExtendedLifetime(first) {}
        }
        _ = try DataFolder(path: folder.path)
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
        #expect(throws: DataFolderError.inUse(path: folder.path, pid: nil)) { _ = try DataFolder(path: folder.path) }
        kill(holder.processIdentifier, SIGKILL)
        holder.waitUntilExit()
        _ = try DataFolder(path: folder.path)
    }

    @Test func aFileInItsPlaceIsNamed() throws {
        let folder = try TemporaryFolder()
        try Data().write(to: URL(fileURLWithPath: folder.file("f")))
        do {
            _ = try DataFolder(path: folder.file("f/data"))
            Issue.record("opened")
        } catch {
            #expect("\(error)".contains(folder.file("f/data")))
        }
    }
}
