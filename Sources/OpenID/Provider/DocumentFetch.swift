import HTTPClient

/// A GET of a document of the provider: which request is next, as a value without I/O.
///
/// Redirects are followed on the same scheme, host and port only.
struct DocumentFetch: Sendable {
    /// The longest document, in bytes.
    static let maxBytes = 1 << 20
    /// The time for a document, redirects included, in milliseconds.
    static let timeout: Int64 = 5_000
    static let maxRedirects = 3
    /// The header that names a redirect's target.
    static let location = "location"

    enum Action: Sendable, Equatable {
        case get(ProviderURL)
        case end(Result<[UInt8], ProviderFailure>)
    }

    private var url: ProviderURL
    private var redirects = 0

    init(_ url: ProviderURL) { self.url = url }

    var first: Action { .get(url) }

    /// What to do after a request.
    mutating func next(_ outcome: Outcome) -> Action {
        let answer: Outcome.Answer
        switch outcome {
        case .failed(let code, let message): return fail("cannot be reached (\(code): \(message))")
        case .answered(let answered): answer = answered
        }
        switch answer.status {
        case 200..<300:
            if answer.wasCut { return fail("answered more than \(Self.maxBytes >> 20) MiB") }
            return .end(.success(answer.body))
        case 301, 302, 303, 307, 308:
            guard redirects < Self.maxRedirects else { return fail("redirects more than \(Self.maxRedirects) times") }
            guard let target = url.redirected(to: answer.headers[Self.location] ?? "") else {
                return fail("redirects to another host, which is not followed; configure the address that it names")
            }
            redirects += 1
            url = target
            return .get(target)
        default: return fail("answered with the status \(answer.status)")
        }
    }

    private func fail(_ what: String) -> Action { .end(.failure(ProviderFailure("\(url.endpoint.authority) \(what)"))) }
}

/// Why the provider cannot be used now: for the log and for callers. It names hosts, and neither codes nor secrets.
struct ProviderFailure: Error, Sendable, Equatable, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}
