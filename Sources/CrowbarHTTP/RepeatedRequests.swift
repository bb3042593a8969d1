import CrowbarCore
import HTTPTypes
import HummingbirdCore
import Synchronization

/// Remembers the answers to the command line's changes, so that a change that is asked for again after a lost
/// connection is made once and answered twice.
final class RepeatedRequests: Sendable {
    /// Limits.
    enum Limit {
        /// Answers that are remembered; the oldest goes first.
        static let answers = 256
        /// An answer that is remembered, in bytes.
        static let answer = 64 << 10
        /// A key with its method and path, in bytes; a longer one is not looked at.
        static let key = 512
    }

    private enum Entry {
        /// It is being answered; these wait for the same answer.
        case running([CheckedContinuation<Response, any Error>])
        case answered(Response)
    }

    private struct State {
        var entries: [String: Entry] = [:]
        /// The keys of answers, oldest first.
        var order: [String] = []
    }

    private enum Role { case first, repeated(Response), waiting }

    private let state = Mutex(State())

    /// Answers by `body`, or with what `body` answered under this key before. A refusal is not remembered: it changed
    /// nothing.
    func respond(to request: Request, key: String, _ body: () async throws -> Response) async throws -> Response {
        guard key.utf8.count <= Limit.key else { return try await body() }
        switch role(key) {
        case .first: break
        case .repeated(let response):
            do { for try await _ in request.body {} } catch { throw BodyReader.BodyBroken(cause: error) }
            return response
        case .waiting:
            return try await withCheckedThrowingContinuation { continuation in wait(key, continuation) }
        }
        let outcome: Result<Response, any Error>
        do { outcome = .success(try await body()) } catch { outcome = .failure(error) }
        for waiting in finish(key, outcome) { waiting.resume(with: outcome) }
        return try outcome.get()
    }

    private func role(_ key: String) -> Role {
        state.withLock { state in
            switch state.entries[key] {
            case nil:
                state.entries[key] = .running([])
                return .first
            case .answered(let response): return .repeated(response)
            case .running: return .waiting
            }
        }
    }

    private func wait(_ key: String, _ continuation: CheckedContinuation<Response, any Error>) {
        let outcome = state.withLock { state -> Result<Response, any Error>? in
            switch state.entries[key] {
            case .running(let waiting):
                state.entries[key] = .running(waiting + [continuation])
                return nil
            case .answered(let response): return .success(response)
            // It was refused, or its answer was too long to remember, between the two looks.
            case nil: return .failure(APIFailure(.unavailable, "the same request has just ended; try again"))
            }
        }
        if let outcome { continuation.resume(with: outcome) }
    }

    /// Remembers an answer and gives those that wait for it.
    private func finish(
        _ key: String, _ outcome: Result<Response, any Error>
    ) -> [CheckedContinuation<Response, any Error>] {
        state.withLock { state in
            guard case .running(let waiting) = state.entries[key] else { return [] }
            state.entries[key] = nil
            if case .success(let response) = outcome, response.body.contentLength ?? .max <= Limit.answer {
                state.entries[key] = .answered(response)
                state.order.append(key)
                if state.order.count > Limit.answers { state.entries[state.order.removeFirst()] = nil }
            }
            return waiting
        }
    }
}

extension HTTPField.Name {
    /// `Idempotency-Key`: names one change, however often it is asked for.
    static let idempotencyKey = HTTPField.Name("Idempotency-Key") ?? .range
}
