import CrowbarTesting
import HTTPClient
import JSONBytes
import PluginWire
import Testing

@testable import Webhook

/// What the operator may ask of the real executable.
@Suite struct QuestionTests {
    private func ask(_ webhook: WebhookProcess, _ what: String, _ queue: String?) async throws -> PluginMessage.Answer {
        try await webhook.plugin.send(.ask(id: MessageID(5), what: what, queue: queue))
        return try await webhook.plugin.first("an answer") { message in
            if case .answer(MessageID(5), let answer) = message { answer } else { nil }
        }
    }

    private func told(_ webhook: WebhookProcess, _ what: String, _ queue: String?) async throws -> JSON {
        guard case .told(let json) = try await ask(webhook, what, queue) else {
            throw LineProcess.Failure.timedOut(waitingFor: what, unread: [], standardError: "refused")
        }
        return json
    }

    @Test func theLastTriesAreTold() async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([
            endpoint("a", receiver.url("/echo/secret-path?key=hidden")), endpoint("b", receiver.url("/codes/500")),
        ])
        let ready = try await webhook.start()
        #expect(ready.asks == ["test-send", "deliveries", "resume"])
        #expect(try await told(webhook, "deliveries", nil) == .array([]))
        for delivery in Int64(1)...12 {
            try await webhook.deliver(delivery, to: "a")
            try await webhook.acks([delivery])
        }
        // Of five deliveries two were only put off by the receiver.
        try await webhook.deliver(20, to: "b", attempt: 5, uncounted: 2)
        _ = try await webhook.retry(20)
        let mine = try #require(try await told(webhook, "deliveries", "a").array)
        #expect(mine.compactMap { $0["eventId"]?.string } == (3...12).reversed().map { "e\($0)" })
        let first = try #require(mine.first)
        #expect(first["endpoint"]?.string == "a" && first["outcome"]?.string == "200")
        #expect(first["delivered"]?.bool == true && first["attempt"]?.int == 1)
        #expect(first["url"]?.string == "http://127.0.0.1:\(receiver.port)/…")
        #expect((0...10_000).contains(first["ms"]?.int ?? -1))
        // The receiver quotes the URL, and what a terminal would obey.
        #expect(first["answer"]?.string == "You sent to …: \u{FFFD}[31mred")
        let all = try #require(try await told(webhook, "deliveries", nil).array)
        #expect(all.count == 11)
        #expect(all.first?["endpoint"]?.string == "b" && all.first?["outcome"]?.string == "500")
        #expect(all.first?["attempt"]?.int == 3 && all.first?["delivered"]?.bool == false)
        #expect(try await ask(webhook, "deliveries", "c") == .refused("there is no endpoint 'c'"))
        #expect(try await ask(webhook, "juggle", nil) == .refused("'juggle' is not known here"))
    }

    @Test func aTestGoesTheWayOfEveryEventAndLeavesNoTrace() async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([
            endpoint("good", receiver.url("/in")), endpoint("gone", receiver.url("/codes/410")),
            endpoint(
                "denied", "http://localhost:\(receiver.port)/", allowPrivate: .array([.string("10.0.0.0/8")])),
            endpoint("closed", "http://127.0.0.1:1/very/secret"),
        ])
        try await webhook.start()
        let good = try await told(webhook, "test-send", "good")
        #expect(good["delivered"]?.bool == true && good["outcome"]?.string == "200" && good["answer"]?.string == "ok")
        let request = try await receiver.request()
        #expect(request.isVerified && request.id == good["eventId"]?.string && request.id.hasPrefix("test-"))
        #expect(try JSON(parsing: Array(request.body.utf8))["type"]?.string == "WEBHOOK_TEST")
        // A 410 to a test ends nothing; and one that is gone may be tested.
        #expect(try await told(webhook, "test-send", "gone")["outcome"]?.string == "410")
        try await webhook.deliver(1, to: "gone")
        #expect(try await webhook.retry(1).code == "gone")
        #expect(try await told(webhook, "test-send", "gone")["outcome"]?.string == "410")
        let denied = try await told(webhook, "test-send", "denied")
        #expect(denied["outcome"]?.string == "address_denied" && denied["delivered"]?.bool == false)
        let closed = try await told(webhook, "test-send", "closed")
        #expect(closed["outcome"]?.string == "connect")
        #expect(!String(decoding: closed.bytes, as: UTF8.self).contains("very"))
        #expect(try await ask(webhook, "test-send", nil) == .refused("there is no endpoint ''"))
        #expect(try await told(webhook, "deliveries", "good") == .array([]))
    }

    /// What the receiver answers first, and what holds the endpoint then.
    @Test(arguments: [("/codes/410,200", "gone"), ("/wait/429/3600", "asked to wait")])
    func anEndpointIsResumed(_ path: String, _ was: String) async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([endpoint("a", receiver.url(path))])
        try await webhook.start()
        #expect(try await told(webhook, "resume", "a")["was"] == .null)
        try await webhook.deliver(1, to: "a")
        #expect(try await webhook.window("a") == 0)
        #expect(try await !webhook.retry(1).counted)
        let answer = try await told(webhook, "resume", "a")
        #expect(answer["endpoint"]?.string == "a" && answer["was"]?.string == was)
        try await webhook.deliver(2, to: "a", attempt: 2, event: #"{"eventId":"e1"}"#)
        try await webhook.acks([2])
        #expect(try await told(webhook, "resume", "a")["was"] == .null)
        #expect(try await ask(webhook, "resume", "b") == .refused("there is no endpoint 'b'"))
        #expect(try await ask(webhook, "resume", nil) == .refused("there is no endpoint ''"))
    }

    @Test func whatWasSeenUnderAnOldURLIsMaskedByIt() async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([endpoint("a", receiver.url("/echo/old-secret"))])
        try await webhook.start()
        try await webhook.deliver(1, to: "a")
        try await webhook.acks([1])
        try await webhook.reload([endpoint("a", receiver.url("/echo/new-secret"))])
        try await webhook.deliver(2, to: "a")
        try await webhook.acks([2])
        let told = try await told(webhook, "deliveries", "a")
        #expect(told.array?.count == 2)
        #expect(!String(decoding: told.bytes, as: UTF8.self).contains("secret"))
    }

    @Test func aURLIsMaskedWhereverItIsQuoted() throws {
        let url = try EndpointURL("https://example.org/T/abc?key=hush#x", filter: AddressFilter(leave: .none))
        for (text, masked) in [
            ("nothing", "nothing"), ("no /T/abc here", "no … here"), ("/T/abc?key=hush.", "…."), ("?key=hush", "?…"),
        ] { #expect(url.mask(text) == masked) }
        let plain = try EndpointURL("https://example.org/", filter: AddressFilter(leave: .none))
        #expect(plain.mask("a/b") == "a/b")
    }
}
