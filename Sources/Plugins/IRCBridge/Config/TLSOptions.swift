import OpenSSL
import PluginKit

/// Whom a network's connection trusts, and what it shows of itself.
struct TLSOptions: Equatable, Sendable {
    /// The keys of a network's table.
    static let keys = ["ca_file", "pin", "client_cert", "client_key"]

    /// A file of authorities to trust; the system's where nil.
    var caFile: String?
    /// The only certificate to trust.
    var pin: TLSFingerprint?
    /// The client's own.
    var identity: TLSClientIdentity?

    /// Reads the keys of a network's table.
    /// - Throws: ``ConfigError`` naming the key.
    init(_ section: ConfigSection, isOn: Bool) throws(ConfigError) {
        for key in Self.keys where !isOn && section.value(key) != nil {
            throw section.fail(key, "is of use with tls = true only")
        }
        caFile = try section.string("ca_file")
        if let text = try section.string("pin") {
            guard let pin = TLSFingerprint(text) else {
                let advice =
                    "must be 'sha256:' and 64 hexadecimal digits, as 'openssl x509 -fingerprint -sha256' has them"
                throw section.fail("pin", advice)
            }
            guard caFile == nil else { throw section.fail("pin", "takes the place of ca_file; remove one of them") }
            self.pin = pin
        }
        let key = try section.string("client_key")
        if let certificate = try section.string("client_cert") {
            identity = TLSClientIdentity(certificate: certificate, key: key)
        } else if key != nil {
            throw section.fail("client_key", "is of use with client_cert only")
        }
    }

    /// What connections share.
    /// - Throws: As ``TLSClientContext/init(caFile:pin:identity:)``.
    func context() throws(TLSError) -> TLSClientContext {
        try TLSClientContext(caFile: caFile, pin: pin, identity: identity)
    }

    /// Tries to read the files.
    /// - Parameter path: Of the network's table.
    /// - Throws: ``ConfigError`` naming the key of the file that cannot be used.
    func check(path: String) throws(ConfigError) {
        if caFile == nil, identity == nil { return }
        let files = [
            ("ca_file", caFile), ("client_cert", identity?.certificate),
            // A key that is not named is in the certificate's file.
            ("client_key", identity?.key == identity?.certificate ? nil : identity?.key),
        ]
        for case (let key, let file?) in files {
            if let problem = ConfiguredFile.problem(file) {
                throw ConfigError(path: "\(path).\(key)", message: problem)
            }
        }
        do throws(TLSError) {
            _ = try context()
        } catch {
            let key =
                switch error {
                case .unusableIdentity(let file, _): file == identity?.certificate ? "client_cert" : "client_key"
                default: "ca_file"
                }
            throw ConfigError(path: "\(path).\(key)", message: "\(error)")
        }
    }
}
