import HTTPClient
import JSONBytes
import PluginHTTP
import PluginKit
import PluginWire

/// Reads one `[[config.targets]]`.
struct TargetReader {
    private static let known = [
        "name", "arn", "invoke", "role", "external_id", "endpoint", "sts_endpoint", "types", "channels", "start",
        "order", "concurrency", "timeout",
    ]
    /// The time for one request, where `timeout` is left out, in milliseconds.
    static let defaultTimeout: Int64 = 30_000
    /// What `timeout` may be for a function that is waited for, which may run for a quarter of an hour.
    static let awaitedTimeouts: ClosedRange<Int64> = 100...900_000

    private var table: ConfigurationTable
    /// All that is wrong.
    var problems: [PluginMessage.Problem] { table.problems }

    init(_ json: JSON, path: String) { table = ConfigurationTable(json, path: path, known: Self.known) }

    /// The target, or nil with ``problems``.
    mutating func read(_ json: JSON) -> Target? {
        let name = table.queueName(of: "target")
        let arn = readARN()
        let kind = arn.flatMap { readKind($0) }
        let endpoint = arn.flatMap { readEndpoint("endpoint", of: $0, service: $0.service) }
        let role = readRole(of: arn)
        let (types, channels) = (table.eventTypes(), table.channels())
        let (start, order) = (table.queueStart(), table.queueOrder())
        let concurrency = table.concurrency()
        let isAwaited = kind == .function(isAwaited: true)
        let timeout =
            table.duration("timeout", in: isAwaited ? Self.awaitedTimeouts : ConfigurationTable.timeouts)
            ?? Self.defaultTimeout
        guard problems.isEmpty, let name, let arn, let kind, let endpoint else { return nil }
        return Target(
            name: name, kind: kind, arn: arn, endpoint: endpoint, role: role, types: types, channels: channels,
            start: start, order: order, concurrency: concurrency, timeout: timeout,
            fingerprint: EndpointFingerprint.of(json))
    }

    private mutating func readARN() -> ARN? {
        let hint = "give the full ARN, as arn:aws:sqs:eu-central-1:123456789012:chat.fifo"
        guard let text = table.required("arn", hint) else { return nil }
        guard let arn = ARN(text), !arn.region.isEmpty else {
            table.fail("arn", "'\(text)' is no ARN of a function, queue or topic; \(hint)")
            return nil
        }
        return arn
    }

    private mutating func readKind(_ arn: ARN) -> Target.Kind? {
        let invoke = table.string("invoke")
        if let invoke, !["event", "request-response"].contains(invoke) {
            table.fail("invoke", "\"event\" or \"request-response\" is expected")
        } else if invoke != nil, arn.service != "lambda" {
            table.fail("invoke", "only a Lambda function is invoked; leave this out")
        }
        switch arn.service {
        case "lambda":
            let parts = arn.resource.split(separator: ":", omittingEmptySubsequences: false)
            guard (2...3).contains(parts.count), parts[0] == "function", parts.allSatisfy({ Self.isResource($0, "$") })
            else {
                table.fail("arn", "a function's ARN ends in function:NAME or function:NAME:ALIAS")
                return nil
            }
            return .function(isAwaited: invoke == "request-response")
        case "sqs", "sns":
            let name = arn.resource.hasSuffix(".fifo") ? arn.resource.dropLast(5) : arn.resource[...]
            guard Self.isResource(name, "") else {
                table.fail("arn", "'\(arn.resource)' is no name of a queue or topic")
                return nil
            }
            return arn.service == "sqs" ? .queue : .topic
        default:
            table.fail("arn", "the services are lambda, sqs and sns, not '\(arn.service)'")
            return nil
        }
    }

    private static func isResource(_ name: some StringProtocol, _ more: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0 & 0xDF) || $0 == 0x2D || $0 == 0x5F
                    || more.utf8.contains($0)
            }
    }

    private mutating func readEndpoint(_ key: String, of arn: ARN, service: String) -> ServiceEndpoint? {
        if let text = table.string(key) {
            if let endpoint = ServiceEndpoint(text) { return endpoint }
            table.fail(key, "http or https, a host and a port are expected, as \"http://127.0.0.1:5000\"")
        } else if let endpoint = ServiceEndpoint(service: service, of: arn) {
            return endpoint
        } else if table.value(key) == nil {
            table.fail(key, "is missing; the hosts of the partition '\(arn.partition)' are not known")
        }
        return nil
    }

    private mutating func readRole(of target: ARN?) -> Role? {
        let externalId = table.string("external_id")
        guard let text = table.string("role") else {
            for key in ["external_id", "sts_endpoint"] where table.value(key) != nil {
                table.fail(key, "is of no use without a role")
            }
            return nil
        }
        guard let arn = ARN(text), arn.service == "iam", arn.resource.hasPrefix("role/") else {
            table.fail("role", "'\(text)' is no role; give its ARN, as arn:aws:iam::123456789012:role/crowbar")
            return nil
        }
        if let externalId, !(2...1224).contains(externalId.utf8.count) {
            table.fail("external_id", "2 to 1,224 characters are expected")
        }
        guard let target, let endpoint = readEndpoint("sts_endpoint", of: target, service: "sts") else { return nil }
        return Role(arn: arn, externalId: externalId, region: target.region, endpoint: endpoint)
    }
}
