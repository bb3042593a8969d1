/// The account at a network's services.
struct SASLConfig: Equatable, Sendable {
    /// How it is proved, by its name in the configuration.
    enum Mechanism: String, CaseIterable, Sendable {
        /// The password as it is (RFC 4616).
        case plain
        /// The certificate of the TLS connection (RFC 4422, appendix A).
        case external
        /// Knowledge of the password on both sides, without sending it (RFC 5802, RFC 7677).
        case scram = "scram-sha-256"

        /// Its name on the wire.
        var wire: String { rawValue.uppercased() }
    }

    var mechanism: Mechanism
    /// Empty with ``Mechanism/external``: the one that the certificate is for.
    var account: String
    var password: String

    /// Reads a network's `sasl`; nil where there is none.
    /// - Parameter hasCertificate: Whether the client has a certificate.
    /// - Throws: ``ConfigError`` naming the key.
    static func read(_ section: ConfigSection, hasCertificate: Bool) throws(ConfigError) -> SASLConfig? {
        guard let json = section.value("sasl") else { return nil }
        let table = try ConfigSection(
            json, path: section.path + ".sasl", known: ["mechanism", "account", "password"])
        let name = try table.string("mechanism") ?? Mechanism.plain.rawValue
        guard let mechanism = Mechanism(rawValue: name) else {
            let names = Mechanism.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", ")
            throw table.fail("mechanism", "must be one of \(names)")
        }
        guard mechanism == .external else {
            return SASLConfig(
                mechanism: mechanism, account: try table.required("account"), password: try table.required("password"))
        }
        guard hasCertificate else { throw table.fail("mechanism", "'external' needs client_cert") }
        guard table.value("password") == nil else { throw table.fail("password", "is of no use with 'external'") }
        return SASLConfig(mechanism: mechanism, account: try table.string("account") ?? "", password: "")
    }
}
