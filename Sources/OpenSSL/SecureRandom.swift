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
}
