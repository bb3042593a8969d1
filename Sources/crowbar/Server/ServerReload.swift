import Logging

/// What SIGHUP does: reads crowbar.toml and the plugin folder again, applies what can be applied, and logs what needs a
/// restart.
struct ServerReload: Sendable {
    /// What the server runs with.
    let running: Configuration
    /// Reads crowbar.toml and the environment.
    let load: @Sendable () throws -> Configuration
    /// Reads the plugin folder.
    let reloadPlugins: @Sendable () throws -> Void
    /// How the server logs.
    let logging: LogSettings
    let logger: Logger

    /// Reloads. What is wrong is logged, and the server goes on as it was.
    func run() async {
        do {
            let new = try load()
            let changed = Self.changedKeys(running, new)
            let restart = changed.filter { !Self.reloadable.contains($0) }
            apply(new)
            if restart.isEmpty {
                logger.notice("crowbar.toml read again; nothing in it needs a restart")
            } else {
                logger.warning(
                    "crowbar.toml read again; a restart is needed for what changed",
                    metadata: ["keys": "\(restart.joined(separator: ", "))"])
            }
        } catch {
            logger.error(
                "crowbar.toml rejected; the running configuration stays active", metadata: ["reason": "\(error)"])
        }
        do {
            try reloadPlugins()
            logger.notice("plugin folder read again; 'crowbar plugins' shows the outcome")
        } catch {
            logger.error(
                "the plugin folder cannot be read; the plugins run on as they are", metadata: ["reason": "\(error)"])
        }
    }

    /// Keys that a running server takes over: ``apply(_:)`` does it.
    static let reloadable: Set<String> = ["log"]

    /// Takes over what can change while the server runs.
    private func apply(_ new: Configuration) { logging.values = new.log }

    /// The names of properties where crowbar.toml has another name than the property.
    private static let keys = [
        "listen": "http.listen", "anonymousRead": "auth.anonymous_read", "pluginUsers": "plugin_users",
        "exposeData": "expose_data",
    ]

    /// The keys whose values differ. By reflection, so that no key that is added to ``Configuration`` is forgotten.
    static func changedKeys(_ old: Configuration, _ new: Configuration) -> [String] {
        zip(Mirror(reflecting: old).children, Mirror(reflecting: new).children).compactMap { old, new in
            guard let name = old.label, "\(old.value)" != "\(new.value)" else { return nil }
            return keys[name] ?? name
        }
    }
}
