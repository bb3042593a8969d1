import HTTPClient
import JSONBytes
import PluginWire

extension Target {
    /// Commands of one answer at most.
    static let maxCommands = 100
    /// A command's length at most, in bytes, so that its line stays within the protocol's limit.
    static let maxCommand = Wire.maxLine - 4096

    /// Judges each event of a request that has ended.
    /// - Parameter count: How many events it had.
    func judge(_ outcome: Outcome, count: Int) -> [ServiceVerdict] {
        switch outcome {
        case .failed(let code, let message):
            return Array(repeating: ServiceVerdict(failed: code, message), count: count)
        case .answered(let answer):
            guard answer.isSuccess else {
                return Array(repeating: ServiceVerdict(ServiceError(answer)), count: count)
            }
            switch kind {
            case .function(let isAwaited): return [Self.invoked(answer, isAwaited)]
            case .queue: return Self.sent(answer, count)
            case .topic: return Self.published(answer, count)
            }
        }
    }

    private static func invoked(_ answer: Outcome.Answer, _ isAwaited: Bool) -> ServiceVerdict {
        if let error = answer.functionError {
            let json = try? JSON(parsing: answer.body)
            let type = json?["errorType"]?.string ?? error
            let text = json?["errorMessage"]?.string.map { ": \($0.prefix(ServiceError.maxMessage))" } ?? ""
            return .retry(code: "function_error", message: "the function failed with \(type)\(text)")
        }
        guard isAwaited else { return .delivered() }
        if answer.wasCut { return .deadLetter(code: "bad_answer", message: "the function's answer is over 6 MB") }
        return commands(answer.body)
    }

    /// `{"commands":[…]}`; any other answer means nothing.
    private static func commands(_ answer: [UInt8]) -> ServiceVerdict {
        let object: JSONObject
        do { object = try JSONObject(parsing: answer) } catch {
            // Which of two lists it means nobody can say; that it means none would lose both.
            guard error.isRepeatedKey else { return .delivered() }
            return .deadLetter(
                code: "bad_answer", message: "the function's answer names a key twice: \(error); name each key once")
        }
        guard object.span("commands") != nil else { return .delivered() }
        func bad(_ why: String) -> ServiceVerdict {
            .deadLetter(code: "bad_answer", message: "the function's answer has commands that \(why)")
        }
        guard let elements = object.elements("commands") else { return bad("are no list") }
        guard elements.count <= maxCommands else { return bad("are more than \(maxCommands)") }
        var commands: [[UInt8]] = []
        for element in elements {
            guard element.kind == .object else { return bad("are no objects") }
            guard element.range.count <= maxCommand else { return bad("are over \(maxCommand) bytes") }
            commands.append(JSONString.singleLine(object.bytes[element.range]))
        }
        return .delivered(commands: commands)
    }

    private static func sent(_ answer: Outcome.Answer, _ count: Int) -> [ServiceVerdict] {
        let json = try? JSON(parsing: answer.body)
        let successful = json?["Successful"]?.array?.compactMap { $0["Id"]?.string } ?? []
        let failed = (json?["Failed"]?.array ?? []).map { entry in
            Failure(
                id: entry["Id"]?.string, isSenderFault: entry["SenderFault"]?.bool ?? false,
                code: entry["Code"]?.string ?? "", message: entry["Message"]?.string ?? "")
        }
        return byEntry(successful, failed, count)
    }

    private static func published(_ answer: Outcome.Answer, _ count: Int) -> [ServiceVerdict] {
        func entries(_ list: String) -> [String] {
            XMLText.elements(list, in: answer.text).first.map { XMLText.elements("member", in: $0) } ?? []
        }
        let successful = entries("Successful").compactMap { XMLText.first("Id", in: $0) }
        let failed = entries("Failed").map { entry in
            Failure(
                id: XMLText.first("Id", in: entry), isSenderFault: XMLText.first("SenderFault", in: entry) == "true",
                code: XMLText.first("Code", in: entry) ?? "", message: XMLText.first("Message", in: entry) ?? "")
        }
        return byEntry(successful, failed, count)
    }

    /// An entry of a batch that was not taken.
    private struct Failure {
        var id: String?
        var isSenderFault: Bool
        var code: String
        var message: String
    }

    private static func byEntry(_ successful: [String], _ failed: [Failure], _ count: Int) -> [ServiceVerdict] {
        (0..<count).map { i in
            if successful.contains(String(i)) { return .delivered() }
            guard let failure = failed.first(where: { $0.id == String(i) }) else {
                return .retry(code: "bad_answer", message: "the service's answer does not tell of every event")
            }
            return ServiceVerdict(
                ServiceError(
                    status: failure.isSenderFault ? 400 : 500, code: failure.code, message: failure.message))
        }
    }
}
