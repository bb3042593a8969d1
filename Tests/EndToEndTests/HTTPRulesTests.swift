import Testing

/// `[http] hosts`, `trusted_proxies` and `cors`, as the real program reads them.
@Suite struct HTTPRulesTests {
    @Test(
        arguments: [
            ("hosts = [\"chat.example.org\", \"localhost\"]", nil),
            ("trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\", \"::1\", \"2001:db8::/32\"]", nil),
            ("hosts = \"chat.example.org\"", "crowbar.toml:2: http.hosts: must be an array of strings"),
            ("hosts = [\"https://chat.example.org\"]", "'https://chat.example.org' is no host name"),
            ("hosts = [\"chat.example.org:443\"]", "'chat.example.org:443' is no host name"),
            ("hosts = [\"*.example.org\"]", "'*.example.org' is no host name"),
            (
                "trusted_proxies = [\"nginx\"]",
                "crowbar.toml:2: http.trusted_proxies: 'nginx' is no IP address or network"
            ),
            ("cors = [\"https://page.example.org\", \"http://localhost:3000\"]", nil),
            ("cors = [\"*\"]", "crowbar.toml:2: http.cors: '*' allows every page; list the origins one by one"),
            ("cors = [\"https://page.example.org/\"]", "must not end in '/': an origin has no path"),
            ("cors = \"https://page.example.org\"", "http.cors: must be an array of strings"),
            ("trusted_proxies = [\"10.0.0.0/33\"]", "'10.0.0.0/33' is no IP address or network"),
            ("trusted_proxy = [\"10.0.0.0/8\"]", "trusted_proxy: unknown key"),
        ] as [(String, String?)])
    func whatIsWrongIsNamed(_ line: String, _ expected: String?) {
        let folder = CommandLineFolder()
        folder.makeFolder("plugins.d")
        folder.write("crowbar.toml", "[http]\n\(line)\nlisten = \"127.0.0.1:0\"\n")
        let check = folder.crowbar("check")
        #expect(check.status == (expected == nil ? 0 : 1), "\(check.error)")
        if let expected { #expect(check.error.contains(expected), "\(check.error)") }
    }
}
