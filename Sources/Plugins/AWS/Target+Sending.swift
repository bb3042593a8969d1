import HTTPClient
import JSONBytes
import PluginHTTP
import PluginKit
import PluginWire

/// What the send loop knows of a target.
extension Target: SendEndpoint {
    /// What the plugin calls itself.
    static let userAgent = "crowbar-aws/1"

    var shownAddress: String { arn.text }

    var queue: PluginMessage.Queue {
        .init(
            name: name, types: types, channels: channels, window: concurrency, order: order, start: start,
            maxAttempts: RetrySchedule.maxAttempts)
    }

    var size: QueueSize {
        QueueSize(window: concurrency, batch: batch, batchBytes: Self.maxBatchBytes, largestEvent: maxEvent)
    }

    var limits: TimeLimits { TimeLimits(whole: timeout) }
    var requestTarget: HTTPTransfer.Target { HTTPTransfer.Target(call([]), userAgent: Self.userAgent) }
    /// Targets of one service have connections in common.
    var sharesConnections: Bool { true }
    /// All are signed, so each request has its own.
    var headerLines: [String] { [] }
    var testEventType: String { "AWS_TEST" }

    func testDelivery(_ event: JSON, eventId: String) -> Delivery? {
        var delivery = Delivery(id: 0, eventId: eventId, body: event.bytes)
        delivery.group = "test"
        return delivery
    }

    func results(_ end: RequestEnd, count: Int, answer: @autoclosure () -> [UInt8]) -> [ServiceVerdict] {
        let outcome: Outcome =
            switch end {
            case .completed(let result):
                Outcome(result, of: endpoint, keptHeaders: Outcome.Answer.judgedHeaders, body: answer())
            case .timedOut(let message): .failed(code: "timeout", message: message)
            case .unsent(let message): .failed(code: "transfer", message: message)
            }
        return judge(outcome, count: count)
    }
}

extension Outcome.Answer {
    /// The header that Lambda names a function's failure in.
    static let functionErrorHeader = "x-amz-function-error"
    /// The headers that answers are judged by.
    static let judgedHeaders = [ServiceError.header, functionErrorHeader]

    /// How the function failed.
    var functionError: String? { headers[Self.functionErrorHeader] }
}
