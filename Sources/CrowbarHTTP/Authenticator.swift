import CrowbarCore
import HTTPTypes
import Synchronization

/// Turns the `Authorization` header into a principal.
final class Authenticator: Sendable {
    private struct State {
        var cache = TokenCache(
            capacity: APIConfiguration.Limit.cachedTokens, lifetime: APIConfiguration.Limit.cachedMilliseconds)
        var failures = FailureLimiter()
    }

    private let configuration: APIConfiguration
    private let door: Door
    private let state = Mutex(State())

    init(_ configuration: APIConfiguration, door: Door) {
        self.configuration = configuration
        self.door = door
    }

    /// Who calls.
    /// - Parameters:
    ///   - headers: The request's headers.
    ///   - address: Where it comes from; asked for only when the token is not known.
    /// - Throws: ``APIFailure``: `unauthorized`, or `rate_limited` for an address that failed too often.
    func principal(_ headers: HTTPFields, address: () -> String) async throws -> Principal {
        guard let token = Self.token(headers) else {
            throw APIFailure(
                .unauthorized, "send 'Authorization: Bearer TOKEN'; 'crowbar token USER' makes a token")
        }
        let hash = configuration.hash(token)
        if case .commandLine(let keyHash, _) = door {
            // Hashes are compared, so that the time it takes tells nothing about the key.
            if hash == keyHash { return Principal(userId: "", scopes: [.commands, .read, .admin]) }
            throw APIFailure(.unauthorized, "the key is not the one in admin.key of the data folder")
        }
        let now = configuration.now()
        if let known = state.withLock({ $0.cache.principal(of: hash, now: now) }) { return known }
        let address = address()
        if state.withLock({ $0.failures.isBlocked(address, now: now) }) {
            throw APIFailure(.rateLimited, "too many calls with a wrong token from \(address); try again in a second")
        }
        guard let principal = try await configuration.authenticate(hash) else {
            state.withLock { $0.failures.fail(address, now: now) }
            throw APIFailure(
                .unauthorized, "the token is not known, or expired; 'crowbar token USER' makes a new one")
        }
        state.withLock { $0.cache.store(principal, of: hash, now: now) }
        return principal
    }

    /// The bytes behind `Bearer ` (RFC 6750), or nil where the header has another shape.
    private static func token(_ headers: HTTPFields) -> [UInt8]? {
        guard let header = headers[.authorization] else { return nil }
        let bytes = Array(header.utf8)
        let scheme = Array("bearer ".utf8)
        guard bytes.count > scheme.count, bytes.count <= scheme.count + APIConfiguration.Limit.token,
            zip(bytes, scheme).allSatisfy({ $0 | 0x20 == $1 })
        else { return nil }
        return Array(bytes[scheme.count...])
    }
}
