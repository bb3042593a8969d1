import CrowbarCore
import HTTPTypes
import HummingbirdCore
import JSONBytes
import OpenID
import Synchronization

/// `POST /hooks/TOKEN`: a message by a program that knows nothing of this API.
final class HookRoute: Sendable {
    /// What the paths of hooks begin with; what follows is secret.
    static let prefix = "/hooks/"
    /// Characters of a `username` at most.
    static let maxUserName = 128

    private let configuration: APIConfiguration
    private let bodies: BodyReader
    private let recheck: Int64
    private let log: SparseLog
    private let failures = Mutex(FailureLimiter())

    init(_ configuration: APIConfiguration, bodies: BodyReader, recheck: Int64, log: SparseLog) {
        self.configuration = configuration
        self.bodies = bodies
        self.recheck = recheck
        self.log = log
    }

    /// Takes a request whose path begins with ``prefix``. The path appears in no answer.
    func respond(_ request: Request, _ path: Substring, address: () -> String) async throws -> Response {
        try APIResponder.expect(.post, request, "/hooks/…")
        let token = Array(path.utf8.dropFirst(Self.prefix.utf8.count))
        let begun = configuration.now()
        var hook = try await hook(token, address)
        let body = try await bodies.read(
            request, upTo: APIConfiguration.Limit.hook, for: "hook:" + hook.name,
            tooLarge: "a hook's body is at most 64 KiB long")
        // A hook that was revoked while its body came in says nothing more.
        if configuration.now() - begun >= recheck { hook = try await self.hook(token, address) }
        if hook.kind == .cognito {
            guard let openID = configuration.openID else {
                throw APIFailure(.forbidden, "this server has no [auth.oidc], whose users the hook would register")
            }
            try await openID.register(try CognitoTrigger(parsing: body.bytes))
            return Response(status: .noContent)
        }
        let command = try Command(parsing: try Self.command(body.bytes, hook))
        _ = try await configuration.ingest.submit(
            Ingest.Request(command, actor: hook.userId, origin: Submission.Origin(request.headers)))
        return Response(status: .noContent)
    }

    /// The hook of a token. It is looked up before anything else: what others at its address did refuses no hook.
    private func hook(_ token: [UInt8], _ address: () -> String) async throws -> IncomingHook {
        if token.count <= APIConfiguration.Limit.token,
            let hook = try await configuration.hook(configuration.hash(token))
        {
            return hook
        }
        let (now, caller) = (configuration.now(), address())
        let key = IPAddress.limitKey(of: caller)
        let isBlocked = failures.withLock { failures in
            if failures.isBlocked(key, now: now) { return true }
            failures.fail(key, now: now)
            return false
        }
        if isBlocked {
            log.warn(.wrongTokens, "too many calls of hooks that are not there from \(caller); they get 429 for now")
            throw APIFailure(
                .rateLimited,
                "over \(FailureLimiter.burst) calls of hooks that are not there from \(caller); those that are there "
                    + "still work, another one may be tried in a second")
        }
        throw APIFailure(.notFound, "there is no such hook, or no longer; 'crowbar hooks add' makes one")
    }

    /// The command that a body stands for.
    private static func command(_ body: [UInt8], _ hook: IncomingHook) throws(APIFailure) -> [UInt8] {
        let message = try HookMessage(body)
        if let name = message.username, !(1...maxUserName).contains(name.count) || name.utf8.count > 4 * maxUserName {
            throw APIFailure(.invalidCommand, "'username' is 1 to \(maxUserName) characters", field: "username")
        }
        var json = JSONWriter(capacity: body.count + 256)
        json.beginObject()
        json.member("type", CommandType.sendMessage.rawValue)
        json.member("channelId", hook.channelId)
        json.member("message", message.text)
        if let name = message.username {
            json.key("meta")
            json.beginObject()
            json.member("username", name)
            json.endObject()
        }
        json.endObject()
        return json.bytes
    }
}
