import Glibc
import Testing

/// Configured paths that are not there, and files in the folder of plugins that are not read: nothing of it passes
/// without a word.
@Suite(.serialized) struct PathCheckTests {
    private static let listen = "[http]\nlisten = \"127.0.0.1:0\"\n"
    private static let plugin = """
        command = ["sh", "-c", '''
        while read -r line; do case $line in
            *hello*) echo '{"type":"ready","protocol":1,"name":"p","version":"1"}';;
            *drain*) echo '{"type":"drained"}'; exit 0;;
        esac; done
        ''']
        """

    private func lines(_ text: String) -> [String] { text.split(separator: "\n").map(String.init) }

    private func end(_ pid: pid_t) {
        kill(pid, SIGTERM)
        _ = CommandLineFolder.wait(pid)
    }

    @Test func aNamedPluginFolderThatIsNotThereIsAnError() throws {
        let folder = CommandLineFolder()
        folder.makeFolder("plugins.d")
        let rows: [(path: String, hint: String)] = [
            ("./pluginsd", ", as './plugins.d'"), ("pluginsd/", ", as 'plugins.d'"),
            ("elsewhere", ""), (folder.file("plugin.d"), ", as '\(folder.file("plugins.d"))'"),
        ]
        for (path, hint) in rows {
            folder.write("crowbar.toml", "data = \"d\"\nplugins = \"\(path)\"\n\(Self.listen)")
            let check = folder.crowbar("check")
            let text = "there is no folder '\(path)', so no plugin runs; correct the path\(hint), or make the folder"
            #expect(check.status == 1 && check.output.isEmpty, "\(check.error)")
            #expect(lines(check.error).contains("error: crowbar.toml:2: plugins: \(text)"), "\(check.error)")
        }
        let variable = folder.shell("CROWBAR_PLUGINS=none.d \"$0\" check")
        let text = "there is no folder 'none.d', so no plugin runs"
        #expect(variable.status == 1, "\(variable.error)")
        #expect(variable.error.contains("error: environment: CROWBAR_PLUGINS: \(text)"), "\(variable.error)")
        // The server goes on without plugins, and starts them once the folder is there.
        let server = try #require(folder.serve())
        defer { end(server.pid) }
        #expect(
            lines(folder.read("serve.err")).contains {
                $0.contains(" error there is no folder '\(folder.file("plugin.d"))'")
                    && $0.contains("plugins start once it is there")
            }, "\(folder.read("serve.err"))")
        folder.makeFolder("plugin.d")
        folder.write("plugin.d/p.toml", Self.plugin)
        #expect(folder.poll { folder.crowbar("plugins").output.contains("\np ") })
    }

    @Test func theDefaultPluginFolderMayBeMissing() throws {
        let folder = CommandLineFolder()
        for named in ["", "plugins = \"plugins.d\"\n", "plugins = \"./plugins.d/\"\n"] {
            folder.write("crowbar.toml", "data = \"dta\"\n\(named)\(Self.listen)")
            #expect(folder.crowbar("check").status == 0)
        }
        folder.write("crowbar.toml", "data = \"dta\"\n\(Self.listen)")
        let check = folder.crowbar("check")
        #expect(check.status == 0, "\(check.error)")
        #expect(lines(check.error).contains("note: there is no folder 'plugins.d', so no plugin runs"))
        #expect(lines(check.error).contains { $0.contains("data: the folder 'dta' is not there yet") })
        let server = try #require(folder.serve())
        end(server.pid)
        let log = folder.read("serve.err")
        #expect(log.contains(" notice there is no folder 'plugins.d'"), "\(log)")
        #expect(log.contains("/dta' was not there, and was made"), "\(log)")
        let again = try #require(folder.serve())
        end(again.pid)
        #expect(!folder.read("serve.err").contains("was not there"))
    }

    /// Whether each is told of, with what is to be done.
    private static let files: [(name: String, text: String, told: String?)] = [
        ("irc.tml", "x", "rename it to 'irc.toml'"), ("irc.tmol", "x", "rename it to 'irc.toml'"),
        ("irc.TOML", "x", "rename it to 'irc.toml'"), ("my.irc.tom", "x", "rename it to 'my.irc.toml'"),
        ("irctoml", "x", "rename it to 'irc.toml'"), ("irc", "command = [\"x\"]\n", "rename it to 'irc.toml'"),
        ("a.txt", "# x\ncommand=['x']\n", "rename it to 'a.toml'"),
        ("b.conf", "command = 1\n", "rename it to 'b.toml'"),
        ("irc.toml.bak", "x", "write enabled = false"), ("irc.toml.disabled", "x", "write enabled = false"),
        ("irc.toml.orig", "x", "write enabled = false"),
        // What editors leave, what plugins need, what nobody can have meant.
        ("irc.toml~", "x", nil), ("#irc.toml#", "x", nil), (".irc.toml.swp", "x", nil), (".#irc.toml", "x", nil),
        ("README.md", "command = x\n", nil), ("helper.py", "command = x\n", nil), ("notes", "the command = x\n", nil),
        ("page.html", "x", nil), ("data.json", "{}", nil),
    ]

    @Test func filesThatLookLikeManifestsAreTold() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", "data = \"d\"\nplugins = \"plugins.d\"\n\(Self.listen)")
        folder.makeFolder("plugins.d")
        folder.makeFolder("plugins.d/folder.tml")
        for file in Self.files { folder.write("plugins.d/" + file.name, file.text) }
        // A program beside its manifest is none.
        folder.write("plugins.d/program", "command = x\n")
        chmod(folder.file("plugins.d/program"), 0o755)
        let check = folder.crowbar("check")
        #expect(check.status == 0, "\(check.error)")
        let told = lines(check.error).filter { $0.contains("this file is not read") }
        #expect(told.count == Self.files.count { $0.told != nil }, "\(check.error)")
        for file in Self.files {
            guard let words = file.told else { continue }
            let begin = "note: \(folder.path)/plugins.d/\(file.name): this file is not read: "
            #expect(told.contains { $0.hasPrefix(begin) && $0.contains(words) }, "\(file.name): \(check.error)")
        }
        // The server says so at its start, when such a file comes, and to who asks it to read the folder.
        let server = try #require(folder.serve())
        defer { end(server.pid) }
        let log = folder.read("serve.err")
        for file in Self.files where file.told != nil {
            #expect(log.contains(" warning \(folder.path)/plugins.d/\(file.name): this file is not read"), "\(log)")
        }
        folder.write("plugins.d/late.tml", Self.plugin)
        #expect(folder.poll { folder.read("serve.err").contains("/late.tml: this file is not read") })
        let reload = folder.crowbar("plugins", "reload")
        #expect(reload.status == 0 && reload.output.contains("late.tml: unread ("), "\(reload.output)")
        #expect(rename(folder.file("plugins.d/late.tml"), folder.file("plugins.d/late.toml")) == 0)
        #expect(folder.poll { folder.crowbar("plugins").output.contains("\nlate ") })
        // A manifest with a mistake is named each time, not only when it comes.
        folder.write("plugins.d/late.toml", "[[config.endpoints")
        #expect(folder.poll { folder.crowbar("plugins").output.contains("late.toml") })
        for _ in 0..<2 {
            #expect(folder.crowbar("plugins", "reload").output.contains("late: broken ("))
        }
    }

    /// Files and folders that manifests name.
    @Test func pathsInManifestsThatAreNotThereAreTold() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", "data = \"d\"\nplugins = \"plugins.d\"\n\(Self.listen)")
        folder.makeFolder("plugins.d")
        let webhook = """
            command = ["crowbar-webhook"]
            [sandbox]
            network = true
            [[config.endpoints]]
            name = "a"
            url = "https://127.0.0.1:1/"
            secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
            allow_private = true

            """
        let irc = """
            command = ["crowbar-irc"]
            own_events = true
            replay = false
            [sandbox]
            network = true
            [[config.networks]]
            name = "net"
            host = "127.0.0.1"

            """
        let links = "[[config.links]]\nchannel = \"x\"\nirc = \"net/#x\"\n"
        let (sandbox, noFile) = ("\(Self.plugin)\n[sandbox]\n", "No such file or directory")
        let rows: [(file: String, text: String, status: Int32, finding: String)] = [
            ("p", "\(sandbox)read = [\"/nowhere/x\"]\n", 1, "[sandbox] read: /nowhere/x: \(noFile)"),
            ("p", "\(sandbox)write = [\"/nowhere/y\"]\n", 1, "[sandbox] write: /nowhere/y: \(noFile)"),
            ("p", "command = [\"./nothing\"]\n", 1, "/nothing': No such file or directory"),
            ("p", "command = [\"crowbar-ir\"]\n", 1, "'crowbar-ir' is neither beside the crowbar binary nor on PATH"),
            ("p", "\(Self.plugin)\n[config]\na = { file = \"nothing\" }\n", 1, "/nothing cannot be read"),
            ("w", "\(webhook)ca_file = \"/nowhere/ca.pem\"\n", 1, "/nowhere/ca.pem"),
            ("w", "\(webhook)client_cert = \"/nowhere/cert.pem\"\n", 1, "/nowhere/cert.pem"),
            ("i", "\(irc)ca_file = \"/nowhere/ca.pem\"\n\(links)", 1, "/nowhere/ca.pem"),
            ("i", "\(irc)client_cert = \"/nowhere/cert.pem\"\n\(links)", 1, "/nowhere/cert.pem"),
        ]
        for row in rows {
            folder.write("plugins.d/\(row.file).toml", row.text)
            let check = folder.crowbar("check")
            unlink(folder.file("plugins.d/\(row.file).toml"))
            #expect(check.status == row.status, "\(row.finding): \(check.error)")
            #expect(
                lines(check.error).contains { $0.contains("plugins.d/\(row.file).toml") && $0.contains(row.finding) },
                "\(row.finding): \(check.error)")
        }
    }
}
