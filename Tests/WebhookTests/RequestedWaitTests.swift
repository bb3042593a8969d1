import JSONBytes
import PluginWire
import Testing

@testable import Webhook

/// How long a receiver asks to wait, in whatever unit it says so.
@Suite struct RequestedWaitTests {
    /// An answer, and the wait in milliseconds.
    struct Case: Sendable, CustomTestStringConvertible {
        var status = 429
        var retryAfter = ""
        var toDate: Int64 = 0
        var resetAfter = ""
        var reset = ""
        var hasRateLimit = false
        var body = ""
        var wait: Int64?

        var testDescription: String { "\(self)" }
    }

    private static let now: Int64 = 1_800_000_000

    static let seconds = [
        Case(wait: nil), Case(retryAfter: "0", wait: nil), Case(retryAfter: "-5", wait: nil),
        Case(retryAfter: "soon", wait: nil), Case(retryAfter: "1e3", wait: nil), Case(retryAfter: "nan", wait: nil),
        Case(retryAfter: "1", wait: 1000), Case(retryAfter: "1337", wait: 1_337_000),
        Case(status: 503, retryAfter: "1337", wait: 1_337_000), Case(status: 500, retryAfter: "30", wait: 30_000),
        Case(retryAfter: "1.337", wait: 1337), Case(retryAfter: "0.0001", wait: 1),
        Case(retryAfter: "99999999999", wait: RequestedWait.longest),
        Case(retryAfter: "Fri, 15 Jan 2027 08:00:30 GMT", toDate: 30, wait: 30_000),
        // What other services say beside their limits.
        Case(retryAfter: "60", hasRateLimit: true, wait: 60_000),
        Case(retryAfter: "3600", reset: "1800003600", hasRateLimit: true, wait: 3_600_000),
        Case(retryAfter: "1800", reset: "1800001799", hasRateLimit: true, wait: 1_800_000),
        Case(retryAfter: "60", reset: "60", hasRateLimit: true, wait: 60_000),
        // A limit that has its own time till its next window.
        Case(retryAfter: "65", resetAfter: "1.2", hasRateLimit: true, body: #"{"retry_after":64.57}"#, wait: 65_000),
        Case(retryAfter: "65", resetAfter: "1.2", hasRateLimit: true, wait: 65_000),
        Case(retryAfter: "1", resetAfter: "0.02", hasRateLimit: true, wait: 1000),
        Case(retryAfter: "5", resetAfter: "0", hasRateLimit: true, wait: 5000),
    ]

    static let milliseconds = [
        Case(retryAfter: "1337", hasRateLimit: true, wait: 1337),
        Case(retryAfter: "1337", resetAfter: "1.337", hasRateLimit: true, wait: 1337),
        Case(retryAfter: "1337", resetAfter: "2", hasRateLimit: true, wait: 1337),
        Case(retryAfter: "457", resetAfter: "0.457", hasRateLimit: true, wait: 457),
        Case(retryAfter: "64570", resetAfter: "64.57", hasRateLimit: true, wait: 64_570),
        Case(retryAfter: "1337", reset: "1800000001.337", hasRateLimit: true, wait: 1337),
        Case(retryAfter: "1337", reset: "1800000002", hasRateLimit: true, wait: 1337),
        Case(retryAfter: "300", reset: "1800000001", hasRateLimit: true, wait: 300),
        Case(retryAfter: "1337", body: #"{"retry_after":1.337}"#, wait: 1337),
        Case(retryAfter: "1337", hasRateLimit: true, body: #"{"message":"limited","retry_after":1337}"#, wait: 1337),
        Case(resetAfter: "1.5", hasRateLimit: true, body: #"{"retry_after":1500}"#, wait: 1500),
    ]

    static let bodies = [
        Case(body: #"{"message":"You are being rate limited.","retry_after":64.57,"global":true}"#, wait: 64_570),
        Case(body: " {\"retry_after\":2}", wait: 2000), Case(body: #"{"retry_after":1337}"#, wait: 1_337_000),
        Case(status: 503, body: #"{"retry_after":2.5}"#, wait: 2500),
        // Telegram, whose limits no header names, and Matrix.
        Case(body: #"{"ok":false,"error_code":429,"parameters":{"retry_after":35}}"#, wait: 35_000),
        Case(body: #"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":2000}"#, wait: 2000),
        Case(retryAfter: "3", body: #"{"retry_after_ms":2000}"#, wait: 3000),
        Case(retryAfter: "1", body: #"{"retry_after_ms":1500.5}"#, wait: 1501),
        Case(body: #"{"retry_after_ms":"2000"}"#, wait: nil), Case(body: #"{"retry_after_ms":0}"#, wait: nil),
        Case(body: #"{"parameters":[{"retry_after":1}]}"#, wait: nil),
        Case(status: 400, body: #"{"retry_after_ms":2000}"#, wait: nil),
        Case(retryAfter: "3", body: #"{"retry_after":2.5}"#, wait: 3000),
        Case(retryAfter: "2", body: #"{"retry_after":2.5}"#, wait: 2500),
        Case(body: #"{"retry_after":1e300}"#, wait: RequestedWait.longest),
        Case(resetAfter: "0.75", hasRateLimit: true, wait: 750),
        Case(body: #"{"retry_after":-1}"#, wait: nil), Case(body: #"{"retry_after":"1"}"#, wait: nil),
        Case(body: #"{"retry_after":null}"#, wait: nil), Case(body: #"[{"retry_after":1}]"#, wait: nil),
        Case(body: #"{"retry_after":1"#, wait: nil), Case(body: "retry_after: 1", wait: nil),
        // Answers about something else.
        Case(status: 500, resetAfter: "0.75", hasRateLimit: true, wait: nil),
        Case(status: 503, resetAfter: "0.75", hasRateLimit: true, wait: nil),
        Case(status: 404, body: #"{"retry_after":2.5}"#, wait: nil),
    ]

    @Test(arguments: seconds + milliseconds + bodies) func itIsReadInItsUnit(_ answer: Case) {
        let asked = RequestedWait(
            retryAfter: answer.retryAfter, retryAt: answer.toDate == 0 ? nil : Self.now + answer.toDate,
            resetAfter: answer.resetAfter,
            reset: answer.reset, date: Self.now, hasRateLimit: answer.hasRateLimit, body: Array(answer.body.utf8))
        #expect(asked.milliseconds(of: answer.status) == answer.wait)
    }

    /// Over the wire: what the receiver answers first, and the wait that the host is told.
    @Test(
        arguments: [
            (
                #"{"status":429,"headers":{"Retry-After":"1337","X-RateLimit-Limit":"5","#
                    + #""X-RateLimit-Reset-After":"1.337"},"body":"{\"retry_after\":1.337}"}"#, 1337...1337
            ),
            (#"{"status":429,"headers":{"retry-after":"1337","x-ratelimit-bucket":"abc"}}"#, 1337...1337),
            (#"{"status":429,"body":"{\"retry_after\":0.25}"}"#, 250...250),
            (#"{"status":429,"headers":{"X-RateLimit-Reset-After":"0.5"}}"#, 500...500),
            (#"{"status":503,"headers":{"Retry-After":"1"}}"#, 1000...1000), (#"{"status":429}"#, 4000...6000),
        ] as [(String, ClosedRange<Int64>)])
    func anEndpointWaitsAsLongAsItIsAsked(_ answer: String, _ wait: ClosedRange<Int64>) async throws {
        let quoted = answer.utf8.map { byte in
            let digits = String(byte, radix: 16)
            return "%" + (digits.count == 1 ? "0" : "") + digits
        }
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([endpoint("chat", receiver.url("/limited/" + quoted.joined()))])
        try await webhook.start()
        try await webhook.deliver(1, to: "chat")
        #expect(try await webhook.window("chat") == 0)
        let retry = try await webhook.retry(1)
        #expect(!retry.counted && wait.contains(retry.afterMs ?? 0), "\(retry)")
        #expect(try await webhook.window("chat") == 64)
        try await webhook.deliver(2, to: "chat", attempt: 2, event: #"{"eventId":"e1"}"#)
        try await webhook.acks([2])
    }
}
