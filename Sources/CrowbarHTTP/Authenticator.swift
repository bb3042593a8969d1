import CrowbarCore
import HTTPTypes
import Identity
import OpenID
import Synchronization

/// Who makes a call, for as long as it is answered: a call that takes longer looks its token up again.
struct Credential: Sendable {
    /// Whom the token stands for, as of the last look.
    fileprivate(set) var principal: Principal
    /// The token's hash; nil where there is nothing to look up again.
    fileprivate let hash: [UInt8]?
    /// The verified token of an OpenID provider, which is not looked up by its hash.
    fileprivate var verified: VerifiedToken?
    fileprivate var checked: Int64

    /// Whose rates its calls count for; nil for the command line, which has none.
    var caller: CallerLimits.Caller? {
        guard let hash else { return nil }
        // Tokens of a provider are many and short-lived, so all of a user's share one rate.
        if verified != nil { return .machineToken(Array(principal.userId.utf8)) }
        switch principal.kind {
        case .session: return .session(principal.userId)
        case .machineToken: return .machineToken(hash)
        }
    }

    /// Unix milliseconds at which it ends, where it does.
    var expires: Int64? { hash == nil ? nil : principal.expires }

    /// The hash of the token where it is a session; nil for machine tokens, a provider's tokens and the command line.
    var sessionHash: [UInt8]? { principal.kind == .session && verified == nil ? hash : nil }

    /// Refuses everything but a session.
    /// - Returns: The session's hash.
    func requireSession() throws(APIFailure) -> [UInt8] {
        if let sessionHash { return sessionHash }
        throw APIFailure(
            .forbidden, "only a signed-in person may do this; a machine token may not, whatever its scopes")
    }

    /// Refuses a principal that lacks a scope.
    func require(_ scope: Principal.Scopes, _ message: @autoclosure () -> String) throws(APIFailure) {
        guard principal.scopes.contains(scope) else { throw APIFailure(.forbidden, message()) }
    }
}

/// Turns the `Authorization` header into a principal.
final class Authenticator: Sendable {
    private struct State {
        var cache = TokenCache(
            capacity: APIConfiguration.Limit.cachedTokens, lifetime: APIConfiguration.Limit.cachedMilliseconds)
        var failures = FailureLimiter()
    }

    private let configuration: APIConfiguration
    private let door: Door
    private let recheck: Int64
    private let log: SparseLog
    private let state = Mutex(State())

    init(_ configuration: APIConfiguration, door: Door, recheck: Int64, log: SparseLog) {
        self.configuration = configuration
        self.door = door
        self.recheck = recheck
        self.log = log
    }

    /// Who calls. The token is looked up before anything else: a valid one is never refused for what others at its
    /// address did. A wrong one costs a hash and an indexed look, and over the limit only changes the answer.
    /// - Parameters:
    ///   - headers: The request's headers.
    ///   - address: Where it comes from; asked for only when the token is wrong.
    /// - Throws: ``APIFailure``: `unauthorized`, or `rate_limited` for an address that failed too often.
    func credential(_ headers: HTTPFields, address: () -> String) async throws -> Credential {
        guard let token = Self.token(headers) else {
            throw APIFailure(
                .unauthorized, "send 'Authorization: Bearer TOKEN'; 'crowbar token USER' makes a token")
        }
        let hash = configuration.hash(token)
        if case .commandLine(let keyHash, _) = door {
            // Hashes are compared, so that the time it takes tells nothing about the key.
            guard hash == keyHash else {
                throw APIFailure(.unauthorized, "the key is not the one in admin.key of the data folder")
            }
            let principal = Principal(userId: "", scopes: [.commands, .read, .admin])
            return Credential(principal: principal, hash: nil, checked: 0)
        }
        let now = configuration.now()
        if let openID = configuration.openID, JSONWebToken.hasForm(token) {
            return try await credential(token, hash, openID, now, address: address)
        }
        let cached = cached(hash, now)
        let found = cached == nil ? try await find(hash, now, address: address()) : cached
        if let principal = found {
            return Credential(principal: principal, hash: hash, checked: now)
        }
        throw refuse(address(), now)
    }

    /// Forgets a token that was looked up, because it ended.
    func forget(_ hash: [UInt8]) { state.withLock { $0.cache.remove(hash) } }

    /// Forgets all tokens that were looked up, because one of them ended.
    func forgetAll() { state.withLock { $0.cache.removeAll() } }

    /// Who calls with a token of the OpenID provider.
    private func credential(
        _ token: [UInt8], _ hash: [UInt8], _ openID: OpenIDService, _ now: Int64, address: () -> String
    ) async throws(APIFailure) -> Credential {
        let known = state.withLock { $0.cache.principal(of: hash, now: now) }
        if let known, let verified = openID.remembered(hash: hash) {
            return Credential(principal: known, hash: hash, verified: verified, checked: now)
        }
        do throws(CommandError) {
            let (verified, principal) = try await openID.authenticate(token, hash: hash)
            state.withLock { $0.cache.store(principal, of: hash, now: now) }
            return Credential(principal: principal, hash: hash, verified: verified, checked: now)
        } catch {
            guard error.code == .unauthorized else { throw APIFailure(error) }
            throw refuse(address(), now, because: error.message)
        }
    }

    /// Looks a credential's token up again where the last look is ``recheck`` or longer ago, and at its expiry.
    /// - Throws: ``APIFailure`` where the token is no longer good; whatever the look throws where there can be none.
    func refresh(_ credential: inout Credential) async throws {
        guard let hash = credential.hash else { return }
        let now = configuration.now()
        let isOver = credential.expires.map { $0 <= now } ?? false
        if !isOver, now >= credential.checked, now - credential.checked < recheck { return }
        guard !isOver, let principal = try await look(credential, hash, now) else {
            throw APIFailure(
                .unauthorized, "the token has expired or was revoked, or its account was disabled")
        }
        guard principal.userId == credential.principal.userId else {
            throw APIFailure(.unauthorized, "the token belongs to another user now")
        }
        credential.principal = principal
        credential.checked = now
    }

    /// The principal of a credential now; nil where there is none any more.
    private func look(_ credential: Credential, _ hash: [UInt8], _ now: Int64) async throws -> Principal? {
        if let verified = credential.verified { return try await configuration.openID?.principal(of: verified) }
        if let cached = cached(hash, now) { return cached }
        return try await find(hash, now, address: nil)
    }

    private func cached(_ hash: [UInt8], _ now: Int64) -> Principal? {
        state.withLock { $0.cache.principal(of: hash, now: now) }
    }

    private func find(_ hash: [UInt8], _ now: Int64, address: String?) async throws -> Principal? {
        guard let principal = try await configuration.authenticate(hash, address) else { return nil }
        if let expires = principal.expires, expires <= now { return nil }
        state.withLock { $0.cache.store(principal, of: hash, now: now) }
        return principal
    }

    private func refuse(_ address: String, _ now: Int64, because reason: String? = nil) -> APIFailure {
        let key = IPAddress.limitKey(of: address)
        let isBlocked = state.withLock { state in
            if state.failures.isBlocked(key, now: now) { return true }
            state.failures.fail(key, now: now)
            return false
        }
        guard isBlocked else {
            return APIFailure(
                .unauthorized,
                reason ?? "the token is not known, or expired; 'crowbar token USER' makes a new one")
        }
        log.warn(.wrongTokens, "too many calls with a wrong token from \(address); they get 429 for now")
        return APIFailure(
            .rateLimited,
            "over \(FailureLimiter.burst) wrong tokens from \(address); valid tokens still work there, a wrong one may "
                + "be tried again in a second")
    }

    /// The bytes behind `Bearer ` (RFC 6750), or nil where the header has another shape.
    private static func token(_ headers: HTTPFields) -> [UInt8]? {
        guard let header = headers[.authorization] else { return nil }
        let bytes = Array(header.utf8)
        let scheme = Array("bearer ".utf8)
        guard bytes.count > scheme.count, zip(bytes, scheme).allSatisfy({ $0 | 0x20 == $1 }) else { return nil }
        let token = Array(bytes[scheme.count...])
        // One that is longer is refused by its verification, which says so.
        let isLong = token.count > APIConfiguration.Limit.token
        return isLong && !JSONWebToken.hasForm(token) ? nil : token
    }
}
