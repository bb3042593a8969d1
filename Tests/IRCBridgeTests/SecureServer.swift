import CrowbarTesting

/// `secure_server.py` in a process of its own, killed when the object goes.
struct SecureServer: Sendable {
    let port: Int
    private let process: LineProcess
    private let identity: CertificateAuthority.Identity

    /// - Parameters:
    ///   - mode: See the script.
    ///   - authority: Whose certificates it takes from clients.
    init(
        _ identity: CertificateAuthority.Identity, _ mode: String, authority: CertificateAuthority? = nil
    ) async throws {
        self.identity = identity
        let folder = #filePath.prefix(through: #filePath.lastIndex(of: "/") ?? #filePath.startIndex)
        process = try LineProcess(
            "/usr/bin/python3",
            arguments: [folder + "secure_server.py", identity.key, identity.certificate, mode]
                + (authority.map { [$0.file] } ?? []))
        port = try await process.first("the server's port") {
            Int(String(decoding: $0, as: UTF8.self))
        }
    }

    /// The next line that the server says of a connection.
    func said() async throws -> String {
        try await process.first("a word of the server") { String(decoding: $0, as: UTF8.self) }
    }
}

extension String {
    /// The text before another one; the whole where that is not in it.
    func components(upTo end: String) -> String {
        firstRange(of: end).map { String(self[..<$0.lowerBound]) } ?? self
    }
}
