import CrowbarCore
import HTTPClient
import Identity
import JSONBytes

/// The exchange of a sign-in's code for a session, as a value without I/O.
///
/// 1. The provider's addresses are looked up.
/// 2. The code is posted to its token endpoint.
/// 3. The ID token of the answer is verified, with the nonce of the sign-in.
/// 4. The subject is admitted (``SubjectAdmission``), and a session starts.
public struct CodeExchange: Sendable {
    /// What the page sends.
    public struct Request: Sendable, Equatable {
        /// The code that the provider gave the page.
        public var code: String
        /// The secret of which the provider has the hash (PKCE).
        public var verifier: String
        /// The page's address as it gave it to the provider.
        public var redirectUri: String
        /// What the ID token must hold.
        public var nonce: String

        /// Makes one.
        public init(code: String, verifier: String, redirectUri: String, nonce: String) {
            self.code = code
            self.verifier = verifier
            self.redirectUri = redirectUri
            self.nonce = nonce
        }
    }

    enum Action: Sendable, Equatable {
        case findProvider
        case post(TokenRequest)
        /// Verify this ID token with the nonce.
        case verify([UInt8], nonce: String)
        /// Register the subject if need be, and start a session.
        case admit(VerifiedToken)
        case end(Result<OpenIDService.SignedIn, CommandError>)
    }

    enum Input: Sendable {
        case provider(OpenIDSettings.Endpoints)
        /// The provider, or its keys, cannot be had now; why.
        case unavailable(String)
        case outcome(Outcome)
        case verified(VerifiedToken)
        case refused(TokenRefusal)
        case admitted(Result<OpenIDService.SignedIn, CommandError>)
    }

    private enum State { case new, finding, posting, verifying, admitting, ended }

    private let request: Request
    private let settings: OpenIDSettings
    private var state = State.new

    init(_ request: Request, settings: OpenIDSettings) {
        self.request = request
        self.settings = settings
    }

    /// What to do first.
    mutating func start() -> Action {
        if let problem = problem() { return end(problem) }
        state = .finding
        return .findProvider
    }

    /// What to do after an action. An input that no action asked for ends the exchange.
    mutating func next(_ input: Input) -> Action {
        switch (state, input) {
        case (.finding, .provider(let endpoints)):
            state = .posting
            return .post(
                TokenRequest(
                    request, to: endpoints.token, clientId: settings.rules.clientId, secret: settings.clientSecret))
        case (.posting, .outcome(let outcome)): return received(outcome)
        case (.verifying, .verified(let token)):
            state = .admitting
            return .admit(token)
        case (.verifying, .refused(let refusal)): return end(Self.error(refusal))
        case (.admitting, .admitted(let result)):
            state = .ended
            return .end(result)
        case (.finding, .unavailable(let why)), (.verifying, .unavailable(let why)):
            return end(CommandError(.unavailable, "the OpenID provider cannot be used now: \(why)"))
        default: return end(CommandError(.unavailable, "the sign-in got an answer out of turn; try again"))
        }
    }

    private mutating func end(_ error: CommandError) -> Action {
        state = .ended
        return .end(.failure(error))
    }

    // MARK: The page's part

    private static let verifierLength = 43...128
    private static let textLength = 1...2_048

    private func problem() -> CommandError? {
        for (name, text) in [("code", request.code), ("nonce", request.nonce)]
        where !Self.textLength.contains(text.utf8.count) || !text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) {
            return CommandError(.invalidCommand, "'\(name)' is 1 to 2048 printable ASCII characters", field: name)
        }
        guard Self.verifierLength.contains(request.verifier.utf8.count), request.verifier.utf8.allSatisfy(Self.isPlain)
        else {
            return CommandError(
                .invalidCommand, "'verifier' is 43 to 128 of A-Z a-z 0-9 - . _ ~ (RFC 7636)", field: "verifier")
        }
        guard settings.redirects.contains(where: { $0.utf8.elementsEqual(request.redirectUri.utf8) }) else {
            return CommandError(
                .forbidden,
                "'\(request.redirectUri.prefix(256))' is not an address of this server; an operator can add it to "
                    + "redirect in [auth.oidc]", field: "redirectUri")
        }
        return nil
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: true
        default: false
        }
    }

    // MARK: The provider's part

    private mutating func received(_ outcome: Outcome) -> Action {
        let answer: Outcome.Answer
        switch outcome {
        case .failed(let code, let message):
            return end(
                CommandError(
                    .unavailable, "the OpenID provider did not answer (\(code): \(message)); start the sign-in again"))
        case .answered(let answered): answer = answered
        }
        let object = try? JSONObject(parsing: answer.body)
        guard answer.isSuccess, !answer.wasCut else { return end(Self.error(answer.status, object)) }
        guard let token = object?.string("id_token") else {
            return end(
                CommandError(
                    .unavailable, "the OpenID provider answered without an ID token; scopes must contain 'openid'"))
        }
        state = .verifying
        return .verify(Array(token.utf8), nonce: request.nonce)
    }

    /// Errors by which the provider refuses the code, and not this server (RFC 6749, section 5.2).
    private static let errorsOfCode: Set<String> = ["invalid_grant", "access_denied"]

    private static func error(_ status: Int, _ object: JSONObject?) -> CommandError {
        // A word of the provider, which could be anything.
        let word = object?.string("error").map { $0.prefix(64).filter { $0.isASCII && ($0.isLetter || $0 == "_") } }
        let name = word.map { "'\($0)'" } ?? "status \(status)"
        if let word, errorsOfCode.contains(word) {
            return CommandError(
                .unauthorized, "the OpenID provider refused the code (\(name)); start the sign-in again", field: "code")
        }
        return CommandError(
            .unavailable,
            "the OpenID provider refused this server's request (\(name)); an operator can check client_id, "
                + "client_secret and redirect in [auth.oidc]")
    }

    static func error(_ refusal: TokenRefusal) -> CommandError {
        refusal == .group
            ? CommandError(.forbidden, "you are not in the group that may sign in here; ask an administrator")
            : CommandError(.unauthorized, "the OpenID provider's ID token was refused: \(refusal)")
    }
}
