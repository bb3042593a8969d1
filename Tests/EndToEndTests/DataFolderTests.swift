import CrowbarTesting
import Glibc
import Testing

/// What `serve`, `check` and the verbs say of a data folder that is none, not theirs, or not whole.
@Suite(.serialized) struct DataFolderTests {
    private static let user = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]

    private func folder() -> CommandLineFolder {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", "data = \"d\"\n[http]\nlisten = \"127.0.0.1:0\"\n")
        folder.makeFolder("plugins.d")
        return folder
    }

    /// A folder that a server has worked on.
    private func used() throws -> CommandLineFolder {
        let folder = folder()
        try start(folder)
        return folder
    }

    private func start(_ folder: CommandLineFolder) throws {
        let server = try #require(folder.serve())
        kill(server.pid, SIGTERM)
        #expect(CommandLineFolder.wait(server.pid) == 0)
    }

    struct Row: Sendable, CustomTestStringConvertible {
        var script: String
        var words: [String]
        var testDescription: String { script }
    }

    static let strange = [
        Row(script: "mkdir d; echo hi > d/x", words: ["/d' holds other files ('x') and is no data folder of Crowbar"]),
        Row(script: "mkdir -p d/home d/mail", words: ["holds other files ('home')"]),
        Row(script: "mkdir d; : > d/host.db", words: ["/d' has host.db, but no log.db: the log is missing; restore"]),
        Row(script: "mkdir d; : > d/accounts.db; : > d/x", words: ["has accounts.db, but no log.db"]),
        Row(script: "mkdir d; : > d/views.db", words: ["has views.db, but no log.db"]),
        Row(script: "mkdir d; : > d/markers.db", words: ["has markers.db, but no log.db"]),
        Row(script: "mkdir d; : > d/log.db-wal", words: ["has log.db-wal, but no log.db"]),
    ]

    @Test(arguments: strange) func aFolderThatIsNoDataFolderStaysAsItIs(_ row: Row) {
        let folder = folder()
        _ = folder.shell(row.script + "; chmod 755 d")
        let listing = "find d -printf '%p %m %s %T@\\n' | LC_ALL=C sort"
        let before = folder.shell(listing).output
        for verb in ["serve", "check"] {
            let outcome = folder.crowbar(verb)
            #expect(outcome.status == 1, "\(verb)")
            for words in row.words { #expect(outcome.error.contains(words), "\(verb): \(outcome.error)") }
        }
        #expect(!before.isEmpty && folder.shell(listing).output == before)
    }

    static let ours = [
        "true", "mkdir d", "mkdir -p d/lost+found d/.snapshot", "mkdir d; : > d/crowbar.lock; echo k > d/admin.key",
        "mkdir -p d/plugins/irc d/replays",
    ]

    @Test(arguments: ours) func aFolderWithoutAnythingOfOthersIsTaken(_ script: String) throws {
        let folder = folder()
        _ = folder.shell(script)
        #expect(folder.crowbar("check").status == 0)
        try start(folder)
        // Once it has a log, nothing else in it matters.
        folder.write("d/x", "hi")
        #expect(folder.crowbar("check").status == 0)
        try start(folder)
    }

    @Test func aLogThatIsGoneIsNotReplacedByAnEmptyOne() throws {
        let folder = try used()
        _ = folder.shell("rm d/log.db*")
        for verb in ["serve", "check"] {
            let outcome = folder.crowbar(verb)
            // The views may have been made or not before the server was ended.
            let words = [
                "/d' has accounts.db, host.db, markers.db",
                ", but no log.db: the log is missing; restore it from a backup, or",
            ]
            #expect(outcome.status == 1 && words.allSatisfy(outcome.error.contains), "\(verb): \(outcome.error)")
        }
        #expect(!folder.list("d").contains("log.db"))
    }

    @Test(arguments: ["accounts.db", "host.db"]) func aDatabaseThatIsGoneBesideTheLogIsTold(_ file: String) throws {
        let folder = try used()
        _ = folder.shell("rm d/\(file)*")
        let words = "/d/\(file)' beside the log: the server makes an empty one"
        #expect(folder.crowbar("check").error.contains("note: crowbar.toml:1: data: there is no '"))
        #expect(folder.crowbar("check").error.contains(words))
        try start(folder)
        #expect(folder.read("serve.err").contains(words))
        try start(folder)
        #expect(!folder.read("serve.err").contains(words))
    }

    @Test func viewsThatAreGoneAreMadeAgainWithoutAWord() throws {
        let folder = try used()
        _ = folder.shell("rm -f d/views.db*")
        let outcome = folder.crowbar("check")
        #expect(outcome.status == 0 && !outcome.error.contains("views.db"), "\(outcome.error)")
        let server = try #require(folder.serve())
        #expect(folder.poll { folder.list("d").contains("views.db") })
        kill(server.pid, SIGTERM)
        #expect(CommandLineFolder.wait(server.pid) == 0)
        #expect(!folder.read("serve.err").contains("views"), "\(folder.read("serve.err"))")
    }

    /// Files that are of no use, with what `check` says of them.
    static let uselessViews = [
        Row(script: "rm -f d/views.db*; head -c 8192 /dev/zero | tr '\\0' x > d/views.db", words: ["is of no use"]),
        Row(
            script: "python3 -c \"import sqlite3; sqlite3.connect('d/views.db').execute('PRAGMA user_version = 99')\"",
            words: ["views.db' has format 99, this version knows up to 1; the server replaces it"]),
    ]

    @Test(arguments: uselessViews) func viewsOfNoUseAreReplaced(_ row: Row) throws {
        let folder = folder()
        func run(_ look: @escaping () -> Bool) throws {
            let server = try #require(folder.serve())
            #expect(folder.poll(look))
            kill(server.pid, SIGTERM)
            #expect(CommandLineFolder.wait(server.pid) == 0)
        }
        try run { folder.list("d").contains("views.db") }
        #expect(folder.shell(row.script).status == 0)
        let outcome = folder.crowbar("check")
        #expect(outcome.status == 0, "\(outcome.error)")
        for words in row.words { #expect(outcome.error.contains(words), "\(outcome.error)") }
        try run { folder.read("serve.err").contains("views.db cannot be used and is replaced") }
        #expect(!folder.crowbar("check").error.contains("views.db"))
    }

    static let databases = ["log.db", "host.db", "accounts.db", "markers.db"]

    @Test(arguments: databases) func aDatabaseThatIsNoneIsAnErrorOfCheck(_ file: String) throws {
        let folder = try used()
        for suffix in ["-wal", "-shm"] { unlink(folder.file("d/\(file)\(suffix)")) }
        folder.write("d/\(file)", String(repeating: "x", count: 8_192))
        for verb in ["check", "serve"] {
            let outcome = folder.crowbar(verb)
            #expect(outcome.status == 1 && !outcome.output.contains("ok"), "\(verb)")
            let isTold = outcome.error.split(separator: "\n").contains {
                $0.contains(file) && $0.contains("the file is not a SQLite database; ") && $0.contains("from a backup")
            }
            #expect(isTold, "\(verb): \(outcome.error)")
            #expect(!outcome.error.contains("SQLite error"), "\(verb): \(outcome.error)")
        }
    }

    @Test(.enabled(if: getuid() == 0), arguments: WrongFolderTests.verbs + [["serve"]])
    func anotherUserIsToldWhoseFolderItIs(_ verb: [String]) throws {
        let folder = try used()
        _ = folder.shell(
            "chmod 755 . plugins.d; chmod 644 crowbar.toml; echo 'command = [\"true\"]' > plugins.d/p.toml")
        _ = folder.shell("chmod 644 plugins.d/p.toml")
        // Plugins may pass through it.
        for mode: mode_t in [0o700, 0o711] {
            chmod(folder.file("d"), mode)
            let outcome = folder.program(Self.user + [CommandLineFolder.binary] + verb)
            let words =
                "crowbar: the data folder '\(folder.file("d"))' belongs to user 0; run this as that user (sudo -u '#0'"
            #expect(outcome.status == 1 && outcome.error.contains(words), "\(verb) \(mode): \(outcome.error)")
            #expect(!outcome.error.contains("chown"))
        }
    }

    @Test(.enabled(if: getuid() == 0)) func aFolderThatItsOwnerClosedIsToldBeforeTheServerListens() throws {
        let folder = folder()
        folder.makeFolder("d")
        chown(folder.file("d"), 65534, 65534)
        _ = folder.shell("chmod 755 .; chmod 644 crowbar.toml; chmod 500 d")
        let outcome = folder.program(Self.user + [CommandLineFolder.binary, "serve"])
        #expect(outcome.status == 1 && outcome.output.isEmpty, "\(outcome.output)")
        let words = "cannot be read and written by its own user (mode 0500); chmod it to 700"
        #expect(outcome.error.contains(words), "\(outcome.error)")
    }

    @Test func aCopyIntoTheDataFolderIsRefused() throws {
        let folder = try used()
        _ = folder.shell("ln -s d link; mkdir d/empty")
        for target in ["d", "d/copy", "d/deep/er/copy", "link/copy", "d/empty", "./d/../d/copy", "new/../d/copy"] {
            let outcome = folder.crowbar("backup", target)
            #expect(outcome.status == 1 && outcome.error.contains("lies in the data folder"), "\(outcome.error)")
        }
        #expect(folder.list("d/empty").isEmpty && !folder.list("d").contains("copy") && folder.list("new").isEmpty)
        for target in ["copy", "d2/copy"] { #expect(folder.crowbar("backup", target).status == 0) }
    }

    @Test func theFolderBelowOneThatPluginsReadIsNamedOnce() {
        let folder = folder()
        folder.write("crowbar.toml", "data = \"/usr/crowbar-data\"\n[http]\nlisten = \"127.0.0.1:0\"\n")
        let check = folder.crowbar("check").error
        #expect(
            check.contains("error: crowbar.toml:1: data: the data folder '/usr/crowbar-data' lies below"), "\(check)")
        #expect(folder.crowbar("serve").error.contains("crowbar: the data folder '/usr/crowbar-data' lies below"))
    }

    @Test func aReplayInTheWrongFolderSaysWhereItLooked() throws {
        let folder = try used()
        let data = "CROWBAR_DATA=\(folder.file("d"))"
        let other = CommandLineFolder()
        let outcome = other.program(
            ["/usr/bin/env", data, CommandLineFolder.binary, "replay", "p", "--from", "beginning"])
        #expect(outcome.status == 1)
        let words =
            "crowbar: there is no manifest '\(other.file("plugins.d/p.toml"))'; go to the folder that the server"
        #expect(outcome.error.hasPrefix(words), "\(outcome.error)")
    }
}
