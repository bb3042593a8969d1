import CrowbarCore
import HTTPTypes
import HummingbirdCore
import JSONBytes
import Synchronization

/// `POST /api/read`: notes up to where a user has read a channel.
final class ReadRoute: Sendable {
    static let path = "/api/read"
    /// A body is two ids, in bytes.
    private static let maxBody = 4 << 10

    private let markers: ReadMarkers
    private let bodies: BodyReader
    private let authenticator: Authenticator
    private let now: @Sendable () -> Int64
    private let rate = Mutex(
        UserRate(
            perSecond: APIConfiguration.Limit.marksPerSecond, burst: APIConfiguration.Limit.marksAtOnce))

    init(
        markers: ReadMarkers, bodies: BodyReader, authenticator: Authenticator, now: @escaping @Sendable () -> Int64
    ) {
        (self.markers, self.bodies, self.authenticator, self.now) = (markers, bodies, authenticator, now)
    }

    /// Takes a request whose caller is known.
    func respond(_ request: Request, _ credential: Credential) async throws -> Response {
        var credential = credential
        try Self.authorize(credential)
        let user = credential.principal.userId
        guard rate.withLock({ $0.take(user, now: now()) }) else {
            throw APIFailure(
                .rateLimited,
                "this user marks what is read more than \(APIConfiguration.Limit.marksPerSecond) times a second; try "
                    + "again in a second")
        }
        let body = try await bodies.read(
            request, upTo: Self.maxBody, for: "user:" + user,
            tooLarge: "at most \(Self.maxBody) bytes")
        // The body may take long to come, and the caller's rights may end meanwhile.
        try await authenticator.refresh(&credential)
        try Self.authorize(credential)
        let fields = try JSONObject(body: body.bytes, known: ["channelId", "eventId", "unread"])
        try await markers.mark(
            try Self.id(fields, "channelId"), at: try Self.id(fields, "eventId"), by: credential.principal.userId,
            isAdmin: credential.principal.isAdmin, isUnread: try fields.flag("unread") ?? false)
        return Response(status: .noContent)
    }

    private static func authorize(_ credential: Credential) throws(APIFailure) {
        try credential.require(.read, "the token does not allow reading; make one with the scope 'read'")
        // The command line's socket is nobody's.
        if credential.principal.userId.isEmpty {
            throw APIFailure(.forbidden, "what is read is a user's own: call with that user's token")
        }
    }

    private static func id(_ fields: JSONObject, _ key: StaticString) throws(APIFailure) -> String {
        if let id = fields.string(key) { return id }
        throw APIFailure(.invalidCommand, "'\(key)' is missing, or is no string", field: "\(key)")
    }
}
