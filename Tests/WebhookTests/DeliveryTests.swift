import CrowbarTesting
import JSONBytes
import PluginWire
import Testing

/// Deliveries of the real executable to a real HTTP server.
@Suite struct DeliveryTests {
    @Test func anEventArrivesSignedAndByteForByte() async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([
            endpoint(
                "audit", receiver.url("/in?key=1"), .init("types", .array([.string("MESSAGE_SENT")])),
                .init("start", .string("beginning")), .init("order", .string("total")),
                .init("concurrency", .int(7)),
                .init("headers", .object([.init("Authorization", .string("Bearer 123"))])))
        ])
        let ready = try await webhook.start()
        #expect(
            ready.queues == [
                .init(
                    name: "audit", types: ["MESSAGE_SENT"], window: 7, order: "total", start: "beginning",
                    maxAttempts: 10)
            ])
        #expect(ready.pipelined == false)
        try await webhook.deliver(1, to: "audit")
        let request = try await receiver.request()
        #expect(request.isVerified)
        #expect(request.path == "/in?key=1")
        #expect(request.id == "e1")
        #expect(request.body == #"{"eventId":"e1","type":"MESSAGE_SENT","message":"häß\u2028 😀"}"#)
        #expect(request.headers["content-type"]?.string == "application/json")
        #expect(request.headers["authorization"]?.string == "Bearer 123")
        #expect(request.headers["user-agent"]?.string == "crowbar-webhook/1")
        #expect(request.headers["expect"] == nil)
        try await webhook.acks([1])
    }

    @Test(arguments: [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true), ("00-x", false), ("a\\r\\nb: c", false),
    ])
    func theTraceOfAnEventIsAHeader(_ trace: String, _ isSent: Bool) async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([endpoint("traced", receiver.url("/in"))])
        try await webhook.start()
        let event = #"{"eventId":"e1","origin":{"traceparent":"\#(trace)"}}"#
        try await webhook.deliver(1, to: "traced", event: event)
        let request = try await receiver.request()
        #expect(request.isVerified && request.body == event)
        #expect(request.headers["traceparent"]?.string == (isSent ? trace : nil))
        #expect(request.headers["b"] == nil)
        try await webhook.acks([1])
    }

    @Test func aBodyOfTheLongestLineArrives() async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([endpoint("big", receiver.url("/in"))])
        try await webhook.start()
        let text = String(repeating: "x", count: 1_000_000)
        try await webhook.deliver(1, to: "big", event: #"{"eventId":"e1","message":"\#(text)"}"#)
        let request = try await receiver.request()
        #expect(request.isVerified)
        #expect(request.body.utf8.count == 1_000_029)
        try await webhook.acks([1])
    }

    @Test func aRefusalOfTheServerIsTriedAgainUnderTheSameId() async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([endpoint("flaky", receiver.url("/codes/500,204"))])
        try await webhook.start()
        try await webhook.deliver(1, to: "flaky")
        let retry = try await webhook.retry(1)
        #expect(retry.code == "http_500")
        #expect(retry.counted)
        #expect((4000...6000).contains(retry.afterMs ?? 0))
        try await webhook.deliver(2, to: "flaky", attempt: 2, event: #"{"eventId":"e1"}"#)
        try await webhook.acks([2])
        let (first, second) = (try await receiver.request(), try await receiver.request())
        #expect(first.id == "e1" && second.id == "e1")
        #expect(first.isVerified && second.isVerified)
    }

    @Test(arguments: ["/wait/429/2", "/wait/503/2", "/wait-date/503/3"])
    func aWaitThatIsAskedForHoldsTheEndpoint(path: String) async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([endpoint("busy", receiver.url(path))])
        try await webhook.start()
        try await webhook.deliver(1, to: "busy")
        #expect(try await webhook.window("busy") == 0)
        let retry = try await webhook.retry(1)
        #expect(!retry.counted)
        #expect((1000...3000).contains(retry.afterMs ?? 0))
        let refused = try await receiver.request()
        // What was under way before the host saw the window waits here.
        try await webhook.deliver(2, to: "busy")
        #expect(try await webhook.window("busy") == 64)
        try await webhook.acks([2])
        let taken = try await receiver.request()
        #expect(taken.at - refused.at >= 1000)
    }

    @Test func aReceiverThatIsGoneIsLeftInPeaceUntilItsConfigurationChanges() async throws {
        let receiver = try await Receiver()
        let endpoints = [endpoint("old", receiver.url("/codes/410")), endpoint("other", receiver.url("/in"))]
        let webhook = try await WebhookProcess(endpoints)
        try await webhook.start()
        try await webhook.deliver(1, to: "old")
        #expect(try await webhook.window("old") == 0)
        let state = try await webhook.plugin.first("a state") { message in
            if case .state("old", let state) = message { state } else { nil }
        }
        let retry = try await webhook.retry(1)
        #expect(retry.code == "gone" && !retry.counted)
        #expect(try await webhook.status(.down).message.contains("old"))
        try await webhook.deliver(2, to: "other")
        try await webhook.acks([2])

        // A new process with the same configuration asks for nothing; with another one it tries again.
        let again = try await WebhookProcess(endpoints)
        try await again.start(states: ["old": state])
        #expect(try await again.window("old") == 0)
        let changed = try await WebhookProcess([
            endpoint("old", receiver.url("/in"), .init("concurrency", .int(1)))
        ])
        try await changed.start(states: ["old": state])
        try await changed.deliver(1, to: "old")
        try await changed.acks([1])
    }

    @Test func aRedirectIsNotFollowedAndItsPathNotTold() async throws {
        let receiver = try await Receiver()
        let target = "http%3A%2F%2F169.254.169.254%2Flatest%2Fsecret"
        let webhook = try await WebhookProcess([endpoint("moved", receiver.url("/redirect/\(target)"))])
        try await webhook.start()
        try await webhook.deliver(1, to: "moved")
        let retry = try await webhook.retry(1)
        #expect(retry.code == "redirect")
        #expect(retry.message.contains("'169.254.169.254'"))
        #expect(!retry.message.contains("latest"))
    }

    @Test func anAnswerWithoutEndIsCutAndJudgedByItsStatus() async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([
            endpoint("good", receiver.url("/endless/200")), endpoint("bad", receiver.url("/endless/500")),
        ])
        try await webhook.start()
        try await webhook.deliver(1, to: "good")
        try await webhook.deliver(2, to: "bad")
        try await webhook.acks([1])
        #expect(try await webhook.retry(2).code == "http_500")
    }

    /// By the endpoint's time for a try, and by the time for a body.
    @Test(
        arguments: [
            ("/stuck/200", nil), ("/hang", nil), ("/trickle", nil), ("/stuck/500", "http_500"),
            ("/stuck/400", "http_400"), ("/stuck/302", "redirect"), ("/stuck/429", "http_429"), ("/stuck/410", "gone"),
        ] as [(String, String?)], ["300ms", "30s"])
    func anAnswerWhoseBodyDoesNotEndIsJudgedByItsHead(_ answer: (String, String?), timeout: String) async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([
            endpoint("stuck", receiver.url(answer.0), .init("timeout", .string(timeout)))
        ])
        try await webhook.start()
        try await webhook.deliver(1, to: "stuck")
        guard let code = answer.1 else { return try await webhook.acks([1]) }
        let retry = try await webhook.retry(1)
        #expect(retry.code == code)
        #expect(retry.counted == !["http_429", "gone"].contains(code))
        if code == "http_400" { #expect(retry.message.hasSuffix(": half"), "\(retry.message)") }
    }

    @Test(arguments: ["/silent", "/slow/20"])
    func anAnswerThatDoesNotBeginInTimeIsAFailure(path: String) async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([
            endpoint("slow", receiver.url(path), .init("timeout", .string("300ms")))
        ])
        try await webhook.start()
        try await webhook.deliver(1, to: "slow")
        #expect(try await webhook.retry(1).code == "timeout")
    }

    @Test func aPortWhereNobodyListensAndANameThatIsNoneAreRetried() async throws {
        let webhook = try await WebhookProcess([
            endpoint("closed", "http://127.0.0.1:1/"), endpoint("nameless", "http://no-such-host.invalid/"),
        ])
        try await webhook.start()
        try await webhook.deliver(1, to: "closed")
        try await webhook.deliver(2, to: "nameless")
        #expect(try await webhook.retry(1).code == "connect")
        let nameless = try await webhook.retry(2, within: .seconds(20))
        #expect(["dns", "timeout"].contains(nameless.code))
    }

    @Test func aReceiverWithoutTLSWhereItIsExpectedIsRetried() async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([endpoint("tls", "https://127.0.0.1:\(receiver.port)/")])
        try await webhook.start()
        try await webhook.deliver(1, to: "tls")
        #expect(try await webhook.retry(1).code == "tls")
    }

    @Test func aCertificateMustBeTrustedAndOfItsName() async throws {
        let receiver = try await Receiver(tls: true)
        let ca = JSON.Member("ca_file", .string(try #require(receiver.caFile)))
        let webhook = try await WebhookProcess([
            endpoint("trusted", "https://localhost:\(receiver.port)/", ca),
            endpoint("unknown", "https://localhost:\(receiver.port)/"),
            endpoint("misnamed", "https://127.0.0.1:\(receiver.port)/", ca),
        ])
        try await webhook.start()
        try await webhook.deliver(1, to: "trusted")
        try await webhook.acks([1])
        // The connection that "trusted" has open is none for an endpoint with other authorities.
        try await webhook.deliver(2, to: "unknown")
        try await webhook.deliver(3, to: "misnamed")
        #expect(try await webhook.retry(2).code == "tls")
        #expect(try await webhook.retry(3).code == "tls")
        try await receiver.stop()
    }
}
