import Testing

/// The same mistake has the same exit status and form with every verb.
@Suite(.serialized) struct UsageTests {
    @Test func theTableHasAllVerbs() {
        #expect(VerbTree.verbs.count >= 40, "\(VerbTree.verbs.map(\.testDescription))")
        #expect(VerbTree.verbs.contains { $0.words == ["token", "revoke"] && $0.positions.map(\.name) == ["id"] })
    }

    @Test(arguments: VerbTree.verbs) func wrongUsageIs64AndHelpIs0(_ verb: VerbTree.Verb) {
        let folder = CommandLineFolder()
        var wrong = [verb.call + ["--nonsense"]]
        if !verb.positions.contains(where: \.isRepeating) { wrong.append(verb.call + ["one", "too", "many"]) }
        if let last = verb.positions.last(where: { !$0.isOptional && !$0.isRepeating }) {
            let rest = verb.positions.prefix { $0.name != last.name }
            wrong.append(verb.words + rest.map(\.sample) + verb.extra)
        }
        for arguments in wrong {
            let outcome = folder.verb(arguments)
            #expect(outcome.status == 64 && outcome.output.isEmpty, "\(arguments): \(outcome.error)")
            #expect(outcome.error.contains("Usage: crowbar \(verb.testDescription) "), "\(arguments): \(outcome.error)")
        }
        #expect(folder.verb(verb.words + ["--help"]).status == 0)
    }

    /// `page export` and `plugins mock` read no configuration.
    @Test(arguments: VerbTree.verbs.filter { $0.words != ["page", "export"] && $0.words != ["plugins", "mock"] })
    func aConfigurationThatIsNotThereIs1(_ verb: VerbTree.Verb) {
        let outcome = CommandLineFolder().verb(verb.call + ["--config", "nowhere.toml"])
        #expect(outcome.status == 1, "\(outcome.error)")
        #expect(outcome.error.hasPrefix("crowbar: there is no file 'nowhere.toml'"), "\(outcome.error)")
    }

    /// Nothing is asked of a server for them: there is none, and that would be 1.
    @Test(arguments: VerbTree.verbs) func aBlankArgumentIsRefused(_ verb: VerbTree.Verb) {
        let folder = CommandLineFolder()
        for (value, what) in [("", "is empty"), (" ", "has only blanks"), ("\t\n\u{A0}", "has only blanks")] {
            for (index, position) in verb.positions.enumerated() {
                var values = verb.positions.map(\.sample)
                values[index] = value
                let outcome = folder.verb(verb.words + ["--config", "c.toml"] + values + verb.extra)
                let error = "crowbar: <\(position.name)> of 'crowbar \(verb.testDescription)' \(what); give it a value"
                #expect(outcome.status == 64 && outcome.output.isEmpty, "\(outcome.error)")
                #expect(outcome.error.hasPrefix(error), "\(outcome.error)")
                #expect(outcome.error.split(separator: "\n").count == 1, "\(outcome.error)")
            }
        }
        for option in verb.options {
            for arguments in [[option, ""], [option + "="], [option + "= "]] {
                let outcome = folder.verb(verb.words + verb.positions.map(\.sample) + arguments)
                let error = "crowbar: \(option) of 'crowbar \(verb.testDescription)' "
                #expect(outcome.status == 64 && outcome.error.hasPrefix(error), "\(arguments): \(outcome.error)")
            }
        }
    }

    @Test(
        arguments: [
            (["token", ""], "<user> of 'crowbar token' is empty"), ([""], "<subcommand> of 'crowbar' is empty"),
            (["plugins", ""], "an argument of 'crowbar plugins' is empty"),
            (["plugins", "logs", "p", "-n", ""], "the value of -n of 'crowbar plugins logs' is empty"),
            (["dead-letters", "drop", "p", "one", ""], "<event-ids> of 'crowbar dead-letters drop' is empty"),
            (["send", "--", "general", " "], "<text> of 'crowbar send' has only blanks"),
        ] as [([String], String)])
    func blankArgumentsAreNamed(_ arguments: [String], _ text: String) {
        let outcome = CommandLineFolder().verb(arguments)
        #expect(outcome.status == 64 && outcome.error.hasPrefix("crowbar: " + text), "\(outcome.error)")
    }

    /// A form that is wrong whatever the server knows is wrong usage, in one line without the usage of another verb.
    @Test(
        arguments: [
            (["channel", "add", "Gen eral"], "'Gen eral' is no channel's name"),
            (["user", "add", "a b"], "'a b' is no user's name"),
            (["hooks", "add", "A b", "general"], "a hook's name is"),
            (["hooks", "add", "ci", "Gen"], "'Gen' is no channel's name"),
            (["cursor", "set", "p", "yesterday"], "'yesterday' is no place"),
            (["replay", "p", "--from", "yesterday"], "'yesterday' is no place"),
            (["replay", "p", "--from", "beginning", "--until", "soon"], "'soon' is no place"),
            (["events", "export", "--after", "a b"], "'a b' is no event's id"),
            (["events", "tail", "--after", "a b"], "'a b' is no event's id"),
            (["events", "tail", "--type", "MESSAGE_SNT"], "there is no event type 'MESSAGE_SNT'; did you mean"),
            (["plugins", "stop", "p/"], "'p/' names no queue"), (["plugins", "show", "/q"], "'/q' names no queue"),
            (["plugins", "test-send", "p"], "'p' names no endpoint: say to which one as p/ENDPOINT"),
            (["plugins", "test-send", "p/q", "q"], "'p/q' names a queue already"),
            (["user", "add", "x", "--password-file", "f"], "--password-file is not supported by this version yet"),
        ] as [([String], String)])
    func aWrongFormIsWrongUsage(_ arguments: [String], _ text: String) {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", "data = \"d\"\n")
        let outcome = folder.verb(arguments)
        #expect(outcome.status == 64 && outcome.error.hasPrefix("crowbar: " + text), "\(outcome.error)")
        #expect(outcome.error.split(separator: "\n").count == 1, "\(outcome.error)")
    }

    /// Words that end before a command are wrong usage, not a page of help with status 0.
    @Test(arguments: [
        [], ["channel"], ["events"], ["user"], ["hooks"], ["cursor"], ["dead-letters"], ["erase"],
    ])
    func aMissingCommandIs64(_ words: [String]) {
        let outcome = CommandLineFolder().verb(words)
        #expect(outcome.status == 64 && outcome.output.isEmpty, "\(outcome)")
        #expect(outcome.error.contains("needs a command: "), "\(outcome.error)")
    }

    /// A word that is no command and resembles none: which commands there are.
    @Test(
        arguments: [
            (["xyz"], "there is no command 'xyz'; there are serve, status, health, check, "),
            (["channel", "xyz"], "there is no command 'channel xyz'; there are add, list, invite, remove; "),
            (["events", "xyz"], "there are tail, export"), (["user", "xyz"], "there are add, list, show"),
            (["hooks", "xyz"], "there are add"), (["cursor", "xyz"], "there are show, set"),
            (["dead-letters", "xyz"], "there are "), (["erase", "xyz"], "there are message, user"),
            (["views", "xyz"], "there are list, rebuild"), (["plugins", "xyz"], "there are list, show"),
        ] as [([String], String)])
    func anUnknownCommandListsWhatThereIs(_ words: [String], _ text: String) {
        let outcome = CommandLineFolder().verb(words)
        #expect(outcome.status == 64 && outcome.output.isEmpty, "\(outcome)")
        #expect(outcome.error.hasPrefix("crowbar: ") && outcome.error.contains(text), "\(outcome.error)")
        #expect(outcome.error.split(separator: "\n").count == 1, "\(outcome.error)")
    }

    @Test(arguments: ["--help", "-h"]) func theLauncherSaysWhatItIs(_ flag: String) {
        let launcher = CommandLineFolder.binary + "-launch"
        let outcome = CommandLineFolder().program(launcher, flag)
        #expect(outcome.status == 0 && outcome.error.isEmpty, "\(outcome)")
        #expect(outcome.output.contains("plugin host"))
    }

    @Test func aMisspeltConfigurationFileIsTold() {
        let folder = CommandLineFolder()
        folder.write("crowbar.tml", "")
        let check = folder.crowbar("check")
        #expect(check.error.contains("note: there is no crowbar.toml here"), "\(check.error)")
        #expect(check.error.contains("'crowbar.tml' is not read"))
        folder.write("crowbar.toml", "")
        #expect(!folder.crowbar("check").error.contains("crowbar.tml"))
        let empty = CommandLineFolder()
        let none = empty.crowbar("check").error
        #expect(none.contains("note: there is no 'crowbar.toml' in '"), "\(none)")
        #expect(none.contains("so the defaults and the environment are used"), "\(none)")
        empty.write("crowbar.toml", "")
        #expect(!empty.crowbar("check").error.contains("there is no 'crowbar.toml'"))
    }
}
