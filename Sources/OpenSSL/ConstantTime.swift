import COpenSSL

/// Comparing secrets without telling by the time it takes how much of them is right.
public enum ConstantTime {
    /// Whether two texts are the same. Only their lengths can be told from the time.
    public static func areEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        a.count == b.count && CRYPTO_memcmp(a, b, a.count) == 0
    }
}
