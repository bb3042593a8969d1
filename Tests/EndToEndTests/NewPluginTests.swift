import CrowbarTesting
import Glibc
import JSONBytes
import Testing

/// `crowbar plugins new`: each template runs in a server without an edit, and passes the test that comes with it.
@Suite(.serialized) struct NewPluginTests {
    private static let languages = ["python", "node", "bash"]
    private static let suffixes = ["python": "py", "node": "mjs", "bash": "sh"]

    private func prepare() -> CommandLineFolder {
        let folder = CommandLineFolder()
        // Plugins of a server that is root run as other users, who must reach their programs.
        chmod(folder.path, 0o755)
        folder.write("crowbar.toml", "[http]\nlisten = \"127.0.0.1:0\"\n")
        return folder
    }

    @Test(arguments: languages, ["sink", "bridge", "check"])
    func aTemplatePassesItsOwnTestAndTheCheck(_ language: String, _ kind: String) {
        let folder = prepare()
        let made = folder.crowbar("plugins", "new", "trial", "--lang", language, "--kind", kind)
        #expect(made.status == 0 && made.error.isEmpty, "\(made)")
        let paths = made.output.split(separator: "\n").prefix(4).map(String.init)
        #expect(paths.count == 4 && paths.allSatisfy { access($0, F_OK) == 0 }, "\(made.output)")
        let test = folder.program(folder.file("trial/test_trial.\(Self.suffixes[language] ?? "")"))
        #expect(test.status == 0, "\(test)")
        let check = folder.crowbar("check")
        #expect(check.status == 0 && check.output.contains("ok"), "\(check)")
    }

    /// What a template says, in the language of its test's assertions.
    @Test(arguments: languages) func aTemplatesTestFailsIfTheProgramIsBroken(_ language: String) {
        let folder = prepare()
        let suffix = Self.suffixes[language] ?? ""
        #expect(folder.crowbar("plugins", "new", "trial", "--lang", language).status == 0)
        #expect(folder.shell("sed -i 's/<$/</; s/ack/nack/' trial/trial.\(suffix)").status == 0)
        let test = folder.program(folder.file("trial/test_trial.\(suffix)"))
        #expect(test.status != 0, "\(test)")
    }

    @Test(arguments: languages) func aRunningServerStartsEachKindAndTheyWork(_ language: String) throws {
        let folder = prepare()
        folder.makeFolder("plugins.d")
        let server = try #require(folder.serve())
        defer {
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        for kind in ["sink", "bridge", "check"] {
            let made = folder.crowbar("plugins", "new", kind, "--lang", language, "--kind", kind)
            #expect(made.status == 0, "\(made)")
            #expect(
                folder.poll { folder.crowbar("plugins", "show", kind).output.contains("state: live") },
                "\(folder.crowbar("plugins", "show", kind))")
        }
        #expect(folder.crowbar("channel", "add", "general").status == 0)
        // On a loaded machine the check's deadline may pass, and the manifest allows the message then.
        #expect(folder.poll { folder.crowbar("send", "general", "what the heck").error.contains("not welcome") })
        #expect(folder.crowbar("send", "general", "!echo a \"quoted\" word").status == 0)
        #expect(
            folder.poll {
                folder.crowbar("events", "export").output.split(separator: "\n").contains {
                    $0.contains(#""userId":"bridge/bot""#) && $0.contains(#""message":"a \"quoted\" word""#)
                }
            }, "\(folder.crowbar("events", "export").output)")
        #expect(
            folder.poll { folder.read("data/plugins/sink/messages.txt").contains("general <bridge/bot> a ") },
            "\(folder.read("data/plugins/sink/messages.txt"))")
        #expect(folder.crowbar("plugins", "--check").status == 0)
    }

    @Test func nothingIsOverwrittenAndMistakesAreTold() {
        let folder = prepare()
        folder.makeFolder("plugins.d")
        for (name, words) in [("Trial", "cannot name a plugin"), ("cli", "cannot name a plugin"), ("../x", "a-z 0-9")] {
            let outcome = folder.crowbar("plugins", "new", name, "--lang", "bash")
            #expect(outcome.status == 1 && outcome.error.contains(words), "\(name): \(outcome)")
        }
        let language = folder.crowbar("plugins", "new", "trial", "--lang", "cobol")
        #expect(language.status == 64 && language.error.contains("python"), "\(language)")
        folder.makeFolder("mine")
        folder.write("mine/notes", "mine")
        folder.write("plugins.d/theirs.toml", "enabled = false")
        for name in ["mine", "theirs"] {
            let outcome = folder.crowbar("plugins", "new", name, "--lang", "bash")
            #expect(outcome.status == 1 && outcome.error.contains("is there already"), "\(name): \(outcome)")
        }
        #expect(folder.read("plugins.d/theirs.toml") == "enabled = false")
        #expect(folder.list("mine") == ["notes"])
        #expect(folder.list("plugins.d") == ["theirs.toml"])
        #expect(folder.list(".").allSatisfy { !["trial", "theirs"].contains($0) })
    }
}
