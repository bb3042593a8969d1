import Testing

/// The programs of the plugins, run by a person as if they were commands.
@Suite(.serialized) struct PluginByHandTests {
    static let programs = ["crowbar-irc", "crowbar-webhook", "crowbar-aws"]

    private func path(_ program: String) -> String {
        let binary = CommandLineFolder.binary
        return binary[..<(binary.lastIndex(of: "/") ?? binary.endIndex)] + "/" + program
    }

    @Test(arguments: programs) func helpSaysWhatItIsAndWhoStartsIt(_ program: String) {
        let folder = CommandLineFolder()
        let page = String(program.dropFirst("crowbar-".count))
        for flag in ["--help", "-h"] {
            let help = folder.program(path(program), flag)
            #expect(help.status == 0 && help.error.isEmpty, "\(help)")
            for words in [
                "is a plugin of Crowbar", "'crowbar serve' starts it", "command = [\"\(program)\"]",
                "plugins.d/\(page).toml", "docs/\(page).md", "crowbar check",
            ] { #expect(help.output.contains(words), "\(help.output)") }
        }
        let version = folder.program(path(program), "--version")
        #expect(version.status == 0 && version.output.hasPrefix(program + " "), "\(version)")
        #expect(version.output.split(separator: "\n").count == 1)
    }

    @Test(arguments: programs) func anUnknownArgumentIs64(_ program: String) {
        let folder = CommandLineFolder()
        for arguments in [["--hlep"], ["serve"], ["--help", "x"], [""]] {
            let outcome = folder.program([path(program)] + arguments)
            #expect(outcome.status == 64 && outcome.output.isEmpty, "\(arguments): \(outcome)")
            #expect(outcome.error.hasPrefix("\(program): there is no argument '"), "\(outcome.error)")
            #expect(outcome.error.contains("--help") && outcome.error.split(separator: "\n").count == 1)
        }
    }

    /// At a terminal nobody speaks the protocol.
    @Test(arguments: programs) func atATerminalItIsTheHelp(_ program: String) {
        let script = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn([sys.argv[1]])))"
        let outcome = CommandLineFolder().program("/usr/bin/env", "python3", "-c", script, path(program))
        #expect(outcome.status == 0 && outcome.output.contains("is a plugin of Crowbar"), "\(outcome)")
    }

    /// With nothing on standard input, as where a unit of systemd starts it in the server's place.
    @Test(arguments: programs) func withoutAHostItSaysSo(_ program: String) {
        let outcome = CommandLineFolder().shell("'\(path(program))' < /dev/null")
        #expect(outcome.status == 78 && outcome.error.contains("'crowbar serve' starts it"), "\(outcome)")
    }
}
