import Glibc

/// An IPv4 or IPv6 address as a number.
package enum IPAddress: Hashable, Sendable {
    case v4(UInt32)
    case v6(high: UInt64, low: UInt64)

    /// Reads an address as the network has it: 4 or 16 bytes, the most significant first.
    package init?(_ bytes: UnsafeBufferPointer<UInt8>) {
        switch bytes.count {
        case 4: self = .v4(bytes.reduce(0) { $0 << 8 | UInt32($1) })
        case 16:
            let high = bytes[..<8].reduce(0) { $0 << 8 | UInt64($1) }
            self = .v6(high: high, low: bytes[8...].reduce(0) { $0 << 8 | UInt64($1) })
        default: return nil
        }
    }

    /// Reads an address in its usual notation (RFC 4291, section 2.2; dotted IPv4 of four decimal numbers).
    package init?(_ text: String) {
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, text, &bytes) == 1 {
            bytes.removeLast(12)
        } else if inet_pton(AF_INET6, text, &bytes) != 1 {
            return nil
        }
        guard let address = bytes.withUnsafeBufferPointer({ IPAddress($0) }) else { return nil }
        self = address
    }

    /// Reads an IPv4 address in the notations that resolvers take besides the usual one: octal and hexadecimal numbers,
    /// and fewer than four of them.
    package init?(oddlySpelt text: String) {
        var address = in_addr()
        // inet_aton ends at a space, and takes what follows for nothing.
        guard text.utf8.allSatisfy({ $0 > 0x20 }), inet_aton(text, &address) != 0 else { return nil }
        self = .v4(UInt32(bigEndian: address.s_addr))
    }

    /// The IPv4 address that an IPv6 address stands for: mapped (`::ffff:0:0/96`, RFC 4291) or translated by NAT64
    /// (`64:ff9b::/96`, RFC 6052); else the address itself.
    package var inner: IPAddress {
        guard case .v6(let high, let low) = self else { return self }
        let isMapped = high == 0 && low >> 32 == 0xFFFF
        let isTranslated = high == 0x0064_FF9B_0000_0000 && low >> 32 == 0
        return isMapped || isTranslated ? .v4(UInt32(truncatingIfNeeded: low)) : self
    }
}
