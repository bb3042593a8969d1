import CrowbarTesting
import Glibc
import JSONBytes
import PluginWire
import Testing

@testable import PluginHTTP
@testable import Webhook

/// A real HTTP proxy, `proxy.py`.
struct Proxy {
    private let process: LineProcess
    let port: Int64

    /// Starts it.
    /// - Parameter password: `USER:PASSWORD` that it wants.
    init(password: String? = nil) async throws {
        let script = #filePath.dropLast("ProxyTests.swift".count) + "proxy.py"
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        process = try LineProcess(
            "/usr/bin/env", arguments: ["python3", String(script)] + (password.map { ["--password", $0] } ?? []),
            environment: ["PATH=\(path)"])
        port = try await process.first("the proxy's port") { try JSON(parsing: $0)["port"]?.int }
    }

    /// Takes the next request.
    func request() async throws -> JSON { try await process.first("a request to the proxy") { try JSON(parsing: $0) } }

    /// The requests that came and were not taken; it does not wait.
    var unread: Int { process.unread.count }

    /// `via_proxy` for it.
    func member(_ credentials: String = "") -> JSON.Member {
        .init("via_proxy", .string("http://\(credentials)127.0.0.1:\(port)"))
    }
}

/// Endpoints that are reached through a proxy.
@Suite struct ProxyTests {
    @Test func aPlainRequestGoesThroughTheProxy() async throws {
        let (receiver, proxy) = (try await Receiver(), try await Proxy())
        let webhook = try await WebhookProcess([
            // A name that only the proxy knows.
            endpoint("a", "http://hooks.example:\(receiver.port)/in", proxy.member())
        ])
        try await webhook.start()
        try await webhook.deliver(1, to: "a")
        try await webhook.acks([1])
        #expect(try await receiver.request().isVerified)
        let seen = try await proxy.request()
        #expect(seen["method"]?.string == "POST")
        #expect(seen["target"]?.string == "http://hooks.example:\(receiver.port)/in")
    }

    @Test func tlsIsWithTheReceiverAndTheProxySeesNothingOfIt() async throws {
        let (world, proxy) = (try await TLSWorld(), try await Proxy())
        let ca = JSON.Member("ca_file", .string(try world.file("ca.pem")))
        let secret = JSON.Member("headers", .object([.init("authorization", .string("Bearer 123"))]))
        let webhook = try await WebhookProcess([
            endpoint("good", try world.url("good"), proxy.member(), ca, secret),
            endpoint("expired", try world.url("expired"), proxy.member(), ca),
        ])
        try await webhook.start()
        try await webhook.deliver(1, to: "good")
        try await webhook.acks([1])
        #expect(try await world.request().server == "good")
        let seen = try await proxy.request()
        #expect(seen["method"]?.string == "CONNECT")
        #expect("https://\(seen["target"]?.string ?? "")/in" == (try world.url("good")))
        let names = try #require(seen["names"]?.array).compactMap(\.string)
        #expect(Set(names).isSubset(of: ["host", "user-agent", "proxy-connection"]), "\(names)")
        try await webhook.deliver(2, to: "expired")
        let retry = try await webhook.retry(2)
        #expect(retry.code == "tls" && retry.message.contains("certificate has expired"))
        try await world.stop()
    }

    @Test func aProxyMayWantAPassword() async throws {
        let (receiver, proxy) = (try await Receiver(), try await Proxy(password: "ann:s3cret%"))
        let (world, url) = (try await TLSWorld(), receiver.url("/in"))
        let webhook = try await WebhookProcess([
            endpoint("with", url, proxy.member("ann:s3cret%25@")), endpoint("without", url, proxy.member()),
            endpoint("tunnel", try world.url("good"), proxy.member("ann:wrong@")),
        ])
        try await webhook.start()
        try await webhook.deliver(1, to: "with")
        try await webhook.acks([1])
        #expect(try await receiver.request().headers["proxy-authorization"] == nil)
        for (i, name) in ["without", "tunnel"].enumerated() {
            let delivery = Int64(i + 2)
            try await webhook.deliver(delivery, to: name)
            let retry = try await webhook.retry(delivery)
            #expect(retry.code == "proxy")
            #expect(retry.message == "the proxy answered 407; give via_proxy as http://USER:PASSWORD@HOST:PORT")
        }
        try await world.stop()
    }

    @Test func aProxyThatRefusesOrIsNotThereIsRetried() async throws {
        let proxy = try await Proxy()
        let webhook = try await WebhookProcess([
            endpoint("refused", "https://refused.example/in", proxy.member()),
            endpoint("nobody", "https://a.example/", .init("via_proxy", .string("http://127.0.0.1:1"))),
            endpoint(
                "nameless", "https://a.example/", .init("via_proxy", .string("http://u:geheim@no-such.invalid:80"))),
        ])
        try await webhook.start()
        try await webhook.deliver(1, to: "refused")
        let refused = try await webhook.retry(1)
        #expect(refused.code == "proxy" && refused.message == "the proxy answered 403")
        try await webhook.deliver(2, to: "nobody")
        #expect(try await webhook.retry(2).code == "connect")
        try await webhook.deliver(3, to: "nameless")
        let nameless = try await webhook.retry(3, within: .seconds(20))
        #expect(["proxy", "timeout"].contains(nameless.code), "\(nameless)")
        #expect(!nameless.message.contains("geheim"))
    }

    @Test func aProxyIsJudgedByItsAddressAndTheTargetByItsName() async throws {
        let proxy = try await Proxy()
        let localhost = JSON.array([.string("127.0.0.0/8")])
        let elsewhere = JSON.array([.string("10.0.0.0/8")])
        func problem(_ url: String, _ proxy: String, _ leave: JSON?) -> PluginMessage.Problem? {
            let json = endpoint("a", url, allowPrivate: leave, .init("via_proxy", .string(proxy)))
            do {
                _ = try WebhookConfiguration(.object([.init("endpoints", .array([json]))]), isCheck: true)
                return nil
            } catch { return error.first }
        }
        let good = "http://127.0.0.1:\(proxy.port)"
        #expect(problem("https://hooks.example/", good, localhost) == nil)
        #expect(problem("https://hooks.example/", good, elsewhere)?.path == "endpoints[0].via_proxy")
        #expect(problem("https://hooks.example/", good, nil)?.path == "endpoints[0].via_proxy")
        #expect(problem("http://10.0.0.1/", good, localhost)?.path == "endpoints[0].url")
        #expect(problem("http://a.internal/", "http://proxy.example.org:3128", nil)?.path == "endpoints[0].url")

        // A proxy by name is judged at the connection.
        let webhook = try await WebhookProcess([
            endpoint(
                "a", "https://hooks.example/", allowPrivate: elsewhere,
                .init("via_proxy", .string("http://localhost:\(proxy.port)")))
        ])
        try await webhook.start()
        try await webhook.deliver(1, to: "a")
        #expect(try await webhook.reject(1).code == "address_denied")
        #expect(proxy.unread == 0)
    }

    @Test(arguments: [
        ("proxy.example.org:3128", "is expected"), ("", "is expected"), ("http://", "is expected"),
        ("https://u:geheim@proxy.example.org", "the scheme 'https'"),
        ("socks5://proxy.example.org", "the scheme 'socks5'"),
        ("http://proxy example", "is expected"), ("http://proxy.example.org:3128\n", "begins or ends"),
    ])
    func whatIsNoProxyIsNamed(text: String, reason: String) throws {
        let json = endpoint("a", "https://example.org/", .init("via_proxy", .string(text)))
        let error = #expect(throws: InvalidConfiguration.self) {
            try WebhookConfiguration(.object([.init("endpoints", .array([json]))]), isCheck: false)
        }
        #expect(error?.first.path == "endpoints[0].via_proxy")
        #expect(error?.first.message.contains(reason) == true, "\(error?.first.message ?? "")")
        #expect(error?.first.message.contains("geheim") == false)
    }

    @Test func proxiesOfTheEnvironmentAreIgnored() async throws {
        let (receiver, proxy, used) = (try await Receiver(), try await Proxy(), try await Proxy())
        let names = ["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
        let environment = names.map { "\($0)=http://127.0.0.1:\(proxy.port)" }
        let webhook = try await WebhookProcess(
            [
                endpoint("direct", receiver.url("/direct")),
                endpoint("proxied", "http://hooks.example:\(receiver.port)/proxied", used.member()),
            ], environment: environment + ["no_proxy=*", "NO_PROXY=*"])
        try await webhook.start()
        try await webhook.deliver(1, to: "direct")
        try await webhook.deliver(2, to: "proxied")
        try await webhook.acks([1, 2])
        #expect(Set(try await receiver.requests(2).map(\.path)) == ["/direct", "/proxied"])
        _ = try await used.request()
        #expect(proxy.unread == 0)
    }
}
