import CrowbarTesting
import Glibc
import JSONBytes

/// A real HTTP server, `receiver.py`, that answers as the path says and tells of each request.
struct Receiver {
    /// The secret of the Standard Webhooks documentation's example.
    static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    /// One request, as it came.
    struct Request: Sendable, Equatable {
        var path: String
        var id: String
        var timestamp: Int64
        var headers: JSON
        var body: String
        var isVerified: Bool
        /// The client's port: the same for requests over one connection.
        var client: Int64
        /// Milliseconds of the receiver's clock.
        var at: Int64
        /// The most requests that were open at once so far.
        var most: Int64
    }

    /// Where it listens.
    let port: Int64
    /// Its certificate's file, where it speaks TLS.
    let caFile: String?
    private let process: LineProcess

    /// Starts it on a free port of the loopback.
    /// - Parameter tls: It speaks TLS as "localhost"; it must be stopped by ``stop()`` then.
    init(tls: Bool = false) async throws {
        let script = #filePath.dropLast("Receiver.swift".count) + "receiver.py"
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        process = try LineProcess(
            "/usr/bin/env", arguments: ["python3", String(script)] + (tls ? ["--tls"] : []) + [Self.secret],
            environment: ["PATH=\(path)"])
        (port, caFile) = try await process.first("the receiver's port (are python3 and openssl installed?)") { line in
            let json = try JSON(parsing: line)
            return json["port"]?.int.map { ($0, json["ca"]?.string) }
        }
    }

    /// Ends it, so that it takes its certificate away.
    func stop() async throws {
        process.closeInput()
        _ = try await process.end()
    }

    /// The URL of a path of it.
    func url(_ path: String) -> String { "http://127.0.0.1:\(port)\(path)" }

    /// Takes the next request, of a path if one is given.
    func request(_ path: String? = nil, within limit: Duration = .seconds(10)) async throws -> Request {
        try await process.first("a request", within: limit) { line in
            let request = try Self.read(line)
            return path == nil || request.path == path ? request : nil
        }
    }

    /// Takes the next requests, so many.
    func requests(_ count: Int) async throws -> [Request] {
        var requests: [Request] = []
        while requests.count < count { requests.append(try await request()) }
        return requests
    }

    /// The requests that came and were not taken; it does not wait.
    func unread() throws -> [Request] { try process.unread.map { try Self.read($0) } }

    private static func read(_ line: [UInt8]) throws -> Request {
        let json = try JSON(parsing: line)
        return Request(
            path: json["path"]?.string ?? "", id: json["id"]?.string ?? "", timestamp: json["timestamp"]?.int ?? 0,
            headers: json["headers"] ?? .null, body: json["body"]?.string ?? "",
            isVerified: json["verified"]?.bool ?? false, client: json["client"]?.int ?? 0, at: json["at"]?.int ?? 0,
            most: json["most"]?.int ?? 0)
    }
}
