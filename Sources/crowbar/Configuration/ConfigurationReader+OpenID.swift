import CrowbarHTTP
import Identity
import JSONBytes
import OpenID
import Settings

// `[auth.oidc]`: the OpenID provider by which people sign in.
extension ConfigurationReader {
    private static let openIDKeys = [
        "issuer", "client_id", "client_secret", "label", "redirect", "scopes", "name_claim", "sync_name",
        "groups_claim",
        "admin_group", "required_group", "audience", "session", "ca_file", "jwks", "authorize", "token",
    ]
    /// Bytes of a text of this table at most.
    private static let maxText = 512
    /// Entries of an array at most.
    private static let maxEntries = 64
    /// How long a session may last, in milliseconds.
    private static let sessions: ClosedRange<Int64> = 60_000...365 * 86_400_000

    /// Reads the provider's settings; nil where there are none.
    /// - Parameters:
    ///   - hosts: The names of this server, whose pages may sign people in.
    ///   - listen: Where this server listens.
    ///   - path: Makes a path of the file one from the working folder.
    func openID(
        _ auth: SettingsReader?, hosts: [String], listen: ListenAddress, path: (String) -> String
    ) throws -> OpenIDSettings? {
        guard let table = try auth?.table("oidc") else { return nil }
        try table.refuseUnknown(knowing: Self.openIDKeys)
        guard let issuerText = try text(table, "issuer") else {
            throw table.error("issuer", "is missing; give the provider's, as \"https://accounts.example.org\"")
        }
        guard let issuer = ProviderURL(issuerText), !issuerText.contains("?") else {
            throw table.error("issuer", Self.urlShape)
        }
        var settings = OpenIDSettings(rules: try rules(table, issuer: issuerText), issuer: issuer)
        settings.clientSecret = try clientSecret(table, path)
        settings.label = try text(table, "label") ?? settings.label
        settings.redirects = try redirects(table, hosts: hosts, listen: listen)
        settings.scopes = try scopes(table) ?? settings.scopes
        settings.syncsNames = try table.bool("sync_name") ?? false
        settings.session = try session(table) ?? settings.session
        if let file = try text(table, "ca_file").map(path) {
            if try content(of: file, table, "ca_file").isEmpty { throw table.error("ca_file", "'\(file)' is empty") }
            settings.caFile = file
        }
        settings.endpoints = try endpoints(table, path)
        return settings
    }

    private func rules(_ table: SettingsReader, issuer: String) throws -> TokenRules {
        guard let clientId = try text(table, "client_id") else {
            throw table.error("client_id", "is missing; give the id that the provider has for this application")
        }
        let groups = try text(table, "groups_claim")
        for key in ["admin_group", "required_group"] where table[key] != nil && groups == nil {
            throw table.error(key, "has no effect without groups_claim; name the claim that holds the groups")
        }
        return TokenRules(
            issuer: issuer, clientId: clientId, audiences: try texts(table, "audience") ?? [],
            nameClaim: try text(table, "name_claim"), groupsClaim: groups,
            adminGroup: try text(table, "admin_group"), requiredGroup: try text(table, "required_group"))
    }

    private func clientSecret(_ table: SettingsReader, _ path: (String) -> String) throws -> ClientSecret? {
        let key = "client_secret"
        guard let value = table[key] else { return nil }
        guard let members = value.members, members.count == 1, let file = value["file"]?.string, !file.isEmpty else {
            throw table.error(key, "must be { file = \"PATH\" }; the secret itself stands in that file")
        }
        var secret = try content(of: path(file), table, key)
        while let last = secret.last, last == 0x0A || last == 0x0D { secret.removeLast() }
        guard (1...4_096).contains(secret.count), let text = String(validating: secret, as: UTF8.self) else {
            throw table.error(key, "'\(path(file))' must hold one secret of 1 to 4096 bytes")
        }
        return ClientSecret(text)
    }

    private func content(of file: String, _ table: SettingsReader, _ key: String) throws -> [UInt8] {
        do {
            if let bytes = try read(file) { return bytes }
        } catch {
            throw table.error(key, "\(error)")
        }
        throw table.error(key, "there is no file '\(file)'")
    }

    private func redirects(_ table: SettingsReader, hosts: [String], listen: ListenAddress) throws -> [String] {
        let key = "redirect"
        if let redirects = try texts(table, key) {
            for (index, redirect) in redirects.enumerated() where ProviderURL(redirect) == nil {
                throw table.error(at: [key, "[\(index)]"], Self.urlShape)
            }
            if redirects.isEmpty {
                throw table.error(key, "must have at least one address; leave it out for the usual")
            }
            return redirects
        }
        if !hosts.isEmpty { return hosts.map { "https://\($0)/" } }
        if HostRule(hosts: [], listening: listen.host).acceptsEveryName {
            throw table.error(
                key, "is missing, and [http] hosts is too; give the page's address, as [\"https://chat.example.org/\"]")
        }
        return ["localhost", "127.0.0.1", "[::1]"].map { "http://\($0):\(listen.port)/" }
    }

    private func scopes(_ table: SettingsReader) throws -> String? {
        guard let scopes = try text(table, "scopes") else { return nil }
        let words = scopes.split(separator: " ", omittingEmptySubsequences: false)
        guard words.contains("openid"), !words.contains("") else {
            throw table.error("scopes", "must be words with single spaces, 'openid' among them, as \"openid profile\"")
        }
        return scopes
    }

    private func session(_ table: SettingsReader) throws -> Int64? {
        guard let text = try table.string("session") else { return nil }
        guard case .milliseconds(let time)? = KeepDeleted(text), Self.sessions.contains(time) else {
            throw table.error("session", "must be a time from \"1m\" to \"365d\", as \"12h\"")
        }
        return time
    }

    private func endpoints(_ table: SettingsReader, _ path: (String) -> String) throws -> OpenIDSettings.Endpoints? {
        let keys = ["jwks", "authorize", "token"]
        let given = keys.filter { table[$0] != nil }
        guard let first = given.first else { return nil }
        for key in keys where !given.contains(key) {
            throw table.error(
                key,
                "is missing: '\(first)' is for a provider without discovery, which needs "
                    + keys.joined(separator: ", ")
            )
        }
        func url(_ key: String) throws -> ProviderURL {
            guard let text = try text(table, key), let url = ProviderURL(text) else {
                throw table.error(key, Self.urlShape)
            }
            return url
        }
        let jwks = try text(table, "jwks") ?? ""
        let keySource: OpenIDSettings.KeySource
        if jwks.contains("://") {
            keySource = .url(try url("jwks"))
        } else {
            let file = path(jwks)
            let bytes = try content(of: file, table, "jwks")
            do throws(KeySet.Malformed) { _ = try KeySet(parsing: bytes) } catch {
                throw table.error("jwks", "'\(file)': \(error.reason)")
            }
            keySource = .file(file)
        }
        return OpenIDSettings.Endpoints(authorize: try url("authorize"), token: try url("token"), keys: keySource)
    }

    private static let urlShape =
        "must be a URL of https, or of http on loopback, without fragment and credentials, as "
        + "\"https://accounts.example.org\""

    private func text(_ table: SettingsReader, _ key: String) throws -> String? {
        guard let text = try table.string(key) else { return nil }
        guard Self.isText(text) else {
            throw table.error(key, "must be 1 to \(Self.maxText) bytes long, without control characters")
        }
        return text
    }

    private func texts(_ table: SettingsReader, _ key: String) throws -> [String]? {
        guard let texts = try table.strings(key) else { return nil }
        if texts.count > Self.maxEntries { throw table.error(key, "must have at most \(Self.maxEntries) entries") }
        for (index, text) in texts.enumerated() where !Self.isText(text) {
            throw table.error(
                at: [key, "[\(index)]"], "must be 1 to \(Self.maxText) bytes long, without control characters")
        }
        return texts
    }

    private static func isText(_ text: String) -> Bool {
        (1...maxText).contains(text.utf8.count)
            && !text.unicodeScalars.contains { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }
    }
}
