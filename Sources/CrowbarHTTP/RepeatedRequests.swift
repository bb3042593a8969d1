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
        /// A key, in bytes; a longer one is not looked at.
        static let key = 512
    }

    private struct Entry {
        /// A hash of what was asked. The same key with another request is a mistake of the caller's.
        var request: [UInt8]
        var state: State
        enum State {
            /// It is being answered; these wait for the same answer.
            case running([CheckedContinuation<Response, any Error>])
            case answered(Response)
        }
    }

    private struct Entries {
        var entries: [String: Entry] = [:]
        /// The keys of answers, oldest first.
        var order: [String] = []
    }

    private enum Role { case first, repeated(Response), waiting }

    private let state = Mutex(Entries())

    /// Answers by `body`, or with what `body` answered under this key before. A refusal is not remembered: it changed
    /// nothing.
    /// - Parameters:
    ///   - key: The key.
    ///   - request: A hash of what is asked.
    /// - Throws: ``APIFailure`` where another request had this key; what `body` throws.
    func respond(
        key: String, request: [UInt8], _ body: () async throws -> Response
    ) async throws -> Response {
        guard key.utf8.count <= Limit.key else { return try await body() }
        switch try role(key, request) {
        case .first: break
        case .repeated(let response): return response
        case .waiting:
            return try await withCheckedThrowingContinuation { continuation in wait(key, continuation) }
        }
        let outcome: Result<Response, any Error>
        do { outcome = .success(try await body()) } catch { outcome = .failure(error) }
        for waiting in finish(key, outcome) { waiting.resume(with: outcome) }
        return try outcome.get()
    }

    private func role(_ key: String, _ request: [UInt8]) throws(APIFailure) -> Role {
        let role = state.withLock { state -> Role? in
            guard let entry = state.entries[key] else {
                state.entries[key] = Entry(request: request, state: .running([]))
                return .first
            }
            guard entry.request == request else { return nil }
            switch entry.state {
            case .answered(let response): return .repeated(response)
            case .running: return .waiting
            }
        }
        if let role { return role }
        throw APIFailure(
            .idempotencyKeyConflict,
            "this Idempotency-Key was sent with another request before: method, path, query or body differ; send each "
                + "change with a new key")
    }

    private func wait(_ key: String, _ continuation: CheckedContinuation<Response, any Error>) {
        let outcome = state.withLock { state -> Result<Response, any Error>? in
            switch state.entries[key]?.state {
            case .running(let waiting):
                state.entries[key]?.state = .running(waiting + [continuation])
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
            guard let entry = state.entries[key], case .running(let waiting) = entry.state else { return [] }
            state.entries[key] = nil
            if case .success(let response) = outcome, response.body.contentLength ?? .max <= Limit.answer {
                state.entries[key] = Entry(request: entry.request, state: .answered(response))
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
