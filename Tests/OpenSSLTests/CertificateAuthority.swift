import CrowbarTesting
import Glibc

/// An authority made for a test by the `openssl` command, in a temporary folder that goes with it.
final class CertificateAuthority: Sendable {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// The files of a server's key and certificate.
    struct Identity: Sendable {
        var key: String
        var certificate: String
    }

    private let folder: String
    /// The authority's own certificate, for clients that trust it.
    var file: String { folder + "/ca.pem" }

    init() async throws {
        var name = Array("/tmp/crowbar-tls-XXXXXX".utf8CString)
        guard mkdtemp(&name) != nil else { throw Failure(description: "mkdtemp: error \(errno)") }
        folder = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try await openssl([
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=Test Authority", "-keyout", folder + "/ca.key", "-out", file,
        ])
    }

    deinit {
        for name in ["ca.key", "ca.pem", "ca.srl", "key", "request", "cert"] { unlink("\(folder)/\(name)") }
        rmdir(folder)
    }

    /// Signs a server's certificate.
    /// - Parameters:
    ///   - names: Its subjectAltName, such as `DNS:a.example,IP:127.0.0.1`.
    ///   - days: How long it is valid; 0: it ends as it begins, and is expired at once.
    func identity(_ names: String, days: Int = 2) async throws -> Identity {
        let (key, request, certificate) = (folder + "/key", folder + "/request", folder + "/cert")
        try await openssl([
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=Test Server",
            "-addext", "subjectAltName=\(names)", "-keyout", key, "-out", request,
        ])
        try await openssl([
            "x509", "-req", "-in", request, "-CA", file, "-CAkey", folder + "/ca.key", "-CAcreateserial", "-days",
            "\(days)", "-copy_extensions", "copyall", "-out", certificate,
        ])
        return Identity(key: key, certificate: certificate)
    }

    private func openssl(_ arguments: [String]) async throws {
        let process = try LineProcess("/usr/bin/openssl", arguments: arguments)
        let end = try await process.end(within: .seconds(30))
        guard end == .exited(0) else {
            throw Failure(description: "openssl \(arguments[0]): \(end): \(process.standardError)")
        }
    }
}
