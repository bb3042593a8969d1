import JSONBytes

/// An error as AWS' services tell it: in a header, in JSON or in XML.
struct ServiceError: Equatable, Sendable, CustomStringConvertible {
    /// Characters of a service's message that are kept.
    static let maxMessage = 300

    /// The HTTP status.
    var status: Int
    /// The error's name, without a namespace; empty where there is none.
    var code: String
    /// What the service says.
    var message: String

    init(status: Int, code: String, message: String) {
        self.status = status
        self.code = code
        self.message = String(message.prefix(Self.maxMessage))
    }

    /// Reads a failed answer.
    init(_ answer: Outcome.Answer) {
        var (code, message) = (answer.errorType, "")
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
    var description: String {
        let name = code.isEmpty ? "the service answered \(status)" : "\(code) (\(status))"
        return message.isEmpty ? name : "\(name): \(message)"
    }
}
