/// What of a manifest's `[limits]` and `[sandbox]` the launcher lays on a plugin, as the launcher's options. Nothing in
/// them is secret: they can be seen in the list of processes.
struct LaunchRules: Sendable, Equatable {
    /// Options, to be put before `--` and the program.
    var options: [String]

    /// The user of the plugin's own; nil: it has none.
    var user: UInt32? {
        let start = "--user="
        return options.last { $0.hasPrefix(start) }.flatMap { UInt32($0.dropFirst(start.count)) }
    }

    /// - Parameters:
    ///   - program: The path of the program that was found.
    ///   - folder: The manifest's folder.
    ///   - data: The folder that holds the plugins' folders. The plugin's own, where it starts, can always be written.
    init(_ manifest: Manifest, program: String, folder: String, data: String) {
        options = []
        if let memory = manifest.limits?.memory { options.append("--memory=\(memory)") }
        if let files = manifest.limits?.files { options.append("--files=\(files)") }
        let processes = manifest.limits?.processes.map { "--processes=\($0)" }
        options.append(processes ?? "--default-processes=\(Manifest.defaultProcesses)")
        guard let sandbox = manifest.sandbox else {
            // Without a table the network is closed all the same: it is opened by saying so.
            options.append("--no-network")
            return
        }
        if !sandbox.network { options.append("--no-network") }
        if sandbox.require { options.append("--require") }
        options += ["--sandbox", "--write=."]
        options += (Self.ownPaths(manifest.command, program, folder, data) + sandbox.read).map { "--read=\($0)" }
        options += sandbox.write.map { "--write=\($0)" }
    }

    /// What belongs to the program itself: the folder of one that is kept beside the manifest, and the files that the
    /// command names.
    private static func ownPaths(_ command: [String], _ program: String, _ folder: String, _ data: String) -> [String] {
        var paths: [String] = []
        if command[0].contains("/"), !command[0].hasPrefix("/") {
            let own = SessionFactory.folder(of: program)
            // A folder that holds the manifests or the data holds what belongs to others too.
            if !holds(own, folder), !holds(own, data) { paths.append(own) }
        }
        return paths + command.dropFirst().filter { $0.hasPrefix("/") && FileBytes.isFile($0) }
    }

    private static func holds(_ outer: String, _ inner: String) -> Bool {
        let (outer, inner) = (FileBytes.resolved(outer), FileBytes.resolved(inner))
        return outer == "/" || inner == outer || inner.hasPrefix(outer + "/")
    }
}
