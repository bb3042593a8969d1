/// A block of addresses in CIDR notation (RFC 4632, RFC 4291).
package struct AddressBlock: Hashable, Sendable {
    private let base: IPAddress
    private let length: Int

    /// Reads `ADDRESS/LENGTH`, or one address. A block of IPv4 written in IPv6 is the IPv4 block.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(String(parts[0])) else { return nil }
        let bits = if case .v4 = address { 32 } else { 128 }
        var length = bits
        if parts.count == 2 {
            guard let number = Int(parts[1]), (0...bits).contains(number), parts[1].allSatisfy(\.isNumber) else {
                return nil
            }
            length = number
        }
        if address.inner != address, length >= 96 {
            self.base = address.inner
            self.length = length - 96
        } else {
            self.base = address
            self.length = length
        }
    }

    /// Whether the address is in the block; one family is never in the other's block.
    package func contains(_ address: IPAddress) -> Bool {
        switch (base, address) {
        case (.v4(let base), .v4(let address)): return Self.agree(base, address, length)
        case (.v6(let high, let low), .v6(let otherHigh, let otherLow)):
            return Self.agree(high, otherHigh, min(length, 64)) && Self.agree(low, otherLow, max(length - 64, 0))
        default: return false
        }
    }

    private static func agree<Bits: FixedWidthInteger>(_ a: Bits, _ b: Bits, _ length: Int) -> Bool {
        // Swift's shifts by the whole width give 0, so that a length of 0 takes all.
        (a ^ b) >> (Bits.bitWidth - length) == 0
    }
}
