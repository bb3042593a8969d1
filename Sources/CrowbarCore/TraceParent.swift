/// A `traceparent` of W3C Trace Context, by which a caller's tracing recognizes what its command became: the ids of a
/// trace and of the caller's span in it. Nothing here makes spans.
public struct TraceParent: Sendable, Equatable {
    /// Its length in bytes; a longer text is none.
    public static let length = 55

    /// `00-TRACEID-PARENTID-FLAGS`.
    public let text: String

    /// Reads version 00; nil for everything else: another length, upper case, ids of zeros only.
    public init?(_ text: String) {
        let bytes = Array(text.utf8.prefix(Self.length + 1))
        guard bytes.count == Self.length, bytes[0] == 0x30, bytes[1] == 0x30 else { return nil }
        for (index, byte) in bytes.enumerated() {
            switch index {
            case 2, 35, 52: if byte != 0x2D { return nil }
            default: if !(0x30...0x39).contains(byte), !(0x61...0x66).contains(byte) { return nil }
            }
        }
        func isZero(_ range: Range<Int>) -> Bool { bytes[range].allSatisfy { $0 == 0x30 } }
        if isZero(3..<35) || isZero(36..<52) { return nil }
        self.text = text
    }
}
