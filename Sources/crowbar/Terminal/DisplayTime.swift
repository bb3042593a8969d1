import Glibc
import JSONBytes

/// Times as people are shown them: ISO 8601, in UTC, to the millisecond.
enum DisplayTime {
    /// The last millisecond that four digits of a year can tell.
    private static let last: Int64 = 253_402_300_799_999

    /// `2026-11-01T00:00:00.000Z` of Unix milliseconds; the bare number where no year of four digits has it.
    static func text(_ milliseconds: Int64) -> String {
        guard (0...last).contains(milliseconds) else { return String(milliseconds) }
        var seconds = time_t(milliseconds / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        var text = [CChar](repeating: 0, count: 32)
        let count = strftime(&text, text.count, "%Y-%m-%dT%H:%M:%S", &parts)
        let fraction = String(milliseconds % 1000 + 1000).dropFirst()
        return String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) + "." + fraction + "Z"
    }

    /// The same of a number in JSON; nil where there is none.
    static func json(_ value: JSON?) -> JSON? { value?.int.map { .string(text($0)) } }
}
