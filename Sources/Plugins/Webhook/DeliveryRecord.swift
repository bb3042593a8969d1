import JSONBytes

/// One try, as the operator is shown it.
struct DeliveryRecord: Sendable {
    /// Tries that are remembered of an endpoint.
    static let kept = 10
    /// Bytes of an answer that are remembered.
    static let maxAnswer = 1024
    /// Bytes of all that is told at once, well below the longest line.
    static let maxTold = 512 << 10

    /// The endpoint, and where it was then.
    var endpoint: String
    var url: EndpointURL
    /// When it ended, Unix time in milliseconds.
    var at: Int64
    var eventId: String
    /// Which try of the event it was, from 1, without those that the receiver only put off.
    var attempt: Int64
    var outcome: Outcome
    /// How long it took.
    var milliseconds: Int64
    /// The answer's body, its first part.
    var answer: [UInt8]

    /// The record as JSON, without what may be secret in the URL, wherever the receiver quotes it.
    var json: JSON {
        var members: [JSON.Member] = [
            .init("endpoint", .string(endpoint)), .init("url", .string(url.masked)),
            .init("at", .int(at)), .init("eventId", .string(eventId)), .init("attempt", .int(attempt)),
            .init("delivered", .bool(outcome.isSuccess)), .init("outcome", .string(outcome.code)),
            .init("ms", .int(milliseconds)),
        ]
        if case .failed(_, let text) = outcome { members.append(.init("reason", .string(url.mask(text)))) }
        if case .answered(_, _, let host?) = outcome { members.append(.init("redirect", .string(host))) }
        if !answer.isEmpty {
            let text = url.mask(String(decoding: answer, as: UTF8.self))
            members.append(.init("answer", .string(Self.plain(text))))
        }
        return .object(members)
    }

    /// Characters of an answer in the reason of a retry or a dead letter.
    static let maxQuote = 200

    /// The beginning of the answer on one line, for the reason of a failure; empty where there is none.
    var quote: String {
        guard case .answered = outcome, !answer.isEmpty else { return "" }
        let text = url.mask(String(decoding: answer, as: UTF8.self))
        let line = Self.plain(text.split(whereSeparator: \.isWhitespace).joined(separator: " "))
        return line.count > Self.maxQuote ? line.prefix(Self.maxQuote - 1) + "…" : line
    }

    /// A receiver's text without what a terminal would obey.
    private static func plain(_ text: String) -> String {
        var plain = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            plain.append(isControl && scalar != "\n" && scalar != "\t" ? "\u{FFFD}" : scalar)
        }
        return String(plain)
    }
}
