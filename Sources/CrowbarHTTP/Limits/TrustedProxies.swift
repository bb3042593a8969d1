import HTTPTypes

/// The reverse proxies whose word about a caller's address is believed (`[http] trusted_proxies`).
public struct TrustedProxies: Sendable, Equatable {
    /// Hops of a forwarding header that are looked at, from the right.
    static let maxHops = 32
    /// The longest hop, in bytes; a longer one is no address.
    static let maxHop = 64

    private let networks: [IPNetwork]

    /// Nobody is believed.
    public static let none = TrustedProxies(networks: [])

    private init(networks: [IPNetwork]) { self.networks = networks }

    /// Reads addresses and networks in CIDR notation.
    /// - Returns: nil where `wrong` names a text that is neither.
    public init?(_ texts: [String], wrong: inout String) {
        var networks: [IPNetwork] = []
        for text in texts {
            guard let network = IPNetwork(text) else {
                wrong = text
                return nil
            }
            networks.append(network)
        }
        self.networks = networks
    }

    /// Whether a connection's other end is a trusted proxy.
    func trusts(peer: String) -> Bool { !networks.isEmpty && IPAddress(peer).map(trusts) == true }

    private func trusts(_ address: IPAddress) -> Bool { networks.contains { $0.contains(address) } }

    /// The caller's address: the peer's own, or where the peer is a trusted proxy, the right-most address that is not.
    ///
    /// A hop that is no address ends the search, and the caller is the last proxy that was trusted: what stands to the
    /// left of it may be the caller's own invention.
    /// - Parameters:
    ///   - peer: The address of the connection's other end.
    ///   - headers: The request's headers: `X-Forwarded-For`, or where there is none, `Forwarded` (RFC 7239). Proxies
    ///     that set one of them pass the other on as the caller sent it, so only one counts.
    func caller(peer: String, _ headers: HTTPFields) -> String {
        guard !networks.isEmpty, let address = IPAddress(peer), trusts(address) else { return peer }
        var hops = headers[values: .xForwardedFor].flatMap(Self.hops)
        if hops.isEmpty { hops = Self.forwarded(headers[values: .forwarded].joined(separator: ",")) }
        var caller = address
        for hop in hops.suffix(Self.maxHops).reversed() {
            guard let hop = hop.flatMap(Self.address) else { break }
            caller = hop
            if !trusts(hop) { break }
        }
        return caller.description
    }

    private static func hops(_ header: String) -> [Substring?] {
        header.split(separator: ",", omittingEmptySubsequences: false).map { trimmed($0) }
    }

    /// The `for` of each element of `Forwarded`; nil where an element has none. Empty where the header is malformed: an
    /// open quotation mark of the caller's would swallow what the proxy added.
    static func forwarded(_ header: String) -> [Substring?] {
        var elements: [Substring] = []
        var (start, isQuoted, isEscaped) = (header.startIndex, false, false)
        for index in header.utf8.indices {
            switch header.utf8[index] {
            case _ where isEscaped: isEscaped = false
            case 0x5C where isQuoted: isEscaped = true
            case 0x22: isQuoted.toggle()
            case 0x2C where !isQuoted:
                elements.append(header[start..<index])
                start = header.utf8.index(after: index)
            default: break
            }
        }
        if isQuoted || header.isEmpty { return [] }
        elements.append(header[start...])
        return elements.map { element in
            let parameters = element.split(separator: ";").map(trimmed)
            guard let parameter = parameters.first(where: { $0.lowercased().hasPrefix("for=") }) else { return nil }
            let value = parameter.dropFirst(4)
            guard value.hasPrefix("\"") else { return value }
            return value.utf8.count >= 2 && value.hasSuffix("\"") ? value.dropFirst().dropLast() : nil
        }
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let first = text.utf8.first, first == 0x20 || first == 0x09 { text = text.dropFirst() }
        while let last = text.utf8.last, last == 0x20 || last == 0x09 { text = text.dropLast() }
        return text
    }

    /// Reads `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`.
    static func address(_ hop: Substring) -> IPAddress? {
        guard hop.utf8.count <= maxHop else { return nil }
        if hop.hasPrefix("[") {
            guard let end = hop.firstIndex(of: "]") else { return nil }
            let rest = hop[hop.index(after: end)...]
            guard rest.isEmpty || (rest.hasPrefix(":") && HostRule.isPort(rest.dropFirst())) else { return nil }
            let inner = hop[..<end].dropFirst()
            return inner.contains(":") ? IPAddress(inner) : nil
        }
        if hop.utf8.count(where: { $0 == 0x3A }) == 1, let colon = hop.firstIndex(of: ":") {
            return HostRule.isPort(hop[hop.index(after: colon)...]) ? IPAddress(hop[..<colon]) : nil
        }
        return IPAddress(hop)
    }
}

extension HTTPField.Name {
    /// `X-Forwarded-For`, to which each proxy appends the address that it was called from.
    static let xForwardedFor = HTTPField.Name("X-Forwarded-For") ?? .range
    /// `Forwarded` (RFC 7239).
    static let forwarded = HTTPField.Name("Forwarded") ?? .range
    /// `Host`. The first one becomes the request's authority; what is found under this name is a second one.
    static let host = HTTPField.Name("Host") ?? .range
}
