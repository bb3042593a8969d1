import JSONBytes
import NIOCore
import NIOHTTP1
import NIOPosix

/// Talks to the server that runs on a data folder, over its Unix socket.
struct ControlClient: Sendable {
    /// The longest answer that is kept as a whole, in bytes.
    private static let maxAnswer = 64 << 20

    /// An answer whose body was kept.
    struct Answer: Sendable {
        var status: Int
        var body: [UInt8]

        /// The refusal it tells, or nil where it is none.
        var refusal: (code: String, message: String)? {
            guard status >= 400 else { return nil }
            let error = (try? JSONObject(parsing: body))?.object("error")
            return (error?.string("code") ?? "", error?.string("message") ?? "the server answered \(status)")
        }
    }

    private typealias Connection = NIOAsyncChannel<HTTPClientResponsePart, HTTPPart<HTTPRequestHead, IOData>>

    /// The data folder.
    let folder: String

    private var socket: String { folder + "/" + ControlFiles.socket }

    /// Whether a server takes connections.
    func isServerRunning() async -> Bool {
        guard let connection = try? await connect() else { return false }
        try? await connection.executeThenClose { _, _ in }
        return true
    }

    /// Asks for something and keeps the answer.
    func request(_ method: HTTPMethod, _ path: String, body: [UInt8]? = nil) async throws -> Answer {
        var kept: [UInt8] = []
        let status = try await exchange(method, path, body: body) { chunk in
            if kept.count + chunk.readableBytes > Self.maxAnswer { throw Refusal("the server's answer is too long") }
            kept.append(contentsOf: chunk.readableBytesView)
        }
        return Answer(status: status, body: kept)
    }

    /// Asks for something whose lines are handed on as they come.
    /// - Throws: ``Refusal`` with the server's reason where it refuses.
    func lines(_ path: String, _ line: (ArraySlice<UInt8>) -> Void) async throws {
        var rest: [UInt8] = []
        var isRefused = false
        let status = try await exchange(.GET, path, body: nil, onHead: { isRefused = $0 >= 400 }) { chunk in
            rest.append(contentsOf: chunk.readableBytesView)
            if isRefused { return }
            var start = 0
            while let end = rest[start...].firstIndex(of: 0x0A) {
                line(rest[start..<end])
                start = end + 1
            }
            rest.removeFirst(start)
            if rest.count > Self.maxAnswer { throw Refusal("the server sent a line that is too long") }
        }
        if let refusal = Answer(status: status, body: rest).refusal { throw Refusal(refusal.message) }
    }

    private func exchange(
        _ method: HTTPMethod, _ path: String, body: [UInt8]?, onHead: (Int) -> Void = { _ in },
        onChunk: (ByteBuffer) throws -> Void
    ) async throws -> Int {
        let key = try ControlFiles.key(in: folder)
        let connection: Connection
        do {
            connection = try await connect()
        } catch {
            throw Refusal("no server runs on the data folder '\(folder)'; start one with 'crowbar serve'")
        }
        var head = HTTPRequestHead(version: .http1_1, method: method, uri: path)
        head.headers = [
            "host": "crowbar", "authorization": "Bearer \(key)", "connection": "close",
            "content-length": "\(body?.count ?? 0)",
        ]
        do {
            return try await connection.executeThenClose { inbound, outbound in
                try await outbound.write(.head(head))
                if let body { try await outbound.write(.body(.byteBuffer(ByteBuffer(bytes: body)))) }
                try await outbound.write(.end(nil))
                var status = 0
                for try await part in inbound {
                    switch part {
                    case .head(let head):
                        status = Int(head.status.code)
                        onHead(status)
                    case .body(let chunk): try onChunk(chunk)
                    case .end: return status
                    }
                }
                throw Refusal("the server went away; its log says why")
            }
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal("the server went away: \(error)")
        }
    }

    private func connect() async throws -> Connection {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(unixDomainSocketPath: socket) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    return try Connection(wrappingChannelSynchronously: channel)
                }
            }
    }
}
