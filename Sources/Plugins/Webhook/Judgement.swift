import PluginKit

/// How a try of a delivery ended.
enum Outcome: Equatable, Sendable {
    /// The receiver answered.
    /// - Parameters:
    ///   - status: The HTTP status.
    ///   - retryAfter: How long it asks to wait, in milliseconds (``RequestedWait``).
    ///   - redirect: The host that a 3xx points to.
    case answered(status: Int, retryAfter: Int64? = nil, redirect: String? = nil)
    /// The address connected to is one that the endpoint may not be posted to.
    case denied
    /// No request was made, as no signing key is valid any more.
    case unsigned
    /// There is no answer, or not the whole of it.
    case failed(Failure, String)

    /// Whether the receiver has the event.
    var isSuccess: Bool {
        if case .answered(200..<300, _, _) = self { true } else { false }
    }

    /// The status or the failure's code, as it is shown.
    var code: String {
        switch self {
        case .answered(let status, _, _): String(status)
        case .denied: "address_denied"
        case .unsigned: Judgement.keysExpired
        case .failed(let failure, _): failure.rawValue
        }
    }

    /// Whether the receiver refuses the event rather than being unable to take any.
    var blamesEvent: Bool {
        if case .answered(400..<500, _, _) = self { true } else { false }
    }

    /// The kinds of failure, named as in retries and dead letters.
    enum Failure: String, Sendable {
        case timedOut = "timeout"
        case unresolved = "dns"
        case unconnected = "connect"
        case tls
        case proxy
        case webPage = "web_page"
        case broken = "transfer"
    }
}

/// What is to be done about an outcome.
enum Judgement: Equatable, Sendable {
    case delivered
    /// Try again after so many milliseconds.
    case retry(afterMs: Int64, code: String, message: String)
    /// The receiver wants nothing for so many milliseconds; the event is not to blame.
    case hold(forMs: Int64, code: String, message: String)
    case deadLetter(code: String, message: String)
    /// The receiver wants nothing ever again.
    case gone(message: String)

    /// Tries of an event that the receiver refuses for its content (most 4xx).
    static let triesOfRefused: Int64 = 2
    /// The code of what is held back as no signing key is valid any more.
    static let keysExpired = "keys_expired"
    /// How long such an endpoint is held, again and again, in milliseconds: only a new configuration helps it.
    static let holdOfUnsigned: Int64 = 3_600_000

    /// Judges one try.
    /// - Parameters:
    ///   - outcome: How it ended.
    ///   - attempt: Which try of the event it was, from 1, the ones that do not count left out.
    ///   - holds: How many times running the receiver asked to wait before.
    ///   - chance: A random number in 0..<1.
    init(_ outcome: Outcome, attempt: Int64, holds: Int = 0, chance: Double) {
        func again(_ code: String, _ message: String, retryAfter: Int64? = nil) -> Judgement {
            let wait = RetrySchedule.wait(afterAttempt: attempt, retryAfter: retryAfter, chance: chance)
            return .retry(afterMs: wait, code: code, message: message)
        }
        switch outcome {
        case .answered(200..<300, _, _): self = .delivered
        case .answered(410, _, _):
            self = .gone(message: "the receiver answered 410 Gone: it wants no more events")
        case .answered(let status, let retryAfter?, _) where status == 429 || status == 503:
            let wait = min(retryAfter, RetrySchedule.maxRetryAfter)
            self = .hold(
                forMs: wait, code: "http_\(status)",
                message: "the receiver answered \(status) and asks to wait \(wait) ms")
        case .answered(429, nil, _):
            self = .hold(
                forMs: RetrySchedule.untoldWait(holds + 1, chance: chance), code: "http_429",
                message: "the receiver answered 429 and does not say how long to wait")
        case .answered(300..<400, let retryAfter, let redirect):
            let target = redirect.map { "to the host '\($0)'" } ?? "nowhere"
            self = again(
                "redirect", "the receiver redirects \(target); redirects are not followed, so give its new URL",
                retryAfter: retryAfter)
        case .answered(let status, let retryAfter, _):
            let message = "the receiver answered \(status)"
            let mayPass = [408, 409, 425].contains(status)
            if (400..<500).contains(status), !mayPass, attempt >= Self.triesOfRefused {
                self = .deadLetter(code: "http_\(status)", message: message)
            } else {
                self = again("http_\(status)", message, retryAfter: retryAfter)
            }
        case .denied:
            self = .deadLetter(
                code: "address_denied", message: "the endpoint's host has a private or local address, which is denied")
        case .unsigned:
            self = .hold(
                forMs: Self.holdOfUnsigned, code: Self.keysExpired,
                message: "none of the endpoint's signing keys is valid any more; add one to its 'keys'")
        case .failed(let failure, let text): self = again(failure.rawValue, text)
        }
    }

    /// The same with what the receiver said behind the reason.
    func quoting(_ quote: String) -> Judgement {
        if quote.isEmpty { return self }
        switch self {
        case .retry(let afterMs, let code, let message):
            return .retry(afterMs: afterMs, code: code, message: "\(message): \(quote)")
        case .deadLetter(let code, let message): return .deadLetter(code: code, message: "\(message): \(quote)")
        case .delivered, .hold, .gone: return self
        }
    }
}
