import CCurl

/// Where a service is reached: scheme, host and port.
struct ServiceEndpoint: Hashable, Sendable {
    /// `http` or `https`.
    let scheme: String
    /// Host and, where it is not the scheme's own, port: the value of the `host` header.
    let authority: String

    /// A service's own endpoint in a region; nil where the ARN's partition is not known.
    init?(service: String, of arn: ARN) {
        guard let domain = arn.domain else { return nil }
        scheme = "https"
        authority = "\(service).\(arn.region).\(domain)"
    }

    /// Reads an endpoint of the configuration, as `http://127.0.0.1:5000`.
    init?(_ text: String) {
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

    /// The URL of a path.
    func url(_ path: String) -> String { "\(scheme)://\(authority)\(path)" }

    private static func string<T>(_ buffer: T) -> String {
        withUnsafeBytes(of: buffer) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
