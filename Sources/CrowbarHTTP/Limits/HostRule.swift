/// Which names a listener answers to (`[http] hosts`). It keeps a page of a foreign name, which its owner pointed to
/// this machine (DNS rebinding), from being the same origin as this server.
public struct HostRule: Sendable, Equatable {
    /// What a request's `Host` leads to.
    enum Verdict: Equatable, Sendable {
        case allowed
        /// A name that is not this server's.
        case misdirected(String)
        /// No name at all; with the reason.
        case malformed(String)
    }

    /// The longest `Host`, in bytes.
    static let maxLength = 261

    private let names: Set<String>
    /// Whether every name is accepted: nobody said which ones are this server's, and it does not listen on loopback.
    public let acceptsEveryName: Bool

    /// Makes the rule of a listener.
    /// - Parameters:
    ///   - hosts: The names of `[http] hosts`.
    ///   - listening: The host that the listener is bound to.
    public init(hosts: [String], listening: String) {
        names = Set(hosts.map { Self.normalized($0) } + ["localhost"])
        let isLoopback = IPAddress(listening)?.isLoopback ?? (Self.normalized(listening) == "localhost")
        acceptsEveryName = hosts.isEmpty && !isLoopback
    }

    /// Whether a text is a host's name as `[http] hosts` takes it: no scheme, no port, no brackets.
    public static func isName(_ text: String) -> Bool {
        (1...253).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
                default: false
                }
            }
    }

    /// Whether a text is a port; an empty one is allowed (RFC 3986, section 3.2.3).
    static func isPort(_ text: Substring) -> Bool {
        text.utf8.count <= 5 && text.utf8.allSatisfy { (0x30...0x39).contains($0) } && Int(text) ?? 0 <= 65_535
    }

    /// Judges a request.
    /// - Parameters:
    ///   - host: Its `Host`; nil where there is none.
    ///   - isRepeated: Whether there is more than one.
    func verdict(_ host: String?, isRepeated: Bool = false) -> Verdict {
        guard let host, !host.isEmpty else { return .malformed("'Host' is missing") }
        if isRepeated { return .malformed("'Host' is given more than once") }
        let garbage = Verdict.malformed("'Host' is no host name, or no address, with an optional port")
        guard host.utf8.count <= Self.maxLength else { return garbage }
        if host.hasPrefix("[") {
            guard let end = host.firstIndex(of: "]"), IPAddress(host[..<end].dropFirst())?.bytes.count != nil,
                host[..<end].contains(":")
            else { return garbage }
            let rest = host[host.index(after: end)...]
            return rest.isEmpty || (rest.hasPrefix(":") && Self.isPort(rest.dropFirst())) ? .allowed : garbage
        }
        var name = host[...]
        if let colon = host.firstIndex(of: ":") {
            guard Self.isPort(host[host.index(after: colon)...]) else { return garbage }
            name = host[..<colon]
        }
        guard Self.isName(String(name)) else { return garbage }
        if acceptsEveryName || IPAddress(name) != nil { return .allowed }
        let known = Self.normalized(String(name))
        return names.contains(known) ? .allowed : .misdirected(known)
    }

    /// Names are compared without regard to case, and to the dot that may end them.
    private static func normalized(_ name: String) -> String {
        let lower = name.lowercased()
        return lower.hasSuffix(".") ? String(lower.dropLast()) : lower
    }
}
