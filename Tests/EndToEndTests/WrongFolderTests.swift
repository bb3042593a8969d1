import Glibc
import Testing

/// Verbs in a folder where no server has ever run.
@Suite(.serialized) struct WrongFolderTests {
    static let verbs: [[String]] = [
        ["status"], ["send", "general", "x"], ["channel", "add", "general"], ["channel", "list"], ["events", "tail"],
        ["events", "export"], ["user", "add", "ann"], ["user", "list"], ["user", "show", "ann"],
        ["user", "role", "ann", "admin"], ["user", "disable", "ann"], ["user", "enable", "ann"], ["token", "ann"],
        ["token", "create", "ann"], ["token", "list"], ["token", "revoke", "0123456789abcdef"],
        ["hooks", "add", "ci", "general"], ["hooks", "list"], ["hooks", "revoke", "ci"], ["plugins"],
        ["plugins", "show", "p"], ["plugins", "stop", "p"], ["cursor", "show", "p"], ["cursor", "set", "p", "now"],
        ["dead-letters", "list", "p"], ["dead-letters", "retry", "p", "--all"], ["replay", "p", "--from", "beginning"],
    ]

    @Test(arguments: verbs, ["", "d"]) func aVerbSaysThatItsFolderIsNone(_ verb: [String], _ empty: String) throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", "data = \"d\"\n")
        if !empty.isEmpty { folder.makeFolder(empty) }
        let outcome = folder.verb(verb)
        #expect(outcome.status == 1 && outcome.output.isEmpty, "\(outcome.output)")
        #expect(outcome.error.hasPrefix("crowbar: ") && outcome.error.contains("'crowbar serve' makes a new one"))
        #expect(outcome.error.contains(empty.isEmpty ? "there is no data folder '/" : "/d' is not a data folder"))
        #expect(outcome.error.split(separator: "\n").count == 1, "\(outcome.error)")
        // Nothing was made: not the folder, nor anything in it.
        let found = folder.shell("find . -mindepth 1 ! -name 'run*' | LC_ALL=C sort | tr '\\n' ' '").output
        #expect(found == "./crowbar.toml " + (empty.isEmpty ? "" : "./d "), "\(found)")
    }
}
