/// Message authentication by HMAC-SHA-256 (RFC 2104, RFC 4231) under one key, which is worked in once.
public struct HMACSHA256: Sendable {
    /// The block length of SHA-256, in bytes.
    private static let blockLength = 64

    private let inner: SHA256
    private let outer: SHA256

    /// Prepares a key of any length.
    public init(key: some Sequence<UInt8>) {
        var block = Array(key)
        if block.count > Self.blockLength { block = SHA256.hash(block) }
        block += [UInt8](repeating: 0, count: Self.blockLength - block.count)
        var (inner, outer) = (SHA256(), SHA256())
        inner.update(block.map { $0 ^ 0x36 })
        outer.update(block.map { $0 ^ 0x5C })
        (self.inner, self.outer) = (inner, outer)
    }

    /// The code of a message given in parts, which count as if joined.
    public func authenticate(_ parts: [UInt8]...) -> [UInt8] {
        var inner = inner
        for part in parts { inner.update(part) }
        var outer = outer
        outer.update(inner.digest())
        return outer.digest()
    }

    /// The code of a message given in parts, under a key that is used once.
    public static func authenticate(key: some Sequence<UInt8>, _ message: [UInt8]...) -> [UInt8] {
        let code = HMACSHA256(key: key)
        var inner = code.inner
        for part in message { inner.update(part) }
        var outer = code.outer
        outer.update(inner.digest())
        return outer.digest()
    }
}
