/// A plugin to begin with: the files that `crowbar plugins new` writes.
struct PluginTemplate: Sendable {
    /// The languages that there are templates for.
    enum Language: String, CaseIterable, Sendable { case python, node, bash }

    /// What a plugin does.
    enum Kind: String, CaseIterable, Sendable {
        /// Hands events to something outside.
        case sink
        /// Answers events with commands.
        case bridge
        /// Is asked before a command is stored.
        case check
    }

    /// A file, with its path below the plugin's folder.
    struct File: Sendable, Equatable {
        var path: String
        var text: String
        var isProgram = false
    }

    var name: String
    var language: Language
    var kind: Kind
    /// The language's interpreter, for the program's first line.
    var interpreter: String

    /// The name of the program's file.
    var program: String { name + "." + language.suffix }

    /// The program, its test, and a README.
    var files: [File] {
        [
            File(path: program, text: filled(language.program(kind)), isProgram: true),
            File(path: language.testFile(name), text: filled(language.test(kind)), isProgram: true),
            File(path: "README.md", text: filled(Self.readme)),
        ]
    }

    /// The manifest. The folder of the plugin is beside the folder of the manifests.
    /// - Parameter path: The program's path, from the manifests' folder.
    func manifest(program path: String) -> String {
        let head = "# \(kind.summary) The keys: docs/protocol.md; what the program may reach: docs/sandbox.md.\n\n"
        let command = "command  = [\"\(path)\"]\n"
        let strict = "strict   = true          # while you develop: mistakes of the program are told, not ignored\n"
        return head + command + kind.keys + strict
            + "\n[sandbox]                # no network, and no files but its own\n"
            + kind.configuration
    }

    private func filled(_ text: String) -> String {
        text.replacing("{{name}}", with: name).replacing("{{program}}", with: program)
            .replacing("{{interpreter}}", with: interpreter).replacing("{{test}}", with: language.testFile(name))
            .replacing("{{summary}}", with: kind.summary)
    }

    private static let readme = """
        # {{name}}

        A plugin of Crowbar. {{summary}}

        - `{{program}}` is the program. It reads and writes lines of JSON; docs/protocol.md of Crowbar describes them.
        - `./{{test}}` runs the program and checks its answers.
        - The manifest `{{name}}.toml` in the folder `plugins.d` says how the server runs it.

        A running server starts the plugin by itself. After a change of the program:

            crowbar plugins restart {{name}}
            crowbar plugins show {{name}}
            crowbar plugins logs {{name}}

        """
}

extension PluginTemplate.Kind {
    /// What the plugin does, in a sentence.
    var summary: String {
        switch self {
        case .sink: "It writes each message to a file."
        case .bridge: "It answers messages that begin with '!echo '."
        case .check: "It refuses messages that contain a word, before they are stored."
        }
    }

    /// The keys of the manifest that only this kind has.
    var keys: String {
        switch self {
        case .sink:
            """
            types    = ["MESSAGE_SENT"]
            start    = "now"         # or "beginning": the whole history

            """
        case .bridge:
            """
            types    = ["MESSAGE_SENT"]
            commands = ["REGISTER_USER", "JOIN_CHANNEL", "SEND_MESSAGE"]   # what it may do

            """
        case .check:
            """
            phase    = "command"
            types    = ["SEND_MESSAGE", "EDIT_MESSAGE"]
            on_failure = "allow"     # what holds while the program cannot be asked; or "refuse"

            """
        }
    }

    /// The program's own configuration.
    var configuration: String {
        switch self {
        case .sink, .bridge: ""
        case .check: "\n[config]\nword = \"heck\"\n"
        }
    }
}

extension PluginTemplate.Language {
    /// The command that runs programs of the language.
    var command: String { self == .python ? "python3" : rawValue }

    var suffix: String {
        switch self {
        case .python: "py"
        case .node: "mjs"
        case .bash: "sh"
        }
    }

    /// The name of the test's file.
    func testFile(_ name: String) -> String { "test_" + name + "." + suffix }

    /// The program's text, with `{{…}}` for what `PluginTemplate` fills in.
    func program(_ kind: PluginTemplate.Kind) -> String {
        switch self {
        case .python: PythonTemplates.program(kind)
        case .node: NodeTemplates.program(kind)
        case .bash: BashTemplates.program(kind)
        }
    }

    /// The test's text.
    func test(_ kind: PluginTemplate.Kind) -> String {
        switch self {
        case .python: PythonTemplates.test(kind)
        case .node: NodeTemplates.test(kind)
        case .bash: BashTemplates.test(kind)
        }
    }
}
