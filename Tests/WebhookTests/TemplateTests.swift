import JSONBytes
import PluginWire
import Testing

@testable import Webhook

/// Templates: what they make of an event, and where they are wrong.
@Suite struct TemplateTests {
    private static let event =
        #"{"eventId":"e1","timestamp":7,"type":"MESSAGE_SENT","userId":"ann","channelId":"general","#
        + #""message":"a \"b\" <c>\n","meta":{"n":1.5,"ok":true,"no":false,"tags":["x","y"],"who":[{"id":1},{"id":2}],"#
        + #""deep":{"er":"z"},"empty":[]}}"#

    @Test(arguments: [
        (#""{{message}}""#, #""a \"b\" <c>\n""#), (#"{"t":"{{ message }}"}"#, #"{"t":"a \"b\" <c>\n"}"#),
        ("{{timestamp}}", "7"), (#""{{timestamp}}""#, #""7""#), ("{{meta.n}}", "1.5"),
        ("{{{meta.tags}}}", #"["x","y"]"#),
        (#""{{meta.tags}}""#, #""[\"x\",\"y\"]""#), ("{{&meta.deep}}", #"{"er":"z"}"#),
        (#""{{meta.deep.er}}""#, #""z""#),
        (#""{{replyTo}}""#, #""""#), (#""{{meta.nothing.at.all}}""#, #""""#), (#""{{message.er}}""#, #""""#),
        (#""{{! a note }}x""#, #""x""#), (#""{{#meta.ok}}yes{{/meta.ok}}{{^meta.ok}}no{{/meta.ok}}""#, #""yes""#),
        (#""{{#meta.no}}yes{{/meta.no}}{{^meta.no}}no{{/meta.no}}""#, #""no""#),
        (#""{{#replyTo}}yes{{/replyTo}}{{^replyTo}}no{{/replyTo}}""#, #""no""#),
        (#""{{#meta.tags}}<{{.}}>{{/meta.tags}}""#, #""<x><y>""#),
        (#""{{^meta.empty}}none{{/meta.empty}}""#, #""none""#),
        (#""{{#meta.who}}{{id}} of {{userId}};{{/meta.who}}""#, #""1 of ann;2 of ann;""#),
        (#""{{#meta}}{{#deep}}{{er}}{{/deep}}{{n}}{{/meta}}""#, #""z1.5""#), (#""{ {{{timestamp}}} }""#, #""{ 7 }""#),
        (#"{"e":{{{event}}}}"#, #"{"e":\#(event)}"#),
    ])
    func whatATemplateMakes(template: String, body: String) throws {
        #expect(String(decoding: try Template(template).render(Array(Self.event.utf8)), as: UTF8.self) == body)
    }

    @Test(arguments: [
        (#""{{message}}""#, "\"a\u{FFFD}b\""), (#""{{meta.x}}""#, "\"\u{FFFD}\""),
        (#"{"e":{{{event}}}}"#, #"{"e":{"message":"a\u0000b","meta":{"x":"\u0000"}}}"#),
    ])
    func aNULIsReplacedWhereTextIsMade(template: String, body: String) throws {
        let event = #"{"message":"a\u0000b","meta":{"x":"\u0000"}}"#
        #expect(String(decoding: try Template(template).render(Array(event.utf8)), as: UTF8.self) == body)
    }

    @Test(arguments: [
        ("{{message", 1, 1, "not closed by }}"), ("x\n {{{message}}", 2, 2, "not closed by }}}"),
        ("{{#message}}", 1, 1, "the section 'message' is not closed"),
        ("ä\n{{#message}}\n{{/userId}}", 3, 1, "'userId' is closed while 'message' is the section"),
        ("{{/message}}", 1, 1, "no section 'message' to close"), ("a{{> part}}", 1, 2, "partials"),
        ("{{=<% %>=}}", 1, 1, "other delimiters"), ("{{}}", 1, 1, "is no name"), ("{{a b}}", 1, 1, "is no name"),
        ("{{meta..x}}", 1, 1, "is no name"),
        ("{{mesage}}", 1, 1, "no event has a field 'mesage'; did you mean 'message'?"),
        ("{{#message}}{{zzz.b}}{{/message}}", 1, 13, "no event has a field 'zzz'"),
        (String(repeating: "{{#meta}}", count: 17), 1, 145, "at most 16 deep"),
        (String(repeating: "x", count: 65_537), 1, 1, "at most 65536 bytes"),
    ])
    func aWrongTemplateIsNamedByItsPlace(text: String, line: Int, column: Int, reason: String) throws {
        let problem = try #require(throws: Template.Problem.self) { try Template(text) }
        #expect(problem.line == line && problem.column == column, "\(problem)")
        #expect(problem.reason.contains(reason), "\(problem)")
    }

    @Test(arguments: ["{{message}}", "\"{{{message}}}\"", "", "{\"a\":}"])
    func aResultThatIsNoJSONIsRefused(text: String) throws {
        let template = try Template(text)
        #expect(throws: BodyFormat.Unrenderable.self) { try template.render(Array(Self.event.utf8)) }
    }

    @Test func aNumberBeyondADoubleLeavesNoEventOut() throws {
        let event = #"{"eventId":"e1","message":"x","meta":{"n":1e400}}"#
        let body = try Template(#"{"m":"{{message}}","n":"{{meta.n}}","e":{{{event}}}}"#).render(Array(event.utf8))
        #expect(String(decoding: body, as: UTF8.self) == #"{"m":"x","n":"1e400","e":\#(event)}"#)
    }

    @Test func sectionsInSectionsOverWhatPeopleSendHaveAnEnd() throws {
        let list = "[" + Array(repeating: "1", count: 1000).joined(separator: ",") + "]"
        let event = #"{"eventId":"e1","type":"X","meta":{"a":\#(list)}}"#
        let depth = 5
        let text =
            String(repeating: "{{#meta.a}}", count: depth) + "x" + String(repeating: "{{/meta.a}}", count: depth)
        let template = try Template(text)
        #expect(
            throws: BodyFormat.Unrenderable.template(
                "the template's result is too long, or its sections repeat too often")
        ) {
            try template.render(Array(event.utf8))
        }
    }

    @Test func aResultHasAnEndToo() throws {
        let event = #"{"eventId":"e1","type":"X","message":"\#(String(repeating: "x", count: 600_000))"}"#
        #expect(throws: BodyFormat.Unrenderable.self) {
            try Template(#"["{{message}}","{{message}}"]"#).render(Array(event.utf8))
        }
        #expect(try Template(#"["{{message}}"]"#).render(Array(event.utf8)).count == 600_004)
    }

    // MARK: As a process

    private static func endpoint(_ url: String, _ template: String) -> JSON {
        .object([
            .init("name", .string("t")), .init("url", .string(url)), .init("allow_private", .bool(true)),
            .init("body", .string("template")), .init("template", .string(template)),
            .init("secret", .string(Receiver.secret)),
        ])
    }

    @Test func aTemplateIsPostedAndSigned() async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([
            Self.endpoint(receiver.url("/in"), #"{"summary":"{{userId}}: {{message}}","raw":{{{meta}}}}"#)
        ])
        try await webhook.start()
        try await webhook.deliver(1, to: "t", event: Self.event)
        // Without meta there is no JSON to post: this event would fail for ever.
        try await webhook.deliver(2, to: "t")
        let request = try await receiver.request()
        try await webhook.acks([1])
        #expect(request.isVerified)
        #expect(request.body.hasPrefix(#"{"summary":"ann: a \"b\" <c>\n","raw":{"n":1.5,"#))
        let refusal = try await webhook.reject(2)
        #expect(refusal.code == "template" && refusal.deadLetter)
        #expect(refusal.message.contains("no JSON"))
    }

    @Test func aCheckNamesPathAndPlace() async throws {
        let webhook = try await WebhookProcess(
            [Self.endpoint("https://example.org/", "{\n  \"text\": \"{{mesage}}\"\n}")], purpose: .check)
        let problem = try await webhook.fatal()
        #expect(problem.path == "endpoints[0].template")
        #expect(problem.message == "line 2, column 12: no event has a field 'mesage'; did you mean 'message'?")
    }
}
