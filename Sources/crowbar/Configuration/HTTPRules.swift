import CrowbarHTTP
import Settings

/// What `[http]` says besides where to listen.
struct HTTPRules: Sendable, Equatable {
    /// Names and networks at most, each.
    static let maxEntries = 256

    /// The host names by which this server is called.
    var hosts: [String] = []
    /// The proxies whose word about a caller's address is believed.
    var trustedProxies = TrustedProxies.none

    /// Which other origins' pages may call the API.
    var cors = CORSRule.none

    /// Reads `hosts`, `trusted_proxies` and `cors`; in the environment they are separated by commas.
    /// - Throws: ``SettingsError``.
    init(_ http: SettingsReader?, environment: [String: String]) throws {
        hosts = try Self.entries(http, "hosts", environment, "CROWBAR_HTTP_HOSTS") { hosts, refuse in
            guard let wrong = hosts.first(where: { !HostRule.isName($0) }) else { return hosts }
            throw refuse(
                "'\(wrong.prefix(64))' is no host name; write it as \"chat.example.org\", without scheme and port")
        }
        let name = "CROWBAR_HTTP_TRUSTED_PROXIES"
        trustedProxies = try Self.entries(http, "trusted_proxies", environment, name) { proxies, refuse in
            var wrong = ""
            guard let trusted = TrustedProxies(proxies, wrong: &wrong) else {
                throw refuse("'\(wrong.prefix(64))' is no IP address or network; write it as \"10.0.0.0/8\" or \"::1\"")
            }
            return trusted
        }
        cors = try Self.entries(http, "cors", environment, "CROWBAR_HTTP_CORS") { origins, refuse in
            for origin in origins {
                if let problem = CORSRule.problem(origin) { throw refuse("'\(origin.prefix(128))' \(problem)") }
            }
            return CORSRule(origins: origins)
        }
    }

    private static func entries<Value>(
        _ http: SettingsReader?, _ key: String, _ environment: [String: String], _ name: String,
        _ make: ([String], _ refuse: (String) -> SettingsError) throws -> Value
    ) throws -> Value {
        let set = environment[name]
        func refuse(_ reason: String) -> SettingsError {
            guard set == nil, let http else { return SettingsError(file: "environment", key: name, reason: reason) }
            return http.error(key, reason)
        }
        let texts =
            try set.map { $0.split(separator: ",").map { String($0.drop { $0 == " " }) } } ?? http?.strings(key) ?? []
        if texts.count > maxEntries { throw refuse("must have at most \(maxEntries) entries") }
        return try make(texts, refuse)
    }
}
