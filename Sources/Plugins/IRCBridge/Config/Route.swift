import NIOCore

/// How a network's server is reached from this machine.
struct Route: Equatable, Sendable {
    /// The keys of a network's table.
    static let keys = ["bind", "proxy"]

    /// A SOCKS5 proxy without a password (RFC 1928), which also finds the server's address.
    struct Proxy: Equatable, Sendable {
        var host: String
        var port: Int

        /// Reads `socks5h://HOST:PORT`, with brackets around an IPv6 address; nil for anything else.
        init?(_ text: String) {
            let scheme = "socks5h://"
            guard text.hasPrefix(scheme) else { return nil }
            let rest = text.dropFirst(scheme.count)
            guard let colon = rest.lastIndex(of: ":"), let port = Int(rest[colon...].dropFirst()),
                (1...65_535).contains(port), rest[colon...].dropFirst().allSatisfy(\.isNumber)
            else { return nil }
            var host = String(rest[..<colon])
            if host.hasPrefix("["), host.hasSuffix("]") {
                host = String(host.dropFirst().dropLast())
                guard host.contains(":") else { return nil }
            } else if host.contains(":") {
                return nil
            }
            guard Hostname.canConnect(host) else { return nil }
            (self.host, self.port) = (host, port)
        }
    }

    /// The address of this machine that connections come from; any where nil.
    var source: SocketAddress?
    var proxy: Proxy?

    /// Reads the keys of a network's table.
    /// - Throws: ``ConfigError`` naming the key.
    init(_ section: ConfigSection) throws(ConfigError) {
        if let text = try section.string("bind") {
            guard let address = try? SocketAddress(ipAddress: text, port: 0) else {
                throw section.fail("bind", "must be an IPv4 or IPv6 address of this machine")
            }
            source = address
        }
        if let text = try section.string("proxy") {
            guard let proxy = Proxy(text) else {
                throw section.fail("proxy", "must be socks5h://HOST:PORT; user names and passwords are not supported")
            }
            self.proxy = proxy
        }
    }
}
