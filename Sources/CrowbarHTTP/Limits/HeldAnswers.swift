import CrowbarCore
import HummingbirdCore
import NIOCore
import Synchronization

/// Counts the bytes of long answers until they are read, so that slow readers do not exhaust the memory.
final class HeldAnswers: Sendable {
    private let shares: Mutex<BodyShares>

    init(all: Int = APIConfiguration.Limit.answers, each: Int = APIConfiguration.Limit.answersOfCaller) {
        shares = Mutex(BodyShares(all: all, each: each))
    }

    /// Whether nobody holds anything.
    var isEmpty: Bool { shares.withLock { $0.isEmpty } }

    /// Whose share a user's answer is part of, or one without a token.
    static func holder(user: String?, address: () -> String) -> String {
        user.map { "user:" + $0 } ?? "address:" + IPAddress.limitKey(of: address())
    }

    /// A share that is given back when nothing refers to it any more.
    final class Share: Sendable {
        private let held: HeldAnswers
        private let count: Int
        private let holder: String?

        fileprivate init(_ held: HeldAnswers, _ count: Int, _ holder: String?) {
            (self.held, self.count, self.holder) = (held, count, holder)
        }

        deinit { held.shares.withLock { [count, holder] in $0.give(count, for: holder) } }
    }

    /// Takes a share.
    /// - Parameter holder: Whose it is; nil where the caller has no limit of its own.
    /// - Throws: ``APIFailure`` where too much is held already.
    func take(_ count: Int, for holder: String?) throws(APIFailure) -> Share {
        switch shares.withLock({ $0.take(count, for: holder) }) {
        case nil: return Share(self, count, holder)
        case .all:
            throw APIFailure(
                .unavailable,
                "answers of \(APIConfiguration.Limit.answers >> 20) MiB are on their way, the most that this server "
                    + "holds; try again in a second")
        case .holder:
            throw APIFailure(
                .rateLimited,
                "answers of \(APIConfiguration.Limit.answersOfCaller >> 20) MiB are on their way to this caller, the "
                    + "most for one; read them first")
        }
    }
}

extension ResponseBody {
    /// A long JSON text and a line's end, in parts, and the share that lasts until the last part was taken.
    init(json: [UInt8], holding share: HeldAnswers.Share) {
        self.init(contentLength: json.count + 1) { writer in
            // Parts are copies: one that waits for its reader does not keep the whole text.
            for start in stride(from: 0, to: json.count, by: APIConfiguration.Limit.write) {
                let part = json[start..<min(start + APIConfiguration.Limit.write, json.count)]
                try await writer.write(ByteBuffer(bytes: part))
            }
            try await writer.write(ByteBuffer(bytes: [0x0A]))
            try await writer.finish(nil)
            withExtendedLifetime(share) {}
        }
    }
}
