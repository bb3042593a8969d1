import CrowbarCore
import HTTPTypes
import HummingbirdCore
import NIOCore
import Synchronization

/// Reads bodies up to a limit each, a share for each caller, and a limit of all together, so that large ones do not
/// exhaust the memory, and no caller keeps the others out. How fast they must come is ``ConnectionGuard``'s.
final class BodyReader: Sendable {
    private let shares: Mutex<BodyShares>

    init(all: Int = APIConfiguration.Limit.bodies, each: Int = APIConfiguration.Limit.bodiesOfCaller) {
        shares = Mutex(BodyShares(all: all, each: each))
    }

    /// A body that counts against the limits until it is released.
    struct Body: ~Copyable {
        let bytes: [UInt8]
        private let reader: BodyReader
        private let reserved: Int
        private let holder: String?

        init(_ bytes: [UInt8], _ reader: BodyReader, reserved: Int, for holder: String?) {
            self.bytes = bytes
            self.reader = reader
            self.reserved = reserved
            self.holder = holder
        }

        deinit { reader.shares.withLock { [reserved, holder] in $0.give(reserved, for: holder) } }
    }

    /// Reads a body.
    /// - Parameters:
    ///   - request: The request.
    ///   - limit: Its bytes at most.
    ///   - holder: Whose share it counts against; nil where the caller has none of its own.
    ///   - tooLarge: What is said where there are more.
    /// - Throws: ``APIFailure`` with `too_large`, `too_slow`, `rate_limited` or `unavailable`; ``BodyBroken``.
    func read(_ request: Request, upTo limit: Int, for holder: String? = nil, tooLarge: String) async throws -> Body {
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
                    try reserve(chunk.readableBytes, for: holder)
                    reserved += chunk.readableBytes
                    bytes.append(contentsOf: chunk.readableBytesView)
                }
            }
            if isTooLarge { throw APIFailure(.tooLarge, tooLarge) }
        } catch {
            shares.withLock { [reserved] in $0.give(reserved, for: holder) }
            if error is BodyTooSlow {
                throw APIFailure(
                    .tooSlow,
                    "the body came too slowly: it must be complete within 30 seconds, and come at 1 KiB a second; send "
                        + "it in parts")
            }
            if error is BodyUnfinishedAtShutdown {
                throw APIFailure(
                    .unavailable,
                    "the server is shutting down, and the body was not complete in time; nothing was stored; send the "
                        + "request again")
            }
            if error is APIFailure { throw error }
            throw BodyBroken(cause: error)
        }
        return Body(bytes, self, reserved: reserved, for: holder)
    }

    /// The caller's connection gave no more of a body, or no sense.
    struct BodyBroken: Error { var cause: any Error }

    private func reserve(_ count: Int, for holder: String?) throws(APIFailure) {
        switch shares.withLock({ $0.take(count, for: holder) }) {
        case nil: return
        case .all:
            throw APIFailure(
                .unavailable,
                "bodies of \(APIConfiguration.Limit.bodies >> 20) MiB are on their way, the most that this server "
                    + "holds; try again in a second")
        case .holder:
            throw APIFailure(
                .rateLimited,
                "bodies of \(APIConfiguration.Limit.bodiesOfCaller >> 20) MiB of this user are on their way, the most "
                    + "for one; wait for their answers")
        }
    }
}
