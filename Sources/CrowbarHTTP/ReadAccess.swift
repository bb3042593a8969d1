import CrowbarCore
import HTTPTypes
import Logging

/// Who may read events, when a call begins and for as long as its answer goes on.
struct ReadAccess: Sendable {
    let authenticator: Authenticator
    /// Whether events may be read without a token.
    let isAnonymousAllowed: Bool
    let logger: Logger

    /// Who reads; nil for a caller without a token.
    /// - Throws: ``APIFailure`` where the caller may not.
    func reader(_ headers: HTTPFields, address: () -> String) async throws -> Credential? {
        if isAnonymousAllowed, headers[.authorization] == nil { return nil }
        let credential = try await authenticator.credential(headers, address: address)
        try Self.authorize(credential)
        return credential
    }

    /// Why a reader may not read on; nil while it may.
    func end(of reader: inout Credential?) async -> CommandError? {
        guard var credential = reader else { return nil }
        do {
            try await authenticator.refresh(&credential)
            try Self.authorize(credential)
            reader = credential
            return nil
        } catch let failure as APIFailure {
            return failure.error
        } catch {
            logger.error("a reader's token could not be looked up again", metadata: ["error": "\(error)"])
            return CommandError(.unavailable, "the token could not be looked up again; try again in a second")
        }
    }

    private static func authorize(_ credential: Credential) throws(APIFailure) {
        try credential.require(.read, "the token does not allow reading; make one with the scope 'read'")
    }
}
