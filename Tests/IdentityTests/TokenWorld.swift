import JSONBytes
import OpenSSL
import Testing

@testable import Identity

/// A provider with one key of Ed25519, and the rules that its tokens are verified by.
struct TokenWorld {
    static let now: Int64 = 1_700_000_000_000
    static let rules = TokenRules(
        issuer: "https://accounts.example.org", clientId: "crowbar", audiences: ["api"], nameClaim: "nickname",
        groupsClaim: "cognito:groups", adminGroup: "crowbar-admins")

    let key: Ed25519PrivateKey
    let keys: KeySet

    init() throws {
        key = try #require(Ed25519PrivateKey([UInt8](1...32)))
        keys = try KeySet(parsing: Array("{\"keys\":[\(Self.jwk(try #require(key.publicKey)))]}".utf8))
    }

    static func jwk(_ publicKey: [UInt8], id: String = "k1", more: String = #","use":"sig","alg":"EdDSA""#) -> String {
        #"{"kty":"OKP","crv":"Ed25519","kid":"\#(id)","x":"\#(Base64URL.encode(publicKey))"\#(more)}"#
    }

    static let header = #"{"alg":"EdDSA","kid":"k1"}"#

    /// Claims of a good ID token; nil as a value leaves one out.
    static func claims(_ changes: [(String, String?)] = []) -> String {
        var members = [
            ("iss", #""https://accounts.example.org""#), ("aud", #""crowbar""#), ("sub", #""u-1""#),
            ("exp", "1700000300"), ("iat", "1700000000"), ("nonce", #""n""#),
        ]
        for (name, value) in changes {
            members.removeAll { $0.0 == name }
            if let value { members.append((name, value)) }
        }
        return "{" + members.map { "\"\($0)\":\($1)" }.joined(separator: ",") + "}"
    }

    func token(header: String = header, claims: String = claims()) throws -> [UInt8] {
        let signed = Base64URL.encode(Array(header.utf8)) + "." + Base64URL.encode(Array(claims.utf8))
        let signature = try #require(key.sign(Array(signed.utf8)))
        return Array((signed + "." + Base64URL.encode(signature)).utf8)
    }

    func verify(
        _ token: [UInt8], rules: TokenRules = rules, for purpose: TokenVerifier.Purpose = .bearer, now: Int64 = now
    ) throws -> VerifiedToken {
        try TokenVerifier(rules: rules).verify(JSONWebToken(parsing: token), keys: keys, for: purpose, now: now)
    }
}
