import Foundation
import JSONBytes
import Testing

/// What plugins can do to the server, its launchers and its data folder: real servers, with plugins that try.
@Suite(.serialized, .enabled(if: canRunAttacks, "needs root, /usr/bin/python3 and a build that others can run"))
struct AttackTests {
    private static let plugins = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../PluginHostTests/Plugins").path

    /// Of shared memory, semaphores and messages; the next one is the plugins'.
    private static let key = 0x4352_0000 + Int(getpid() & 0x7FFF) * 2

    /// Makes, removes or looks for what the machine's processes share beside files.
    func shared(_ what: String) throws -> String {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/python3")
        process.arguments = [Self.plugins + "/ipc.py", what, "\(Self.key)"]
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return text
    }

    /// A folder with a plugin without a sandbox and one with, which attack.
    func folder(_ situation: Situation) throws -> CommandLineFolder {
        let folder = CommandLineFolder()
        for name in ["plugins.d", "data", "data/plugins", "data/plugins/other"] { folder.makeFolder(name) }
        folder.write("data/plugins/other/secret", "secret")
        for name in ["prober.py", "old_kernel.py"] {
            folder.write(name, try String(contentsOfFile: Self.plugins + "/" + name, encoding: .utf8))
        }
        // As a chroot has them: a proc file system, which ends with the test, and a device.
        folder.makeFolder("proc")
        mknod(folder.file("device"), S_IFCHR | 0o666, 1 << 8 | 7)
        chmod(folder.file("device"), 0o666)
        folder.write("crowbar.toml", situation.keys + "\n[http]\nlisten = \"127.0.0.1:0\"\n")
        let sandbox = "[sandbox]\nrequire = true\n"
        folder.write("plugins.d/other.toml", Self.other)
        for (name, tables) in [("open", ""), ("closed", sandbox), ("limited", "[limits]\nprocesses = 64\n" + sandbox)] {
            var config = "[config]\nattack = \"\(folder.file("data"))\"\nipc = \(Self.key)\n"
            config += "procs = [\"\(folder.file("proc"))\"]\n"
            // Landlock does not know of devices, so that one outside of /dev opens without mounts.
            if situation.kernel == nil { config += "devices = [\"\(folder.file("device"))\"]\n" }
            let command = "command = [\"/usr/bin/python3\", \"\(folder.file("prober.py"))\"]\n"
            folder.write("plugins.d/\(name).toml", command + tables + config)
        }
        // Programs and what leads to them may be read by others; the data may not.
        for name in ["", "plugins.d"] { chmod(folder.file(name), 0o755) }
        for name in ["prober.py", "old_kernel.py", "crowbar.toml"] { chmod(folder.file(name), 0o644) }
        if situation.user > 0 {
            for name in ["", "plugins.d", "data", "data/plugins", "data/plugins/other", "data/plugins/other/secret"] {
                chown(folder.file(name), situation.user, situation.user)
            }
            chown(folder.file("crowbar.toml"), situation.user, situation.user)
            for name in ["open", "closed", "limited", "other"] {
                chown(folder.file("plugins.d/\(name).toml"), situation.user, situation.user)
            }
        }
        return folder
    }

    /// What a program is run by in a situation.
    func prefix(_ situation: Situation, _ folder: CommandLineFolder) -> [String] {
        var prefix: [String] = []
        if let kernel = situation.kernel { prefix = ["/usr/bin/python3", folder.file("old_kernel.py"), kernel] }
        if situation.user > 0 {
            let user = "\(situation.user)"
            var command = ["/usr/bin/setpriv", "--reuid", user, "--regid", user, "--clear-groups"]
            if !situation.capabilities.isEmpty {
                let list = situation.capabilities.map { "+" + $0 }.joined(separator: ",")
                command += ["--inh-caps", list, "--ambient-caps", list]
            }
            prefix = command + prefix
        }
        return prefix
    }

    func start(_ situation: Situation, _ folder: CommandLineFolder) -> pid_t? {
        folder.start(["serve"], "serve", under: prefix(situation, folder))
    }

    /// What a plugin found, once it has.
    func found(_ plugin: String, _ folder: CommandLineFolder) -> JSON? {
        folder.read("data/plugins/\(plugin)/seen").split(separator: "\n").lazy
            .compactMap { try? JSON(parsing: Array($0.utf8)) }.first { $0["attacks"] != nil }
    }

    /// What it found before it attacked.
    func beginning(_ plugin: String, _ folder: CommandLineFolder) -> JSON? {
        folder.read("data/plugins/\(plugin)/seen").split(separator: "\n").lazy
            .compactMap { try? JSON(parsing: Array($0.utf8)) }.first { $0["take shmget"] != nil }
    }

    func entries(_ json: JSON?) -> [(key: String, value: String)] {
        guard case .object(let members)? = json else { return [] }
        return members.map { ($0.key, $0.value.string ?? "") }
    }

    @Test(arguments: Situation.all) func noPluginHarmsItsHost(_ situation: Situation) throws {
        let folder = try folder(situation)
        _ = try shared("make")
        let mounted = mount("proc", folder.file("proc"), "proc", 0, nil) == 0
        defer { if mounted { umount2(folder.file("proc"), Int32(MNT_DETACH)) } }
        let pid = try #require(start(situation, folder))
        defer {
            kill(pid, SIGTERM)
            #expect(CommandLineFolder.wait(pid) == 0)
            // What plugins made is gone with them, and what others made is there.
            #expect((try? shared("look")) == "shm sem msg mq\n\n")
            _ = try? shared("remove")
        }
        var users: Set<Int64> = []
        for plugin in ["open", "closed", "limited"] {
            #expect(folder.poll { found(plugin, folder) != nil }, "\(plugin): \(folder.read("serve.err").suffix(2000))")
            let seen = try #require(found(plugin, folder))
            let attacks = entries(seen["attacks"])
            #expect(attacks.count > 150)
            for (key, value) in attacks { #expect(value != "ok", "\(plugin): \(key)") }
            for (key, value) in entries(beginning(plugin, folder)) where key.hasPrefix("take ") {
                #expect(value == (situation.kernel == nil ? "ENOENT" : "ENOSYS"), "\(plugin): \(key)")
            }
            #expect(beginning(plugin, folder)?["queues"]?.string != "ok", "\(plugin)")
            for (key, value) in entries(beginning(plugin, folder)) where key.hasPrefix("make ") {
                // Landlock refuses queues, which are files, to plugins with a sandbox.
                let own = key == "make mq_open" && plugin != "open" ? "EACCES" : "ok"
                #expect(value == (situation.kernel == nil ? own : "ENOSYS"), "\(plugin): \(key)")
            }
            // Where neither mounts nor users keep the attributes of files, no plugin may change them.
            let mayChange = situation.kernel == nil || situation.hasUsers
            for (key, value) in entries(seen["may"]) {
                let isChange = ["may: times", "may: modes"].contains(key)
                #expect(value == (isChange && !mayChange ? "EPERM" : "ok"), "\(plugin): \(key)")
            }
            // Without mounts the socket is there, and the key that it asks for is not.
            if situation.kernel == nil { #expect(seen["socket"]?.string != "ok", "\(plugin)") }
            let user = try #require(seen["user"]?.int)
            users.insert(user)
            if !situation.hasUsers { #expect(user == Int64(situation.user)) }
            let capabilities = (seen["capabilities"]?.array ?? []).map { $0.string }
            // Without privilege the bounding set cannot be changed, nor be used under no_new_privs.
            let bounding = situation.user > 0 && situation.kernel != nil
            for (index, set) in capabilities.enumerated() where !(bounding && index == 3) {
                #expect(set == "0000000000000000", "\(plugin): set \(index)")
            }
            // An ordinary user's launcher keeps the right to end the plugin (CAP_KILL), where that is another user.
            let kept = situation.hasUsers ? "0000000000000020" : "0000000000000000"
            let launcher = (seen["launcher"]?.array ?? []).map { $0.string }
            if situation.user > 0 { #expect(launcher == ["0000000000000000", kept, kept, "0000000000000000"]) }
        }
        if situation.hasUsers { #expect(users.count == 3 && users.allSatisfy { (61_184...65_519).contains($0) }) }
        let limits = CommandLineFolder.text(of: "/proc/\(pid)/limits")
        #expect(limits.contains("Max file size") && !limits.contains("\(1 << 40)"))
        for (name, mode) in [("data", mode_t(0o700)), ("data/admin.key", 0o600), ("data/log.db", 0o600)] {
            var info = stat()
            #expect(stat(folder.file(name), &info) == 0)
            // Users of their own have to come through where there are no mounts.
            let mayPass = name == "data" && situation.hasUsers && situation.kernel != nil
            #expect(info.st_mode & 0o7777 == (mayPass ? 0o711 : mode), "\(name)")
        }
        #expect(folder.read("data/plugins/other/secret") == "secret")
        #expect(folder.read("plugins.d/other.toml") == Self.other)
        #expect(folder.list("plugins.d") == ["closed.toml", "limited.toml", "open.toml", "other.toml"])
        #expect(folder.read("crowbar.toml").hasPrefix(situation.keys + "\n[http]"))
    }

    /// A manifest that does not run.
    private static let other = "command = [\"/bin/true\"]\nenabled = false\n"

    @Test(arguments: [(uid_t(0), "off"), (0, "auto"), (Situation.ordinary, "auto")])
    func whereNothingKeepsThemFromTheDataTheyDoNotRunUnlessTheOperatorSaysSo(user: uid_t, users: String) throws {
        for isExposed in [false, true] {
            let keys = "plugin_users = \"\(users)\"\nexpose_data = \(isExposed)"
            let situation = Situation(name: "neither", user: user, keys: keys, kernel: "--neither")
            let folder = try folder(situation)
            let pid = try #require(start(situation, folder))
            let reason = "the data folder cannot be kept from it on this machine"
            if isExposed {
                #expect(folder.poll { found("open", folder) != nil }, "\(folder.read("serve.err").suffix(2000))")
            } else {
                #expect(folder.poll { folder.read("serve.err").contains(reason) })
                #expect(found("open", folder) == nil)
            }
            #expect(folder.read("serve.err").contains("neither mount namespaces nor Landlock"))
            kill(pid, SIGTERM)
            #expect(CommandLineFolder.wait(pid) == 0)
        }
    }

    @Test(arguments: ["/usr/lib/crowbar-test-data", "/opt/crowbar-test-data", "/bin/../usr/x/data"])
    func aDataFolderThatSandboxesMayReadIsRefused(data: String) {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", "data = \"\(data)\"\n")
        let outcome = folder.crowbar("serve")
        #expect(outcome.status != 0)
        #expect(outcome.error.contains("which plugins with a [sandbox] may read; move it"), "\(outcome.error)")
        #expect(access(data, F_OK) != 0)
        let check = folder.crowbar("check")
        #expect(check.status == 1 && check.error.contains("move it"), "\(check.error)")
    }

    /// Manifests of what should go on working, by name.
    private static var honest: [String: String] {
        let ready = #"{"type":"ready","protocol":1,"name":"x","version":"1"}"#
        let network = "[sandbox]\nnetwork = true\nrequire = true\n"
        var manifests = [
            "bash": "command = [\"/bin/bash\", \"-c\", '''read a; echo '\(ready)'; read b; read c''']\n[sandbox]\n",
            "irc": "command = [\"crowbar-irc\"]\n\(network)[[config.networks]]\nname = \"a\"\nhost = \"127.0.0.1\"\n"
                + "port = 1\ntls = false\nnick = \"c\"\n[[config.links]]\nchannel = \"general\"\nirc = \"a/#c\"\n",
            "webhook": "command = [\"crowbar-webhook\"]\n\(network)[[config.endpoints]]\nname = \"a\"\n"
                + "url = \"http://127.0.0.1:1/\"\nallow_private = true\n"
                + "secret = \"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\"\n",
            "aws": "command = [\"crowbar-aws\"]\n\(network)[env.set]\nAWS_ACCESS_KEY_ID = \"a\"\n"
                + "AWS_SECRET_ACCESS_KEY = \"b\"\n[[config.targets]]\nname = \"a\"\n"
                + "arn = \"arn:aws:sqs:eu-central-1:123456789012:chat.fifo\"\n",
        ]
        if access("/usr/bin/node", X_OK) == 0 {
            let script =
                "process.stdin.on('data', data => { if (('' + data).includes('drain')) process.exit() }); "
                + "console.log(JSON.stringify(\(ready)))"
            manifests["node"] = "command = [\"/usr/bin/node\", \"-e\", '''\(script)''']\n[sandbox]\n"
        }
        return manifests
    }

    /// Whether the log has each plugin's `ready`; one that was started twice counts once.
    func areReady(_ names: some Sequence<String>, _ log: String) -> Bool {
        let ready = log.split(separator: "\n").filter { $0.contains(" ready: ") }
        return names.allSatisfy { name in ready.contains { $0.hasSuffix(" plugin=\(name)") } }
    }

    @Test(arguments: [0, 2, 3, 5, 6, 7]) func honestPluginsRun(number: Int) throws {
        let situation = Situation.all[number]
        let folder = try folder(situation)
        for name in ["open", "closed", "limited"] { unlink(folder.file("plugins.d/\(name).toml")) }
        for (name, text) in Self.honest {
            folder.write("plugins.d/\(name).toml", text)
            chown(folder.file("plugins.d/\(name).toml"), situation.user, situation.user)
        }
        let pid = try #require(start(situation, folder))
        let errors = { folder.read("serve.err") }
        #expect(folder.poll { areReady(Self.honest.keys, errors()) }, "\(errors())")
        kill(pid, SIGTERM)
        #expect(CommandLineFolder.wait(pid) == 0)
        for name in Self.honest.keys {
            var info = stat()
            #expect(stat(folder.file("data/plugins/\(name)"), &info) == 0)
            #expect((61_184...65_519).contains(info.st_uid) == situation.hasUsers, "\(name)")
        }
    }
}
