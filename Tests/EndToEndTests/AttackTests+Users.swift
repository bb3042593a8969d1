import Foundation
import JSONBytes
import Testing

// Plugins that have users of their own.
extension AttackTests {
    /// It could close its own files to be started as root.
    @Test func aPluginThatHadAUserOfItsOwnNeverRunsAsRoot() throws {
        let situation = Situation(name: "auto", keys: "plugin_users = \"auto\"")
        let folder = try folder(situation)
        for name in ["closed", "limited"] { unlink(folder.file("plugins.d/\(name).toml")) }
        var pid = try #require(start(situation, folder))
        #expect(folder.poll { found("open", folder) != nil }, "\(folder.read("serve.err"))")
        kill(pid, SIGTERM)
        #expect(CommandLineFolder.wait(pid) == 0)
        chmod(folder.file(""), 0o700)
        pid = try #require(start(situation, folder))
        #expect(folder.poll { folder.read("serve.err").contains("open.toml: its user") })
        kill(pid, SIGTERM)
        #expect(CommandLineFolder.wait(pid) == 0)
    }

    @Test(arguments: [("auto", true), ("61184-65519", false), ("off", true)])
    func aPluginThatItsUserCannotRunSaysWhyAndWhatToDo(users: String, runs: Bool) throws {
        let situation = Situation(name: users, keys: "plugin_users = \"\(users)\"")
        let folder = try folder(situation)
        chmod(folder.file(""), 0o700)
        for name in ["closed", "limited"] { unlink(folder.file("plugins.d/\(name).toml")) }
        let pid = try #require(start(situation, folder))
        let reason = "'\(folder.path)' is closed to it (mode 0700); open it by chmod o+rx, move it, or set"
        if runs {
            #expect(folder.poll { found("open", folder) != nil }, "\(folder.read("serve.err"))")
            for (key, value) in entries(found("open", folder)?["attacks"]) { #expect(value != "ok", "\(key)") }
        }
        if users != "off" { #expect(folder.poll { folder.read("serve.err").contains(reason) }) }
        kill(pid, SIGTERM)
        #expect(CommandLineFolder.wait(pid) == 0)
        #expect((found("open", folder) != nil) == runs)
        let check = folder.crowbar("check")
        #expect(check.error.contains(reason) == (users != "off"), "\(check.error)")
        #expect(check.status == (runs ? 0 : 1), "\(check.error)")
    }

    /// `crowbar check` names the users that the server gives, be the data folder new or not.
    @Test func checkNamesTheUsersThatTheServerGives() throws {
        let folder = CommandLineFolder()
        folder.write(
            "crowbar.toml", "data = \"d\"\nplugin_users = \"61184-65519\"\n[http]\nlisten = \"127.0.0.1:0\"\n")
        folder.makeFolder("plugins.d")
        for name in ["b", "a", "c"] { folder.write("plugins.d/\(name).toml", "command = [\"./p\"]\n") }
        folder.write("plugins.d/p", "#!/bin/sh\nexit 1\n")
        chmod(folder.file("plugins.d/p"), 0o755)
        func users(_ text: String) -> [String: Substring] {
            var users: [String: Substring] = [:]
            for line in text.split(separator: "\n") {
                for name in ["a", "b", "c"] where line.contains("/\(name).toml: its user ") {
                    users[name] = line.split(separator: ".toml: its user ").last?.prefix(while: \.isNumber)
                }
            }
            return users
        }
        let unknown = folder.crowbar("check")
        #expect(users(unknown.error).count == 3, "\(unknown.error)")
        #expect(unknown.error.contains("follows from the data folder, which is not there yet"), "\(unknown.error)")
        let server = try #require(folder.serve())
        #expect(folder.poll { users(folder.read("serve.err")).count == 3 }, "\(folder.read("serve.err"))")
        let beside = folder.crowbar("check")
        kill(server.pid, SIGTERM)
        #expect(CommandLineFolder.wait(server.pid) == 0)
        let after = folder.crowbar("check")
        for check in [beside, after] {
            #expect(users(check.error) == users(folder.read("serve.err")), "\(check.error)")
            #expect(!check.error.contains("not there yet"), "\(check.error)")
        }
        #expect(Set(users(after.error).values).count == 3)
    }

    @Test func aFolderIsGivenToTheUserOfItsPlugin() throws {
        let situation = Situation.all[0]
        let folder = try folder(situation)
        for name in ["closed", "limited"] { unlink(folder.file("plugins.d/\(name).toml")) }
        // As a server without users left them. A second name may lie outside, so that such a file is left alone.
        for name in ["data/plugins/open", "data/plugins/open/below"] { folder.makeFolder(name) }
        for name in ["open/below/file", "open/twice"] { folder.write("data/plugins/" + name, "") }
        link(folder.file("data/plugins/open/twice"), folder.file("data/plugins/other/twice"))
        symlink(folder.file("data/plugins/other/secret"), folder.file("data/plugins/open/link"))
        for policy in ["61184-65519", "off"] {
            folder.write("crowbar.toml", "plugin_users = \"\(policy)\"\n[http]\nlisten = \"127.0.0.1:0\"\n")
            unlink(folder.file("data/plugins/open/seen"))
            let pid = try #require(start(situation, folder))
            #expect(folder.poll { found("open", folder) != nil }, "\(folder.read("serve.err"))")
            kill(pid, SIGTERM)
            #expect(CommandLineFolder.wait(pid) == 0)
            var info = stat()
            #expect(stat(folder.file("data/plugins/open"), &info) == 0)
            let own: uid_t = policy == "off" ? 0 : info.st_uid
            #expect((61_184...65_519).contains(own) || policy == "off")
            for (name, owner) in [
                ("open", own), ("open/below", own), ("open/below/file", own), ("open/twice", 0), ("other/secret", 0),
            ] {
                var info = stat()
                #expect(stat(folder.file("data/plugins/" + name), &info) == 0 && info.st_uid == owner, "\(name)")
            }
        }
    }

    /// Servers one after the other on one folder: what their plugins started ends with each, whoever ends it.
    @Test(arguments: [0, 6, 7]) func pluginsOfOtherUsersEnd(number: Int) throws {
        let situation = Situation.all[number]
        let folder = try folder(situation)
        for name in ["open", "closed", "limited"] { unlink(folder.file("plugins.d/\(name).toml")) }
        // Each leaves something in a session of its own, which ignores what can be ignored.
        let daemon = "trap '' TERM HUP; mkdir -p d; chmod 700 d; touch d/f; cd d; setsid /bin/sleep 1000 &"
        let ready = #"{"type":"ready","protocol":1,"name":"x","version":"1"}"#
        for name in ["one", "two"] {
            let loop = "while read b; do case $b in *drain*) exit;; esac; done"
            let script = "\(daemon) read a; echo '\(ready)'; \(loop)"
            folder.write("plugins.d/\(name).toml", "command = [\"/bin/bash\", \"-c\", '''\(script)''']\n")
            chown(folder.file("plugins.d/\(name).toml"), situation.user, situation.user)
        }
        func owner(_ name: String) -> uid_t? {
            var info = stat()
            return stat(folder.file("data/plugins/\(name)"), &info) == 0 ? info.st_uid : nil
        }
        func started() throws -> pid_t {
            let pid = try #require(start(situation, folder))
            let errors = { folder.read("serve.err") }
            #expect(folder.poll { areReady(["one", "two"], errors()) }, "\(errors())")
            return pid
        }
        // A plugin is its shell and what that left, which work below its folder.
        let running = { folder.processes(in: "data/plugins/one") + folder.processes(in: "data/plugins/two") }
        var pid = try started()
        #expect(running() == 4)
        let users = ["one", "two"].compactMap(owner)
        #expect(Set(users).count == 2 && users.allSatisfy { (61_184...65_519).contains($0) })
        kill(pid, SIGKILL)
        #expect(CommandLineFolder.wait(pid) == 128 + SIGKILL)
        try #require(folder.poll { running() == 0 }, "what is left would be waited for below")
        // Over what they left, and over folders that are closed to the server.
        pid = try started()
        #expect(["one", "two"].compactMap(owner) == users)
        let stop = folder.crowbar("plugins", "stop", "one")
        #expect(stop.status == 0, "\(stop.error)")
        #expect(folder.poll { running() == 2 })
        // The server knows of the end a moment after the last process is gone.
        var question = folder.crowbar("plugins", "forget", "one")
        let isAsked = folder.poll {
            question = folder.crowbar("plugins", "forget", "one")
            return !question.error.contains("is running")
        }
        #expect(isAsked && question.status != 0 && question.error.contains("data/plugins/one"), "\(question.error)")
        let forget = folder.crowbar("plugins", "forget", "one", "--yes")
        #expect(forget.status == 0 && owner("one") == nil, "\(forget.error)")
        kill(pid, SIGTERM)
        #expect(CommandLineFolder.wait(pid) == 0)
        #expect(running() == 0)
        // Other numbers, and none: folders go from one user to the next.
        for (policy, expected) in [("62000-62001", uid_t(62_000)), ("off", situation.user)] {
            folder.write("crowbar.toml", "plugin_users = \"\(policy)\"\n[http]\nlisten = \"127.0.0.1:0\"\n")
            pid = try started()
            #expect((expected...(expected + 1)).contains(try #require(owner("two"))), "\(policy)")
            #expect(owner("two/d") == owner("two") && owner("two/d/f") == owner("two"), "\(policy)")
            kill(pid, SIGTERM)
            #expect(CommandLineFolder.wait(pid) == 0)
            #expect(running() == 0)
        }
    }

    /// Capabilities that the server has, what `plugin_users` says, what is missing, and whether plugins run.
    @Test(
        arguments: [
            ([], "61184-65519", "lacks CAP_CHOWN, CAP_KILL, CAP_SETGID, CAP_SETUID", false), ([], "auto", nil, true),
            (["chown", "setgid", "setuid"], "61184-65519", "lacks CAP_KILL;", false),
            (["chown", "setgid", "setuid"], "auto", "lacks CAP_KILL;", true),
            (["chown", "setgid", "setuid"], "off", nil, true), (Situation.forUsers, "61184-65519", nil, true),
        ] as [([String], String, String?, Bool)])
    func whatIsMissingForUsersIsNamed(capabilities: [String], users: String, missing: String?, runs: Bool) throws {
        let keys = "plugin_users = \"\(users)\""
        let situation = Situation(name: users, user: Situation.ordinary, keys: keys, capabilities: capabilities)
        let folder = try folder(situation)
        for name in ["closed", "limited"] { unlink(folder.file("plugins.d/\(name).toml")) }
        var temporary = stat()
        // It needs a folder of its own.
        let mayCheck = stat("/tmp", &temporary) == 0 && temporary.st_mode & 0o002 != 0
        let check = folder.program(prefix(situation, folder) + [CommandLineFolder.binary, "check"])
        if mayCheck { #expect(check.status == (runs ? 0 : 1), "\(check.error)") }
        let pid = try #require(start(situation, folder))
        if runs { #expect(folder.poll { found("open", folder) != nil }, "\(folder.read("serve.err"))") }
        let advice = "AmbientCapabilities=CAP_CHOWN CAP_KILL CAP_SETGID CAP_SETUID"
        if let missing {
            #expect(folder.poll { folder.read("serve.err").contains(missing) })
            for text in [folder.read("serve.err")] + (mayCheck ? [check.error] : []) {
                #expect(text.contains(missing) && text.contains(advice), "\(text)")
            }
        }
        kill(pid, SIGTERM)
        #expect(CommandLineFolder.wait(pid) == 0)
        #expect((found("open", folder) != nil) == runs)
        #expect(folder.read("serve.err").contains("AmbientCapabilities") == (missing != nil))
        if mayCheck { #expect(check.error.contains("AmbientCapabilities") == (missing != nil)) }
    }
}
