/// Which addresses an endpoint may be posted to, against requests forged through this server (SSRF): without leave,
/// none that is private, local, reserved or the like (IANA's special-purpose registries, RFC 6890).
package struct AddressFilter: Hashable, Sendable {
    /// What an endpoint's `allow_private` gives leave for, beyond public addresses.
    package enum Leave: Hashable, Sendable {
        case none
        case all
        case blocks([AddressBlock])
    }

    /// What is allowed beyond public addresses.
    package var leave: Leave
    /// What is refused whatever `leave` allows.
    private var denied: [AddressBlock]

    package init(leave: Leave, denied: [AddressBlock] = []) { (self.leave, self.denied) = (leave, denied) }

    /// Whether a request may go to this address, which must be the one connected to: what a name or an odd spelling
    /// stands for is known only then.
    package func allows(_ address: IPAddress) -> Bool {
        let judged = address.inner
        if denied.contains(where: { $0.contains(judged) }) { return false }
        if Self.isPublic(judged) { return true }
        switch leave {
        case .none: return false
        case .all: return true
        case .blocks(let blocks): return blocks.contains { $0.contains(judged) }
        }
    }

    /// Whether a host name or literal address may be tried at all. Names that mean this machine or its private network
    /// are refused by name; with any leave, the address decides.
    package func allows(host: String) -> Bool {
        var name = host.lowercased()
        if name.hasPrefix("["), name.hasSuffix("]") { name = String(name.dropFirst().dropLast()) }
        while name.hasSuffix(".") { name.removeLast() }
        if let address = IPAddress(String(name.prefix { $0 != "%" })) ?? IPAddress(oddlySpelt: name) {
            return allows(address)
        }
        if leave != .none { return true }
        return name != "localhost" && !name.hasSuffix(".localhost") && name != "internal"
            && !name.hasSuffix(".internal")
    }

    private static func isPublic(_ address: IPAddress) -> Bool {
        switch address {
        case .v4: return !deniedV4.contains { $0.contains(address) }
        case .v6(let high, _): return high >> 61 == 1 && !deniedV6.contains { $0.contains(address) }
        }
    }

    private static let deniedV4 = blocks(
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24",
        "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",
        "240.0.0.0/4")

    /// Within 2000::/3; all outside it is denied anyway.
    private static let deniedV6 = blocks(
        "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")

    private static func blocks(_ texts: String...) -> [AddressBlock] {
        let blocks = texts.compactMap { AddressBlock($0) }
        precondition(blocks.count == texts.count, "a block of the filter is misspelt")
        return blocks
    }
}
