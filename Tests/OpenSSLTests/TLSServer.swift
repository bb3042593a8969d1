import CrowbarTesting

/// `server.py` in a process of its own, killed when the object goes.
struct TLSServer: Sendable {
    /// What it does with a connection; see the script.
    enum Mode: String {
        case echo, bye, count, truncate, vanish, silent, plain
        case tls11 = "tls1.1"
        case tls12 = "tls1.2"
    }

    let port: Int
    private let process: LineProcess

    init(_ mode: Mode, _ identity: CertificateAuthority.Identity) async throws {
        let folder = #filePath.prefix(through: #filePath.lastIndex(of: "/") ?? #filePath.startIndex)
        process = try LineProcess(
            "/usr/bin/python3",
            arguments: [folder + "server.py", mode.rawValue, identity.key, identity.certificate])
        port = try await process.first("the server's port", within: .seconds(30)) { line in
            let words = String(decoding: line, as: UTF8.self).split(separator: " ")
            return words.first == "port" ? Int(words[1]) : nil
        }
    }

    /// The next line that the server says of a connection.
    func said() async throws -> String {
        try await process.first("a word of the server") { String(decoding: $0, as: UTF8.self) }
    }
}
