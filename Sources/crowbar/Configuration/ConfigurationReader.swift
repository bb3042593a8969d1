import JSONBytes
import Settings

/// Reads the configuration: the file, then the environment over it.
struct ConfigurationReader {
    /// The file that is read where none is named.
    static let defaultFile = "crowbar.toml"
    /// The folder of manifests where none is named.
    static let defaultPlugins = "plugins.d"

    /// The environment.
    var environment: [String: String]
    /// Gives a file's bytes, or nil where there is none.
    var read: (_ path: String) throws -> [UInt8]?

    /// Reads the configuration.
    /// - Parameter named: The file that was asked for by name, or nil for the default one, which may be absent.
    /// - Throws: ``SettingsError`` with file, line, key and reason; ``Refusal`` where a named file is not there.
    func configuration(named: String?) throws -> Configuration { try configuration(root(named)) }

    /// The file's settings, as yet unchecked.
    private func root(_ named: String?) throws -> SettingsReader {
        let file = named ?? Self.defaultFile
        let text = try read(file)
        if text == nil, named != nil { throw Refusal("there is no file '\(file)'; name another with --config") }
        return try SettingsReader(parsing: text ?? [], file: file)
    }

    /// Reads the configuration and collects everything that is wrong with it.
    /// - Returns: The problems in the order in which they were found, and the configuration without the settings that
    ///   they are about; nil where the file is not even TOML.
    /// - Throws: ``Refusal`` as ``configuration(named:)``.
    func review(named: String?) throws -> (problems: [SettingsError], configuration: Configuration?) {
        var problems: [SettingsError] = []
        var reader = self
        do {
            var root = try root(named)
            // Each turn takes away what is wrong, so there are at most as many as there are settings.
            while problems.count < Self.maxProblems {
                do {
                    return (SettingsError.sorted(problems), try reader.configuration(root))
                } catch let problem as SettingsError {
                    problems.append(problem)
                    if problem.file == Self.environmentName {
                        guard reader.environment.removeValue(forKey: problem.key ?? "") != nil else { break }
                    } else {
                        guard root.remove(problem) else { break }
                    }
                }
            }
        } catch let problem as SettingsError {
            problems.append(problem)
        }
        return (SettingsError.sorted(problems), nil)
    }

    /// An error about a setting that is well written and does not do on this machine.
    /// - Parameters:
    ///   - key: Its path.
    ///   - name: Its environment variable.
    func problem(_ key: [String], _ name: String, _ reason: String, named: String?) -> SettingsError {
        if environment[name] != nil { return variable(name, reason) }
        guard let root = try? root(named), var error = Optional(root.error(at: key, reason)) else {
            return SettingsError(file: named ?? Self.defaultFile, key: key.joined(separator: "."), reason: reason)
        }
        // Where the key is not in the file, its default is what does not do.
        if root.value(at: key) == nil { error.line = nil }
        return error
    }

    /// The variables that are read.
    static let variables =
        [
            "CROWBAR_DATA", "CROWBAR_PLUGINS", "CROWBAR_PLUGIN_USERS", "CROWBAR_EXPOSE_DATA", "CROWBAR_LOG",
            "CROWBAR_LOG_FORMAT", "CROWBAR_LOG_LEVEL", "CROWBAR_LOG_KEEP_DELETED", "CROWBAR_HTTP_LISTEN",
            "CROWBAR_HTTP_HOSTS", "CROWBAR_HTTP_TRUSTED_PROXIES", "CROWBAR_HTTP_CORS", "CROWBAR_AUTH_REGISTRATION",
            "CROWBAR_AUTH_PASSWORDS", "CROWBAR_AUTH_ANONYMOUS_READ", MetricsSettings.variable,
        ] + LimitSettings.variables
    /// Variables that are refused with a reason, of later versions among them: nobody is told to use one.
    private static let laterVariables = ["CROWBAR_VIEWS_PUBLISH"]

    /// Variables that are probably meant for the server and are not read, each in a line. One that resembles none of
    /// ``variables`` may be a plugin's secret.
    var misspeltVariables: [String] {
        let prefix = "CROWBAR_"
        let known = Self.variables.map { String($0.dropFirst(prefix.count)) }
        return environment.keys.sorted().compactMap { name in
            guard name.uppercased().hasPrefix(prefix), !(Self.variables + Self.laterVariables).contains(name) else {
                return nil
            }
            let rest = name.uppercased().dropFirst(prefix.count)
            let meant =
                known.first { $0 == rest } ?? NearestName.to(String(rest), among: known)
                ?? known.first { $0.hasSuffix("_" + rest) }
            return meant.map { "\(Self.environmentName): \(name) is not known; did you mean \(prefix)\($0)?" }
        }
    }

    /// The most problems that are told of one file.
    static let maxProblems = 100
    /// What errors about variables name in place of a file.
    private static let environmentName = "environment"

    private func configuration(_ root: SettingsReader) throws -> Configuration {
        let file = root.file
        try root.refuseUnknown(
            knowing: [
                "data", "plugins", "plugin_users", "expose_data", "log", "http", "auth", "limits", "metrics", "views",
            ])
        let log = try log(root)
        let auth = try signIn(try root.table("auth"))
        let folder = file.contains("/") ? String(file[...(file.lastIndex(of: "/") ?? file.startIndex)]) : ""
        func path(_ text: String) -> String { text.hasPrefix("/") ? text : folder + text }
        let data = try self.path(root, "data", "CROWBAR_DATA")
        let plugins = try self.path(root, "plugins", "CROWBAR_PLUGINS")
        let anonymousRead = try anonymousRead(try root.table("auth"))
        let listen = try listen(try root.table("http"))
        let http = try HTTPRules(try root.table("http"), environment: environment)
        return Configuration(
            file: file, data: path(data ?? "data"), plugins: path(plugins ?? Self.defaultPlugins),
            isPluginFolderNamed: !["", "./"].contains { folder in
                ["", "/"].contains { plugins ?? Self.defaultPlugins == folder + Self.defaultPlugins + $0 }
            },
            listen: listen, http: http, anonymousRead: anonymousRead, auth: auth,
            openID: try openID(try root.table("auth"), hosts: http.hosts, listen: listen, path: path),
            pluginUsers: try pluginUsers(root), exposeData: try exposeData(root), log: log,
            keepDeleted: try keepDeleted(root),
            limits: try LimitSettings.rates(try root.table("limits"), environment: environment),
            metrics: try MetricsSettings(try root.table("metrics"), environment: environment, api: listen),
            publish: try publish(root, anonymousRead: anonymousRead, path: path))
    }

    private func exposeData(_ root: SettingsReader) throws -> Bool {
        let name = "CROWBAR_EXPOSE_DATA"
        switch environment[name] {
        case "true": return true
        case "false": return false
        case nil: return try root.bool("expose_data") ?? false
        default: throw variable(name, "must be true or false")
        }
    }

    private func pluginUsers(_ root: SettingsReader) throws -> PluginUserPolicy {
        let name = "CROWBAR_PLUGIN_USERS"
        let shape = "must be \"auto\", \"off\" or a range of numbers, as \"61184-65519\""
        if let value = environment[name] {
            guard let policy = PluginUserPolicy(value) else { throw variable(name, shape) }
            return policy
        }
        guard let value = try root.string("plugin_users") else { return .automatic }
        guard let policy = PluginUserPolicy(value) else { throw root.error("plugin_users", shape) }
        return policy
    }

    static func later(_ what: String) -> String { "\(what) is not supported by this version yet; leave it out" }

    func variable(_ name: String, _ reason: String) -> SettingsError {
        SettingsError(file: Self.environmentName, key: name, reason: reason)
    }

    private func path(_ root: SettingsReader, _ key: String, _ name: String) throws -> String? {
        if let value = environment[name] {
            if value.isEmpty { throw variable(name, "must not be empty") }
            return value
        }
        let value = try root.string(key)
        if value == "" { throw root.error(key, "must not be empty") }
        return value
    }

    private func listen(_ http: SettingsReader?) throws -> ListenAddress {
        try http?.refuseUnknown(knowing: ["listen", "hosts", "trusted_proxies", "cors"])
        let shape = "must be HOST:PORT, as \"127.0.0.1:8080\" or \"[::1]:8080\""
        if let value = environment["CROWBAR_HTTP_LISTEN"] {
            guard let address = ListenAddress(value) else { throw variable("CROWBAR_HTTP_LISTEN", shape) }
            return address
        }
        guard let http, let value = try http.string("listen") else {
            return ListenAddress(host: "127.0.0.1", port: 8080)
        }
        guard let address = ListenAddress(value) else { throw http.error("listen", shape) }
        return address
    }

    private func anonymousRead(_ auth: SettingsReader?) throws -> Bool {
        let name = "CROWBAR_AUTH_ANONYMOUS_READ"
        switch environment[name] {
        case "true": return true
        case "false": return false
        case nil: return try auth?.bool("anonymous_read") ?? false
        default: throw variable(name, "must be true or false")
        }
    }
}
