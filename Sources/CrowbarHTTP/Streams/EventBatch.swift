import CrowbarCore
import JSONBytes
import NIOCore

/// A part of the log, rendered once for all who follow it.
struct EventBatch: Sendable {
    /// One event as a server-sent event: a part of the buffer that all frames of its batch and all followers share.
    struct Frame: Sendable {
        private let buffer: ByteBuffer
        /// Where it begins in all that was broadcast, in bytes.
        let start: Int
        /// Its end; the next frame's start.
        let end: Int
        /// Where its batch begins.
        let batchStart: Int

        /// - Parameter buffer: The frames of the batch, from its first byte on.
        init(_ buffer: ByteBuffer, start: Int, end: Int, batchStart: Int) {
            (self.buffer, self.start, self.end, self.batchStart) = (buffer, start, end, batchStart)
        }

        /// The bytes from this frame's start to an end in the same batch; not a copy.
        func bytes(to end: Int) -> ByteBuffer {
            buffer.getSlice(at: start - batchStart, length: end - start) ?? ByteBuffer()
        }
    }

    /// The events, for those who may read them.
    let page: SharedPage<Frame>
    /// The position behind which it begins.
    let after: Int64
    /// Its bytes.
    let count: Int

    /// Reads the next events behind a position; nil where there are none.
    /// - Parameter start: The bytes that were broadcast before.
    init?(after position: Int64, of log: ReadableLog, start: Int) async throws {
        var count = 0
        let page = try await log.shared(
            after: position, limit: APIConfiguration.Limit.chunkEntries, maxBytes: APIConfiguration.Limit.chunk
        ) { page in
            let frames = Self.render(page, start: start)
            count = (frames.last?.end ?? start) - start
            return frames
        }
        guard let page else { return nil }
        (self.page, self.count, after) = (page, count, position)
    }

    private static func render(_ page: LogPage, start: Int) -> [Frame] {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(page.bytes.count + page.entries.count * 96)
        var ends: [Int] = []
        ends.reserveCapacity(page.entries.count)
        for entry in page.entries {
            EventLine.appendServerSent(entry, of: page, to: &buffer)
            ends.append(buffer.writerIndex)
        }
        var begin = 0
        return ends.map { end in
            defer { begin = end }
            return Frame(buffer, start: start + begin, end: start + end, batchStart: start)
        }
    }
}

/// The frames of a stream that are no events. None has an `id:` line: a client resumes from its last event.
enum StreamFrame {
    /// Keeps proxies from closing a silent connection.
    static let alive = ByteBuffer(string: ": alive\n\n")
    /// The first bytes of a stream without `mine`, so that a client sees that its place in the log is taken.
    static let following = ByteBuffer(string: ": following\n\n")

    /// The first frame of a stream with `mine`.
    /// - Parameter after: The event behind which the stream begins, where one can be named.
    static func hello(after: String?, user: String, behind: Int64) -> ByteBuffer {
        var json = JSONWriter(capacity: 96)
        json.beginObject()
        json.member("after", ifPresent: after)
        json.member("userId", user)
        json.member("behind", behind)
        json.endObject()
        return named("hello", json.bytes)
    }

    /// The last frame of a stream that the server ends.
    static func end(_ why: CommandError) -> ByteBuffer {
        var json = JSONWriter(capacity: 112)
        APIFailure.write(why, to: &json)
        return named("end", json.bytes)
    }

    /// A read marker that moved.
    static func read(_ json: [UInt8]) -> ByteBuffer { named("read", json) }

    private static func named(_ name: StaticString, _ json: [UInt8]) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(json.count + 24)
        buffer.writeStaticString("event: ")
        buffer.writeStaticString(name)
        buffer.writeStaticString("\ndata: ")
        buffer.writeBytes(json)
        buffer.writeStaticString("\n\n")
        return buffer
    }
}
