import CCurl

/// Where a service is reached: scheme, host and port.
package struct ServiceEndpoint: Hashable, Sendable {
    /// `http` or `https`.
    package let scheme: String
    /// Host and, where it is not the scheme's own, port: the value of the `host` header.
    package let authority: String

    /// An endpoint of `https`.
    /// - Parameter authority: A host's name.
    package init(https authority: String) {
        scheme = "https"
        self.authority = authority
    }

    /// Reads an endpoint of the configuration, as `http://127.0.0.1:5000`.
    package init?(_ text: String) {
        var url = ccurl_url()
        guard text.utf8.count <= 512, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), ccurl_url_read(text, &url),
            !url.has_credentials
        else { return nil }
        let scheme = Self.string(url.scheme)
        guard scheme == "http" || scheme == "https", text.lowercased().hasPrefix(scheme + "://") else { return nil }
        var rest = text.dropFirst(scheme.count + 3)
        if rest.hasSuffix("/") { rest.removeLast() }
        guard !rest.isEmpty, !rest.contains(where: { "/?#".contains($0) }) else { return nil }
        let port = Self.string(url.port)
        let isOwn = port.isEmpty || port == (scheme == "http" ? "80" : "443")
        self.scheme = scheme
        authority = Self.string(url.host) + (isOwn ? "" : ":\(port)")
    }

    /// The host, an IPv6 address in brackets.
    package var host: String {
        guard let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") else { return authority }
        return String(authority[..<colon])
    }

    /// The URL of a path.
    package func url(_ path: String) -> String { "\(scheme)://\(authority)\(path)" }

    private static func string<T>(_ buffer: T) -> String {
        withUnsafeBytes(of: buffer) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
