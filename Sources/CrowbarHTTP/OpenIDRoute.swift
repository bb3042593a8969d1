import CrowbarCore
import HTTPTypes
import HummingbirdCore
import Identity
import JSONBytes
import OpenID
import Synchronization

/// `POST /api/oidc`: exchanges the code of a sign-in at the OpenID provider for a session.
final class OpenIDRoute: Sendable {
    static let path = "/api/oidc"
    private static let fields = ["code", "verifier", "redirectUri", "nonce"]
    /// A body, in bytes.
    private static let maxBody = 16 << 10

    private let service: OpenIDService
    private let bodies: BodyReader
    private let log: SparseLog
    private let now: @Sendable () -> Int64
    private let failures = Mutex(FailureLimiter())

    init(_ service: OpenIDService, bodies: BodyReader, log: SparseLog, now: @escaping @Sendable () -> Int64) {
        self.service = service
        self.bodies = bodies
        self.log = log
        self.now = now
    }

    /// Answers a sign-in.
    /// - Parameter address: Where it comes from.
    func respond(_ request: Request, address: String) async throws -> Response {
        let key = IPAddress.limitKey(of: address)
        let body = try await bodies.read(
            request, upTo: Self.maxBody, for: "address:" + key, tooLarge: "at most \(Self.maxBody) bytes")
        let object = try JSONObject(body: body.bytes, known: Self.fields)
        let exchange = CodeExchange.Request(
            code: try Self.text(object, "code"), verifier: try Self.text(object, "verifier"),
            redirectUri: try Self.text(object, "redirectUri"), nonce: try Self.text(object, "nonce"))
        // Each exchange costs the provider a request, so it counts before its end is known.
        let isBlocked = failures.withLock { failures in
            if failures.isBlocked(key, now: now()) { return true }
            failures.fail(key, now: now())
            return false
        }
        if isBlocked {
            log.warn(.wrongTokens, "too many sign-ins from \(address); they get 429 for now")
            throw APIFailure(.rateLimited, "too many sign-ins from \(address); try again in a second")
        }
        do throws(CommandError) {
            return Self.response(try await service.signIn(exchange, from: .init(address: address, limitKey: key)))
        } catch {
            throw APIFailure(error)
        }
    }

    private static func text(_ object: JSONObject, _ key: StaticString) throws(APIFailure) -> String {
        guard let text = object.string(key) else {
            throw APIFailure(.invalidCommand, "'\(key)' must be a string", field: "\(key)")
        }
        return text
    }

    private static func response(_ session: OpenIDService.SignedIn) -> Response {
        var json = JSONWriter()
        json.beginObject()
        json.member("token", session.token)
        json.member("userId", session.userId)
        json.member("name", session.name)
        json.member("role", session.isAdmin ? "admin" : "member")
        json.member("expires", session.expires)
        json.endObject()
        return .json(json.bytes, headers: [.cacheControl: "no-store"])
    }
}

extension OpenIDService.About {
    /// Writes it as `GET /api/about` has it.
    func write(to json: inout JSONWriter) {
        json.beginObject()
        json.member("label", label)
        json.member("authorize", authorize)
        json.member("clientId", clientId)
        json.member("scopes", scopes)
        json.member("endSession", ifPresent: endSession)
        json.endObject()
    }
}
