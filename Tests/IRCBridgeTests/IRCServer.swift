import CrowbarTesting
import Glibc
import Testing

/// A real ngIRCd on a free port of loopback, in a folder of its own.
final class IRCServer: Sendable {
    static let path = "/usr/sbin/ngircd"
    let port: Int
    let tlsPort: Int
    private let folder: TestFolder
    private let certificate: CertificateAuthority.Identity?
    private let process: LineProcess

    /// Starts one.
    /// - Parameters:
    ///   - port: The port; a free one where nil.
    ///   - certificate: What it shows of itself by TLS.
    ///   - name: Its name, which others of its network know it by.
    ///   - penalties: Whether it slows clients down, as it does unless it is told not to.
    ///   - ipv6: Whether it listens on ::1 too.
    ///   - more: More of its configuration.
    init(
        port: Int? = nil, name: String = "irc.test.local", password: String? = nil,
        certificate: CertificateAuthority.Identity? = nil,
        penalties: Bool = false, ipv6: Bool = false, more: String = ""
    ) async throws {
        try #require(access(Self.path, X_OK) == 0, "ngircd is missing: apt-get install ngircd")
        self.port = try port ?? LoopbackPort.free()
        tlsPort = try LoopbackPort.free()
        folder = try TestFolder()
        self.certificate = certificate
        var text = """
            [Global]
            Name = \(name)
            Info = Test
            Listen = 127.0.0.1\(ipv6 ? ",::1" : "")
            Ports = \(self.port)
            \(password.map { "Password = \($0)" } ?? "")
            ServerUID = \(getuid())
            ServerGID = \(getgid())
            MotdPhrase = hello
            [Limits]
            \(penalties ? "" : "MaxPenaltyTime = 0")
            MaxConnectionsIP = 0
            MaxNickLength = 16
            PingTimeout = 3600
            [Options]
            DNS = no
            Ident = no
            PAM = no
            \(more)

            """
        if let certificate {
            text += """
                [SSL]
                CertFile = \(certificate.certificate)
                KeyFile = \(certificate.key)
                Ports = \(tlsPort)

                """
        }
        let file = folder.path + "/ngircd.conf"
        try TestFolder.write(text, file)
        process = try LineProcess(Self.path, arguments: ["-n", "-f", file])
        try await LoopbackPort.waitUntilOpen(self.port)
    }

    /// Stops it, or lets it go on.
    func send(signal: Int32) { process.kill(signal) }

    /// Ends it as a crash does.
    func kill() async throws {
        process.kill(SIGKILL)
        _ = try await process.end()
    }
}
