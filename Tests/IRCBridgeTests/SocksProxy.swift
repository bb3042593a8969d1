import CrowbarTesting

/// `socks_server.py` in a process of its own, killed when the object goes.
struct SocksProxy {
    let port: Int
    private let process: LineProcess

    /// - Parameter mode: See the script.
    init(_ mode: String) async throws {
        let folder = #filePath.prefix(through: #filePath.lastIndex(of: "/") ?? #filePath.startIndex)
        process = try LineProcess("/usr/bin/python3", arguments: [folder + "socks_server.py", mode])
        port = try await process.first("the port") { Int(String(decoding: $0, as: UTF8.self)) }
    }

    /// The next target that it was asked for.
    func target() async throws -> String {
        try await process.first("a target") { String(decoding: $0, as: UTF8.self) }
    }

    /// Closes its clients' connections, and leaves those to the servers as they are: to these the clients are still
    /// there.
    func cut() async throws { try await process.send(line: Array("cut".utf8)) }

    /// Closes the connections to servers whose clients it has cut off.
    func release() async throws { try await process.send(line: Array("release".utf8)) }
}
