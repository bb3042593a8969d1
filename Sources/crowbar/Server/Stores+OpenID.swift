import CrowbarCore
import CrowbarHTTP
import CrowbarSQLite
import HTTPClient
import Identity
import Logging
import OpenID
import ServiceLifecycle

extension Stores {
    /// Sign-in by the configured OpenID provider; nil where none is configured.
    /// - Throws: ``Refusal`` where libcurl cannot start.
    func openID(_ settings: OpenIDSettings?, _ ingest: Ingest, _ logger: Logger) throws -> OpenIDService? {
        guard let settings else { return nil }
        let log = log
        let sessions = sessions
        let surroundings = OpenIDService.Surroundings(
            accounts: accounts, registrar: registrar(ingest), nameOfUser: { try await log.userName($0) },
            rename: { userId, name throws(CommandError) in
                let command = Command(.renameUser, .renameUser(name: name), userId: userId)
                _ = try await ingest.submit(Ingest.Request(command, actor: userId))
            },
            newToken: { Array(try sessions.newToken().utf8) }, readFile: { HTTPClient.Surroundings.read($0) },
            now: Clock.milliseconds, monotonic: Clock.monotonic, logger: logger,
            audit: ExplainedAudit(accounts: accounts))
        guard
            let service = OpenIDService(
                settings, userAgent: "crowbar/\(CrowbarVersion.current)", surroundings)
        else { throw Refusal("libcurl cannot start, which [auth.oidc] needs; look at the server's memory limit") }
        return service
    }

    /// Ties an account to a subject of the configured issuer.
    /// - Throws: ``CommandError``, ``ActionFailure``.
    func linkUser(
        _ user: String, to subject: String, of settings: OpenIDSettings?, note: @Sendable (String) -> Void = { _ in }
    ) async throws {
        guard let settings else {
            throw CommandError(.invalidCommand, "there is no [auth.oidc] in the configuration; add the provider first")
        }
        guard TokenVerifier.subjectLength.contains(subject.utf8.count) else {
            throw CommandError(.invalidCommand, "a subject has 1 to 255 bytes", field: "sub")
        }
        do {
            try await accounts.link(user, to: .init(issuer: settings.rules.issuer, subject: subject))
        } catch let failure as AccountFailure {
            switch failure {
            case .noAccount:
                throw CommandError(
                    .userNotFound, "there is no account '\(user.prefix(128))'; 'crowbar user list' shows all",
                    field: "user")
            default: throw CommandError(.forbidden, "\(failure)", field: "sub")
            }
        } catch let error as StoreError {
            try Self.explaining("the account could not be linked", after: "Nothing has changed.") { throw error }
        }
        note("user '\(user)' is linked to a subject of \(settings.rules.issuer)")
    }
}

/// Fetches the provider's addresses and keys at the start, so that the first sign-in need not wait.
struct OpenIDPreparation: Service {
    let service: OpenIDService?

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await service?.prepare()
            // A service that returns would end the server.
            try? await gracefulShutdown()
        }
    }
}
