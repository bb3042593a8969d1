/// How an endpoint's TLS is done. That its certificate must be valid for its name cannot be set.
struct TLSSettings: Hashable, Sendable {
    /// The oldest version of TLS that may be spoken.
    enum Minimum: String, CaseIterable, Sendable {
        case tls12 = "1.2"
        case tls13 = "1.3"
    }

    /// CA certificates (PEM) in place of the system's.
    var caFile: String?
    /// The client's certificate (PEM), with its chain.
    var clientCert: String?
    /// Its private key (PEM); nil: it is in the certificate's file.
    var clientKey: String?
    /// The oldest version.
    var minimum = Minimum.tls12
}
