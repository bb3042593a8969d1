import HTTPClient
import JSONBytes
import Testing

@testable import AWS
@testable import PluginHTTP

/// Requests as they are made, and answers as they are judged.
@Suite struct DeliveryTests {
    static func target(_ resource: String, isAwaited: Bool = false, concurrency: Int64 = 64) throws -> Target {
        let arn = try #require(ARN("arn:aws:\(resource)"))
        let kind: Target.Kind =
            switch arn.service {
            case "lambda": .function(isAwaited: isAwaited)
            case "sqs": .queue
            default: .topic
            }
        return Target(
            name: "t", kind: kind, arn: arn,
            endpoint: try #require(ServiceEndpoint(service: arn.service, of: arn)), concurrency: concurrency,
            timeout: 1000)
    }

    static let function = "lambda:eu-west-1:123456789012:function:audit:live"
    static let fifo = "sqs:eu-west-1:123456789012:chat.fifo"
    static let queue = "sqs:eu-west-1:123456789012:chat"
    static let topic = "sns:eu-west-1:123456789012:news.fifo"

    static func job(_ n: Int64, group: String = "general", bytes: Int? = nil) -> Delivery {
        let body = bytes.map { [UInt8](repeating: 0x61, count: $0) } ?? Array(#"{"e":\#(n)}"#.utf8)
        var delivery = Delivery(id: n, eventId: "e\(n)", body: body)
        delivery.group = group
        return delivery
    }

    @Test(arguments: [(true, "RequestResponse"), (false, "Event")])
    func aFunctionIsInvokedByItsARN(_ isAwaited: Bool, _ type: String) throws {
        let call = try Self.target(Self.function, isAwaited: isAwaited).call([Self.job(1)])
        #expect(
            call.request.path
                == "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Aaudit%3Alive/"
                + "invocations")
        #expect(call.lines(nil, at: 0).contains("x-amz-invocation-type: \(type)"))
        #expect(call.request.body == Array(#"{"e":1}"#.utf8))
        #expect(call.endpoint.authority == "lambda.eu-west-1.amazonaws.com" && call.service == "lambda")
    }

    @Test func aQueueGetsABatch() throws {
        let fifo = try Self.target(Self.fifo).call([Self.job(1), Self.job(2, group: "dev")])
        #expect(
            String(decoding: fifo.request.body, as: UTF8.self)
                == #"{"QueueUrl":"https://sqs.eu-west-1.amazonaws.com/123456789012/chat.fifo","Entries":["#
                + #"{"Id":"0","MessageBody":"{\"e\":1}","MessageGroupId":"general","MessageDeduplicationId":"e1"},"#
                + #"{"Id":"1","MessageBody":"{\"e\":2}","MessageGroupId":"dev","MessageDeduplicationId":"e2"}]}"#)
        let plain = try Self.target(Self.queue).call([Self.job(1)])
        #expect(
            String(decoding: plain.request.body, as: UTF8.self)
                == #"{"QueueUrl":"https://sqs.eu-west-1.amazonaws.com/123456789012/chat","Entries":["#
                + #"{"Id":"0","MessageBody":"{\"e\":1}"}]}"#)
        #expect(plain.lines(nil, at: 0).contains("x-amz-target: AmazonSQS.SendMessageBatch"))
    }

    @Test func theTraceOfAnEventIsAnAttribute() throws {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        var traced = Self.job(1)
        traced.traceParent = trace
        let queue = try JSON(parsing: try Self.target(Self.queue).call([traced, Self.job(2)]).request.body)
        let attribute = JSON.object([.init("DataType", .string("String")), .init("StringValue", .string(trace))])
        #expect(queue["Entries"]?.array?[0]["MessageAttributes"] == .object([.init("traceparent", attribute)]))
        #expect(queue["Entries"]?.array?[1]["MessageAttributes"] == nil)
        let topic = String(decoding: try Self.target(Self.topic).call([traced]).request.body, as: UTF8.self)
        #expect(
            topic.contains(
                "PublishBatchRequestEntries.member.1.MessageAttributes.entry.1.Name=traceparent&"
                    + "PublishBatchRequestEntries.member.1.MessageAttributes.entry.1.Value.DataType=String&"
                    + "PublishBatchRequestEntries.member.1.MessageAttributes.entry.1.Value.StringValue=\(trace)"))
    }

    /// The table of docs/aws.md: SQS and SNS take the characters of XML only, a function the event as it is.
    @Test(arguments: [("a\u{FFFF}\u{FFFE}b", #"a\uffff\ufffeb"#), ("\u{FFFD}\u{202E}é😀", "\u{FFFD}\u{202E}é😀")])
    func whatAWSTakesInATextIsTheSameJSON(said: String, sent: String) throws {
        func json(_ text: String) -> [UInt8] { Array(#"{"userName":"\#(text)"}"#.utf8) }
        var job = Self.job(1)
        job.body = json(said)
        let queue = try JSON(parsing: try Self.target(Self.queue).call([job]).request.body)
        #expect(queue["Entries"]?.array?.first?["MessageBody"]?.string.map { Array($0.utf8) } == json(sent))
        #expect(try JSON(parsing: json(sent)) == JSON(parsing: json(said)))
        let topic = String(decoding: try Self.target(Self.topic).call([job]).request.body, as: UTF8.self)
        #expect(topic.contains("%EF%BF%BF") == false && topic.contains("%EF%BF%BE") == false)
        #expect(try Self.target(Self.function).call([job]).request.body == json(said))
    }

    @Test func aTopicGetsABatch() throws {
        let call = try Self.target(Self.topic).call([Self.job(1)])
        #expect(
            String(decoding: call.request.body, as: UTF8.self)
                == "Action=PublishBatch&Version=2010-03-31"
                + "&TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A123456789012%3Anews.fifo"
                + "&PublishBatchRequestEntries.member.1.Id=0"
                + "&PublishBatchRequestEntries.member.1.Message=%7B%22e%22%3A1%7D"
                + "&PublishBatchRequestEntries.member.1.MessageGroupId=general"
                + "&PublishBatchRequestEntries.member.1.MessageDeduplicationId=e1")
    }

    private static func answer(_ status: Int, _ body: String = "", type: String? = nil, function: String? = nil)
        -> Outcome
    {
        var headers: [String: String] = [:]
        headers[ServiceError.header] = type
        headers[Outcome.Answer.functionErrorHeader] = function
        return .answered(.init(status: status, body: Array(body.utf8), headers: headers))
    }

    /// The code that a judgement ends with, and its kind.
    private static func told(_ judgement: ServiceVerdict?) -> String {
        switch judgement {
        case .delivered(let commands): "delivered \(commands.count)"
        case .retry(let code, _): "retry \(code)"
        case .throttled(let code, _): "hold \(code)"
        case .unaccepted(let code, _): "hold \(code)"
        case .refused(let code, _): "once more \(code)"
        case .deadLetter(let code, _): "dead \(code)"
        case nil: "nothing"
        }
    }

    @Test(
        arguments: [
            (202, "", nil, nil, "delivered 0"), (200, "null", nil, nil, "delivered 0"),
            (204, "", nil, nil, "delivered 0"),
            (200, "no json", nil, nil, "delivered 0"), (200, #"{"commands":[]}"#, nil, nil, "delivered 0"),
            (200, #"{"commands":[{"type":"SEND_MESSAGE"},{}]}"#, nil, nil, "delivered 2"),
            (200, #"{"commands":7}"#, nil, nil, "dead bad_answer"),
            (200, #"{"commands":[1]}"#, nil, nil, "dead bad_answer"),
            (200, #"{"c\u006fmmands":7}"#, nil, nil, "dead bad_answer"),
            (200, #"{"commands":[],"c\u006fmmands":[]}"#, nil, nil, "dead bad_answer"),
            (200, #"{"errorType":"E","errorMessage":"m"}"#, nil, "Unhandled", "retry function_error"),
            (429, "", "TooManyRequestsException", nil, "hold throttled"),
            (404, #"{"Message":"Function not found"}"#, "ResourceNotFoundException:http://x", nil, "dead not_found"),
            (404, "", nil, nil, "dead not_found"), (403, "", "AccessDeniedException", nil, "dead denied"),
            (403, "", "ExpiredTokenException", nil, "hold credentials"),
            (403, "", "InvalidSignatureException", nil, "hold credentials"),
            (400, "", "InvalidRequestContentException", nil, "once more refused"),
            (413, "", "RequestTooLargeException", nil, "dead too_large"),
            (409, "", "ResourceConflictException", nil, "retry http_409"),
            (500, "", "ServiceException", nil, "retry http_500"), (301, "", nil, nil, "retry http_301"),
            (502, "<html>", nil, nil, "retry http_502"),
        ] as [(Int, String, String?, String?, String)])
    func aFunctionsAnswerIsJudged(_ status: Int, _ body: String, _ type: String?, _ function: String?, _ wanted: String)
        throws
    {
        let outcome = Self.answer(status, body, type: type, function: function)
        let judgements = try Self.target(Self.function, isAwaited: true).judge(outcome, count: 1)
        #expect(judgements.map(Self.told) == [wanted])
    }

    @Test func aFunctionsErrorIsTold() throws {
        let outcome = Self.answer(200, #"{"errorType":"ValueError","errorMessage":"seven"}"#, function: "Unhandled")
        #expect(
            try Self.target(Self.function).judge(outcome, count: 1)
                == [.retry(code: "function_error", message: "the function failed with ValueError: seven")])
    }

    @Test func eachEntryOfABatchIsJudged() throws {
        let json = #"""
            {"Successful":[{"Id":"0"}],"Failed":[
            {"Id":"1","SenderFault":true,"Code":"InvalidMessageContents","Message":"m"},
            {"Id":"2","SenderFault":false,"Code":"InternalError"},
            {"Id":"3","SenderFault":true,"Code":"ThrottlingException"}]}
            """#
        let sent = try Self.target(Self.queue).judge(Self.answer(200, json), count: 5)
        #expect(
            sent.map(Self.told) == [
                "delivered 0", "once more refused", "retry http_500", "hold throttled", "retry bad_answer",
            ])
        let xml = """
            <PublishBatchResponse><PublishBatchResult><Failed><member><Id>1</Id><Code>InvalidParameter</Code>
            <Message>too &lt;long&gt;</Message><SenderFault>true</SenderFault></member></Failed>
            <Successful><member><Id>0</Id><MessageId>x</MessageId></member></Successful></PublishBatchResult>
            </PublishBatchResponse>
            """
        let published = try Self.target(Self.topic).judge(Self.answer(200, xml), count: 2)
        #expect(published.first == .delivered())
        #expect(published.last == .refused(code: "refused", message: "InvalidParameter (400): too <long>"))
    }

    @Test(arguments: [
        (queue, 400, #"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"m"}"#, "dead not_found"),
        (queue, 403, #"{"__type":"com.amazonaws.sqs#AccessDenied"}"#, "dead denied"),
        (queue, 400, #"{"__type":"com.amazon.coral.service#RequestThrottled"}"#, "hold throttled"),
        (queue, 403, #"{"__type":"com.amazonaws.sqs#InvalidClientTokenId"}"#, "hold credentials"),
        (topic, 404, "<ErrorResponse><Error><Code>NotFound</Code></Error></ErrorResponse>", "dead not_found"),
        (topic, 403, "<ErrorResponse><Error><Code>AuthorizationError</Code></Error></ErrorResponse>", "dead denied"),
        (topic, 400, "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>", "hold throttled"),
        (topic, 503, "", "retry http_503"),
    ]) func aServicesErrorIsJudged(_ resource: String, _ status: Int, _ body: String, _ wanted: String) throws {
        let judgements = try Self.target(resource).judge(Self.answer(status, body), count: 2)
        #expect(judgements.map(Self.told) == [wanted, wanted])
    }
}
