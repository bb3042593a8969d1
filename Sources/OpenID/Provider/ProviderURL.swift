import HTTPClient

/// An address of the provider: `https`, or `http` on this machine's loopback.
public struct ProviderURL: Sendable, Equatable, CustomStringConvertible {
    /// The longest URL, in bytes.
    public static let maxLength = 2_048

    let endpoint: ServiceEndpoint
    /// Begins with `/`.
    let path: String
    /// What follows the `?`; empty where there is none.
    let query: String

    /// Reads a URL.
    /// - Returns: Nil for anything but `https://…`, or `http://…` on loopback; for credentials, a fragment, blanks or
    ///   characters outside ASCII.
    public init?(_ text: String) {
        guard text.utf8.count <= Self.maxLength, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
            !text.contains("#"), let scheme = text.firstRange(of: "://")
        else { return nil }
        let rest = text[scheme.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        guard let endpoint = ServiceEndpoint("\(text[..<scheme.upperBound])\(authority)"),
            endpoint.scheme == "https" || Self.isLoopback(endpoint.host)
        else { return nil }
        let target = rest[authority.endIndex...]
        let path = target.prefix { $0 != "?" }
        self.endpoint = endpoint
        self.path = path.hasPrefix("/") ? String(path) : "/" + path
        query = String(target[path.endIndex...].dropFirst())
    }

    private init(_ endpoint: ServiceEndpoint, _ path: String, _ query: String) {
        (self.endpoint, self.path, self.query) = (endpoint, path, query)
    }

    public var description: String { endpoint.url(path) + (query.isEmpty ? "" : "?" + query) }

    /// The address of the discovery document of this issuer (OpenID Connect Discovery 1.0, section 4).
    var discovery: ProviderURL {
        let base = path.hasSuffix("/") ? String(path.dropLast()) : path
        return ProviderURL(endpoint, base + "/.well-known/openid-configuration", "")
    }

    /// Where a redirect of this address leads; nil where that is another host, another port or another scheme.
    func redirected(to location: String) -> ProviderURL? {
        let absolute = location.hasPrefix("/") && !location.hasPrefix("//") ? endpoint.url(location) : location
        guard let url = ProviderURL(String(absolute.prefix { $0 != "#" })), url.endpoint == endpoint else { return nil }
        return url
    }

    private static func isLoopback(_ host: String) -> Bool {
        let name = host.lowercased()
        if name == "localhost" { return true }
        switch IPAddress(name.hasPrefix("[") ? String(name.dropFirst().dropLast()) : name)?.inner {
        case .v4(let address): return address >> 24 == 127
        case .v6(let high, let low): return high == 0 && low == 1
        case nil: return false
        }
    }
}
