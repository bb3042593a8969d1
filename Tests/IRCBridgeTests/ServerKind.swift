import CrowbarTesting
import Testing

/// A real server that a test runs, whichever it is.
protocol ChatServer: Sendable {
    /// Where it listens on 127.0.0.1.
    var port: Int { get }
    /// Where it speaks TLS, if it was given a certificate.
    var tlsPort: Int { get }
    /// Stops it (`SIGSTOP`), or lets it go on.
    func send(signal: Int32)
    /// Ends it as a crash does.
    func kill() async throws
}

extension IRCServer: ChatServer {}
extension InspServer: ChatServer {}

/// The servers that the bridge is tested with: one that has nothing of IRCv3, so that PINGs are its receipts, and one
/// that has most, so that echoes are.
enum ServerKind: String, CaseIterable, Sendable {
    case ngIRCd, inspIRCd

    /// Starts one.
    /// - Parameters:
    ///   - port: The port; a free one where nil.
    ///   - certificate: What it shows of itself by TLS.
    ///   - penalties: Whether it slows clients down as it does in its stock configuration.
    ///   - ipv6: Whether it listens on ::1 too.
    func start(
        port: Int? = nil, certificate: CertificateAuthority.Identity? = nil, penalties: Bool = false,
        ipv6: Bool = false
    ) async throws -> any ChatServer {
        switch self {
        case .ngIRCd:
            try await IRCServer(port: port, certificate: certificate, penalties: penalties, ipv6: ipv6)
        case .inspIRCd:
            try await InspServer(port: port, certificate: certificate, penalties: penalties, ipv6: ipv6)
        }
    }
}
