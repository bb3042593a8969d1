import CrowbarTesting
import Glibc
import JSONBytes
import Testing

/// A file system of its own with a size, which can be full; only root can make one.
private final class SmallDisk {
    let path: String

    init?(_ path: String, bytes: Int) {
        self.path = path
        mkdir(path, 0o700)
        guard mount("crowbar-test", path, "tmpfs", 0, "size=\(bytes)") == 0 else { return nil }
    }

    deinit { umount2(path, Int32(MNT_DETACH)) }

    func setReadOnly() -> Bool {
        mount("crowbar-test", path, "tmpfs", UInt(MS_REMOUNT | MS_RDONLY), nil) == 0
    }

    /// Writes until there is no room.
    func fill() {
        let file = open(path + "/filler", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        let page = [UInt8](repeating: 0x78, count: 4_096)
        while write(file, page, page.count) > 0 {}
        close(file)
    }

    func makeRoom() { unlink(path + "/filler") }

    static let canMount: Bool = {
        let path = "/tmp/crowbar-mount-\(getpid())"
        defer { rmdir(path) }
        return SmallDisk(path, bytes: 65_536) != nil
    }()
}

/// What people and probes are told where the disk or its rights are wrong, from the real program.
@Suite(.serialized) struct DiskTests {
    private func folder() -> CommandLineFolder {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", "[http]\nlisten = \"127.0.0.1:0\"\n")
        return folder
    }

    /// Runs `serve`, which must refuse to start.
    private func refusal(_ folder: CommandLineFolder) -> String {
        let outcome = folder.crowbar("serve")
        return outcome.status == 1 ? outcome.error : "exit status \(outcome.status): \(outcome.error)"
    }

    private func ready(_ port: String) async throws -> (status: String, body: String) {
        let curl = try LineProcess(
            "/usr/bin/curl", arguments: ["-s", "-w", "%{http_code}\\n", "http://127.0.0.1:\(port)/readyz"])
        let body = try await curl.first("a body", within: testDeadline) { String(decoding: $0, as: UTF8.self) }
        let status = try await curl.first("a status", within: testDeadline) { String(decoding: $0, as: UTF8.self) }
        return (status, body)
    }

    @Test(.enabled(if: SmallDisk.canMount))
    func aFullDiskIsToldByReadinessAndToCallersAndPassesByItself() async throws {
        let folder = folder()
        let disk = try #require(SmallDisk(folder.file("data"), bytes: 8 << 20))
        let server = try #require(folder.serve())
        defer {
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        #expect(folder.crowbar("channel", "add", "general").status == 0)
        #expect(try await ready(server.port).status == "200")
        disk.fill()
        // Before anybody has tried to store anything.
        let full = try await ready(server.port)
        #expect(full.status == "503" && full.body.contains("not ready: disk full; free some space"), "\(full)")
        let health = folder.crowbar("health")
        #expect(health.status == 1 && health.error.hasPrefix("crowbar: not ready: disk full"), "\(health)")
        var refused: CommandLineFolder.Outcome?
        for _ in 0..<50 where refused == nil {
            let sent = folder.crowbar("send", "general", String(repeating: "x", count: 8_000))
            if sent.status != 0 { refused = sent }
        }
        let error = try #require(refused).error
        #expect(error.contains("nothing was: disk full; free some space on the server's disk"), "\(error)")
        #expect(folder.read("serve.err").contains("/log.db: disk full; free some space on its file system"))
        disk.makeRoom()
        #expect(try await ready(server.port).status == "200")
        #expect(folder.crowbar("send", "general", "there is room").status == 0)
    }

    @Test func aLimitThatAnAppendMetIsToldByReadinessUntilItIsGone() async throws {
        let folder = folder()
        let server = try #require(folder.serve())
        defer {
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        #expect(folder.crowbar("channel", "add", "general").status == 0)
        #expect(folder.limitFiles(of: server.pid, to: "100000:") == 0)
        var isRefused = false
        for _ in 0..<100 where !isRefused {
            isRefused = folder.crowbar("send", "general", String(repeating: "x", count: 8_000)).status != 0
        }
        #expect(isRefused)
        let full = try await ready(server.port)
        let words = "disk full: a file has reached the largest size that the server may write; raise that limit"
        #expect(full.status == "503" && full.body.contains(words), "\(full)")
        // It stays so, however often it is asked, as long as the limit does.
        for _ in 0..<5 { #expect(try await ready(server.port).status == "503") }
        #expect(folder.limitFiles(of: server.pid, to: "unlimited:") == 0)
        // Nobody stores anything: readiness itself finds out.
        var states: [String] = []
        for _ in 0..<200 where states.last != "200" { states.append(try await ready(server.port).status) }
        #expect(states.last == "200")
    }

    @Test(.enabled(if: SmallDisk.canMount))
    func aFullDiskTellsWhoeverChangesAccountsWhatWasNotDone() throws {
        let folder = folder()
        let disk = try #require(SmallDisk(folder.file("data"), bytes: 8 << 20))
        let server = try #require(folder.serve())
        defer {
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        for verb in [["channel", "add", "general"], ["user", "add", "ann"], ["token", "ann"]] {
            #expect(folder.verb(verb).status == 0)
        }
        #expect(folder.crowbar("hooks", "add", "ci", "general").status == 0)
        let listed = try JSON(parsing: Array(folder.crowbar("token", "list", "--json").output.utf8))
        let token = try #require(listed.array?.first?["id"]?.string)
        let rows: [(verb: [String], failed: String, state: String)] = [
            (["token", "revoke", token], "the token could not be revoked", "It is still valid."),
            (["user", "disable", "ann"], "the user 'ann' could not be disabled", "Nothing has changed."),
            (["user", "role", "ann", "admin"], "the user 'ann' could not be changed", "Nothing has changed."),
            (["token", "ann"], "the token could not be made", "There is none."),
            (["hooks", "revoke", "ci"], "the hook could not be revoked", "It still works."),
        ]
        disk.fill()
        let cause = "disk full; free some space"
        for row in rows {
            // What fits into the pages that the file already has may still be stored.
            let outcome = folder.verb(row.verb)
            #expect(outcome.status == 1, "\(row.verb)")
            // The line of the audit log is written first. It may fit where the change does not.
            let isAudit = outcome.error.contains("audit log")
            let failed = isAudit ? "nothing was done, because the audit log cannot be written" : row.failed
            let state = isAudit ? "" : ". \(row.state)"
            let words = "crowbar: \(failed): \(cause) on the server's disk, then try again\(state)\n"
            #expect(outcome.error == words, "\(outcome.error)")
            let logged = "\(failed): '\(folder.file("data/accounts.db"))' cannot be written: \(cause)"
            #expect(folder.read("serve.err").contains(logged), "\(folder.read("serve.err"))")
        }
        // Nothing is answered from memory of what failed.
        disk.makeRoom()
        for row in rows.dropFirst() where row.verb[0] != "token" { #expect(folder.verb(row.verb).status == 0) }
        #expect(folder.verb(rows[0].verb).status == 0)
    }

    @Test(.enabled(if: SmallDisk.canMount))
    func aReadOnlyOrFullDiskIsToldOnceAndWithAWayToReadIt() throws {
        let folder = folder()
        folder.makeFolder("plugins.d")
        let disk = try #require(SmallDisk(folder.file("data"), bytes: 8 << 20))
        let server = try #require(folder.serve())
        #expect(folder.crowbar("channel", "add", "general").status == 0)
        kill(server.pid, SIGTERM)
        #expect(CommandLineFolder.wait(server.pid) == 0)
        // 8 MiB are few, but the server runs on them.
        let few = folder.crowbar("check")
        #expect(few.status == 0 && few.error.contains("note: ") && few.error.contains("only 7 MiB are free"), "\(few)")
        let way = "copy the folder to another disk with 'cp -a' while no server runs, and set CROWBAR_DATA to the copy"
        disk.fill()
        #expect(folder.crowbar("check").error.contains("is full: "))
        #expect(folder.crowbar("check").status == 1)
        #expect(folder.crowbar("events", "export").error.contains(way))
        disk.makeRoom()
        #expect(disk.setReadOnly())
        let check = folder.crowbar("check")
        #expect(check.status == 1)
        let errors = check.error.split(separator: "\n").filter { $0.hasPrefix("error: ") }
        #expect(errors.count == 1 && !check.error.contains("chmod"), "\(check.error)")
        #expect(
            check.error.contains("its file system is read-only; mount the file system read-write"), "\(check.error)")
        for verb in [["events", "export"], ["channel", "list"], ["user", "list"]] {
            let outcome = folder.verb(verb)
            #expect(outcome.status == 1 && outcome.error.contains(way), "\(verb): \(outcome.error)")
        }
        #expect(folder.shell("cp -a data copy").status == 0)
        let export = folder.program(["/usr/bin/env", "CROWBAR_DATA=copy", CommandLineFolder.binary, "events", "export"])
        #expect(export.status == 0 && export.output.contains("CHANNEL_CREATED"), "\(export)")
        let backup = folder.crowbar("backup", "made")
        #expect(backup.status == 0 || backup.error.contains(way), "\(backup.error)")
    }

    @Test(.enabled(if: SmallDisk.canMount))
    func aStartOnAFullOrReadOnlyDiskNamesTheFileAndTheCause() throws {
        for bytes in [0, 4_096, 32_768, 65_536, 98_304] {
            let folder = folder()
            let disk = try #require(SmallDisk(folder.file("disk"), bytes: 1 << 20))
            folder.write("crowbar.toml", "data = \"disk/data\"\n[http]\nlisten = \"127.0.0.1:0\"\n")
            // What is left differs, so that other files are the ones without room.
            folder.write("disk/room", String(repeating: "x", count: bytes))
            disk.fill()
            unlink(folder.file("disk/room"))
            let error = refusal(folder)
            #expect(error.contains("disk/data") && error.contains("disk full; free some space"), "\(bytes): \(error)")
            #expect(!error.contains("PRAGMA") && !error.contains("SQLite error"), "\(error)")
        }
        let folder = folder()
        folder.write("crowbar.toml", "data = \"disk/data\"\n[http]\nlisten = \"127.0.0.1:0\"\n")
        let disk = try #require(SmallDisk(folder.file("disk"), bytes: 1 << 20))
        #expect(disk.setReadOnly())
        let error = refusal(folder)
        #expect(error.contains("disk/data' cannot be made: the file or its file system is read-only; "), "\(error)")
    }

    @Test(.enabled(if: getuid() == 0))
    func aFolderOfSomebodyElsesIsToldToAnOrdinaryUser() throws {
        let folder = folder()
        chmod(folder.path, 0o755)
        chmod(folder.file("crowbar.toml"), 0o644)
        folder.makeFolder("data")
        let outcome = folder.program(
            "/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", CommandLineFolder.binary, "serve")
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("data' belongs to user 0; run this as that user"), "\(outcome.error)")
        // The folder is theirs, a database in it is not.
        chown(folder.file("data"), 65534, 65534)
        folder.write("data/log.db", "")
        let file = folder.program(
            "/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", CommandLineFolder.binary, "serve")
        #expect(file.error.contains("data/log.db' cannot be opened: permission denied; "), "\(file.error)")
    }

    @Test(.enabled(if: SmallDisk.canMount))
    func aBackupThatFailsLeavesNothingAndOneThatWorksMakesItsFolders() throws {
        let folder = folder()
        let server = try #require(folder.serve())
        defer {
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        #expect(folder.crowbar("channel", "add", "general").status == 0)
        let disk = try #require(SmallDisk(folder.file("disk"), bytes: 1 << 20))
        folder.write("disk/room", String(repeating: "x", count: 49_152))
        disk.fill()
        unlink(folder.file("disk/room"))
        for target in ["disk/deep/er/copy", "disk/copy"] {
            let failed = folder.crowbar("backup", target)
            #expect(failed.status == 1)
            #expect(failed.error.contains(target), "\(failed.error)")
            #expect(failed.error.contains("cannot be written: disk full; free some space"), "\(failed.error)")
            #expect(!failed.error.contains("not an error"))
            #expect(folder.list("disk") == ["filler"])
        }
        // A folder that was there stays, and is empty again.
        folder.makeFolder("disk/there")
        #expect(folder.crowbar("backup", "disk/there").status == 1)
        #expect(folder.list("disk/there").isEmpty)
        disk.makeRoom()
        let made = folder.crowbar("backup", "disk/deep/er/copy")
        #expect(made.status == 0, "\(made.error)")
        #expect(folder.list("disk/deep/er/copy").contains("log.db"))
        #expect(disk.setReadOnly())
        #expect(
            folder.crowbar("backup", "disk/other").error.contains("disk/other' cannot be made: the file or its file"))
    }

    @Test func anExportToAFullDiskSaysSo() throws {
        let folder = folder()
        let server = try #require(folder.serve())
        #expect(folder.crowbar("channel", "add", "general").status == 0)
        kill(server.pid, SIGTERM)
        #expect(CommandLineFolder.wait(server.pid) == 0)
        let export = folder.program("/bin/sh", "-c", "exec \"$0\" events export > /dev/full", CommandLineFolder.binary)
        #expect(export.status == 1)
        #expect(
            export.error
                == "crowbar: standard output cannot be written: disk full; free some space on its file system\n")
    }
}
