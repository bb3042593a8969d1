import COpenSSL

/// A key from a password, made expensive to guess (PBKDF2 with HMAC-SHA-256; RFC 8018, 5.2).
public enum PBKDF2 {
    /// Derives a key.
    /// - Parameters:
    ///   - iterations: How often the code is taken; a million take about half a second.
    ///   - length: Bytes of the key, at least 1.
    /// - Returns: The key; nil where OpenSSL fails, as for want of memory or for a number that is none.
    public static func sha256(password: [UInt8], salt: [UInt8], iterations: Int, length: Int) -> [UInt8]? {
        guard let rounds = Int32(exactly: iterations), let size = Int32(exactly: length), rounds > 0, size > 0 else {
            return nil
        }
        var key = [UInt8](repeating: 0, count: length)
        let isDone = password.withUnsafeBytes { bytes in
            PKCS5_PBKDF2_HMAC(
                bytes.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(clamping: password.count), salt,
                Int32(clamping: salt.count), rounds, EVP_sha256(), size, &key)
        }
        return isDone == 1 ? key : nil
    }
}
