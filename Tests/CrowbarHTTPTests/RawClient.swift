import NIOCore
import NIOPosix

/// A connection on which a test writes and reads bytes as it likes.
struct RawClient: Sendable {
    typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    /// What came so far, and what more comes.
    struct Reader {
        var iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
        var text = ""

        /// Reads until the text contains something.
        /// - Returns: Whether it came before the end.
        mutating func read(until wanted: String) async throws -> Bool {
            while !text.contains(wanted) {
                guard let part = try await iterator.next() else { return false }
                text += String(buffer: part)
            }
            return true
        }

        /// Reads nothing for a while.
        func waitUnread(milliseconds: Int) async { try? await Task.sleep(for: .milliseconds(milliseconds)) }

        /// Reads until the server closes the connection.
        mutating func readToEnd() async {
            while let part = try? await iterator.next() { text += String(buffer: part) }
        }
    }

    typealias Writer = NIOAsyncChannelOutboundWriter<ByteBuffer>

    let port: Int

    /// Connects for the time of a piece of work.
    func connect<Result: Sendable>(
        _ body: (inout Reader, Writer) async throws -> Result
    ) async throws -> Result {
        let connection = try await open()
        return try await connection.executeThenClose { inbound, outbound in
            var reader = Reader(iterator: inbound.makeAsyncIterator())
            return try await body(&reader, outbound)
        }
    }

    /// Sends a text and gives all that comes until the server closes.
    func send(_ text: String) async throws -> String {
        try await connect { reader, writer in
            try await writer.write(ByteBuffer(string: text))
            await reader.readToEnd()
            return reader.text
        }
    }

    private func open() async throws -> Connection {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture { try Connection(wrappingChannelSynchronously: channel) }
            }
    }

    /// Opens connections that do nothing, and keeps them open for the time of a piece of work.
    func withIdle(_ count: Int, _ body: () async throws -> Void) async throws {
        var channels: [any Channel] = []
        for _ in 0..<count {
            channels.append(
                try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                    .connect(host: "127.0.0.1", port: port).get())
        }
        defer { for channel in channels { channel.close(promise: nil) } }
        try await body()
    }
}
