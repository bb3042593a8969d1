import JSONBytes
import NIOCore
import NIOHTTP1
import NIOPosix

/// A small HTTP client, one connection a call.
struct TestClient: Sendable {
    struct Answer: Sendable {
        var status: Int
        var headers: HTTPHeaders
        var body: [UInt8]

        var text: String { String(decoding: body, as: UTF8.self) }
        var lines: [String] { text.split(separator: "\n").map(String.init) }
        /// The code of a refusal.
        var code: String? { (try? JSONObject(parsing: body))?.object("error")?.string("code") }
        var field: String? { (try? JSONObject(parsing: body))?.object("error")?.string("field") }
    }

    private typealias Connection = NIOAsyncChannel<HTTPClientResponsePart, HTTPPart<HTTPRequestHead, IOData>>

    let port: Int

    /// Makes a call.
    /// - Parameters:
    ///   - chunked: Whether the body goes without its length told before.
    ///   - until: Says when enough of the answer has been read; nil to read all of it.
    func call(
        _ method: HTTPMethod, _ path: String, token: String? = nil, headers: [(String, String)] = [],
        body: [UInt8] = [], chunked: Bool = false, until: (([UInt8]) -> Bool)? = nil
    ) async throws -> Answer {
        let connection = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    return try Connection(wrappingChannelSynchronously: channel)
                }
            }
        var head = HTTPRequestHead(version: .http1_1, method: method, uri: path)
        head.headers.add(name: "host", value: "localhost")
        if let token { head.headers.add(name: "authorization", value: "Bearer \(token)") }
        for (name, value) in headers { head.headers.add(name: name, value: value) }
        if chunked {
            head.headers.add(name: "transfer-encoding", value: "chunked")
        } else {
            head.headers.add(name: "content-length", value: "\(body.count)")
        }
        let request = head
        return try await connection.executeThenClose { inbound, outbound in
            var answer = Answer(status: 0, headers: [:], body: [])
            // A server that refuses early may close while the body is still under way: its answer counts.
            do {
                try await outbound.write(.head(request))
                for start in stride(from: 0, to: body.count, by: 1 << 20) {
                    let part = body[start..<min(start + 1 << 20, body.count)]
                    try await outbound.write(.body(.byteBuffer(ByteBuffer(bytes: part))))
                }
                try await outbound.write(.end(nil))
            } catch is ChannelError {}
            for try await part in inbound {
                switch part {
                case .head(let head):
                    answer.status = Int(head.status.code)
                    answer.headers = head.headers
                case .body(let chunk):
                    answer.body.append(contentsOf: chunk.readableBytesView)
                    if let until, until(answer.body) { return answer }
                case .end: return answer
                }
            }
            return answer
        }
    }

    /// Posts one command.
    func post(_ json: String, token: String?) async throws -> Answer {
        try await call(.POST, "/api/commands", token: token, body: Array(json.utf8))
    }

    /// Posts many commands.
    func postLines(_ lines: [String], token: String?) async throws -> Answer {
        try await call(
            .POST, "/api/commands", token: token, headers: [("content-type", "application/x-ndjson")],
            body: Array(lines.joined(separator: "\n").utf8))
    }
}
