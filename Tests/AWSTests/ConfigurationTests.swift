import HTTPClient
import JSONBytes
import PluginWire
import Testing

@testable import AWS
@testable import PluginHTTP

/// The configuration, key by key.
@Suite struct ConfigurationTests {
    private static let queue = "arn:aws:sqs:eu-central-1:123456789012:chat"
    private static let function = "arn:aws:lambda:eu-west-1:123456789012:function:audit"
    private static let role = "arn:aws:iam::210987654321:role/crowbar"
    private static let keys = Surroundings.of(["AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"])

    private static func read(_ targets: [JSON]) throws -> AWSConfiguration {
        try AWSConfiguration(.object([.init("targets", .array(targets))]), keys)
    }

    private static func target(_ arn: String, _ more: JSON.Member...) -> JSON {
        .object([.init("name", .string("a")), .init("arn", .string(arn))] + more)
    }

    /// What is wrong with a configuration of one target.
    private static func problems(_ target: JSON) -> [PluginMessage.Problem] {
        do {
            _ = try read([target])
            return []
        } catch {
            return (error as? InvalidConfiguration)?.problems ?? []
        }
    }

    @Test func whatIsLeftOutHasItsDefault() throws {
        let found = try #require(try Self.read([Self.target(Self.queue)]).targets.first)
        #expect(found.kind == .queue && !found.isFIFO && found.batch == 10)
        #expect(found.endpoint.url("/x") == "https://sqs.eu-central-1.amazonaws.com/x")
        #expect(found.concurrency == 64 && found.timeout == 30_000 && found.role == nil)
    }

    @Test(arguments: [
        (function, Target.Kind.function(isAwaited: false), "https://lambda.eu-west-1.amazonaws.com/"),
        (function + ":live", .function(isAwaited: false), "https://lambda.eu-west-1.amazonaws.com/"),
        (function + ":$LATEST", .function(isAwaited: false), "https://lambda.eu-west-1.amazonaws.com/"),
        ("arn:aws:sqs:us-east-1:123456789012:q.fifo", .queue, "https://sqs.us-east-1.amazonaws.com/"),
        ("arn:aws-cn:sns:cn-north-1:123456789012:t.fifo", .topic, "https://sns.cn-north-1.amazonaws.com.cn/"),
        ("arn:aws-us-gov:sns:us-gov-west-1:123456789012:t", .topic, "https://sns.us-gov-west-1.amazonaws.com/"),
    ]) func anARNSaysWhatAndWhere(_ arn: String, _ kind: Target.Kind, _ url: String) throws {
        let found = try #require(try Self.read([Self.target(arn)]).targets.first)
        #expect(found.kind == kind)
        #expect(found.endpoint.url("/") == url)
        #expect(found.isFIFO == arn.hasSuffix(".fifo"))
    }

    @Test func whatIsGivenIsTaken() throws {
        let configuration = try Self.read([
            Self.target(
                Self.function, .init("invoke", .string("request-response")), .init("role", .string(Self.role)),
                .init("external_id", .string("e7")), .init("endpoint", .string("http://127.0.0.1:5000/")),
                .init("sts_endpoint", .string("http://localhost")), .init("types", .array([.string("MESSAGE_SENT")])),
                .init("channels", .array([.string("dev-*")])), .init("start", .string("id:e1")),
                .init("order", .string("total")), .init("concurrency", .int(5)), .init("timeout", .string("900s")))
        ])
        let found = try #require(configuration.targets.first)
        #expect(found.kind == .function(isAwaited: true) && found.timeout == 900_000)
        #expect(found.endpoint.url("/") == "http://127.0.0.1:5000/")
        #expect(found.role?.endpoint.url("") == "http://localhost" && found.role?.externalId == "e7")
        #expect(
            configuration.queues == [
                .init(
                    name: "a", types: ["MESSAGE_SENT"], channels: ["dev-*"], window: 5, order: "total", start: "id:e1",
                    maxAttempts: 10)
            ])
    }

    @Test(arguments: [
        ("rol", JSON.string("x"), "unknown key; did you mean 'role'?"),
        ("arn", .string("audit"), "'audit' is no ARN"), ("arn", .string("arn:aws:sqs::123456789012:q"), "is no ARN"),
        ("arn", .string("arn:aws:sqs:eu-central-1:12345:q"), "is no ARN"),
        ("arn", .string("arn:aws:s3:eu-central-1:123456789012:b"), "lambda, sqs and sns, not 's3'"),
        ("arn", .string("arn:aws:lambda:eu-central-1:123456789012:layer:x"), "ends in function:NAME"),
        ("arn", .string("arn:aws:lambda:eu-central-1:123456789012:function:x/../y"), "ends in function:NAME"),
        ("arn", .string("arn:aws:sqs:eu-central-1:123456789012:a/b"), "no name of a queue"), ("arn", .int(1), "a text"),
        ("invoke", .string("event"), "only a Lambda function"), ("invoke", .string("sync"), "\"request-response\""),
        ("role", .string("crowbar"), "is no role"), ("external_id", .string("abc"), "of no use without a role"),
        ("sts_endpoint", .string("http://x"), "of no use without a role"),
        ("endpoint", .string("ftp://x"), "http or https"), ("endpoint", .string("http://x/path"), "http or https"),
        ("endpoint", .string("http://u:p@x"), "http or https"), ("endpoint", .string("http://x?y"), "http or https"),
        ("endpoint", .string("127.0.0.1:5000"), "http or https"), ("types", .string("MESSAGE_SENT"), "a list of event"),
        ("channels", .array([.int(1)]), "a list of channels"), ("start", .string("never"), "\"now\""),
        ("order", .string("fifo"), "\"channel\""), ("concurrency", .int(0), "from 1 to 1024"),
        ("timeout", .string("51s"), "a duration from"), ("name", .string("A b"), "a name is"),
        ("name", .string("cli"), "is reserved"),
    ]) func aBadValueIsNamedByItsPath(_ key: String, _ value: JSON, _ text: String) throws {
        var members = Self.target(Self.queue).members ?? []
        members.removeAll { $0.key == key }
        let problem = try #require(Self.problems(.object(members + [.init(key, value)])).first)
        #expect(problem.path == "targets[0].\(key)")
        #expect(problem.message.contains(text), "\(problem.message)")
    }

    @Test(arguments: ["name", "arn"]) func whatMustBeThereIsAskedFor(key: String) throws {
        let members = try #require(Self.target(Self.queue).members)
        let problem = try #require(Self.problems(.object(members.filter { $0.key != key })).first)
        #expect(problem.path == "targets[0].\(key)" && problem.message.hasPrefix("is missing"))
    }

    @Test func anUnknownPartitionNeedsAnEndpoint() throws {
        let arn = "arn:aws-iso:sqs:us-iso-east-1:123456789012:q"
        #expect(Self.problems(Self.target(arn)).first?.path == "targets[0].endpoint")
        #expect(Self.problems(Self.target(arn, .init("endpoint", .string("https://sqs.example.org")))).isEmpty)
    }

    @Test func twoTargetsOfOneNameAndNoTargetAreRefused() {
        #expect(throws: InvalidConfiguration.self) {
            try Self.read([Self.target(Self.queue), Self.target(Self.function)])
        }
        #expect(throws: InvalidConfiguration.self) { try Self.read([]) }
    }
}

extension Surroundings {
    /// An environment and files of a test's own.
    static func of(_ variables: [String: String], files: [String: String] = [:]) -> Surroundings {
        Surroundings(
            variable: { variables[$0] }, file: { files[$0].map { Array($0.utf8) } }, hasManifest: true)
    }
}
