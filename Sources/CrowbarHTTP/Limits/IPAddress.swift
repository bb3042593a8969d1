import Glibc

/// An IPv4 or IPv6 address. An IPv4 address in IPv6 form (`::ffff:192.0.2.1`) is the IPv4 address.
struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    /// The longest text of an address, in bytes (`INET6_ADDRSTRLEN` without its end).
    static let maxText = 45

    /// Four bytes, or sixteen.
    let bytes: [UInt8]

    /// Parses the usual text of an address: no brackets, no port, no zone.
    init?(_ text: some StringProtocol) {
        let text = String(text)
        guard !text.isEmpty, text.utf8.count <= Self.maxText, !text.utf8.contains(0) else { return nil }
        var four = [UInt8](repeating: 0, count: 4)
        if inet_pton(AF_INET, text, &four) == 1 {
            bytes = four
            return
        }
        var sixteen = [UInt8](repeating: 0, count: 16)
        guard inet_pton(AF_INET6, text, &sixteen) == 1 else { return nil }
        let mapped = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF]
        bytes = sixteen.starts(with: mapped) ? Array(sixteen[12...]) : sixteen
    }

    /// Whether it names the machine itself: 127.0.0.0/8 and `::1`.
    var isLoopback: Bool {
        bytes.count == 4 ? bytes[0] == 127 : bytes.dropLast().allSatisfy { $0 == 0 } && bytes.last == 1
    }

    var description: String {
        var text = [CChar](repeating: 0, count: Self.maxText + 1)
        let family = bytes.count == 4 ? AF_INET : AF_INET6
        guard inet_ntop(family, bytes, &text, socklen_t(text.count)) != nil else { return "unknown" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// What limits per address count by: an IPv4 address, or the first 64 bits of an IPv6 address, because one
    /// subscriber has all addresses behind them.
    static func limitKey(of address: String) -> String {
        guard let parsed = IPAddress(address), parsed.bytes.count == 16 else { return address }
        let network = Array(parsed.bytes[..<8])
        return network.map { String($0, radix: 16) }.joined(separator: ":") + "/64"
    }
}

/// A network in CIDR notation: an address and how many of its first bits count.
struct IPNetwork: Hashable, Sendable {
    private let address: [UInt8]
    private let bits: Int

    /// Parses `10.0.0.0/8`, `2001:db8::/32` or a single address.
    init?(_ text: some StringProtocol) {
        let halves = text.split(separator: "/", omittingEmptySubsequences: false)
        guard halves.count <= 2, let address = IPAddress(halves[0]) else { return nil }
        var bits = address.bytes.count * 8
        if halves.count == 2 {
            guard halves[1].utf8.count <= 3, halves[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let number = Int(halves[1]), number <= bits
            else { return nil }
            bits = number
        }
        self.address = address.bytes
        self.bits = bits
    }

    func contains(_ other: IPAddress) -> Bool {
        guard other.bytes.count == address.count else { return false }
        for index in address.indices {
            let counted = min(8, max(0, bits - index * 8))
            let mask = UInt8(truncatingIfNeeded: 0xFF00 >> counted)
            if (other.bytes[index] ^ address[index]) & mask != 0 { return false }
        }
        return true
    }
}
