import Testing

@testable import HTTPClient

/// Which addresses and names an endpoint may have.
@Suite struct AddressFilterTests {
    private let strict = AddressFilter(leave: .none)

    /// The first and the last address of each denied block, and what lies inside other notations.
    @Test(arguments: [
        "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1",
        "127.255.255.255", "168.63.129.16", "169.254.0.0", "169.254.169.254", "169.254.255.255", "172.16.0.0",
        "172.31.255.255", "192.0.0.0", "192.0.0.255", "192.0.2.0", "192.0.2.255", "192.31.196.0", "192.31.196.255",
        "192.52.193.0", "192.52.193.255", "192.88.99.0", "192.88.99.255", "192.168.0.0", "192.168.255.255",
        "192.175.48.0", "192.175.48.255", "198.18.0.0", "198.19.255.255", "198.51.100.0", "198.51.100.255",
        "203.0.113.0", "203.0.113.255", "224.0.0.0", "239.255.255.255", "240.0.0.0", "255.255.255.255",
        "::", "::1", "::ffff:127.0.0.1", "::ffff:a00:1", "::ffff:169.254.169.254", "64:ff9b::7f00:1",
        "64:ff9b::10.0.0.1", "64:ff9b:1::1", "::127.0.0.1", "100::1", "1fff:ffff::1", "4000::1", "fc00::1", "fd00::1",
        "fe80::1", "fec0::1", "ff02::1", "2001::1", "2001:1ff:ffff::1", "2001:db8::1", "2001:db8:ffff::1",
        "2002:7f00:1::1", "2620:4f:8000::1", "3fff::1", "3fff:fff::1",
    ])
    func isDenied(_ text: String) throws {
        #expect(!strict.allows(try #require(IPAddress(text))))
    }

    /// The neighbours of the denied blocks.
    @Test(arguments: [
        "1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
        "168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0",
        "191.255.255.255", "192.0.1.0", "192.0.3.0", "192.31.195.255", "192.31.197.0", "192.52.192.255",
        "192.52.194.0", "192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0", "192.175.47.255",
        "192.175.49.0", "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255",
        "203.0.114.0", "223.255.255.255", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2000::1", "2001:200::1",
        "2001:db7:ffff::1", "2001:db9::1", "2001:ffff::1", "2003::1", "2620:4f:7fff::1", "2620:4f:8001::1",
        "2606:4700::1111", "3ffe::1", "3fff:1000::1",
    ])
    func isAllowed(_ text: String) throws {
        #expect(strict.allows(try #require(IPAddress(text))))
    }

    @Test(arguments: [
        ("localhost", false), ("LocalHost", false), ("localhost.", false), ("localhost..", false),
        ("a.localhost", false), ("a.b.localhost.", false), ("internal", false), ("metadata.google.internal", false),
        ("Metadata.Google.Internal.", false), ("127.0.0.1", false), ("[::1]", false), ("[fe80::1%25eth0]", false),
        ("[::ffff:10.0.0.1]", false), ("notlocalhost", true), ("localhost.example.org", true),
        ("internal.example.org", true), ("myinternal", true), ("example.org", true), ("8.8.8.8", true),
        ("[2606:4700::1111]", true),
    ])
    func judgesNames(_ host: String, _ isAllowed: Bool) {
        #expect(strict.allows(host: host) == isAllowed)
    }

    @Test func leaveIsForAllOrForItsBlocks() throws {
        let all = AddressFilter(leave: .all)
        let some = AddressFilter(leave: .blocks(try ["10.1.0.0/16", "fd00::/8", "127.0.0.1"].map(block)))
        for (text, isAllowed) in [
            ("10.1.2.3", true), ("10.2.0.0", false), ("::ffff:10.1.2.3", true), ("64:ff9b::10.1.2.3", true),
            ("fd12::1", true), ("fc00::1", false), ("127.0.0.1", true), ("127.0.0.2", false), ("8.8.8.8", true),
        ] {
            let address = try #require(IPAddress(text))
            #expect(some.allows(address) == isAllowed, "\(text)")
            #expect(all.allows(address), "\(text)")
        }
        // With leave for some addresses a name is judged by the address it leads to.
        #expect(some.allows(host: "localhost"))
        #expect(!some.allows(host: "127.0.0.2"))
    }

    @Test(arguments: [
        ("0.0.0.0/0", "203.0.113.9", true), ("0.0.0.0/0", "::1", false), ("::/0", "fe80::1", true),
        ("10.0.0.0/31", "10.0.0.1", true), ("10.0.0.0/31", "10.0.0.2", false), ("2001:db8::/33", "2001:db8::1", true),
        ("2001:db8::/33", "2001:db8:8000::1", false), ("::1/128", "::1", true), ("::1/128", "::2", false),
        ("fe80::/65", "fe80::7fff:0:0:1", true), ("fe80::/65", "fe80::8000:0:0:1", false),
        ("::ffff:10.0.0.0/104", "10.9.9.9", true), ("::ffff:10.0.0.0/104", "11.0.0.0", false),
    ])
    func blocksHoldTheirAddresses(_ text: String, _ address: String, _ isInside: Bool) throws {
        #expect(try block(text).contains(try #require(IPAddress(address))) == isInside)
    }

    @Test(arguments: [
        "", "10", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8/8", "::/129", "10.0.0/8",
        "0x0a.0.0.0/8", "host/8", "10.0.0.0/ 8",
    ])
    func brokenBlocksAreRefused(_ text: String) {
        #expect(AddressBlock(text) == nil)
    }

    private func block(_ text: String) throws -> AddressBlock { try #require(AddressBlock(text)) }
}
