import HTTPTypes
import Testing

@testable import CrowbarHTTP

/// Addresses, the proxies that may name them, and the names that a listener answers to.
@Suite struct AddressTests {
    static let addresses: [(text: String, canonical: String?)] = [
        ("192.0.2.1", "192.0.2.1"), ("::1", "::1"), ("2001:DB8:0:0::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"), ("0.0.0.0", "0.0.0.0"),
        ("", nil), ("192.0.2", nil), ("192.0.2.256", nil), ("192.0.2.01", nil), ("0x7f.1", nil), ("2130706433", nil),
        ("[::1]", nil), ("::1%eth0", nil), (" 192.0.2.1", nil), ("192.0.2.1\0evil", nil), ("localhost", nil),
        (String(repeating: "1", count: 100), nil),
    ]

    @Test(arguments: addresses) func addressesAreStrict(_ text: String, _ canonical: String?) {
        #expect(IPAddress(text)?.description == canonical)
    }

    static let networks: [(network: String, address: String, isInside: Bool?)] = [
        ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false), ("192.0.2.7", "192.0.2.7", true),
        ("192.0.2.7", "192.0.2.8", false), ("192.0.2.0/31", "192.0.2.1", true), ("192.0.2.0/31", "192.0.2.2", false),
        ("0.0.0.0/0", "203.0.113.9", true), ("0.0.0.0/0", "::1", false), ("2001:db8::/32", "2001:db8:ffff::1", true),
        ("2001:db8::/33", "2001:db8:8000::1", false), ("10.0.0.0/8", "::ffff:10.1.2.3", true),
        ("10.0.0.0/33", "10.0.0.1", nil), ("10.0.0.0/", "10.0.0.1", nil), ("10.0.0.0/-1", "10.0.0.1", nil),
        ("10.0.0.0/8/8", "10.0.0.1", nil), ("proxy.example.org", "10.0.0.1", nil), ("", "10.0.0.1", nil),
    ]

    @Test(arguments: networks) func networksHoldAddresses(
        _ network: String, _ address: String, _ isInside: Bool?
    ) throws {
        let parsed = try #require(IPAddress(address))
        #expect(IPNetwork(network)?.contains(parsed) == isInside)
    }

    struct Hop: Sendable, CustomTestStringConvertible {
        var peer = "127.0.0.1"
        var xff: [String] = []
        var forwarded: [String] = []
        var caller: String
        var testDescription: String { "\(peer) \(xff) \(forwarded)" }
    }

    static let hops = [
        Hop(caller: "127.0.0.1"),
        Hop(xff: ["203.0.113.9"], caller: "203.0.113.9"),
        // Nobody but a proxy is believed.
        Hop(peer: "198.51.100.1", xff: ["203.0.113.9"], caller: "198.51.100.1"),
        // What the caller made up stands to the left of what the proxy added.
        Hop(xff: ["1.1.1.1, 127.0.0.1, 203.0.113.9"], caller: "203.0.113.9"),
        Hop(xff: ["1.1.1.1", "203.0.113.9"], caller: "203.0.113.9"),
        Hop(xff: ["203.0.113.9, 10.1.1.1"], caller: "203.0.113.9"),
        Hop(xff: ["203.0.113.9,10.1.1.1 ,\t::1"], caller: "203.0.113.9"),
        Hop(xff: ["10.2.2.2, 10.1.1.1"], caller: "10.2.2.2"),
        Hop(xff: ["203.0.113.9:4711"], caller: "203.0.113.9"),
        Hop(xff: ["2001:db8::9"], caller: "2001:db8::9"),
        Hop(xff: ["[2001:db8::9]"], caller: "2001:db8::9"),
        Hop(xff: ["[2001:DB8::9]:443"], caller: "2001:db8::9"),
        Hop(peer: "::ffff:127.0.0.1", xff: ["203.0.113.9"], caller: "203.0.113.9"),
        // Garbage ends the search at the last proxy that was trusted.
        Hop(xff: ["203.0.113.9, garbage"], caller: "127.0.0.1"),
        Hop(xff: ["203.0.113.9, garbage, 10.1.1.1"], caller: "10.1.1.1"),
        Hop(xff: [""], caller: "127.0.0.1"),
        Hop(xff: ["203.0.113.9,"], caller: "127.0.0.1"),
        Hop(xff: ["unknown"], caller: "127.0.0.1"),
        Hop(xff: ["[203.0.113.9]"], caller: "127.0.0.1"),
        Hop(xff: ["[2001:db8::9"], caller: "127.0.0.1"),
        Hop(xff: ["[2001:db8::9]x"], caller: "127.0.0.1"),
        Hop(xff: ["203.0.113.9:99999"], caller: "127.0.0.1"),
        Hop(xff: [String(repeating: "9", count: 10_000)], caller: "127.0.0.1"),
        Hop(xff: [String(repeating: "10.9.9.9, ", count: 1_000) + "10.1.1.1"], caller: "10.9.9.9"),
        Hop(forwarded: ["for=203.0.113.9;proto=https"], caller: "203.0.113.9"),
        Hop(forwarded: ["proto=https; For=203.0.113.9"], caller: "203.0.113.9"),
        Hop(forwarded: ["for=1.1.1.1, for=203.0.113.9"], caller: "203.0.113.9"),
        Hop(forwarded: ["for=\"[2001:db8::9]:4711\""], caller: "2001:db8::9"),
        Hop(forwarded: ["for=203.0.113.9", "for=10.1.1.1"], caller: "203.0.113.9"),
        Hop(forwarded: ["for=_hidden"], caller: "127.0.0.1"),
        Hop(forwarded: ["by=10.1.1.1"], caller: "127.0.0.1"),
        // An open quotation mark of the caller's cannot swallow what the proxy adds.
        Hop(forwarded: ["for=1.1.1.1, x=\"", "for=203.0.113.9"], caller: "127.0.0.1"),
        Hop(forwarded: ["for=1.1.1.1, x=\", for=\"[2001:db8::9]\""], caller: "127.0.0.1"),
        Hop(forwarded: ["for=\""], caller: "127.0.0.1"),
        // A proxy that sets the one passes on the other as it came.
        Hop(xff: ["203.0.113.9"], forwarded: ["for=1.1.1.1"], caller: "203.0.113.9"),
    ]

    @Test(arguments: hops) func theCallerIsTheRightMostAddressThatIsNoProxy(_ hop: Hop) throws {
        var wrong = ""
        let proxies = try #require(TrustedProxies(["127.0.0.1", "10.0.0.0/8", "::1"], wrong: &wrong))
        var headers = HTTPFields()
        for value in hop.xff { headers.append(HTTPField(name: .xForwardedFor, value: value)) }
        for value in hop.forwarded { headers.append(HTTPField(name: .forwarded, value: value)) }
        #expect(proxies.caller(peer: hop.peer, headers) == hop.caller)
        #expect(TrustedProxies.none.caller(peer: hop.peer, headers) == hop.peer)
    }

    @Test func aWrongProxyIsNamed() {
        var wrong = ""
        #expect(TrustedProxies(["127.0.0.1", "nginx"], wrong: &wrong) == nil && wrong == "nginx")
    }

    @Test func limitsCountAnIPv6SubscriberOnce() {
        #expect(IPAddress.limitKey(of: "2001:db8:1:2::1") == IPAddress.limitKey(of: "2001:db8:1:2:ffff::9"))
        #expect(IPAddress.limitKey(of: "2001:db8:1:2::1") != IPAddress.limitKey(of: "2001:db8:1:3::1"))
        #expect(IPAddress.limitKey(of: "192.0.2.1") == "192.0.2.1" && IPAddress.limitKey(of: "local") == "local")
    }

    private static let named = HostRule(hosts: ["chat.example.org"], listening: "0.0.0.0")
    private static let loopback = HostRule(hosts: [], listening: "127.0.0.1")
    private static let open = HostRule(hosts: [], listening: "0.0.0.0")

    enum Expected: Sendable { case allowed, misdirected, malformed }

    /// A `Host`, and what a listener with names, one on loopback, and one that is open make of it.
    static let hosts: [(host: String?, named: Expected, loopback: Expected, open: Expected)] = [
        ("chat.example.org", .allowed, .misdirected, .allowed),
        ("Chat.Example.ORG.:8443", .allowed, .misdirected, .allowed),
        ("localhost", .allowed, .allowed, .allowed), ("LOCALHOST:8080", .allowed, .allowed, .allowed),
        ("localhost:", .allowed, .allowed, .allowed),
        ("127.0.0.1:8080", .allowed, .allowed, .allowed), ("192.0.2.1", .allowed, .allowed, .allowed),
        ("[::1]:8080", .allowed, .allowed, .allowed), ("[2001:db8::1]", .allowed, .allowed, .allowed),
        ("evil.example", .misdirected, .misdirected, .allowed),
        ("chat.example.org.evil.example", .misdirected, .misdirected, .allowed),
        ("xchat.example.org", .misdirected, .misdirected, .allowed),
        ("127.0.0.1.evil.example", .misdirected, .misdirected, .allowed),
        ("localhost.evil.example:8080", .misdirected, .misdirected, .allowed),
        ("127.1", .misdirected, .misdirected, .allowed),
        (nil, .malformed, .malformed, .malformed), ("", .malformed, .malformed, .malformed),
        (":8080", .malformed, .malformed, .malformed), ("localhost:99999", .malformed, .malformed, .malformed),
        ("localhost:80x", .malformed, .malformed, .malformed), ("::1", .malformed, .malformed, .malformed),
        ("[::1", .malformed, .malformed, .malformed), ("[::1]x", .malformed, .malformed, .malformed),
        ("[127.0.0.1]", .malformed, .malformed, .malformed), ("a b", .malformed, .malformed, .malformed),
        ("user@localhost", .malformed, .malformed, .malformed), ("localhost/x", .malformed, .malformed, .malformed),
        ("localhost,evil.example", .malformed, .malformed, .malformed),
        ("ex\u{E4}mple.org", .malformed, .malformed, .malformed),
        (String(repeating: "a", count: 300), .malformed, .malformed, .malformed),
    ]

    @Test func aListenerAnswersToItsNames() {
        for (host, named, loopback, open) in Self.hosts {
            for (rule, expected) in [(Self.named, named), (Self.loopback, loopback), (Self.open, open)] {
                let verdict = rule.verdict(host)
                switch expected {
                case .allowed: #expect(verdict == .allowed, "\(host ?? "none")")
                case .misdirected:
                    guard case .misdirected = verdict else { Issue.record("\(host ?? "none"): \(verdict)"); continue }
                case .malformed:
                    guard case .malformed = verdict else { Issue.record("\(host ?? "none"): \(verdict)"); continue }
                }
                guard case .malformed = rule.verdict(host, isRepeated: true) else {
                    Issue.record("\(host ?? "none") twice")
                    continue
                }
            }
        }
        #expect(Self.open.acceptsEveryName && !Self.loopback.acceptsEveryName && !Self.named.acceptsEveryName)
        for host in ["::1", "127.9.9.9", "localhost", "LocalHost"] {
            #expect(!HostRule(hosts: [], listening: host).acceptsEveryName, "\(host) is loopback")
        }
    }

    @Test(arguments: [
        ("chat.example.org", true), ("chat", true), ("a_b.example", true), ("", false), ("https://chat", false),
        ("chat:80", false), ("*.example.org", false), ("[::1]", false), ("ch\u{E4}t", false),
        (String(repeating: "a", count: 254), false),
    ]) func namesInTheConfiguration(_ name: String, _ isName: Bool) { #expect(HostRule.isName(name) == isName) }
}
