import Glibc
import JSONBytes
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Talks to the server that runs on a data folder, over its Unix socket.
struct ControlClient: Sendable {
    /// The longest answer that is kept as a whole, in bytes.
    private static let maxAnswer = 64 << 20

    /// An answer whose body was kept.
    struct Answer: Sendable {
        var status: Int
        var body: [UInt8]

        /// The refusal that it states, or nil where it is none.
        var refusal: (code: String, message: String, field: String?)? {
            guard status >= 400 else { return nil }
            let error = (try? JSONObject(parsing: body))?.object("error")
            return (
                error?.string("code") ?? "", error?.string("message") ?? "the server answered \(status)",
                error?.string("field")
            )
        }
    }

    private typealias Connection = NIOAsyncChannel<HTTPClientResponsePart, HTTPPart<HTTPRequestHead, IOData>>

    /// How often one call is tried before the client gives up.
    static let attempts = 6
    /// The pause before the second try, in milliseconds; each later one is twice as long.
    private static let firstPause = 50

    /// A connection that ended before the answer was complete: what was asked may have been done or not.
    private struct Lost: Error {
        var reason: String
    }

    /// Nobody listens.
    private struct Absent: Error {}

    /// Seconds that the server has for the beginning of its answer, where `CROWBAR_TIMEOUT` says nothing: the longest
    /// work of a verb, to stop a plugin, takes 30.
    private static let timeout: Int64 = 120

    /// The data folder.
    let folder: String

    private var socket: String { folder + "/" + ControlFiles.socket }

    /// Whether a server accepts connections.
    func isServerRunning() async -> Bool {
        guard let connection = try? await connect() else { return false }
        try? await connection.executeThenClose { _, _ in }
        return true
    }

    /// Sends a request and keeps the answer.
    ///
    /// A lost connection is retried. That is safe for every method: a change carries a key under which the server makes
    /// it once and repeats its answer; a command to `/api/commands` must carry an `eventId`, which does the same for
    /// good.
    /// - Parameter advice: What to do where it stays unknown whether the request was carried out.
    /// - Throws: ``Refusal`` where no server runs, or where each try lost its connection.
    func request(
        _ method: HTTPMethod, _ path: String, body: [UInt8]? = nil, advice: String = ""
    ) async throws -> Answer {
        let key = method == .GET ? nil : Self.randomKey()
        return try await retry(advice) {
            var kept: [UInt8] = []
            let status = try await exchange(method, path, body: body, key: key) { chunk in
                if kept.count + chunk.readableBytes > Self.maxAnswer {
                    throw Refusal("the server's answer is longer than \(Self.maxAnswer >> 20) MiB")
                }
                kept.append(contentsOf: chunk.readableBytesView)
            }
            return Answer(status: status, body: kept)
        }
    }

    /// Sends a request and passes the answer's lines on as they arrive. A connection that is lost before the answer
    /// begins is retried.
    /// - Throws: ``Refusal`` with the server's reason where it refuses.
    func lines(_ path: String, _ line: (ArraySlice<UInt8>) -> Void) async throws {
        var rest: [UInt8] = []
        var isRefused = false
        var hasBegun = false
        let status = try await retry {
            do {
                return try await exchange(
                    .GET, path, body: nil, key: nil,
                    onHead: { status in
                        hasBegun = true
                        isRefused = status >= 400
                    },
                    onChunk: { chunk in
                        rest.append(contentsOf: chunk.readableBytesView)
                        if isRefused { return }
                        var start = 0
                        while let end = rest[start...].firstIndex(of: 0x0A) {
                            line(rest[start..<end])
                            start = end + 1
                        }
                        rest.removeFirst(start)
                        if rest.count > Self.maxAnswer { throw Refusal("the server sent a line that is too long") }
                    })
            } catch let lost as Lost where hasBegun {
                throw Refusal("the server went away in the middle of its answer (\(lost.reason)); its log says why")
            }
        }
        if let refusal = Answer(status: status, body: rest).refusal { throw Refusal(refusal.message) }
    }

    /// Runs `body` again after a pause while its connections are lost, or while the server that was there has gone: it
    /// may be restarting.
    private func retry<T>(_ advice: String = "", _ body: () async throws -> T) async throws -> T {
        var (pause, lost) = (Self.firstPause, "")
        for attempt in 1...Self.attempts {
            do {
                return try await body()
            } catch let error as Lost {
                lost = error.reason
            } catch is Absent {
                if attempt == 1 { throw ControlFiles.noServer(in: folder) }
            }
            if attempt == Self.attempts { break }
            try await Task.sleep(for: .milliseconds(pause))
            pause *= 2
        }
        throw Refusal(
            "the server went away before it had answered, in \(Self.attempts) tries (\(lost)); whether it did what was "
                + "asked is not known; its log says why" + (advice.isEmpty ? "" : "; \(advice)"))
    }

    /// - Throws: ``Refusal`` where `CROWBAR_TIMEOUT` is no number of seconds.
    private static func timeLimit() throws -> Int64 {
        guard let text = getenv("CROWBAR_TIMEOUT").map({ String(cString: $0) }), !text.isEmpty else { return timeout }
        if let seconds = Int64(text), (1...86_400).contains(seconds) { return seconds }
        throw Refusal("CROWBAR_TIMEOUT must be a number of seconds from 1 to 86400, not '\(text.prefix(64))'")
    }

    private static func randomKey() -> String {
        (0..<2).map { _ in String(UInt64.random(in: 0 ... .max), radix: 16) }.joined()
    }

    private func exchange(
        _ method: HTTPMethod, _ path: String, body: [UInt8]?, key: String?, onHead: (Int) -> Void = { _ in },
        onChunk: (ByteBuffer) throws -> Void
    ) async throws -> Int {
        let secret = try ControlFiles.key(in: folder)
        let timeLimit = try Self.timeLimit()
        guard let connection = try await connect() else { throw Absent() }
        let isLate = Mutex(false)
        let channel = connection.channel
        let alarm = channel.eventLoop.scheduleTask(in: .seconds(timeLimit)) {
            isLate.withLock { $0 = true }
            channel.close(promise: nil)
        }
        defer { alarm.cancel() }
        var head = HTTPRequestHead(version: .http1_1, method: method, uri: path)
        head.headers = [
            "host": "crowbar", "authorization": "Bearer \(secret)", "connection": "close",
            "content-length": "\(body?.count ?? 0)",
        ]
        if let key { head.headers.add(name: "idempotency-key", value: key) }
        var parts: [HTTPPart<HTTPRequestHead, IOData>] = [.head(head)]
        if let body { parts.append(.body(.byteBuffer(ByteBuffer(bytes: body)))) }
        parts.append(.end(nil))
        do {
            return try await connection.executeThenClose { inbound, outbound in
                var reason = "it closed the connection"
                // The server knows from `content-length` where the request ends. It may answer and close before this
                // side has noticed that all is written: the write then fails, and the answer counts all the same.
                do { try await outbound.write(contentsOf: parts) } catch { reason = "\(error)" }
                var status = 0
                for try await part in inbound {
                    switch part {
                    case .head(let head):
                        alarm.cancel()
                        status = Int(head.status.code)
                        onHead(status)
                    case .body(let chunk): try onChunk(chunk)
                    case .end: return status
                    }
                }
                throw Lost(reason: reason)
            }
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            if isLate.withLock({ $0 }) {
                throw Refusal(
                    "the server on '\(folder)' has not answered within \(timeLimit) s; whether it did what was asked "
                        + "is not known; its log may say why; set CROWBAR_TIMEOUT to wait longer")
            }
            throw error as? Lost ?? Lost(reason: "\(error)")
        }
    }

    /// A connection to the server, or nil where none listens.
    /// - Throws: ``Refusal`` where the server has too many callers for as long as this waits.
    private func connect() async throws -> Connection? {
        var pause = Self.firstPause
        for _ in 0..<Self.attempts {
            do {
                return try await dial()
            } catch let error as IOError where error.errnoCode == EAGAIN {
                // The socket's queue of callers is full for the moment (unix(7), connect).
                try await Task.sleep(for: .milliseconds(pause))
                pause *= 2
            } catch {
                return nil
            }
        }
        throw Refusal("the server on '\(folder)' has too many callers now; try again")
    }

    private func dial() async throws -> Connection {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(unixDomainSocketPath: socket) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    return try Connection(wrappingChannelSynchronously: channel)
                }
            }
    }
}
