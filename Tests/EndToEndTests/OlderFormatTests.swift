import Glibc
import JSONBytes
import Testing

/// Databases of an older format, and every verb while no server runs: what only reads upgrades nothing and says what
/// to do, what changes something says what it upgraded.
@Suite(.serialized) struct OlderFormatTests {
    private static let toml = "data = \"d\"\nplugins = \"plugins.d\"\n[http]\nlisten = \"127.0.0.1:0\"\n"
    private static let plugin = """
        command = ["/bin/sh", "-c", "exit 1"]
        """
    /// What the newest step of each format brought is taken away again.
    private static let downgrade = """
        import sqlite3
        for name, version, sql in [
            ("log", 1, "DROP INDEX privateMembers; DROP INDEX invitationsByUser; DROP TABLE invitations;"
                "DROP TABLE reactions; DROP TABLE reactionCounts; ALTER TABLE events DROP COLUMN audience;"
                "ALTER TABLE channels DROP COLUMN private; ALTER TABLE members DROP COLUMN private"),
            ("host", 2, "ALTER TABLE queues DROP COLUMN savedAt"),
            ("accounts", 3, "DROP INDEX accountsByFoldedId; ALTER TABLE accounts DROP COLUMN roleSource;"
                "ALTER TABLE accounts DROP COLUMN pending; ALTER TABLE tokens DROP COLUMN kind;"
                "ALTER TABLE tokens DROP COLUMN name; ALTER TABLE tokens DROP COLUMN idle;"
                "ALTER TABLE tokens DROP COLUMN address; DROP TABLE registrations; DROP TABLE identities;"
                "DROP TABLE invites; DROP TABLE links; DROP TABLE signIns; ALTER TABLE hooks DROP COLUMN kind;"
                "ALTER TABLE accounts DROP COLUMN erased; DROP TABLE audit")]:
            db = sqlite3.connect("old/" + name + ".db", isolation_level=None)
            db.executescript(sql)
            db.execute("PRAGMA user_version = %d" % version)
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            db.close()
        """
    private static let versions = """
        import sqlite3
        for name in ["log", "host", "accounts"]:
            db = sqlite3.connect("file:d/" + name + ".db?mode=ro", uri=True)
            print(db.execute("PRAGMA user_version").fetchone()[0])
        """

    private enum Kind {
        /// It reads the data folder itself.
        case reads
        /// It changes the data folder itself; whether it can.
        case changes(status: Int32)
        /// It asks a server, and there is none.
        case asks
    }

    /// Verbs that work without a server; all others ask one.
    private static let offline: [String: Kind] = [
        "channel list": .reads, "user list": .reads, "user show": .reads, "token list": .reads,
        "events export": .reads, "replay": .reads, "audit": .reads,
        "user add": .changes(status: 0), "user role": .changes(status: 0), "user disable": .changes(status: 0),
        "user enable": .changes(status: 0), "token create": .changes(status: 0), "token revoke": .changes(status: 1),
        "user link": .changes(status: 1), "hooks add": .changes(status: 0), "hooks revoke": .changes(status: 1),
        "erase message": .changes(status: 1), "erase user": .changes(status: 0), "user erase": .changes(status: 0),
        "user reset": .changes(status: 0), "user logout": .changes(status: 0), "invite create": .changes(status: 0),
        "invite list": .reads, "invite revoke": .changes(status: 1), "setup-link": .changes(status: 1),
    ]
    /// Those that have tests of their own below.
    private static let others: Set = [
        "serve", "check", "backup", "plugins new", "plugins test", "plugins try", "plugins replay",
        "plugins mock", "page export", "import matterbridge",
    ]

    private func prepare() throws -> CommandLineFolder {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml)
        folder.makeFolder("plugins.d")
        let server = try #require(folder.serve())
        #expect(folder.crowbar("channel", "add", "x").status == 0)
        for user in [["admin", "--admin"], ["x"]] { #expect(folder.verb(["user", "add"] + user).status == 0) }
        #expect(folder.crowbar("user", "add", "gone").status == 0)
        kill(server.pid, SIGTERM)
        #expect(CommandLineFolder.wait(server.pid) == 0)
        folder.write("plugins.d/x.toml", Self.plugin)
        rename(folder.file("d"), folder.file("old"))
        folder.write("downgrade.py", Self.downgrade)
        folder.write("versions.py", Self.versions)
        let outcome = folder.shell("python3 downgrade.py")
        try #require(outcome.status == 0, "\(outcome.error)")
        return folder
    }

    /// Puts the old databases in place.
    private func reset(_ folder: CommandLineFolder) { #expect(folder.shell("rm -rf d && cp -a old d").status == 0) }

    private func versions(_ folder: CommandLineFolder) -> [String] {
        folder.shell("python3 versions.py").output.split(separator: "\n").map(String.init)
    }

    @Test func everyVerbTellsOfAnOlderFormat() throws {
        let folder = try prepare()
        var seen: Set<String> = []
        for verb in VerbTree.verbs where !Self.others.contains(verb.testDescription) {
            let name = verb.testDescription
            seen.insert(name)
            reset(folder)
            // A new user is not there yet.
            let call = verb.call.map { name == "user add" && $0 == "x" ? "new" : $0 }
            let outcome = folder.verb(call)
            switch Self.offline[name] ?? .asks {
            case .reads:
                #expect(outcome.status == 1 && outcome.output.isEmpty, "\(name): \(outcome)")
                #expect(outcome.error.hasPrefix("crowbar: '"), "\(name): \(outcome.error)")
                #expect(outcome.error.contains("/d/log.db' has format 1, this version reads 2"), "\(outcome.error)")
                #expect(outcome.error.contains("start the server of this version"), "\(outcome.error)")
                #expect(versions(folder) == ["1", "2", "3"], "\(name)")
            case .changes(let status):
                #expect(outcome.status == status, "\(name): \(outcome.error)")
                for (file, before, after) in [("log", 1, 2), ("host", 2, 3), ("accounts", 3, 7)] {
                    let words = "/d/\(file).db' was upgraded from format \(before) to \(after); the version before"
                    #expect(outcome.error.contains(words), "\(name): \(outcome.error)")
                }
                #expect(versions(folder) == ["2", "3", "7"], "\(name)")
                let again = folder.crowbar("user", "list")
                #expect(again.status == 0 && again.error.isEmpty, "\(again.error)")
            case .asks:
                #expect(outcome.status == 1 && outcome.error.contains("no server runs"), "\(name): \(outcome.error)")
                #expect(versions(folder) == ["1", "2", "3"], "\(name)")
            }
        }
        #expect(seen.isSuperset(of: Self.offline.keys))
    }

    @Test func checkAndBackupLeaveTheFormatAndServeLogsEachUpgrade() throws {
        let folder = try prepare()
        reset(folder)
        let check = folder.crowbar("check")
        #expect(check.error.contains("log.db' has format 1, which the server brings to 2"), "\(check.error)")
        let backup = folder.crowbar("backup", "copy")
        #expect(backup.status == 0, "\(backup.error)")
        #expect(versions(folder) == ["1", "2", "3"])
        #expect(folder.shell("sed -i s,d/,copy/, versions.py").status == 0)
        #expect(versions(folder) == ["1", "2", "3"])
        let server = try #require(folder.serve())
        kill(server.pid, SIGTERM)
        #expect(CommandLineFolder.wait(server.pid) == 0)
        let log = folder.read("serve.err")
        for (file, before, after) in [("log", 1, 2), ("host", 2, 3), ("accounts", 3, 7)] {
            let lines = log.split(separator: "\n").filter { $0.contains("/\(file).db' was upgraded") }
            #expect(lines.count == 1, "\(log)")
            for words in [" notice ", "from=\(before)", "to=\(after)", "database=\(file).db"] {
                #expect(lines.first?.contains(words) == true, "\(words): \(log)")
            }
        }
        let list = folder.crowbar("channel", "list")
        #expect(list.status == 0 && list.error.isEmpty && list.output.contains("\nx "), "\(list.error)")
    }

    /// `check --upgrade` says what the server will do, and the server does it.
    @Test func checkUpgradeSaysWhatHappensToEachDatabase() throws {
        let folder = try prepare()
        reset(folder)
        let before = folder.crowbar("check", "--upgrade")
        #expect(before.status == 0, "\(before)")
        let rows = before.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        let changes = Dictionary(rows.compactMap { $0.count > 5 ? ($0[0], $0) : nil }) { $1 }
        for (file, from, to) in [("log.db", "1", "2"), ("host.db", "2", "3"), ("accounts.db", "3", "7")] {
            let row = try #require(changes[file])
            #expect(Array(row[1...2]) == [from, to] && row.contains("upgraded") && row.last == "no", "\(row)")
            #expect(before.output.contains("under 1 s") && row[4] == "KiB", "\(row)")
        }
        for file in ["markers.db", "views.db"] { #expect(changes[file]?.contains("unchanged") == true, "\(before)") }
        let words = "the version before cannot open log.db, host.db, accounts.db any more once this one has"
        #expect(before.error.contains(words) && before.error.contains("crowbar backup FOLDER"), "\(before.error)")
        #expect(versions(folder) == ["1", "2", "3"])
        let server = try #require(folder.serve())
        kill(server.pid, SIGTERM)
        #expect(CommandLineFolder.wait(server.pid) == 0)
        let after = folder.crowbar("check", "--upgrade", "--json")
        let plans = try JSON(parsing: Array(after.output.utf8)).array ?? []
        #expect(after.status == 0 && after.error.isEmpty && plans.count == 5, "\(after)")
        for plan in plans {
            #expect(plan["change"]?.string == "unchanged" && plan["from"] == plan["to"], "\(after.output)")
            #expect(plan["seconds"]?.int == 0 && plan["bytes"]?.int ?? 0 > 0 && plan["reversible"] == nil)
        }
    }

    /// A downgrade is refused by the check and by the server, with the way back.
    @Test func aDowngradeIsRefusedWithTheWayBack() throws {
        let folder = try prepare()
        #expect(folder.crowbar("check", "--upgrade").error.contains("there is no data folder"))
        reset(folder)
        let newer = "import sqlite3; sqlite3.connect('d/log.db').execute('PRAGMA user_version = 99')"
        #expect(folder.shell("python3 -c \"\(newer)\"").status == 0)
        // Views that fit no format are rebuilt, which can be done at any time.
        #expect(folder.shell("echo no database > d/views.db").status == 0)
        let check = folder.crowbar("check", "--upgrade")
        let way = "start that version, or, to go back, restore a backup that was made before the upgrade"
        #expect(check.status == 1 && check.error.contains("log.db' has format 99"), "\(check)")
        #expect(check.error.contains(way) && !check.error.contains("make a backup first"), "\(check)")
        let views = check.output.split(separator: "\n").first { $0.hasPrefix("views.db") } ?? ""
        #expect(views.contains("rebuilt") && views.hasSuffix("yes"), "\(check.output)")
        for verb in [["serve"], ["check"]] {
            let outcome = folder.verb(verb)
            #expect(outcome.status == 1 && outcome.error.contains(way), "\(outcome)")
        }
        #expect(versions(folder) == ["99", "2", "3"])
    }

    /// Where one of them is of a later version, none is upgraded.
    @Test(arguments: [["user", "add", "new"], ["user", "list"], ["serve"]])
    func aNewerFormatStopsAllUpgrades(_ verb: [String]) throws {
        let folder = try prepare()
        reset(folder)
        let newer = "import sqlite3; sqlite3.connect('d/accounts.db').execute('PRAGMA user_version = 99')"
        #expect(folder.shell("python3 -c \"\(newer)\"").status == 0)
        let outcome = folder.verb(verb)
        #expect(outcome.status == 1 && outcome.error.contains("accounts.db' has format 99"), "\(outcome.error)")
        #expect(versions(folder) == ["1", "2", "99"])
    }

    /// What only reads makes no database either.
    @Test func aMissingDatabaseIsTold() throws {
        let folder = try prepare()
        #expect(folder.shell("mv old d && rm d/accounts.db").status == 0)
        let outcome = folder.crowbar("user", "list")
        #expect(outcome.status == 1, "\(outcome.output)")
        #expect(outcome.error.contains("/d/accounts.db' is missing or empty"), "\(outcome.error)")
        #expect(access(folder.file("d/accounts.db"), F_OK) != 0)
    }
}
