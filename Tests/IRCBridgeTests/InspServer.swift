import CrowbarTesting
import Glibc
import Testing

/// A real InspIRCd 3 on a free port of loopback, with what it has of IRCv3, in a folder of its own.
final class InspServer: Sendable {
    static let path = "/usr/sbin/inspircd"
    let port: Int
    let tlsPort: Int
    private let folder: TestFolder
    private let certificate: CertificateAuthority.Identity?
    private let process: LineProcess

    /// - Parameters:
    ///   - more: More of its configuration.
    ///   - port: The port; a free one where nil.
    ///   - name: Its name, which others of its network know it by.
    ///   - id: Its number in the network.
    ///   - certificate: What it shows of itself by TLS.
    ///   - ircv3: Whether it has what it has of IRCv3.
    ///   - limits: Its limits for clients in place of these.
    ///   - penalties: Whether it slows clients down, as it does in the configuration that comes with it.
    ///   - ipv6: Whether it listens on ::1 too.
    ///   - password: What clients must give.
    ///   - without: Modules that are not loaded.
    init(
        _ more: String = "", port: Int? = nil, name: String = "irc.test.local", id: String = "001",
        certificate: CertificateAuthority.Identity? = nil, ircv3: Bool = true, limits own: String? = nil,
        penalties: Bool = false, ipv6: Bool = false, password: String? = nil, without: Set<String> = []
    ) async throws {
        try #require(access(Self.path, X_OK) == 0, "inspircd is missing: apt-get install inspircd")
        self.port = try port ?? LoopbackPort.free()
        tlsPort = try LoopbackPort.free()
        folder = try TestFolder()
        self.certificate = certificate
        let modules = [
            "cap", "ircv3", "ircv3_accounttag", "ircv3_batch", "ircv3_capnotify", "ircv3_chghost", "ircv3_ctctags",
            "ircv3_echomessage", "ircv3_labeledresponse", "ircv3_msgid", "ircv3_servertime", "namesx", "uhnames",
        ]
        var binds = #"<bind address="127.0.0.1" port="\#(self.port)" type="clients">"#
        if ipv6 { binds += #"<bind address="::1" port="\#(self.port)" type="clients">"# }
        if let certificate {
            binds += """
                <module name="ssl_gnutls">
                <sslprofile name="own" provider="gnutls" certfile="\(certificate.certificate)"
                    keyfile="\(certificate.key)">
                <bind address="127.0.0.1" port="\(tlsPort)" type="clients" sslprofile="own">
                """
        }
        // Those of the class "main" in inspircd.conf.example, with less of a queue; but all come from one address.
        let limits =
            own
            ?? (penalties
                ? #"threshold="10" commandrate="1000" fakelag="yes" recvq="8K" softsendq="10240" hardsendq="1M""#
                : #"threshold="100000" commandrate="1000000" fakelag="no" recvq="1M" softsendq="1M""#)
        let file = folder.path + "/inspircd.conf"
        try TestFolder.write(
            """
            <server name="\(name)" id="\(id)" description="Test" network="Test">
            <admin name="a" email="a@test.local" nick="a">
            \(binds)
            <connect allow="*" timeout="60" pingfreq="1h" \(limits) localmax="100" globalmax="100" resolvehostnames="no"
                \(password.map { "password=\"\($0)\"" } ?? "")>
            <dns timeout="1">
            <options defaultmodes="not" allowhalfop="no">
            \((ircv3 ? modules : []).filter { !without.contains($0) }.map { "<module name=\"\($0)\">" }
                .joined(separator: "\n"))
            \(more)

            """, file)
        process = try LineProcess(
            Self.path,
            arguments: ["--nofork", "--nopid", "--nolog", "--config", file] + (getuid() == 0 ? ["--runasroot"] : []))
        try await LoopbackPort.waitUntilOpen(self.port)
    }

    /// What lets it link with another one.
    /// - Parameters:
    ///   - other: The other's name.
    ///   - port: Where the other listens for servers; nil: this one listens itself.
    ///   - own: Where this one listens for servers.
    static func link(_ other: String, at port: Int? = nil, own: Int? = nil) -> String {
        """
        <module name="spanningtree">
        <security hideserver="">
        \(own.map { "<bind address=\"127.0.0.1\" port=\"\($0)\" type=\"servers\">" } ?? "")
        <link name="\(other)" ipaddr="127.0.0.1" port="\(port ?? 1)" allowmask="127.0.0.0/8" sendpass="p" recvpass="p">
        \(port == nil ? "" : "<autoconnect period=\"1s\" server=\"\(other)\">")
        """
    }

    /// Stops it, or lets it go on.
    func send(signal: Int32) { process.kill(signal) }

    /// Ends it as a crash does.
    func kill() async throws {
        process.kill(SIGKILL)
        _ = try await process.end()
    }
}
