import HTTPClient

/// What is to be done about an event whose request has ended.
enum Judgement: Equatable, Sendable {
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

    /// Tries of an event that is refused for its content.
    static let triesOfRefused: Int64 = 2

    /// Judges what there is no answer to.
    init(failed code: String, _ message: String) { self = .retry(code: code, message: message) }

    /// Judges a service's error.
    init(_ error: ServiceError) {
        let (code, message) = (error.code, error.description)
        if error.status == 429 || Self.throttling.contains(code) || code.contains("Throttl") {
            self = .throttled(code: "throttled", message: message)
        } else if AWSClient.credentialErrors.contains(code) {
            self = .unaccepted(code: "credentials", message: message)
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
