import CrowbarCore
import HTTPTypes
import Logging

/// A caller that reads, for as long as the answer goes on.
struct AuthenticatedReader: Sendable {
    /// What the caller's rights are looked up by.
    let reader: Reader
    /// The caller's token; nil without one.
    fileprivate(set) var credential: Credential?
    /// Whether an admin asked for everything, which only an admin may go on to read.
    fileprivate let asksForAll: Bool

    /// A caller without a token.
    static let anonymous = AuthenticatedReader(reader: .anonymous, credential: nil, asksForAll: false)
}

/// Finds who reads, when a call begins and for as long as its answer goes on. What they may read is decided by
/// ``ReadAccess``.
struct ReaderAuthenticator: Sendable {
    /// The parameter with which an admin reads everything.
    static let all = "all"

    let authenticator: Authenticator
    let door: Door
    /// Whether events may be read without a token.
    let isAnonymousAllowed: Bool
    let logger: Logger
    /// Where admins who read everything are noted; nil where that is not kept.
    let audit: AuditWriter?

    /// Who reads.
    /// - Parameter isPublic: Whether what is read is something that may be read without a token at all.
    /// - Throws: ``APIFailure`` where the caller may not.
    func reader(
        _ headers: HTTPFields, _ query: Query, isPublic: Bool = true, address: () -> String
    ) async throws -> AuthenticatedReader {
        let asksForAll = try Self.asksForAll(query)
        if isPublic, isAnonymousAllowed, headers[.authorization] == nil, !asksForAll {
            return AuthenticatedReader(reader: .anonymous, credential: nil, asksForAll: false)
        }
        let credential = try await authenticator.credential(headers, address: address)
        return try reader(credential, asksForAll: asksForAll)
    }

    /// Who reads in a call that an admin may make: without the scope `read` only what everybody may.
    /// - Throws: ``APIFailure`` where the caller may not.
    func reader(_ credential: Credential, _ query: Query) throws(APIFailure) -> AuthenticatedReader {
        let asksForAll = try Self.asksForAll(query)
        if !asksForAll, !door.isCommandLine, !credential.principal.scopes.contains(.read) {
            return AuthenticatedReader(reader: .anonymous, credential: credential, asksForAll: false)
        }
        return try reader(credential, asksForAll: asksForAll)
    }

    private func reader(_ credential: Credential, asksForAll: Bool) throws(APIFailure) -> AuthenticatedReader {
        try Self.authorize(credential, asksForAll: asksForAll)
        let user = credential.principal.userId
        // Who can read the socket can read the log's file.
        if door.isCommandLine { return AuthenticatedReader(reader: .all, credential: credential, asksForAll: false) }
        return AuthenticatedReader(
            reader: asksForAll ? .all : .user(user), credential: credential, asksForAll: asksForAll)
    }

    /// Notes that an admin reads everything, before that is read. For calls that are within their rate: each costs a
    /// write.
    /// - Throws: ``APIFailure`` where it cannot be noted.
    func note(_ reader: AuthenticatedReader, _ path: Substring, address: () -> String) async throws {
        guard reader.asksForAll, let credential = reader.credential else { return }
        let (user, path) = (credential.principal.userId, String(path.prefix(256)))
        logger.notice(
            "audit: an admin reads all channels, private ones too", metadata: ["user": "\(user)", "path": "\(path)"])
        _ = try await audit?.begin(
            user: user, address: address(), action: "read all=true", target: path, result: AuditLine.ok)
    }

    private static func asksForAll(_ query: Query) throws(APIFailure) -> Bool {
        switch query[all] {
        case nil, "false": return false
        case "true": return true
        default: throw APIFailure(.invalidCommand, "'\(all)' is true or false", field: all)
        }
    }

    /// Why a reader may not read on; nil while it may.
    func end(of reader: inout AuthenticatedReader) async -> CommandError? {
        guard var credential = reader.credential else { return nil }
        do {
            try await authenticator.refresh(&credential)
            try Self.authorize(credential, asksForAll: reader.asksForAll)
            reader.credential = credential
            return nil
        } catch let failure as APIFailure {
            return failure.error
        } catch {
            logger.error("a reader's token could not be looked up again", metadata: ["error": "\(error)"])
            return CommandError(.unavailable, "the token could not be looked up again; try again in a second")
        }
    }

    private static func authorize(_ credential: Credential, asksForAll: Bool) throws(APIFailure) {
        try credential.require(.read, "the token does not allow reading; make one with the scope 'read'")
        if asksForAll { try credential.require(.admin, "only an admin's token may read everything with 'all'") }
    }
}
