import Basics
import JSONBytes
import PluginKit
import PluginWire
import Testing

@testable import PluginHTTP
@testable import Webhook

/// The kinds of body, CloudEvents above all.
@Suite struct BodyFormatTests {
    private static let event =
        #"{"eventId":"a:1~","timestamp":1795459389007,"type":"MESSAGE_SENT","userId":"ann","channelId":"dev-1","#
        + #""message":"häß\u2028 😀 \"%\""}"#

    @Test(
        arguments: [
            ("evnt", nil, nil, "body", "did you mean \"event\"?"),
            ("xml", nil, nil, "body", "one of event, cloudevents"),
            ("template", nil, nil, "template", "is missing"), ("event", "{}", nil, "template", "belongs to body"),
            ("slack", nil, "https://x.example", "source", "belongs to body"),
            ("cloudevents", nil, "a b", "source", "a URI reference"),
            ("cloudevents", nil, "", "source", "a URI reference"),
        ] as [(String, String?, String?, String, String)])
    func whatDoesNotFitIsNamed(body: String, template: String?, source: String?, path: String, text: String) throws {
        var members = [JSON.Member("body", .string(body))]
        if let template { members.append(.init("template", .string(template))) }
        if let source { members.append(.init("source", .string(source))) }
        var table = ConfigurationTable(.object(members), path: "", known: ["body", "template", "source"])
        _ = BodyReader.read(&table, channels: nil)
        let problem = try #require(table.problems.first)
        #expect(problem.path == path)
        #expect(problem.message.contains(text), "\(problem.message)")
    }

    @Test(
        arguments: [(nil, true), (["general"], false), (["dev-*"], true), (["a", "b"], true)] as [([String]?, Bool)])
    func aTextNamesItsChannelWhereThereMayBeSeveral(channels: [String]?, isNamed: Bool) throws {
        var table = ConfigurationTable(.object([.init("body", .string("slack"))]), path: "", known: ["body"])
        guard case .chat(.slack, let namesChannel)? = BodyReader.read(&table, channels: channels) else {
            Issue.record("slack is a chat")
            return
        }
        #expect(namesChannel == isNamed)
    }

    @Test func onlyWhatIsVerifiedNeedsAKey() throws {
        func read(_ body: String) throws -> WebhookConfiguration {
            let json = JSON.object([
                .init("name", .string("a")), .init("url", .string("https://example.org/")),
                .init("body", .string(body)),
            ])
            return try WebhookConfiguration(.object([.init("endpoints", .array([json]))]), isCheck: false)
        }
        for body in ["slack", "discord", "mattermost"] { #expect(try read(body).endpoints.count == 1) }
        for body in ["event", "cloudevents", "cloudevents-structured"] {
            let error = #expect(throws: InvalidConfiguration.self) { try read(body) }
            #expect(error?.first.path == "endpoints[0].secret")
        }
    }

    /// The specification's own examples of percent-encoding ("HTTP protocol binding", section 3.1.3.2).
    @Test(arguments: [("Euro € 😀", "Euro%20%E2%82%AC%20%F0%9F%98%80"), ("100%\"", "100%25%22")])
    func headersArePercentEncoded(source: String, encoded: String) throws {
        let object = try JSONObject(parsing: Array(Self.event.utf8))
        let event = try #require(CloudEvent(object, source: source))
        #expect(event.headers.contains("ce-source: \(encoded)"))
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (1_795_459_389_007, "2026-11-23T18:43:09.007Z"),
            (951_827_696_789, "2000-02-29T12:34:56.789Z"),
        ] as [(Int64, String)])
    func timesAreWritten(time: Int64, text: String) {
        #expect(Timestamp.rfc3339(time) == text)
        #expect(Timestamp.parse(text) == time / 1000)
    }

    // MARK: As a process

    @Test(arguments: ["cloudevents", "cloudevents-structured"])
    func cloudEventsAreReadByTheirLibrary(body: String) async throws {
        let (receiver, judge) = (try await Receiver(), try await Judge())
        let webhook = try await WebhookProcess([
            endpoint(
                "ce", receiver.url("/in"), .init("body", .string(body)),
                .init("source", .string("https://chat.example.org/a?b")))
        ])
        try await webhook.start()
        try await webhook.deliver(1, to: "ce", event: Self.event)
        // An event of no channel has no subject.
        try await webhook.deliver(
            2, to: "ce",
            event: #"{"eventId":"e2","timestamp":1000,"type":"USER_REGISTERED","userId":"ann","name":"Ann"}"#)
        try await webhook.acks([1, 2])
        let requests = try await receiver.requests(2).sorted { $0.id < $1.id }
        for request in requests { #expect(request.isVerified) }
        let first = try await judge.judge(requests[0], by: "cloudevents")
        let found = try #require(first["ok"], "\(first)")
        #expect(found["structured"]?.bool == (body == "cloudevents-structured"))
        var expected: [String: String] = [
            "specversion": "1.0", "id": "a:1~", "source": "https://chat.example.org/a?b",
            "type": "crowbar.MESSAGE_SENT",
            "subject": "dev-1", "time": "2026-11-23 18:43:09.007000+00:00", "datacontenttype": "application/json",
        ]
        for (name, value) in expected { #expect(found["attributes"]?[name]?.string == value, "\(name)") }
        #expect(found["attributes"]?.members?.count == expected.count)
        #expect(found["data"]?["message"]?.string == "häß\u{2028} 😀 \"%\"")

        let second = try await judge.judge(requests[1], by: "cloudevents")
        expected = ["id": "e2", "type": "crowbar.USER_REGISTERED", "time": "1970-01-01 00:00:01+00:00"]
        for (name, value) in expected { #expect(second["ok"]?["attributes"]?[name]?.string == value, "\(second)") }
        #expect(second["ok"]?["attributes"]?["subject"] == nil)
        #expect(requests[1].headers["content-type"]?.string?.hasPrefix("application/") == true)
    }

    @Test(arguments: [BodyFormat.cloudEvents(source: "/"), .structured(source: "/")])
    func anEventWithoutItsTimeIsNone(format: BodyFormat) throws {
        let object = try JSONObject(parsing: Array(#"{"eventId":"e1","type":"X"}"#.utf8))
        #expect(throws: BodyFormat.Unrenderable.incomplete) { try format.content(of: object) }
    }
}
