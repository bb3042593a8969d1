/// The rule for whole numbers, the same wherever one is read: `1`, `1.0`, `10e-1` and `0.1e1` are one number, as RFC
/// 8259 knows no kinds of numbers. The value is exact; nothing goes through a `Double`.
public enum JSONNumber {
    /// The whole number that a token of JSON is, or nil where it is no number, has a fraction, or is beyond 64 bits.
    /// - Parameter token: A value that was scanned before, such as `1.5` or `"a"`.
    public static func whole(token: String) -> Int64? {
        guard let first = token.utf8.first, first == 0x2D || (0x30...0x39).contains(first) else { return nil }
        let bytes = Array(token.utf8)
        return bytes.withUnsafeBufferPointer { whole($0, 0..<bytes.count) }
    }

    /// The whole number at `range`, which was scanned as a number, or nil where it has a fraction or does not fit.
    static func whole(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Int64? {
        let isNegative = bytes[range.lowerBound] == 0x2D
        var at = range.lowerBound + (isNegative ? 1 : 0)
        var magnitude: UInt64 = 0
        while at < range.upperBound, (0x30...0x39).contains(bytes[at]) {
            // Too long as it stands; an exponent may still make it short.
            guard let longer = appended(bytes[at] - 0x30, to: magnitude) else {
                return scaled(bytes, range, isNegative: isNegative)
            }
            magnitude = longer
            at += 1
        }
        if at < range.upperBound { return scaled(bytes, range, isNegative: isNegative) }
        return signed(magnitude, isNegative: isNegative)
    }

    /// Reads a number with a point, an exponent or many digits as `digits × 10ⁿ`, where the digits end in no zero.
    private static func scaled(
        _ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, isNegative: Bool
    ) -> Int64? {
        var at = range.lowerBound + (isNegative ? 1 : 0)
        var digits: UInt64 = 0
        // Zeros behind the digits, and places behind the point.
        var (zeros, places, isBehindPoint) = (0, 0, false)
        while at < range.upperBound, bytes[at] | 0x20 != 0x65 {
            let byte = bytes[at]
            at += 1
            if byte == 0x2E {
                isBehindPoint = true
                continue
            }
            if isBehindPoint { places += 1 }
            if byte == 0x30 {
                if digits > 0 { zeros += 1 }
                continue
            }
            // What does not fit here has a fraction or is too large, whatever follows.
            guard let shifted = shifted(digits, by: zeros), let longer = appended(byte - 0x30, to: shifted) else {
                return nil
            }
            (digits, zeros) = (longer, 0)
        }
        if digits == 0 { return 0 }
        let power = exponent(bytes, at..<range.upperBound) - places + zeros
        guard power >= 0, let magnitude = shifted(digits, by: power) else { return nil }
        return signed(magnitude, isNegative: isNegative)
    }

    /// The exponent from its `e` on, or 0 where there is none. What no text can make up for stops growing.
    private static func exponent(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Int {
        guard let start = range.first.map({ $0 + 1 }) else { return 0 }
        let isNegative = bytes[start] == 0x2D
        var value = 0
        for at in start..<range.upperBound where (0x30...0x39).contains(bytes[at]) {
            value = min(value * 10 + Int(bytes[at] - 0x30), 1 << 40)
        }
        return isNegative ? -value : value
    }

    private static func appended(_ digit: UInt8, to number: UInt64) -> UInt64? {
        let (product, isTooLarge) = number.multipliedReportingOverflow(by: 10)
        let (sum, isOver) = product.addingReportingOverflow(UInt64(digit))
        return isTooLarge || isOver ? nil : sum
    }

    private static func shifted(_ number: UInt64, by places: Int) -> UInt64? {
        if number == 0 { return 0 }
        guard places <= 19 else { return nil }
        var number = number
        for _ in 0..<places {
            guard let longer = appended(0, to: number) else { return nil }
            number = longer
        }
        return number
    }

    private static func signed(_ magnitude: UInt64, isNegative: Bool) -> Int64? {
        if !isNegative { return Int64(exactly: magnitude) }
        return magnitude <= UInt64(Int64.max) + 1 ? Int64(truncatingIfNeeded: 0 &- magnitude) : nil
    }
}
