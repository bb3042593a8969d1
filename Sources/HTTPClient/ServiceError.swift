import JSONBytes

/// An error as AWS' services tell it: in a header, in JSON or in XML.
package struct ServiceError: Equatable, Sendable, CustomStringConvertible {
    /// Characters of a service's message that are kept.
    package static let maxMessage = 300
    /// What stands for a part of a message that is hidden.
    package static let mask = "…"

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
        self.message = Self.masked(message.prefix(Self.maxMessage))
    }

    /// Hides the ids of access keys and signatures: some services repeat what they were sent.
    private static func masked(_ text: Substring) -> String {
        func isPart(_ character: Character) -> Bool { character.isASCII && (character.isLetter || character.isNumber) }
        var (masked, rest) = ("", text)
        while let first = rest.first {
            let word = rest.prefix { isPart($0) == isPart(first) }
            masked += isPart(first) && isSecret(word) ? mask : String(word)
            rest = rest.dropFirst(word.count)
        }
        return masked
    }

    private static func isSecret(_ word: Substring) -> Bool {
        let isKey = word.count >= 16 && ["AKIA", "ASIA"].contains(String(word.prefix(4)))
        return isKey || word.count >= 40 && word.allSatisfy(\.isHexDigit)
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
