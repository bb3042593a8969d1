import Testing

@testable import HTTPClient

/// Every block of the filter: its first and last address and the ones beside it, reckoned by the test itself.
@Suite struct AddressBlockTableTests {
    private let strict = AddressFilter(leave: .none)

    /// A block: its first address and its length, and whether what lies directly before and behind is denied by another
    /// block (nil: there is no address there).
    @Test(
        arguments: [
            (0x0000_0000, 8, nil, false), (0x0A00_0000, 8, false, false), (0x6440_0000, 10, false, false),
            (0x7F00_0000, 8, false, false), (0xA83F_8110, 32, false, false), (0xA9FE_0000, 16, false, false),
            (0xAC10_0000, 12, false, false), (0xC000_0000, 24, false, false), (0xC000_0200, 24, false, false),
            (0xC01F_C400, 24, false, false), (0xC034_C100, 24, false, false), (0xC058_6300, 24, false, false),
            (0xC0A8_0000, 16, false, false), (0xC0AF_3000, 24, false, false), (0xC612_0000, 15, false, false),
            (0xC633_6400, 24, false, false), (0xCB00_7100, 24, false, false), (0xE000_0000, 4, false, true),
            (0xF000_0000, 4, true, nil),
        ] as [(UInt32, UInt32, Bool?, Bool?)])
    func v4(_ first: UInt32, _ length: UInt32, _ isDeniedBefore: Bool?, _ isDeniedBehind: Bool?) throws {
        let last = first | UInt32(truncatingIfNeeded: (UInt64(1) << UInt64(32 - length)) - 1)
        var expected: [(UInt32, isDenied: Bool)] = [(first, true), (last, true), (first + (last - first) / 2, true)]
        if let isDeniedBefore { expected.append((first - 1, isDeniedBefore)) }
        if let isDeniedBehind { expected.append((last + 1, isDeniedBehind)) }
        for (number, isDenied) in expected {
            let bytes = [24, 16, 8, 0].map { String(number >> UInt32($0) & 255) }.joined(separator: ".")
            let groups = String(number >> 16, radix: 16) + ":" + String(number & 0xFFFF, radix: 16)
            // As it stands, mapped and translated, in both notations: the IPv4 address inside decides.
            for text in [
                bytes, "::ffff:\(bytes)", "::FFFF:\(groups)", "0:0:0:0:0:ffff:\(bytes)", "64:ff9b::\(bytes)",
                "64:ff9b::\(groups)",
            ] {
                #expect(strict.allows(try #require(IPAddress(text))) == !isDenied, "\(text)")
                let host = text.contains(":") ? "[\(text)]" : text
                #expect(strict.allows(host: host) == !isDenied, "\(host)")
            }
            // IPv4-compatible and IPv4-translated addresses, NAT64 under another prefix, and 6to4 lead nowhere.
            for text in ["::\(bytes)", "::ffff:0:\(bytes)", "64:ff9b:1::\(bytes)", "2002:\(groups)::1"] {
                #expect(!strict.allows(try #require(IPAddress(text))), "\(text)")
            }
        }
    }

    /// IPv6 blocks by the upper half of their first and last address; the ones beside them are allowed, but where told.
    @Test(
        arguments: [
            (0x2001_0000_0000_0000, 0x2001_01FF_FFFF_FFFF, false, false),
            (0x2001_0DB8_0000_0000, 0x2001_0DB8_FFFF_FFFF, false, false),
            (0x2002_0000_0000_0000, 0x2002_FFFF_FFFF_FFFF, false, false),
            (0x2620_004F_8000_0000, 0x2620_004F_8000_FFFF, false, false),
            (0x3FFF_0000_0000_0000, 0x3FFF_0FFF_FFFF_FFFF, false, false),
            // What is outside of 2000::/3: the whole before it, and the whole behind it.
            (0x0000_0000_0000_0000, 0x1FFF_FFFF_FFFF_FFFF, nil, false),
            (0x4000_0000_0000_0000, 0xFFFF_FFFF_FFFF_FFFF, false, nil),
            (0xFC00_0000_0000_0000, 0xFDFF_FFFF_FFFF_FFFF, true, true),
            (0xFE80_0000_0000_0000, 0xFEBF_FFFF_FFFF_FFFF, true, true),
        ] as [(UInt64, UInt64, Bool?, Bool?)])
    func v6(_ first: UInt64, _ last: UInt64, _ isDeniedBefore: Bool?, _ isDeniedBehind: Bool?) {
        #expect(!strict.allows(.v6(high: first, low: 0)))
        #expect(!strict.allows(.v6(high: first, low: 1)))
        #expect(!strict.allows(.v6(high: last, low: .max)))
        if let isDeniedBefore { #expect(strict.allows(.v6(high: first - 1, low: .max)) == !isDeniedBefore) }
        if let isDeniedBehind { #expect(strict.allows(.v6(high: last + 1, low: 0)) == !isDeniedBehind) }
    }

    /// The edges of what counts as IPv4 in IPv6.
    @Test(
        arguments: [
            ("::fffe:ffff:ffff", false), ("::ffff:0.0.0.0", false), ("::ffff:8.8.8.8", true),
            ("::ffff:255.255.255.255", false), ("::1:0:0:0", false), ("64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", false),
            ("64:ff9b::", false), ("64:ff9b::808:808", true), ("64:ff9b::1:0808:0808", false),
            ("1:ffff::808:808", false),
        ] as [(String, Bool)])
    func v4InV6(_ text: String, _ isAllowed: Bool) throws {
        #expect(strict.allows(try #require(IPAddress(text))) == isAllowed)
    }
}
