import HTTPClient
import Testing

@testable import Webhook

/// What is refused of a URL before anything is connected.
@Suite struct EndpointURLTests {
    private let strict = AddressFilter(leave: .none)

    @Test(arguments: [
        ("https://hooks.example.org/T/abc?key=1", "https://hooks.example.org/…"),
        ("http://example.org:8080/", "http://example.org:8080/…"), ("https://example.org:443", "https://example.org/…"),
        ("HTTPS://EXAMPLE.org/x#y", "https://EXAMPLE.org/…"),
        ("http://[2606:4700::1111]/", "http://[2606:4700::1111]/…"),
    ])
    func isTakenAndMasked(_ text: String, _ masked: String) throws {
        #expect(try EndpointURL(text, filter: strict).masked == masked)
    }

    @Test(arguments: [
        ("http://127.0.0.1/", "127.0.0.1"), ("http://0x7f.1/", "127.0.0.1"), ("http://0177.0.0.1/", "127.0.0.1"),
        ("http://2130706433/", "127.0.0.1"), ("http://0x7f000001/", "127.0.0.1"), ("http://127.1/", "127.0.0.1"),
        ("http://0/", "0.0.0.0"), ("http://0300.0250.1/", "192.168.0.1"), ("http://2852039166/x", "169.254.169.254"),
        ("http://[::1]/", "[::1]"), ("http://[::ffff:127.0.0.1]/", "[::ffff:127.0.0.1]"),
        ("http://[64:ff9b::7f00:1]/", "[64:ff9b::7f00:1]"), ("https://localhost:8080/", "localhost"),
        ("https://LOCALHOST./", "LOCALHOST."), ("https://a.internal./", "a.internal."),
        ("http://%6cocalhost/", "localhost"),
    ])
    func aPrivateAddressIsDeniedHoweverItIsSpelt(_ text: String, _ host: String) {
        #expect(throws: EndpointURL.Refusal.denied(host: host)) { try EndpointURL(text, filter: strict) }
        #expect((try? EndpointURL(text, filter: AddressFilter(leave: .all))) != nil)
    }

    @Test(arguments: [
        ("ftp://example.org/", EndpointURL.Refusal.scheme("ftp")), ("file:///etc/passwd", .malformed),
        ("gopher://example.org/", .scheme("gopher")), ("https://user:pw@example.org/", .credentials),
        ("https://user@example.org/", .credentials), ("https://:pw@example.org/", .credentials), ("", .malformed),
        ("example.org/x", .malformed), ("https://", .malformed), ("https://exa mple.org/", .malformed),
        ("https://example.org/\r\nx: y", .malformed), ("https://example.org:99999/", .malformed),
        ("https://exämple.org/", .malformed), ("https://example.org/x\n", .padded),
        ("https://example.org/x\r\n", .padded),
        ("https://example.org/x ", .padded), (" https://example.org/x", .padded), ("https://example.org/\t", .padded),
    ])
    func whatIsNoEndpointIsRefused(_ text: String, _ refusal: EndpointURL.Refusal) {
        #expect(throws: refusal) { try EndpointURL(text, filter: AddressFilter(leave: .all)) }
    }

    @Test func refusalsTellNoSecret() {
        let texts: [EndpointURL.Refusal] = [.malformed, .tooLong, .credentials, .denied(host: "h"), .scheme("s")]
        for text in texts { #expect(!"\(text)".isEmpty) }
        #expect(throws: EndpointURL.Refusal.tooLong) {
            try EndpointURL("https://example.org/" + String(repeating: "x", count: 4096), filter: strict)
        }
    }

    /// One private address in every spelling that libcurl takes for one, and what it takes for a name.
    @Test(arguments: [
        "127.0.0.1", "127.1", "127.0.1", "2130706433", "017700000001", "0x7f000001", "0X7F000001", "0x7f.0.0.1",
        "0x7f.1", "0177.1", "0177.0.0.01", "127.0.0.0x1", "127.0x0.0x0.0x1", "00000177.0.0.1", "127.0.0.1.",
        "[::1]", "[0:0:0:0:0:0:0:1]", "[::0001]", "[::ffff:7f00:1]", "[::FFFF:127.0.0.1]", "[64:ff9b::127.0.0.1]",
        "[::127.0.0.1]", "%31%32%37.0.0.1", "1%327.1", "169.254.169.254", "0xa9fea9fe", "0251.0376.0251.0376",
        "2852039166", "[fd00:ec2::254]", "localhost", "LOCALHOST.", "%6c%6fcalhost", "x.localhost", "x.y.localhost.",
        "internal", "internal.", "metadata.google.internal", "METADATA.google.INTERNAL.", "[fe80::1%25lo]",
    ])
    func spellings(_ host: String) {
        #expect(throws: EndpointURL.Refusal.self) { try EndpointURL("http://\(host)/x", filter: strict) }
        #expect((try? EndpointURL("http://\(host)/x", filter: AddressFilter(leave: .all))) != nil)
    }
}
