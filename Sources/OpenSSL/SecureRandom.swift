import COpenSSL

/// Random bytes fit for secrets (OpenSSL's `RAND_bytes`).
public enum SecureRandom {
    /// The system gave no randomness.
    public struct Unavailable: Error, CustomStringConvertible {
        /// What OpenSSL says.
        public var reason: String

        public var description: String { "the system has no randomness to give: \(reason)" }
    }

    /// Fresh random bytes.
    /// - Parameter count: How many, 0 or more.
    /// - Throws: ``Unavailable``.
    public static func bytes(_ count: Int) throws(Unavailable) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        guard RAND_bytes(&bytes, Int32(count)) == 1 else { throw Unavailable(reason: OpenSSLReason.take()) }
        return bytes
    }

    /// A fresh random number, all 64 bits of it.
    /// - Throws: ``Unavailable``.
    public static func next() throws(Unavailable) -> UInt64 {
        try bytes(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
