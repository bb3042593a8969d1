import CrowbarCore
import HTTPTypes
import HummingbirdCore
import NIOCore
import Synchronization

/// Reads bodies up to a limit each and a limit of all together, so that no crowd of large ones exhausts the memory.
final class BodyReader: Sendable {
    private let held = Mutex(0)

    /// A body that counts against the limit of all until it is released.
    struct Body: ~Copyable {
        let bytes: [UInt8]
        private let reader: BodyReader
        private let reserved: Int

        init(_ bytes: [UInt8], _ reader: BodyReader, reserved: Int) {
            self.bytes = bytes
            self.reader = reader
            self.reserved = reserved
        }

        deinit { reader.held.withLock { [reserved] in $0 -= reserved } }
    }

    /// Reads a body.
    /// - Parameters:
    ///   - request: The request.
    ///   - limit: Its bytes at most.
    ///   - tooLarge: What is said where there are more.
    /// - Throws: ``APIFailure`` with `too_large` or `unavailable`.
    func read(_ request: Request, upTo limit: Int, tooLarge: String) async throws -> Body {
        let declared = request.headers[.contentLength].flatMap { Int($0) } ?? 0
        // A client that asks first is told at once and sends nothing.
        if declared > limit, request.headers[.expect] != nil { throw APIFailure(.tooLarge, tooLarge) }
        var bytes: [UInt8] = []
        var reserved = 0
        var (isTooLarge, dropped) = (declared > limit, 0)
        do {
            // The body can be walked through once only, so what is too much is taken and dropped here: a client that is
            // still sending gets to read why it was refused.
            for try await chunk in request.body {
                isTooLarge = isTooLarge || bytes.count + chunk.readableBytes > limit
                if isTooLarge {
                    dropped += chunk.readableBytes
                    if dropped > APIConfiguration.Limit.dropped { break }
                } else {
                    try reserve(chunk.readableBytes)
                    reserved += chunk.readableBytes
                    bytes.append(contentsOf: chunk.readableBytesView)
                }
            }
            if isTooLarge { throw APIFailure(.tooLarge, tooLarge) }
        } catch {
            held.withLock { [reserved] in $0 -= reserved }
            throw error
        }
        return Body(bytes, self, reserved: reserved)
    }

    private func reserve(_ count: Int) throws(APIFailure) {
        let fits = held.withLock { held in
            guard held + count <= APIConfiguration.Limit.bodies else { return false }
            held += count
            return true
        }
        if !fits { throw APIFailure(.unavailable, "too many large bodies are on their way; try again in a second") }
    }
}
