import Glibc
import Synchronization

/// An authority made for a test by the `openssl` command, in a temporary folder that goes with it.
public final class CertificateAuthority: Sendable {
    /// The command failed.
    public struct Failure: Error, CustomStringConvertible {
        public var description: String
    }

    /// The files of a key and of its certificate, which are there as long as this is.
    public struct Identity: Sendable {
        public let key: String
        public let certificate: String
        private let authority: CertificateAuthority

        fileprivate init(_ authority: CertificateAuthority, _ name: String) {
            self.authority = authority
            key = "\(authority.folder)/\(name).key"
            certificate = "\(authority.folder)/\(name).pem"
        }
    }

    private static let newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]

    fileprivate let folder: String
    private let made = Mutex(["ca"])
    /// The authority's own certificate, for clients that trust it.
    public var file: String { folder + "/ca.pem" }

    /// Makes an authority.
    public init() async throws {
        var name = Array("/tmp/crowbar-tls-XXXXXX".utf8CString)
        guard mkdtemp(&name) != nil else { throw Failure(description: "mkdtemp: error \(errno)") }
        folder = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try await selfSign("ca", ["-subj", "/CN=Test Authority"])
    }

    deinit {
        for name in made.withLock({ $0 }) {
            for ending in ["key", "pem", "srl", "request"] { unlink("\(folder)/\(name).\(ending)") }
        }
        rmdir(folder)
    }

    /// Signs a certificate.
    /// - Parameters:
    ///   - names: Its subjectAltName, such as `DNS:a.example,IP:127.0.0.1`.
    ///   - days: How long it is valid; 0: it ends as it begins, and is expired at once.
    public func identity(_ names: String, days: Int = 2) async throws -> Identity {
        let name = name()
        let identity = Identity(self, name)
        let request = "\(folder)/\(name).request"
        try await openssl(
            ["req"] + Self.newKey + [
                "-subj", "/CN=Test", "-addext", "subjectAltName=\(names)", "-keyout", identity.key, "-out", request,
            ])
        try await openssl([
            "x509", "-req", "-in", request, "-CA", file, "-CAkey", folder + "/ca.key", "-CAcreateserial", "-days",
            "\(days)", "-copy_extensions", "copyall", "-out", identity.certificate,
        ])
        return identity
    }

    /// Makes a certificate that nobody signed but its own key.
    /// - Parameter names: Its subjectAltName.
    public func selfSigned(_ names: String) async throws -> Identity {
        let name = name()
        try await selfSign(name, ["-subj", "/CN=Test", "-addext", "subjectAltName=\(names)"])
        return Identity(self, name)
    }

    /// A certificate's fingerprint as `openssl x509 -fingerprint -sha256` prints it, without what stands before it:
    /// `AA:BB:…`.
    public func fingerprint(_ certificate: String) async throws -> String {
        let process = try LineProcess(
            "/usr/bin/openssl", arguments: ["x509", "-in", certificate, "-noout", "-fingerprint", "-sha256"])
        return try await process.first("the fingerprint") { line in
            String(decoding: line, as: UTF8.self).split(separator: "=").last.map(String.init)
        }
    }

    private func name() -> String {
        made.withLock {
            $0.append("\($0.count)")
            return $0[$0.count - 1]
        }
    }

    private func selfSign(_ name: String, _ more: [String]) async throws {
        try await openssl(
            ["req", "-x509", "-days", "2"] + Self.newKey + more + [
                "-keyout", "\(folder)/\(name).key", "-out", "\(folder)/\(name).pem",
            ])
    }

    private func openssl(_ arguments: [String]) async throws {
        let process = try LineProcess("/usr/bin/openssl", arguments: arguments)
        let end = try await process.end(within: .seconds(30))
        guard end == .exited(0) else {
            throw Failure(description: "openssl \(arguments[0]): \(end): \(process.standardError)")
        }
    }
}
