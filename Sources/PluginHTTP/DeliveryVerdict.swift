import PluginKit

/// What follows for one delivery from the end of its request.
package enum DeliveryVerdict: Equatable, Sendable {
    /// The endpoint has the event; commands are what it wants done in the chat, as JSON objects.
    case delivered(commands: [[UInt8]] = [])
    /// Try again after so many milliseconds.
    case retry(afterMs: Int64, code: String, message: String)
    /// The endpoint accepts nothing for so many milliseconds; the event is not to blame.
    case hold(forMs: Int64, code: String, message: String)
    /// The event can never be delivered.
    case deadLetter(code: String, message: String)
    /// The endpoint never accepts anything again.
    case gone(message: String)

    /// Tries of an event that an endpoint refuses for its content.
    package static let triesOfRefused: Int64 = 2

    /// The verdict on an event that is refused, perhaps for its content: tried once more, then a dead letter.
    package static func refused(
        attempt: Int64, code: String, message: String, wait: @autoclosure () -> Int64
    ) -> DeliveryVerdict {
        attempt >= triesOfRefused
            ? .deadLetter(code: code, message: message)
            : .retry(afterMs: wait(), code: code, message: message)
    }

    /// The same with the endpoint's answer after the reason.
    package func quoting(_ quote: String) -> DeliveryVerdict {
        if quote.isEmpty { return self }
        switch self {
        case .retry(let afterMs, let code, let message):
            return .retry(afterMs: afterMs, code: code, message: "\(message): \(quote)")
        case .deadLetter(let code, let message): return .deadLetter(code: code, message: "\(message): \(quote)")
        case .delivered, .hold, .gone: return self
        }
    }
}

/// How a try of one delivery ended, in the plugin's own terms.
package protocol DeliveryResult: Equatable, Sendable {
    /// Whether the endpoint has the event.
    var isSuccess: Bool { get }
    /// The status or code that operators are shown.
    var code: String { get }
    /// Why it failed, where the code does not say it all.
    var reason: String? { get }
    /// The host that the endpoint redirects to.
    var redirect: String? { get }
    /// Whether the endpoint refuses the event, rather than being unable to accept any.
    var blamesEvent: Bool { get }
    /// Whether the answer's body belongs after the reason of a failure.
    var quotesAnswer: Bool { get }
    /// Whether a batch whose events all ended so is sent again one by one, as one of them may be the cause.
    var splitsBatch: Bool { get }

    /// What follows from it.
    /// - Parameters:
    ///   - attempt: Which try of the event it was, from 1, without the uncounted ones.
    ///   - holds: How many times in a row the endpoint was held before.
    ///   - chance: A random number in 0..<1.
    func verdict(attempt: Int64, holds: Int, chance: Double) -> DeliveryVerdict
}

extension DeliveryResult {
    package var redirect: String? { nil }
    package var quotesAnswer: Bool { false }
    package var splitsBatch: Bool { false }
}

extension RetrySchedule {
    /// A wait that doubles with each hold of the same endpoint.
    /// - Parameters:
    ///   - waits: The first and the longest, in milliseconds.
    ///   - count: How many holds in a row, from 1.
    ///   - chance: A random number in 0..<1.
    package static func doubling(_ waits: ClosedRange<Int64>, _ count: Int, chance: Double) -> Int64 {
        let figure = waits.lowerBound << Int64(min(max(count, 1) - 1, 10))
        return spreadOut(min(figure, waits.upperBound), chance)
    }
}
