/// The host's own wait between tries, where the plugin names none: 0.5 s doubling up to 5 min, ±20 %.
enum RetryDelay {
    static let first = 500.0
    static let longest = 300_000.0
    static let spread = 0.2

    /// Milliseconds until the next try.
    /// - Parameters:
    ///   - attempt: How many-th failure this is, from 1.
    ///   - random: A number from 0 up to 1.
    static func milliseconds(attempt: Int64, random: Double) -> Int64 {
        let doubled = first * Double(sign: .plus, exponent: Int(min(max(attempt, 1) - 1, 20)), significand: 1)
        return Int64(min(doubled, longest) * (1 + spread * (2 * random - 1)))
    }
}
