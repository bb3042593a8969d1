import HTTPClient
import JSONBytes
import PluginWire
import Testing

@testable import PluginHTTP
@testable import Webhook

/// The configuration, key by key.
@Suite struct ConfigurationTests {
    private static func read(_ json: JSON..., isCheck: Bool = false) throws -> WebhookConfiguration {
        try WebhookConfiguration(.object([.init("endpoints", .array(json))]), isCheck: isCheck)
    }

    /// The problem that a configuration of one endpoint has.
    private static func problem(_ json: JSON) -> PluginMessage.Problem? {
        do {
            _ = try read(json)
            return nil
        } catch {
            return (error as? InvalidConfiguration)?.first
        }
    }

    @Test func whatIsLeftOutHasItsDefault() throws {
        let found = try #require(
            try Self.read(endpoint("a", "https://example.org/", allowPrivate: nil)).endpoints.first)
        #expect(found.concurrency == 64)
        #expect(found.limits == TimeLimits())
        #expect(found.limits.connect == 5000 && found.limits.secure == 5000)
        #expect(found.limits.firstByte == 15_000 && found.limits.body == 1000 && found.limits.all == 30_000)
        #expect(found.filter == AddressFilter(leave: .none))
        #expect(found.types == nil && found.channels == nil && found.start == nil && found.order == nil)
        #expect(found.headers.isEmpty && found.tls == TLSSettings())
    }

    @Test func queuesCarryWhatTheEndpointSays() throws {
        let configuration = try Self.read(
            endpoint(
                "a", "https://example.org/", .init("types", .array([.string("MESSAGE_SENT")])),
                .init("channels", .array([.string("dev-*")])), .init("start", .string("id:e1")),
                .init("order", .string("none")), .init("concurrency", .int(5)), .init("body", .string("event"))))
        #expect(
            configuration.queues == [
                .init(
                    name: "a", types: ["MESSAGE_SENT"], channels: ["dev-*"], window: 5, order: "none", start: "id:e1",
                    maxAttempts: 10)
            ])
    }

    @Test(arguments: [
        ("ulr", JSON.string("x"), "unknown key; did you mean 'url'?"),
        ("chanels", .array([]), "unknown key; did you mean 'channels'?"),
        ("zzzzzz", .int(1), "unknown key; known are: name, url, secret"),
        ("rate", .int(0), "from 1/m to 10000/s"), ("rate", .string("5"), "from 1/m to 10000/s"),
        ("rate", .string("-5/s"), "from 1/m to 10000/s"), ("rate", .string("1e3/s"), "from 1/m to 10000/s"),
        ("rate", .string("0.5/m"), "from 1/m to 10000/s"), ("rate", .bool(true), "from 1/m to 10000/s"),
        ("burst", .int(5), "belongs to 'rate'"), ("burst", .int(0), "from 1 to 10000"),
        ("via_proxy", .bool(true), "a text is expected"),
        ("types", .string("MESSAGE_SENT"), "a list of event types"),
        ("channels", .array([.int(1)]), "a list of channels"), ("start", .string("never"), "\"now\", \"beginning\""),
        ("start", .string("id:"), "\"now\", \"beginning\""), ("order", .string("fifo"), "\"channel\", \"total\""),
        ("concurrency", .int(0), "from 1 to 1024"), ("concurrency", .int(1025), "from 1 to 1024"),
        ("concurrency", .string("5"), "from 1 to 1024"), ("timeout", .string("51s"), "a duration from"),
        ("timeout", .string("99ms"), "a duration from"), ("timeout", .int(5), "a duration from"),
        ("timeout", .string("5m"), "a duration from"), ("timeout", .string("s"), "a duration from"),
        ("timeout", .string("99999999999999999999s"), "a duration from"),
        ("ca_file", .string("/no/such/file"), "cannot be read"),
        ("headers", .string("x"), "a table of at most 32"),
    ])
    func aBadValueIsNamedByItsPath(_ key: String, _ value: JSON, _ text: String) throws {
        let problem = try #require(Self.problem(endpoint("a", "https://example.org/", .init(key, value))))
        #expect(problem.path == "endpoints[0].\(key)")
        #expect(problem.message.contains(text), "\(problem.message)")
    }

    @Test(arguments: [
        ("Host", JSON.string("x")), ("webhook-id", .string("x")), ("Content-Length", .string("1")),
        ("a b", .string("x")),
        ("", .string("x")), ("x", .string("")), ("x", .string("a\r\nb: c")), ("x", .int(1)), ("x", .string("  ")),
        ("x", .string("a\n")), ("x", .string("a ")),
    ])
    func aBadHeaderIsNamedAndItsValueNotTold(_ name: String, _ value: JSON) throws {
        let json = endpoint("a", "https://example.org/", .init("headers", .object([.init(name, value)])))
        let problem = try #require(Self.problem(json))
        #expect(problem.path == "endpoints[0].headers.\(name)")
        #expect(!problem.message.contains("b: c"))
    }

    @Test(arguments: [
        ("types[1]", "types", JSON.array([.string("MESSAGE_SENT"), .string("message")])),
        ("allow_private[0]", "allow_private", .array([.string("10.0.0.0/99")])),
        ("allow_private", "allow_private", .string("10.0.0.0/8")),
        ("name", "name", .string("A")), ("name", "name", .string("cli")), ("secret", "secret", .string("geheim")),
        ("secret", "secret", .int(1)),
    ])
    func elementsAndRequiredKeysAreChecked(_ path: String, _ key: String, _ value: JSON) throws {
        let good = try #require(endpoint("a", "https://example.org/").members)
        let json = JSON.object(good.filter { $0.key != key } + [.init(key, value)])
        let problem = try #require(Self.problem(json))
        #expect(problem.path == "endpoints[0].\(path)")
        #expect(!problem.message.contains("geheim"))
    }

    @Test(arguments: ["name", "url", "secret"])
    func whatIsMissingIsNamed(_ key: String) throws {
        let good = try #require(endpoint("a", "https://example.org/").members)
        let problem = try #require(Self.problem(.object(good.filter { $0.key != key })))
        #expect(problem.path == "endpoints[0].\(key)")
        #expect(problem.message.contains("is missing"))
    }

    @Test func twoOfOneNameAndNoneAtAllAreRefused() throws {
        let twice = #expect(throws: InvalidConfiguration.self) {
            try Self.read(endpoint("a", "https://example.org/"), endpoint("a", "https://example.com/"))
        }
        #expect(twice?.first.path == "endpoints[1].name")
        let none = #expect(throws: InvalidConfiguration.self) { try Self.read() }
        #expect(none?.first.path == "endpoints")
        let other = #expect(throws: InvalidConfiguration.self) {
            try WebhookConfiguration(.object([.init("endpoint", .array([]))]), isCheck: false)
        }
        #expect(other?.first.path == "endpoint")
        #expect(other?.first.message.contains("did you mean 'endpoints'?") == true)
    }

    @Test func anEndpointWithARefusedURLIsLeftOutAndTheOthersRun() throws {
        let good = endpoint("good", "https://example.org/", allowPrivate: nil)
        let bad = endpoint("bad", "http://10.0.0.1/secret", allowPrivate: nil)
        let configuration = try Self.read(good, bad)
        #expect(configuration.queues.map(\.name) == ["good"])
        #expect(configuration.leftOut.map(\.name) == ["bad"])
        #expect(configuration.leftOut.first?.problem.path == "endpoints[1].url")
        #expect(configuration.leftOut.first?.problem.message.contains("secret") == false)
        #expect(throws: InvalidConfiguration.self) { try Self.read(good, bad, isCheck: true) }
        #expect(throws: InvalidConfiguration.self) { try Self.read(bad) }
    }

    @Test(arguments: [("100ms", 100), ("1s", 1000), ("50s", 50_000), ("2500ms", 2500)])
    func durationsHaveUnits(_ text: String, _ ms: Int64) throws {
        let json = endpoint("a", "https://example.org/", .init("timeout", .string(text)))
        #expect(try Self.read(json).endpoints.first?.limits.all == ms)
    }
}
