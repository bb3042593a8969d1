import Testing

@testable import Identity

@Suite struct VerifiedTokenCacheTests {
    private static let now: Int64 = 1_700_000_000_000

    private static func token(expires: Int64) -> VerifiedToken {
        VerifiedToken(
            kind: .access, issuer: "https://i", subject: "1", userId: "oidc:1", name: "Ann", groups: [], isAdmin: nil,
            expires: expires)
    }

    @Test(
        arguments: [
            // Expires after, then whether it is known after these milliseconds.
            (3_600_000, 0, true), (3_600_000, 59_999, true), (3_600_000, 60_000, false), (10_000, 9_999, true),
            (10_000, 10_000, false), (0, 0, false), (-30_000, 0, false), (3_600_000, -1, false),
        ] as [(Int64, Int64, Bool)]) func aTokenIsRememberedForAMinuteOrUntilItsExpiry(
            _ expires: Int64, _ after: Int64, _ isKnown: Bool
        )
    {
        var cache = VerifiedTokenCache()
        let token = Self.token(expires: Self.now + expires)
        cache.store(token, hash: [1], now: Self.now)
        #expect(cache.token(hash: [1], now: Self.now + after) == (isKnown ? token : nil))
        #expect(cache.token(hash: [2], now: Self.now + after) == nil)
    }

    @Test func memoryIsBounded() {
        var cache = VerifiedTokenCache()
        let token = Self.token(expires: Self.now + 3_600_000)
        for index in 0..<10_000 {
            cache.store(token, hash: [UInt8(index & 0xFF), UInt8(index >> 8)], now: Self.now)
        }
        #expect(cache.count <= VerifiedTokenCache.capacity)
        #expect(cache.token(hash: [UInt8(9_999 & 0xFF), UInt8(9_999 >> 8)], now: Self.now) == token)
        cache.removeAll()
        #expect(cache.count == 0)
    }
}
