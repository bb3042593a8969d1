import Testing

@testable import HTTPClient

/// Errors of AWS' services in words.
@Suite struct ServiceErrorTests {
    @Test(arguments: [
        ("The key AKIAIOSFODNN7EXAMPLE, or ASIAIOSFODNN7EXAMPLE?", "The key …, or …?"),
        (
            "signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404: wrong",
            "signature=…: wrong"
        ),
        ("The bucket chat-views-2024 is not in AKIA, émigré", "The bucket chat-views-2024 is not in AKIA, émigré"),
        ("request 4442587FB7D0A2F9 of 2026-11-30T23:34:36Z", "request 4442587FB7D0A2F9 of 2026-11-30T23:34:36Z"),
    ])
    func whatAServiceRepeatsOfARequestIsHidden(_ message: String, _ shown: String) {
        #expect(ServiceError(status: 403, code: "Denied", message: message).message == shown)
    }

    @Test func theErrorsOfXMLAndJSONHaveACode() {
        let xml = "<Error><Code>InvalidAccessKeyId</Code><Message>AKIAIOSFODNN7EXAMPLE is none</Message></Error>"
        let json = #"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no queue"}"#
        #expect(
            "\(ServiceError(Outcome.Answer(status: 403, body: Array(xml.utf8))))"
                == "InvalidAccessKeyId (403): … is none")
        #expect(
            "\(ServiceError(Outcome.Answer(status: 400, body: Array(json.utf8))))"
                == "QueueDoesNotExist (400): no queue")
    }
}
