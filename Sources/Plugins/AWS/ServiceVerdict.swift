import HTTPClient
import PluginHTTP
import PluginKit

/// What a service's answer means for one event of a request.
enum ServiceVerdict: DeliveryResult {
    /// It is there; what a function wants said in the chat, as JSON objects.
    case delivered(commands: [[UInt8]] = [])
    /// Try again later.
    case retry(code: String, message: String)
    /// The target takes nothing for a while; the event is not to blame.
    case throttled(code: String, message: String)
    /// The credentials are not accepted; the event is not to blame.
    case unaccepted(code: String, message: String)
    /// The request is refused, perhaps for its content: tried once more.
    case refused(code: String, message: String)
    /// It will never succeed.
    case deadLetter(code: String, message: String)

    /// The code where credentials are missing or not accepted.
    static let credentials = "credentials"
    /// The wait of a target that throttles, or has no credentials, in milliseconds: at first, and at most.
    static let holds: ClosedRange<Int64> = 500...30_000

    /// Judges what there is no answer to.
    init(failed code: String, _ message: String) { self = .retry(code: code, message: message) }

    /// Judges a service's error.
    init(_ error: ServiceError) {
        let (code, message) = (error.code, error.description)
        if error.status == 429 || Self.throttling.contains(code) || code.contains("Throttl") {
            self = .throttled(code: "throttled", message: message)
        } else if AWSClient.credentialErrors.contains(code) {
            self = .unaccepted(code: Self.credentials, message: message)
        } else if Self.missing.contains(code) || (error.status == 404 && code.isEmpty) {
            self = .deadLetter(code: "not_found", message: "the target does not exist: \(message)")
        } else if error.status == 403 || Self.denied.contains(code) || code.hasPrefix("KMSAccessDenied") {
            self = .deadLetter(code: "denied", message: "the call is denied: \(message)")
        } else if error.status == 413 || Self.large.contains(code) {
            self = .deadLetter(code: "too_large", message: "the event is too large: \(message)")
        } else if (400..<500).contains(error.status), ![408, 409, 425].contains(error.status) {
            self = .refused(code: "refused", message: message)
        } else {
            self = .retry(code: "http_\(error.status)", message: message)
        }
    }

    private static let throttling: Set<String> = [
        "RequestLimitExceeded", "TooManyRequestsException", "BandwidthLimitExceeded", "SlowDown",
        "PriorRequestNotComplete", "ProvisionedThroughputExceededException", "OverLimit", "EC2ThrottledException",
        "TooManyEntriesInFlight", "ConcurrentInvocationLimitExceeded",
    ]
    private static let missing: Set<String> = [
        "ResourceNotFoundException", "ResourceNotFound", "NotFound", "NotFoundException", "QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue", "NonExistentQueue", "QueueDeletedRecently",
    ]
    private static let denied: Set<String> = [
        "AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException", "OptInRequired",
    ]
    private static let large: Set<String> = ["RequestTooLargeException", "RequestEntityTooLargeException"]
}

extension ServiceVerdict {
    var isSuccess: Bool { if case .delivered = self { true } else { false } }

    /// Whether the credentials were not accepted.
    var isUnaccepted: Bool { if case .unaccepted = self { true } else { false } }

    /// `ok` or a code.
    var code: String { failure?.code ?? "ok" }
    var reason: String? { failure?.message }

    var blamesEvent: Bool {
        switch self {
        case .refused, .deadLetter: true
        case .delivered, .retry, .throttled, .unaccepted: false
        }
    }

    var splitsBatch: Bool {
        switch self {
        case .refused, .deadLetter(code: "too_large", message: _): true
        default: false
        }
    }

    private var failure: (code: String, message: String)? {
        switch self {
        case .delivered: nil
        case .retry(let code, let message), .throttled(let code, let message), .unaccepted(let code, let message),
            .refused(let code, let message), .deadLetter(let code, let message):
            (code, message)
        }
    }

    func verdict(attempt: Int64, holds: Int, chance: Double) -> DeliveryVerdict {
        switch self {
        case .delivered(let commands): .delivered(commands: commands)
        case .retry(let code, let message):
            .retry(
                afterMs: RetrySchedule.wait(afterAttempt: attempt, chance: chance), code: code, message: message)
        case .throttled(let code, let message), .unaccepted(let code, let message):
            .hold(
                forMs: min(
                    RetrySchedule.doubling(Self.holds, holds + 1, chance: chance), Self.holds.upperBound),
                code: code, message: message)
        case .refused(let code, let message):
            .refused(
                attempt: attempt, code: code, message: message,
                wait: RetrySchedule.wait(afterAttempt: attempt, chance: chance))
        case .deadLetter(let code, let message): .deadLetter(code: code, message: message)
        }
    }
}
