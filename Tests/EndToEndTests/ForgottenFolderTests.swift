import Glibc
import Testing

/// What `crowbar plugins forget` does to a file system that is mounted in a plugin's folder.
@Suite(.serialized) struct ForgottenFolderTests {
    private static let user: uid_t = 54_322

    /// An ordinary server that may change owners takes what is the plugin's, and nothing of another file system.
    @Test(.enabled(if: canRunAttacks)) func aMountedFolderKeepsItsOwner() throws {
        let folder = CommandLineFolder()
        for name in ["plugins.d", "data", "data/plugins", "data/plugins/old", "data/plugins/old/disk"] {
            folder.makeFolder(name)
            chown(folder.file(name), Self.user, Self.user)
        }
        folder.write("data/plugins/old/file", "x")
        folder.write("crowbar.toml", "[http]\nlisten = \"127.0.0.1:0\"\n")
        chown(folder.file(""), Self.user, Self.user)
        chmod(folder.file("crowbar.toml"), 0o644)
        let disk = folder.file("data/plugins/old/disk")
        try #require(folder.program("/bin/mount", "-t", "tmpfs", "-o", "mode=0700,size=1m", "none", disk).status == 0)
        defer { _ = folder.program("/bin/umount", disk) }
        folder.write("data/plugins/old/disk/kept", "x")
        let caps = "+chown,+kill,+setgid,+setuid"
        let prefix = [
            "/usr/bin/setpriv", "--reuid", "\(Self.user)", "--regid", "\(Self.user)", "--clear-groups", "--inh-caps",
            caps, "--ambient-caps", caps,
        ]
        folder.write("plugins.d/old.toml", "command = [\"/bin/true\"]\nenabled = false\n")
        chmod(folder.file("plugins.d/old.toml"), 0o644)
        let pid = try #require(folder.start(["serve"], "serve", under: prefix))
        defer {
            kill(pid, SIGTERM)
            _ = CommandLineFolder.wait(pid)
        }
        #expect(folder.poll { folder.read("serve.out").contains("listens on") }, "\(folder.read("serve.err"))")
        let forgotten = folder.program(prefix + [CommandLineFolder.binary, "plugins", "forget", "old", "--yes"])
        #expect(forgotten.status == 1 && forgotten.error.contains("'disk' in '"), "\(forgotten.error)")
        var info = stat()
        #expect(stat(disk, &info) == 0 && info.st_uid == 0 && info.st_mode & 0o7777 == 0o700)
        #expect(folder.read("data/plugins/old/disk/kept") == "x")
        #expect(access(folder.file("data/plugins/old/file"), F_OK) != 0)
    }
}
