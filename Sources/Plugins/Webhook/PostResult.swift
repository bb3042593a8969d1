import PluginHTTP
import PluginKit

/// How a try of a delivery ended.
enum PostResult: DeliveryResult {
    /// The code of what is held back as no signing key is valid any more.
    static let keysExpired = "keys_expired"
    /// How long such an endpoint is held, again and again, in milliseconds: only a new configuration helps it.
    static let holdOfUnsigned: Int64 = 3_600_000

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
        case .unsigned: Self.keysExpired
        case .failed(let failure, _): failure.rawValue
        }
    }

    /// Whether the receiver refuses the event rather than being unable to take any.
    var blamesEvent: Bool {
        if case .answered(400..<500, _, _) = self { true } else { false }
    }

    var reason: String? {
        if case .failed(_, let text) = self { text } else { nil }
    }

    var redirect: String? {
        if case .answered(_, _, let host) = self { host } else { nil }
    }

    var quotesAnswer: Bool {
        if case .answered = self { true } else { false }
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

    func verdict(attempt: Int64, holds: Int, chance: Double) -> DeliveryVerdict {
        func again(_ code: String, _ message: String, retryAfter: Int64? = nil) -> DeliveryVerdict {
            let wait = RetrySchedule.wait(afterAttempt: attempt, retryAfter: retryAfter, chance: chance)
            return .retry(afterMs: wait, code: code, message: message)
        }
        switch self {
        case .answered(200..<300, _, _): return .delivered()
        case .answered(410, _, _):
            return .gone(message: "the receiver answered 410 Gone: it wants no more events")
        case .answered(let status, let retryAfter?, _) where status == 429 || status == 503:
            let wait = min(retryAfter, RetrySchedule.maxRetryAfter)
            return .hold(
                forMs: wait, code: "http_\(status)",
                message: "the receiver answered \(status) and asks to wait \(wait) ms")
        case .answered(429, nil, _):
            return .hold(
                forMs: RetrySchedule.untoldWait(holds + 1, chance: chance), code: "http_429",
                message: "the receiver answered 429 and does not say how long to wait")
        case .answered(300..<400, let retryAfter, let redirect):
            let target = redirect.map { "to the host '\($0)'" } ?? "nowhere"
            return again(
                "redirect", "the receiver redirects \(target); redirects are not followed, so give its new URL",
                retryAfter: retryAfter)
        case .answered(let status, let retryAfter, _):
            let message = "the receiver answered \(status)"
            let mayPass = [408, 409, 425].contains(status)
            if (400..<500).contains(status), !mayPass, attempt >= DeliveryVerdict.triesOfRefused {
                return .deadLetter(code: "http_\(status)", message: message)
            }
            return again("http_\(status)", message, retryAfter: retryAfter)
        case .denied:
            return .deadLetter(
                code: "address_denied", message: "the endpoint's host has a private or local address, which is denied")
        case .unsigned:
            return .hold(
                forMs: Self.holdOfUnsigned, code: Self.keysExpired,
                message: "none of the endpoint's signing keys is valid any more; add one to its 'keys'")
        case .failed(let failure, let text): return again(failure.rawValue, text)
        }
    }
}
