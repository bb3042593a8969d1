import Testing

/// Shell completion, as docs/cli.md says how to install it.
@Suite struct CompletionTests {
    @Test(arguments: ["bash", "zsh", "fish"]) func aScriptCompletesVerbs(_ shell: String) {
        let folder = CommandLineFolder()
        let script = folder.crowbar("--generate-completion-script", shell)
        #expect(script.status == 0 && script.error.isEmpty, "\(script.error)")
        for word in ["dead-letters", "events", "serve"] { #expect(script.output.contains(word), "\(word)") }
        folder.write("crowbar.\(shell)", script.output)
        // Of the shells bash is there everywhere.
        if shell == "bash" {
            let completed = folder.program([
                "/bin/bash", "-c",
                """
                . ./crowbar.bash
                COMP_WORDS=(crowbar pl) COMP_CWORD=1 COMP_LINE='crowbar pl' COMP_POINT=10
                eval "$(complete -p crowbar | sed 's/.*-F \\([^ ]*\\) .*/\\1 crowbar pl crowbar/')"
                printf '%s\\n' "${COMPREPLY[@]}"
                """,
            ])
            #expect(completed.output.split(separator: "\n").contains("plugins"), "\(completed)")
        }
    }
}
