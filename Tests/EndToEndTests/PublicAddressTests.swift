import Testing

@testable import crowbar

/// How links to this server begin.
@Suite struct PublicAddressTests {
    private static let rows: [(http: String, port: Int?, base: String)] = [
        ("", nil, "http://127.0.0.1:8080"), ("listen = \"127.0.0.1:0\"", 4_711, "http://127.0.0.1:4711"),
        ("listen = \"[::1]:8080\"", nil, "http://[::1]:8080"),
        ("listen = \"0.0.0.0:8080\"", nil, "http://localhost:8080"),
        ("listen = \"[::]:8080\"", nil, "http://localhost:8080"),
        ("listen = \"192.0.2.1:8080\"", nil, "http://192.0.2.1:8080"),
        // On loopback a proxy stands in front of a named host, and elsewhere if one is trusted.
        ("hosts = [\"chat.example.org\"]", nil, "https://chat.example.org"),
        ("hosts = [\"localhost\", \"chat.example.org\", \"b.example\"]", nil, "https://chat.example.org"),
        ("hosts = [\"localhost\"]", nil, "http://127.0.0.1:8080"),
        ("listen = \"0.0.0.0:80\"\nhosts = [\"chat.example.org\"]", nil, "http://chat.example.org:80"),
        (
            "listen = \"0.0.0.0:80\"\nhosts = [\"chat.example.org\"]\ntrusted_proxies = [\"10.0.0.0/8\"]", nil,
            "https://chat.example.org"
        ),
    ]

    @Test(arguments: rows.indices) func aLinkBeginsWithTheFirstHost(_ row: Int) throws {
        let (http, port, base) = Self.rows[row]
        let reader = ConfigurationReader(environment: [:]) { path in
            path == "crowbar.toml" ? Array("[http]\n\(http)\n".utf8) : nil
        }
        let address = PublicAddress(try reader.configuration(named: nil))
        if let port { address.note(port: port) }
        #expect(address.link("setup", token: "t0ken") == base + "/#/setup/t0ken", "\(http)")
    }
}
