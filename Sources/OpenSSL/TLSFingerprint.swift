/// What one certificate is known by: the SHA-256 of its DER.
public struct TLSFingerprint: Equatable, Sendable, CustomStringConvertible {
    /// 32 bytes.
    public let bytes: [UInt8]

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// Reads `sha256:` and 64 hexadecimal digits, in any case and with colons between the bytes where wanted, as
    /// `openssl x509 -fingerprint -sha256` prints them; nil for anything else.
    public init?(_ text: String) {
        guard text.lowercased().hasPrefix("sha256:") else { return nil }
        let digits = text.utf8.dropFirst(7).filter { $0 != 0x3A }
        guard digits.count == SHA256.digestLength * 2 else { return nil }
        var bytes: [UInt8] = []
        for at in stride(from: 0, to: digits.count, by: 2) {
            let pair = digits[at..<(at + 2)]
            // A number may also begin with a sign.
            guard !pair.contains(0x2B), let byte = UInt8(String(decoding: pair, as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(byte)
        }
        self.bytes = bytes
    }

    public var description: String {
        "sha256:" + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
