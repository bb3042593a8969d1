import JSONBytes

/// The endpoint of a record, as it was at the time of the try.
protocol RecordedEndpoint: AnyObject {
    var name: String { get }
    var shownAddress: String { get }
    func mask(_ text: String) -> String
}

/// One try, as the operator is shown it.
struct DeliveryRecord {
    /// Tries that are remembered of an endpoint.
    static let kept = 10
    /// Bytes of an answer that are remembered.
    static let maxAnswer = 1024
    /// Bytes of all that is reported at once, well below the longest line.
    static let maxReported = 512 << 10
    /// Characters of an answer in the reason of a retry or a dead letter.
    static let maxQuote = 200

    /// The endpoint as it was then.
    var endpoint: any RecordedEndpoint
    /// When it ended, Unix time in milliseconds.
    var at: Int64
    var eventId: String
    /// Which try of the event it was, from 1, without the uncounted ones.
    var attempt: Int64
    var isSuccess: Bool
    /// The status or code that it ended with.
    var outcome: String
    /// Why it failed.
    var reason: String?
    /// The host that the endpoint redirects to.
    var redirect: String?
    /// How long it took.
    var milliseconds: Int64
    /// The answer's body, its first part.
    var answer: [UInt8]

    init(
        _ delivery: Delivery, to endpoint: any RecordedEndpoint, _ result: some DeliveryResult, at: Int64,
        milliseconds: Int64, answer: [UInt8]
    ) {
        (self.endpoint, self.at, self.milliseconds) = (endpoint, at, milliseconds)
        (eventId, attempt) = (delivery.eventId, delivery.countedTry)
        (isSuccess, outcome, reason, redirect) = (result.isSuccess, result.code, result.reason, result.redirect)
        self.answer = answer.count > Self.maxAnswer ? Array(answer.prefix(Self.maxAnswer)) : answer
    }

    /// The record as JSON, without what may be secret in the address, wherever the endpoint quotes it.
    var json: JSON {
        var members: [JSON.Member] = [
            .init("endpoint", .string(endpoint.name)), .init("url", .string(endpoint.shownAddress)),
            .init("at", .int(at)), .init("eventId", .string(eventId)), .init("attempt", .int(attempt)),
            .init("delivered", .bool(isSuccess)), .init("outcome", .string(outcome)),
            .init("ms", .int(milliseconds)),
        ]
        if let reason { members.append(.init("reason", .string(endpoint.mask(reason)))) }
        if let redirect { members.append(.init("redirect", .string(redirect))) }
        if !answer.isEmpty {
            let text = endpoint.mask(String(decoding: answer, as: UTF8.self))
            members.append(.init("answer", .string(Self.plain(text))))
        }
        return .object(members)
    }

    /// The beginning of an answer on one line, for the reason of a failure.
    func quote() -> String {
        let text = endpoint.mask(String(decoding: answer, as: UTF8.self))
        let line = Self.plain(text.split(whereSeparator: \.isWhitespace).joined(separator: " "))
        return line.count > Self.maxQuote ? line.prefix(Self.maxQuote - 1) + "…" : line
    }

    /// An endpoint's text without what a terminal would obey.
    private static func plain(_ text: String) -> String {
        var plain = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            plain.append(isControl && scalar != "\n" && scalar != "\t" ? "\u{FFFD}" : scalar)
        }
        return String(plain)
    }
}
