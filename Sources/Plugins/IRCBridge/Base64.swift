/// Base64 (RFC 4648), as SASL sends it.
enum Base64 {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// The text for some bytes, padded.
    static func encode(_ bytes: [UInt8]) -> String {
        var out: [UInt8] = []
        var at = 0
        while at < bytes.count {
            let left = min(3, bytes.count - at)
            var group: UInt32 = 0
            for i in 0..<3 { group = group << 8 | (i < left ? UInt32(bytes[at + i]) : 0) }
            for i in 0..<4 {
                out.append(i <= left ? digits[Int(group >> UInt32(18 - 6 * i) & 63)] : 0x3D)
            }
            at += 3
        }
        return String(decoding: out, as: UTF8.self)
    }
}
