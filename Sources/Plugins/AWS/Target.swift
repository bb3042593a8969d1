import HTTPClient

/// A function, queue or topic that events are handed to.
struct Target: Hashable, Sendable {
    /// What it is.
    enum Kind: Hashable, Sendable {
        /// A Lambda function; called and waited for, or given the event to work on later.
        case function(isAwaited: Bool)
        /// An SQS queue.
        case queue
        /// An SNS topic.
        case topic
    }

    /// The queue's name.
    var name: String
    /// What it is.
    var kind: Kind
    /// Which it is.
    var arn: ARN
    /// Where its service is.
    var endpoint: ServiceEndpoint
    /// Who to act as.
    var role: Role?
    /// Event types, or nil for the manifest's.
    var types: [String]?
    /// Channels, or nil for the manifest's.
    var channels: [String]?
    /// Where a new queue begins, or nil for the manifest's.
    var start: String?
    /// `channel`, `total` or `none`, or nil for the manifest's.
    var order: String?
    /// Events in flight at most.
    var concurrency: Int64
    /// The time for one request, in milliseconds.
    var timeout: Int64
    /// Changes with its configuration.
    var fingerprint = ""

    /// Whether it keeps an order and drops what it has seen.
    var isFIFO: Bool { kind != .queue && kind != .topic ? false : arn.resource.hasSuffix(".fifo") }

    /// Events of one request at most; so many SQS and SNS take.
    var batch: Int {
        switch kind {
        case .function: 1
        case .queue, .topic: 10
        }
    }
}
