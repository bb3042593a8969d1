/// Makes signed requests one after the other, and keeps the credentials for them fresh.
package actor AWSClient {
    /// Names of errors that say that the credentials are not accepted.
    package static let credentialErrors: Set<String> = [
        "ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId",
        "UnrecognizedClientException", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidSignatureException",
        "IncompleteSignature", "MissingAuthenticationToken", "MissingAuthenticationTokenException", "InvalidSecurity",
    ]
    /// Bytes of a credential that is hidden in texts. AWS' ones are longer, and a shorter one is part of usual words.
    private static let leastSecret = 8
    /// How S3 calls a session token that is none.
    private static let invalidToken = "InvalidToken"

    private let settings: CredentialSettings
    private let surroundings: Surroundings
    private let requester: HTTPRequester
    /// Seconds of Unix time.
    private let now: @Sendable () -> Int64
    private var keeper = CredentialKeeper()

    /// Makes a client.
    /// - Parameter now: Seconds of Unix time.
    package init(
        _ settings: CredentialSettings, _ surroundings: Surroundings, _ requester: HTTPRequester,
        now: @escaping @Sendable () -> Int64
    ) {
        self.settings = settings
        self.surroundings = surroundings
        self.requester = requester
        self.now = now
    }

    /// Signs a request and makes it.
    /// - Throws: ``CredentialProblem`` where there are no credentials.
    package func send(_ call: Call) async throws(CredentialProblem) -> Outcome {
        let credentials = try await credentials()
        let outcome = await requester.send(call, call.lines(credentials, at: now()))
        if case .answered(let answer) = outcome, !answer.isSuccess {
            let code = ServiceError(answer).code
            // The answer to HEAD has no body, so its 403 does not say why.
            let isDoubtful =
                Self.credentialErrors.contains(code) || code == Self.invalidToken
                || (answer.status == 403 && call.request.method == "HEAD")
            if isDoubtful { keeper.doubt(at: now()) }
        }
        return outcome
    }

    /// Hides the credentials in a text of the service's: some services repeat what they were sent.
    package func masked(_ text: String) -> String {
        guard let credentials = keeper.usable(at: now()) else { return text }
        var masked = text
        for secret in [credentials.accessKeyId, credentials.secretAccessKey, credentials.sessionToken ?? ""]
        where secret.utf8.count >= Self.leastSecret {
            masked.replace(secret, with: ServiceError.mask)
        }
        return masked
    }

    private func credentials() async throws(CredentialProblem) -> AWSCredentials {
        if keeper.isDue(at: now()) {
            keeper.start()
            let fetched: Result<AWSCredentials, CredentialProblem>
            do throws(CredentialProblem) {
                fetched = .success(try await fetch())
            } catch { fetched = .failure(error) }
            keeper.take(fetched, at: now())
        }
        if let credentials = keeper.usable(at: now()) { return credentials }
        throw keeper.problem ?? CredentialProblem("there are no credentials yet")
    }

    private func fetch() async throws(CredentialProblem) -> AWSCredentials {
        let source = try settings.source(surroundings)
        switch source {
        case .environment: return try source.environment(surroundings)
        case .file(let path, let profile):
            guard let content = surroundings.file(path) else {
                throw CredentialProblem(surroundings.fileProblem(path))
            }
            return try SharedFile.credentials(in: content, profile: profile)
        case .container(let endpoint):
            let call = try endpoint.call(surroundings)
            return try ContainerEndpoint.credentials(of: await requester.send(call, call.lines(nil, at: now())))
        }
    }
}
