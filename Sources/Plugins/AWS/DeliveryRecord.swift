import JSONBytes

/// One try of an event, as the operator is shown it.
struct DeliveryRecord: Sendable, Equatable {
    /// Tries that are remembered of a target.
    static let kept = 10
    /// Bytes of an answer that are remembered.
    static let maxAnswer = 1024
    /// Bytes of all that is told at once, well below the longest line.
    static let maxTold = 512 << 10

    /// The target, and what it is.
    var target: String
    var arn: String
    /// When it ended, Unix time in milliseconds.
    var at: Int64
    var eventId: String
    /// Which try of the event it was, from 1, without those that the service only put off.
    var attempt: Int64
    /// `ok`, or a code.
    var outcome: String
    /// Why, where it failed.
    var reason: String?
    /// How long the request took.
    var milliseconds: Int64
    /// The answer's body, its first part.
    var answer: String

    /// The record as JSON.
    var json: JSON {
        var members: [JSON.Member] = [
            .init("endpoint", .string(target)), .init("url", .string(arn)), .init("at", .int(at)),
            .init("eventId", .string(eventId)), .init("attempt", .int(attempt)),
            .init("delivered", .bool(reason == nil)), .init("outcome", .string(outcome)),
            .init("ms", .int(milliseconds)),
        ]
        if let reason { members.append(.init("reason", .string(reason))) }
        if !answer.isEmpty { members.append(.init("answer", .string(answer))) }
        return .object(members)
    }
}

extension Judgement {
    /// What an operator is shown of it: `ok` or a code, and why where it failed.
    var shown: (outcome: String, reason: String?) {
        switch self {
        case .delivered: ("ok", nil)
        case .retry(let code, let message), .throttled(let code, let message), .unaccepted(let code, let message),
            .refused(let code, let message), .deadLetter(let code, let message):
            (code, message)
        }
    }
}
