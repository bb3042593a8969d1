import Logging
import Synchronization

/// What SIGHUP does: reads crowbar.toml and the plugin folder again, applies what can be applied, and logs what needs a
/// restart.
struct ServerReload: Sendable {
    /// What the server runs with.
    let running: Configuration
    /// What it has taken over since.
    private let applied: Applied
    /// Reads crowbar.toml and the environment.
    let load: @Sendable () throws -> Configuration
    /// Reads the plugin folder.
    /// - Returns: The plugins that changed, in words.
    let reloadPlugins: @Sendable () throws -> [String]
    /// What would be wrong with a new configuration after a restart, in words.
    let problems: @Sendable (Configuration) -> [String]
    /// The keys that a running server takes over, each with what takes it over. All others need a restart.
    let reloadable: [String: @Sendable (Configuration) -> Void]
    let logger: Logger
    /// Where it is noted whether the last reload succeeded.
    let outcome: ReloadOutcome

    private final class Applied: Sendable {
        let configuration: Mutex<Configuration>

        init(_ configuration: Configuration) { self.configuration = Mutex(configuration) }
    }

    /// Makes a reload of a server that has just started.
    init(
        running: Configuration, load: @escaping @Sendable () throws -> Configuration,
        reloadPlugins: @escaping @Sendable () throws -> [String],
        problems: @escaping @Sendable (Configuration) -> [String],
        reloadable: [String: @Sendable (Configuration) -> Void], outcome: ReloadOutcome, logger: Logger
    ) {
        self.running = running
        self.load = load
        self.reloadPlugins = reloadPlugins
        self.problems = problems
        self.reloadable = reloadable
        self.outcome = outcome
        self.logger = logger
        applied = Applied(running)
    }

    /// Whether a running server takes a key over.
    private func isReloadable(_ key: String) -> Bool {
        reloadable.keys.contains { key == $0 || key.hasPrefix($0 + ".") }
    }

    /// Reloads. What is wrong is logged, and the server goes on as it was.
    func run() async {
        do {
            let new = try load()
            outcome.note(success: true)
            let restart = Self.changedKeys(running, new).filter { !isReloadable($0) }
            for apply in reloadable.values { apply(new) }
            let changed = applied.configuration.withLock { before in
                defer { before = new }
                return Self.changedKeys(before, new).filter(isReloadable)
            }
            for problem in problems(new) { logger.error("\(problem)") }
            let text = changed.isEmpty ? "nothing" : changed.joined(separator: ", ")
            if restart.isEmpty {
                logger.notice(
                    "crowbar.toml read again; nothing in it needs a restart", metadata: ["applied": "\(text)"])
            } else {
                logger.warning(
                    "crowbar.toml read again; a restart is needed for what changed",
                    metadata: ["keys": "\(restart.joined(separator: ", "))", "applied": "\(text)"])
            }
        } catch {
            outcome.note(success: false)
            logger.error(
                "crowbar.toml rejected; the running configuration stays active", metadata: ["reason": "\(error)"])
        }
        do {
            let changes = try reloadPlugins()
            let text = changes.isEmpty ? "nothing" : changes.joined(separator: ", ")
            logger.notice("plugin folder read again", metadata: ["changed": "\(text)"])
        } catch {
            logger.error(
                "the plugin folder cannot be read; the plugins run on as they are", metadata: ["reason": "\(error)"])
        }
    }

    /// The names of properties that crowbar.toml has elsewhere, or that are one value there.
    private static let keys = [
        "listen": "http.listen", "anonymousRead": "auth.anonymous_read", "pluginUsers": "plugin_users",
        "exposeData": "expose_data", "keepDeleted": "log.keep_deleted",
        "publish": "views.publish", "openID": "auth.oidc",
    ]

    /// Properties that say where a value comes from, and are none.
    private static let origins: Set = ["isPluginFolderNamed"]

    /// The keys whose values differ. By reflection, so that no key that is added to ``Configuration`` is forgotten.
    static func changedKeys(_ old: Configuration, _ new: Configuration) -> [String] {
        changedKeys(Mirror(reflecting: old), Mirror(reflecting: new), in: "")
    }

    private static func changedKeys(_ old: Mirror, _ new: Mirror, in table: String) -> [String] {
        zip(old.children, new.children).flatMap { old, new -> [String] in
            guard let name = old.label, !origins.contains(name), "\(old.value)" != "\(new.value)" else { return [] }
            if table.isEmpty, let key = keys[name] { return [key] }
            let key = table + snakeCase(name)
            let (before, after) = (Mirror(reflecting: old.value), Mirror(reflecting: new.value))
            guard table.isEmpty, before.displayStyle == .struct else { return [key] }
            let inner = changedKeys(before, after, in: key + ".")
            return inner.isEmpty ? [key] : inner
        }
    }

    /// `anonymous_read` of `anonymousRead`.
    private static func snakeCase(_ name: String) -> String {
        name.reduce(into: "") { $0 += $1.isUppercase ? "_\($1.lowercased())" : String($1) }
    }
}
