import Settings

/// What became different in the folder of plugins between two looks at it.
enum ManifestChange: Equatable, Sendable {
    /// A manifest that was not there before.
    case added(Manifest)
    /// A manifest that says something else.
    case changed(Manifest)
    /// A file that is gone, in order or not; with the plugin's name.
    case removed(String)
    /// A manifest that says `enabled = true` again.
    case enabled(Manifest)
    /// A manifest that says `enabled = false` now.
    case disabled(Manifest)
    /// A file that is not in order, or not in order in another way than before.
    case broken(String, SettingsError)
    /// A file that is in order again.
    case repaired(Manifest)

    /// The plugin that it is about.
    var plugin: String {
        switch self {
        case .added(let manifest), .changed(let manifest), .enabled(let manifest), .disabled(let manifest),
            .repaired(let manifest):
            manifest.name
        case .removed(let name), .broken(let name, _): name
        }
    }

    /// What happened, in a word.
    var word: String {
        switch self {
        case .added: "added"
        case .changed: "changed"
        case .removed: "removed"
        case .enabled: "enabled"
        case .disabled: "disabled"
        case .broken: "broken"
        case .repaired: "repaired"
        }
    }

    /// What is different, in the order of the plugins' names.
    static func between(_ old: PluginFolder.Contents, _ new: PluginFolder.Contents) -> [ManifestChange] {
        let (before, after) = (Self.files(old), Self.files(new))
        return Set(before.keys).union(after.keys).sorted().compactMap { name in
            change(name, before[name], after[name])
        }
    }

    private typealias File = Result<Manifest, SettingsError>

    private static func files(_ contents: PluginFolder.Contents) -> [String: File] {
        var files: [String: File] = [:]
        for manifest in contents.manifests { files[manifest.name] = .success(manifest) }
        for (name, error) in contents.errors { files[name] = .failure(error) }
        return files
    }

    private static func change(_ name: String, _ old: File?, _ new: File?) -> ManifestChange? {
        switch (old, new) {
        case (_, nil): return old == nil ? nil : .removed(name)
        case (.failure(let before)?, .failure(let after)?): return before == after ? nil : .broken(name, after)
        case (_, .failure(let error)?): return .broken(name, error)
        case (nil, .success(let manifest)?): return .added(manifest)
        case (.failure?, .success(let manifest)?): return .repaired(manifest)
        case (.success(let before)?, .success(let after)?):
            if before == after { return nil }
            if before.isEnabled == after.isEnabled { return .changed(after) }
            return after.isEnabled ? .enabled(after) : .disabled(after)
        }
    }
}
