import Glibc

/// Times as people write and read them.
enum Timestamp {
    /// `2026-11-01T00:00:00Z`, the nearest second of a Unix time in milliseconds.
    static func text(_ milliseconds: Int64) -> String {
        var seconds = time_t(nearestSecond(milliseconds) / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        var text = [CChar](repeating: 0, count: 32)
        let count = strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
        return String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// A Unix time in milliseconds at its nearest second. What is reckoned from two clocks is no more exact, and a
    /// listing must not differ from the one before it in nothing but that.
    static func nearestSecond(_ milliseconds: Int64) -> Int64 { (milliseconds + 500) / 1000 * 1000 }

    /// The Unix time in milliseconds of `2026-11-01T00:00:00Z`, with a fraction or an offset where given (RFC 3339);
    /// nil where it is no such time.
    static func milliseconds(rfc3339 text: String) -> Int64? {
        var rest = Array(text.utf8)[...]
        func number(_ digits: Int) -> Int64? {
            guard rest.count >= digits else { return nil }
            var value: Int64 = 0
            for byte in rest.prefix(digits) {
                guard (0x30...0x39).contains(byte) else { return nil }
                value = value * 10 + Int64(byte - 0x30)
            }
            rest = rest.dropFirst(digits)
            return value
        }
        func take(_ allowed: String) -> UInt8? {
            guard let first = rest.first, allowed.utf8.contains(first) else { return nil }
            rest = rest.dropFirst()
            return first
        }
        guard let year = number(4), take("-") != nil, let month = number(2), (1...12).contains(month),
            take("-") != nil, let day = number(2), (1...31).contains(day), take("Tt ") != nil,
            let hour = number(2), hour < 24, take(":") != nil, let minute = number(2), minute < 60,
            take(":") != nil, let second = number(2), second <= 60
        else { return nil }
        var fraction: Int64 = 0
        if take(".") != nil {
            var scale: Int64 = 100
            guard let first = rest.first, (0x30...0x39).contains(first) else { return nil }
            while let digit = take("0123456789") {
                fraction += Int64(digit - 0x30) * scale
                scale /= 10
            }
        }
        var offset: Int64 = 0
        guard let zone = take("Zz+-") else { return nil }
        if zone == 0x2B || zone == 0x2D {
            guard let hours = number(2), take(":") != nil, let minutes = number(2) else { return nil }
            offset = (hours * 60 + minutes) * (zone == 0x2B ? 1 : -1)
        }
        guard rest.isEmpty else { return nil }
        let days = Self.days(year: year, month: month, day: day)
        return ((days * 24 + hour) * 60 + minute - offset) * 60_000 + second * 1000 + fraction
    }

    /// Days since 1970-01-01 in the proleptic Gregorian calendar (H. Hinnant, "chrono-compatible low-level date
    /// algorithms").
    private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
