import HTTPClient
import JSONBytes
import PluginHTTP

extension Target {
    /// The largest event that a target takes, in bytes: 6 MB to a function that is waited for, 1 MB to one that is not
    /// and to a queue, 256 KB to a topic.
    var maxEvent: Int {
        switch kind {
        case .function(isAwaited: true): 6 << 20
        case .function(isAwaited: false), .queue: 1 << 20
        case .topic: 256 << 10
        }
    }
    /// The bytes of a request's events together, at most, where there are several.
    static let maxBatchBytes = 240 << 10
    /// Bytes of an answer that are read: what a function may answer, or a list of results.
    var answerLimit: Int { kind == .function(isAwaited: true) ? 6 << 20 : 64 << 10 }

    /// The request that hands over events, at most ``batch`` of them.
    func call(_ deliveries: [Delivery]) -> Call {
        let request =
            switch kind {
            case .function(let isAwaited): invocation(deliveries, isAwaited)
            case .queue: sending(deliveries)
            case .topic: publishing(deliveries)
            }
        var call = Call(
            request: request, endpoint: endpoint, region: arn.region, service: arn.service, timeout: timeout,
            answerLimit: answerLimit)
        call.keptHeaders = Outcome.Answer.judgedHeaders
        return call
    }

    /// Lambda's Invoke. An ARN's colons go as `%3A`, and into the signature as `%253A`.
    private func invocation(_ deliveries: [Delivery], _ isAwaited: Bool) -> SigV4.Request {
        SigV4.Request(
            method: "POST", path: "/2015-03-31/functions/\(PercentEncoding.encode(arn.text))/invocations",
            headers: [
                ("content-type", "application/json"),
                ("x-amz-invocation-type", isAwaited ? "RequestResponse" : "Event"),
            ],
            body: deliveries.first?.body ?? [])
    }

    /// SQS' SendMessageBatch, in its JSON protocol.
    private func sending(_ deliveries: [Delivery]) -> SigV4.Request {
        var body = JSONWriter()
        body.beginObject()
        body.member("QueueUrl", endpoint.url("/\(arn.account)/\(arn.resource)"))
        body.key("Entries")
        body.beginArray()
        for (i, delivery) in deliveries.enumerated() {
            body.beginObject()
            body.member("Id", String(i))
            body.member("MessageBody", Self.characters(delivery.body))
            if isFIFO {
                body.member("MessageGroupId", delivery.group)
                body.member("MessageDeduplicationId", delivery.eventId)
            }
            if let traceParent = delivery.traceParent { Self.write(traceParent, to: &body) }
            body.endObject()
        }
        body.endArray()
        body.endObject()
        return SigV4.Request(
            method: "POST", path: "/",
            headers: [
                ("content-type", "application/x-amz-json-1.0"), ("x-amz-target", "AmazonSQS.SendMessageBatch"),
            ], body: body.bytes)
    }

    /// Writes the attribute `traceparent` of a message.
    private static func write(_ traceParent: String, to body: inout JSONWriter) {
        body.key("MessageAttributes")
        body.beginObject()
        body.key("traceparent")
        body.beginObject()
        body.member("DataType", "String")
        body.member("StringValue", traceParent)
        body.endObject()
        body.endObject()
    }

    /// SNS' PublishBatch, in its query protocol.
    private func publishing(_ deliveries: [Delivery]) -> SigV4.Request {
        var fields = [("Action", "PublishBatch"), ("Version", "2010-03-31"), ("TopicArn", arn.text)]
        for (i, delivery) in deliveries.enumerated() {
            let entry = "PublishBatchRequestEntries.member.\(i + 1)"
            fields.append(("\(entry).Id", String(i)))
            fields.append(("\(entry).Message", Self.characters(delivery.body)))
            if isFIFO {
                fields.append(("\(entry).MessageGroupId", delivery.group))
                fields.append(("\(entry).MessageDeduplicationId", delivery.eventId))
            }
            if let traceParent = delivery.traceParent {
                let attribute = "\(entry).MessageAttributes.entry.1"
                fields.append(("\(attribute).Name", "traceparent"))
                fields.append(("\(attribute).Value.DataType", "String"))
                fields.append(("\(attribute).Value.StringValue", traceParent))
            }
        }
        return SigV4.Request(
            method: "POST", path: "/", headers: [("content-type", "application/x-www-form-urlencoded")],
            body: PercentEncoding.form(fields))
    }

    /// An event's JSON in the characters that SQS and SNS take, which are those of XML: U+FFFE and U+FFFF, which only
    /// strings of JSON can hold, are written as escapes. One text would otherwise have its whole batch refused.
    static func characters(_ json: [UInt8]) -> String {
        let text = String(decoding: json, as: UTF8.self)
        guard text.utf8.contains(0xEF) else { return text }
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0xFFFE: out += "\\ufffe"
            case 0xFFFF: out += "\\uffff"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}
