import Glibc

/// What keeps plugins from the server's own files and processes, with or without a `[sandbox]` (docs/sandbox.md).
public struct PluginIsolation: Sendable {
    /// Folders that plugins never reach, besides the one that holds their own: the whole data folder.
    public var hidden: [String]
    /// Files and folders that plugins may read and never change, also their own: the manifests, crowbar.toml.
    public var kept: [String]
    /// Whether plugins run even where the machine cannot hide these.
    public var mayExpose: Bool
    /// The users they run as; nil: the host's.
    public var users: PluginUsers?

    /// Makes what holds where nobody says otherwise: only the plugins' folders are hidden, and no user changes.
    public init(
        hidden: [String] = [], kept: [String] = [], mayExpose: Bool = false, users: PluginUsers? = nil
    ) {
        self.hidden = hidden
        self.kept = kept
        self.mayExpose = mayExpose
        self.users = users
    }

    /// The outermost of the folders to hide, of those that are there, without links. What cannot be looked at counts as
    /// there: the launcher then refuses to run the plugin.
    func folders(_ dataFolder: String) -> [String] {
        let all = ([dataFolder] + hidden).filter { access($0, F_OK) == 0 || errno != ENOENT }
            .map(FileBytes.resolved)
        var outermost: [String] = []
        for folder in Set(all).sorted() where !outermost.contains(where: { Self.is(folder, within: $0) }) {
            outermost.append(folder)
        }
        return outermost
    }

    static func `is`(_ path: String, within folder: String) -> Bool {
        path == folder || folder == "/" || path.hasPrefix(folder + "/")
    }
}

extension SessionFactory {
    /// How the launcher isolates a plugin.
    struct Isolated {
        var options: [String] = []
        /// Why it does not run as a user of its own though others do.
        var note: String?
    }

    /// The launcher's options that keep a plugin from the host, whatever its manifest says.
    /// - Throws: ``Refusal`` where the manifest names what no plugin reaches, or where its user could not run it.
    func isolated(_ manifest: Manifest, program: String, variables: [String: String]) throws(Refusal) -> Isolated {
        let isolation = environment.isolation
        let folders = isolation.folders(environment.dataFolder)
        try refuseHidden(manifest, program, folders)
        try refuseKept(manifest)
        var isolated = Isolated(
            options: folders.map { "--hide=\($0)" } + isolation.kept.map { "--keep=\($0)" })
        if isolation.mayExpose { isolated.options.append("--may-expose") }
        guard let users = isolation.users else { return isolated }
        let rights: UserRights
        let user: PluginUsers.Number
        let unmapped: String?
        do {
            rights = try UserRights.own()
            guard users.isRequired || rights.isExpected else { return isolated }
            user = try users.number(of: name)
            unmapped = try PluginUsers.obstacle(to: user.number)
        } catch {
            throw Refusal(reason: "it has no user of its own: \(error.reason)", isTransient: error.isTransient)
        }
        let reach = UserReach(number: user.number, path: variables["PATH"] ?? "")
        let closed = reach.obstacle(manifest, toRun: program, outside: folders.map(Self.folder), hidden: folders)
        let obstacle: (reason: String, advice: String)
        if let missing = rights.obstacle {
            obstacle = ("it cannot have a user of its own: \(missing)", rights.advice)
        } else if let reason = unmapped ?? closed {
            let advice = unmapped == nil ? "open it by chmod o+rx, move it, or " : ""
            obstacle = ("its user \(users.words(user)) cannot run it: \(reason)", advice + "set plugin_users = \"off\"")
        } else {
            do {
                if !user.isKept { try users.keep(user.number, for: name) }
            } catch {
                throw Refusal(reason: "it has no user of its own: \(error.reason)", isTransient: error.isTransient)
            }
            isolated.options += ["--user=\(user.number)", "--group=\(user.number)"]
            isolated.note = reach.closed(manifest, hidden: folders).map {
                "its user \(users.words(user)) cannot open what its manifest names: \($0); open it by chmod or chown"
            }
            return isolated
        }
        let text = "\(obstacle.reason); \(obstacle.advice)"
        // What a manifest requires is its sandbox, which stands without a user of its own. A plugin that has run as a
        // user of its own never runs as another one: it could close its own files to get there.
        if users.isRequired || user.hasHadOne { throw Refusal(reason: "\(manifest.file): \(text)") }
        let other = rights.user == 0 ? "root, without root's capabilities" : "the server's user"
        isolated.note = "it runs as \(other): \(text)"
        return isolated
    }

    /// What no plugin may change cannot be opened for writing by a manifest.
    private func refuseKept(_ manifest: Manifest) throws(Refusal) {
        for path in manifest.sandbox?.write ?? [] {
            let real = FileBytes.resolved(path)
            let kept = environment.isolation.kept.map(FileBytes.resolved)
            guard let kept = kept.first(where: { PluginIsolation.is(real, within: $0) }) else { continue }
            throw Refusal(
                reason: "\(manifest.file): sandbox.write: '\(path)' lies in '\(kept)', which no plugin may change; "
                    + "name a folder elsewhere")
        }
    }

    /// What lies in a hidden folder would not be found, which is better said with its reason.
    private func refuseHidden(_ manifest: Manifest, _ program: String, _ folders: [String]) throws(Refusal) {
        let own = FileBytes.resolved(Self.dataFolder(of: name, environment))
        func hider(_ path: String) -> String? {
            let path = FileBytes.resolved(path)
            return PluginIsolation.is(path, within: own)
                ? nil : folders.first { PluginIsolation.is(path, within: $0) }
        }
        let arguments = manifest.command.dropFirst().filter { $0.hasPrefix("/") && FileBytes.isFile($0) }
        let named =
            [("command", program)] + arguments.map { ("command", $0) }
            + (manifest.sandbox?.read ?? []).map { ("sandbox.read", $0) }
            + (manifest.sandbox?.write ?? []).map { ("sandbox.write", $0) }
        for (key, path) in named {
            guard let folder = hider(path) else { continue }
            throw Refusal(
                reason: "\(manifest.file): \(key): '\(path)' lies in the data folder '\(folder)', which no plugin "
                    + "reaches but for its own folder; move it out of there")
        }
    }
}
