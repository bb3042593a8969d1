import JSONBytes

/// An error as AWS' services tell it: in a header, in JSON or in XML.
package struct ServiceError: Equatable, Sendable, CustomStringConvertible {
    /// Characters of a service's message that are kept.
    package static let maxMessage = 300

    /// The header that some services name the error in.
    package static let header = "x-amzn-errortype"

    /// The HTTP status.
    package var status: Int
    /// The error's name, without a namespace; empty where there is none.
    package var code: String
    /// What the service says.
    package var message: String

    package init(status: Int, code: String, message: String) {
        self.status = status
        self.code = code
        self.message = String(message.prefix(Self.maxMessage))
    }

    /// Reads a failed answer.
    package init(_ answer: Outcome.Answer) {
        var (code, message) = (answer.headers[Self.header], "")
        if let json = try? JSON(parsing: answer.body) {
            code = code ?? json["__type"]?.string ?? json["code"]?.string
            message = json["message"]?.string ?? json["Message"]?.string ?? ""
        } else {
            code = code ?? XMLText.first("Code", in: answer.text)
            message = XMLText.first("Message", in: answer.text) ?? ""
        }
        // As "com.amazonaws.sqs#QueueDoesNotExist" or "NotFound:http://…".
        let name = (code ?? "").split(separator: "#").last ?? ""
        self.init(
            status: answer.status, code: String(name.prefix { $0 != ":" }.prefix(100)), message: message)
    }

    /// In one sentence.
    package var description: String {
        let name = code.isEmpty ? "the service answered \(status)" : "\(code) (\(status))"
        return message.isEmpty ? name : "\(name): \(message)"
    }
}
