import JSONBytes

/// How long a receiver asks to wait, from the headers and the body of its answer.
///
/// `Retry-After` is in seconds (RFC 9110), but some services and proxies in front of them write milliseconds beside
/// their `X-RateLimit-` headers, and so do old versions of Discord's API in the body. The unit is read off the other
/// figures where they say it, and off the size of the number where they do not.
struct RequestedWait: Equatable, Sendable {
    /// The longest wait that is read, in milliseconds.
    static let longest: Int64 = 86_400_000
    /// A whole number from which, beside `X-RateLimit-` headers and without another figure, milliseconds are meant.
    static let leastMilliseconds = 1000.0
    /// From this on `X-RateLimit-Reset` is a Unix time in seconds; less is something else.
    private static let leastUnixTime = 1_000_000_000.0

    /// `Retry-After`, as it came; empty: there is none.
    var retryAfter = ""
    /// The date that `Retry-After` names, in Unix seconds; nil: it names none.
    var retryAt: Int64?
    /// `X-RateLimit-Reset-After`: seconds, often with a fraction.
    var resetAfter = ""
    /// `X-RateLimit-Reset`: Unix time in seconds.
    var reset = ""
    /// `Date`, or the time here where there is none, in Unix seconds.
    var date: Int64?
    /// Whether there is any `X-RateLimit-` header.
    var hasRateLimit = false
    /// The body, whose member `retry_after` (Discord; Telegram has it in `parameters`) or `retry_after_ms` (Matrix)
    /// counts where it is a JSON object.
    var body: [UInt8] = []

    /// A figure whose unit is certain.
    private struct Known {
        var seconds: Double
        /// How far off it may be.
        var slack = 0.0
    }

    /// The wait in milliseconds, ``longest`` at most; nil: the receiver asks for none.
    ///
    /// Only 429 says that a limit was reached, so only there the time until the limit's next window is a wait; and only
    /// an answer that asks to wait (429, 503) says so in its body.
    func milliseconds(of status: Int) -> Int64? {
        let header = Self.number(retryAfter)
        let inBody = status == 429 || status == 503 ? bodyNumber : nil
        let known = known(inBody)
        var seconds: Double?
        if let header {
            seconds = inSeconds(header, known)
        } else if let retryAt, let date, retryAt > date {
            // By the receiver's clock, which need not be the one here.
            seconds = Double(retryAt - date)
        }
        if let inBody { seconds = max(seconds ?? 0, inSeconds(inBody, known)) }
        if status == 429, let told = Self.positive(bodyObject?["retry_after_ms"]) {
            seconds = max(seconds ?? 0, told / 1000)
        }
        if status == 429, seconds == nil { seconds = Self.number(resetAfter) }
        // A part of a millisecond counts as one, but not the error of the arithmetic.
        return seconds.map { Int64((min($0 * 1000, Double(Self.longest)) - 0.000_001).rounded(.up)) }
    }

    private func known(_ inBody: Double?) -> Known? {
        if let inBody, !Self.isWhole(inBody) { return Known(seconds: inBody) }
        if let header = Self.number(retryAfter), !Self.isWhole(header) { return Known(seconds: header) }
        if let after = Self.number(resetAfter) { return Known(seconds: after) }
        guard let date, let reset = Self.number(reset), reset >= Self.leastUnixTime, reset > Double(date) else {
            return nil
        }
        return Known(seconds: reset - Double(date), slack: 1)
    }

    /// A figure in seconds, whatever its unit is.
    private func inSeconds(_ figure: Double, _ known: Known?) -> Double {
        guard Self.isWhole(figure), hasRateLimit || known != nil else { return figure }
        let thousandth = figure / 1000
        guard let known else { return figure >= Self.leastMilliseconds ? thousandth : figure }
        // The other figure, rounded up to whole seconds.
        if figure <= known.seconds.rounded(.up) + 1 { return figure }
        let isNear =
            (known.seconds / 2...known.seconds * 2).contains(thousandth)
            || abs(thousandth - known.seconds) <= known.slack
        // Of a number that says little by itself the unit under which it is nearer to the other figure, by the factor.
        let isNearer = figure * thousandth > known.seconds * known.seconds
        return isNear || figure >= Self.leastMilliseconds && isNearer ? thousandth : figure
    }

    private static func isWhole(_ number: Double) -> Bool { number.rounded() == number }

    private var bodyNumber: Double? {
        let object = bodyObject
        return Self.positive(object?["retry_after"]) ?? Self.positive(object?["parameters"]?["retry_after"])
    }

    private var bodyObject: JSON? {
        guard body.first(where: { $0 > 0x20 }) == UInt8(ascii: "{") else { return nil }
        return try? JSON(parsing: body, largeNumbersAsText: true)
    }

    private static func positive(_ value: JSON?) -> Double? { value?.double.flatMap { $0 > 0 ? $0 : nil } }

    /// A decimal number above 0, without sign and exponent.
    private static func number(_ text: String) -> Double? {
        guard (1...20).contains(text.utf8.count), text.utf8.first != UInt8(ascii: "."),
            text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }), let number = Double(text),
            number > 0
        else { return nil }
        return number
    }
}
