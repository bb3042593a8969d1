import Settings

/// Reads the configuration: the file, then the environment over it.
struct ConfigurationReader {
    /// The file that is read where none is named.
    static let defaultFile = "crowbar.toml"

    /// The environment.
    var environment: [String: String]
    /// Gives a file's bytes, or nil where there is none.
    var read: (_ path: String) throws -> [UInt8]?

    /// Reads the configuration.
    /// - Parameter named: The file that was asked for by name, or nil for the default one, which may be absent.
    /// - Throws: ``SettingsError`` with file, line, key and reason; ``Refusal`` where a named file is not there.
    func configuration(named: String?) throws -> Configuration {
        let file = named ?? Self.defaultFile
        let text = try read(file)
        if text == nil, named != nil { throw Refusal("there is no file '\(file)'; name another with --config") }
        let root = try SettingsReader(parsing: text ?? [], file: file)
        try root.refuseUnknown(knowing: ["data", "plugins", "log", "http", "auth", "views"])
        try log(root)
        try auth(try root.table("auth"))
        if let views = try root.table("views") {
            try views.refuseUnknown(knowing: ["publish"])
            if views["publish"] != nil { throw views.error("publish", Self.later("publishing views")) }
        }
        if environment["CROWBAR_VIEWS_PUBLISH"] != nil {
            throw variable("CROWBAR_VIEWS_PUBLISH", Self.later("publishing views"))
        }
        let folder = file.contains("/") ? String(file[...(file.lastIndex(of: "/") ?? file.startIndex)]) : ""
        func path(_ text: String) -> String { text.hasPrefix("/") ? text : folder + text }
        return Configuration(
            data: path(try self.path(root, "data", "CROWBAR_DATA") ?? "data"),
            plugins: path(try self.path(root, "plugins", "CROWBAR_PLUGINS") ?? "plugins.d"),
            listen: try listen(try root.table("http")),
            http: try HTTPRules(try root.table("http"), environment: environment),
            anonymousRead: try anonymousRead(try root.table("auth")))
    }

    static func later(_ what: String) -> String { "\(what) is not supported by this version yet; leave it out" }

    private func variable(_ name: String, _ reason: String) -> SettingsError {
        SettingsError(file: "environment", key: name, reason: reason)
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

    private func log(_ root: SettingsReader) throws {
        func refusal(_ value: String) -> String? {
            if value == "sqlite" { return nil }
            if value.hasPrefix("nats://") {
                return "a log on NATS is not supported by this version yet; use \"sqlite\""
            }
            return "must be \"sqlite\""
        }
        if let value = environment["CROWBAR_LOG"] {
            if let reason = refusal(value) { throw variable("CROWBAR_LOG", reason) }
        } else if let value = try root.string("log"), let reason = refusal(value) {
            throw root.error("log", reason)
        }
    }

    private func listen(_ http: SettingsReader?) throws -> ListenAddress {
        try http?.refuseUnknown(knowing: ["listen", "hosts", "trusted_proxies", "cors"])
        if let origins = try http?.strings("cors"), let http, !origins.isEmpty {
            throw http.error("cors", Self.later("CORS"))
        }
        if environment["CROWBAR_HTTP_CORS"] ?? "" != "" { throw variable("CROWBAR_HTTP_CORS", Self.later("CORS")) }
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

    private func auth(_ auth: SettingsReader?) throws {
        let registration =
            "self-registration is not supported by this version yet; use \"closed\" and 'crowbar user add'"
        if let value = environment["CROWBAR_AUTH_REGISTRATION"], value != "closed" {
            throw variable("CROWBAR_AUTH_REGISTRATION", registration)
        }
        guard let auth else { return }
        try auth.refuseUnknown(knowing: ["registration", "anonymous_read", "oidc", "email_in_events"])
        if let value = try auth.string("registration", oneOf: ["open", "invite", "closed"]), value != "closed" {
            throw auth.error("registration", registration)
        }
        if auth["oidc"] != nil { throw auth.error("oidc", Self.later("OpenID Connect")) }
        if try auth.bool("email_in_events") == true {
            throw auth.error("email_in_events", Self.later("keeping e-mail addresses"))
        }
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
