import CCurl
import HTTPClient
import JSONBytes
import PluginKit
import PluginWire

@testable import PluginHTTP

/// An endpoint that no request is made to: for what the queue decides alone.
struct TestEndpoint: SendEndpoint {
    var name = "a"
    var size = QueueSize(window: 4)
    var fingerprint = "f"
    var order: String?
    var secret = "hush"

    var shownAddress: String { "test:…" }
    var queue: PluginMessage.Queue { .init(name: name, window: size.window, order: order) }
    var limits: TimeLimits { TimeLimits() }
    var requestTarget: HTTPTransfer.Target {
        HTTPTransfer.Target(url: "http://127.0.0.1:1/", userAgent: "test", timeout: 1000, answerLimit: 1)
    }
    var headerLines: [String] { [] }
    var testEventType: String { "TEST" }

    func mask(_ text: String) -> String { text.replacing(secret, with: "…") }
    func testDelivery(_ event: JSON, eventId: String) -> Delivery? { nil }
    func results(_ end: RequestEnd, count: Int, answer: @autoclosure () -> [UInt8]) -> [TestResult] { [] }

    static let words: EndpointWords = {
        var words = EndpointWords(noun: "endpoint", obstacle: { $0 == "locked" ? "locked" : "busy" })
        words.lasting = ["missing"]
        words.unsendable = ("locked", "without a key", "there is no key")
        return words
    }()
}

/// How a try ended, as its verdict has it.
enum TestResult: DeliveryResult {
    case success(commands: [[UInt8]] = [])
    case failure(String = "broken")
    case refusal
    case wait(Int64)
    case locked
    case end

    var isSuccess: Bool { if case .success = self { true } else { false } }
    var reason: String? { isSuccess ? nil : "why" }
    var blamesEvent: Bool { self == .refusal }
    var splitsBatch: Bool { self == .refusal }

    var code: String {
        switch self {
        case .success: "ok"
        case .failure(let code): code
        case .refusal: "refused"
        case .wait: "wait"
        case .locked: "locked"
        case .end: "end"
        }
    }

    func verdict(attempt: Int64, holds: Int, chance: Double) -> DeliveryVerdict {
        switch self {
        case .success(let commands): .delivered(commands: commands)
        case .failure(let code): .retry(afterMs: 5000, code: code, message: "why")
        case .refusal: .refused(attempt: attempt, code: code, message: "why", wait: 5000)
        case .wait(let ms): .hold(forMs: ms, code: code, message: "why")
        case .locked:
            .hold(
                forMs: RetrySchedule.doubling(1000...8000, holds + 1, chance: chance), code: code, message: "no key")
        case .end: .gone(message: "gone")
        }
    }
}

extension EndpointQueue {
    /// Sends a batch, and ends its request with a result for each.
    mutating func exchange(_ results: [TestResult], now: Int64) -> [Settlement] {
        guard let batch = next(), batch.count == results.count else { return [] }
        if endRequest(batch, results) { return [] }
        return zip(batch, results).map { settle($0, by: $1, now: now, chance: 0.5) }
    }
}
