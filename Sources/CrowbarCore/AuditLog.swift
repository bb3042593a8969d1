/// A line of the audit log: a call of an admin or of the command line, an admin's look at everything, a role that the
/// OpenID provider's groups changed, or sign-ins over the limit.
public struct AuditLine: Sendable, Equatable {
    /// Its number, which only grows.
    public var id: Int64
    /// Unix milliseconds.
    public var time: Int64
    /// Who called: a user id, ``commandLine``, ``provider`` or ``nobody``.
    public var userId: String
    /// From where: an address, or ``local``.
    public var address: String
    /// The method and the path's template with what the call changes, or words.
    public var action: String
    /// What it is about: a user, a token, an invite, a hook, a plugin, a path; nil for all.
    public var target: String?
    /// `ok`, the code of a refusal, or `started` for a call whose end was not noted.
    public var result: String
    /// The id of the HTTP request; nil where there was none.
    public var requestId: String?

    /// The user id of calls by the command line.
    public static let commandLine = "cli"
    /// The user id of what the OpenID provider's groups decide.
    public static let provider = "oidc"
    /// The user id of callers who have not signed in.
    public static let nobody = "-"
    /// The address of what is done on this machine.
    public static let local = "local"
    /// The result of a call that succeeded.
    public static let ok = "ok"
    /// The result of a call that is under way, or whose server stopped before its end.
    public static let started = "started"

    /// Makes a line.
    public init(
        id: Int64 = 0, time: Int64, userId: String, address: String, action: String, target: String?,
        result: String = AuditLine.started, requestId: String? = RequestID.current
    ) {
        self.id = id
        self.time = time
        self.userId = userId
        self.address = address
        self.action = action
        self.target = target
        self.result = result
        self.requestId = requestId
    }
}

/// The audit log. Admins' calls are noted before they are done, and again with their result.
public protocol AuditLog: Sendable {
    /// Notes that a call starts, or what has happened.
    /// - Returns: The line's number.
    /// - Throws: What the store throws; the call must then not be done.
    func begin(_ line: AuditLine) async throws -> Int64

    /// Notes how a call ended.
    func end(_ id: Int64, result: String) async throws

    /// A page of the lines, newest first.
    /// - Parameters:
    ///   - before: The number of the last line of the page before; nil: from the newest.
    ///   - limit: Lines at most.
    func lines(before: Int64?, limit: Int) async throws -> [AuditLine]
}
