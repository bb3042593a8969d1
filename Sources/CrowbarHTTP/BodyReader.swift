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
        if let declared = request.headers[.contentLength].flatMap({ Int($0) }), declared > limit {
            throw APIFailure(.tooLarge, tooLarge)
        }
        var bytes: [UInt8] = []
        var reserved = 0
        do {
            for try await chunk in request.body {
                guard bytes.count + chunk.readableBytes <= limit else { throw APIFailure(.tooLarge, tooLarge) }
                try reserve(chunk.readableBytes)
                reserved += chunk.readableBytes
                bytes.append(contentsOf: chunk.readableBytesView)
            }
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
