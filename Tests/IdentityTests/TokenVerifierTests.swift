import JSONBytes
import OpenSSL
import Testing

@testable import Identity

@Suite struct TokenVerifierTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var header = TokenWorld.header
        var claims = TokenWorld.claims()
        var purpose = TokenVerifier.Purpose.bearer
        var refusal: TokenRefusal?

        init(_ name: String, header: String = TokenWorld.header, _ refusal: TokenRefusal?) {
            (testDescription, self.header, self.refusal) = (name, header, refusal)
        }

        init(
            _ name: String, header: String = TokenWorld.header, _ changes: [(String, String?)], _ refusal: TokenRefusal?
        ) {
            self.init(name, header: header, changes, .bearer, refusal)
        }

        init(
            _ name: String, header: String = TokenWorld.header, _ changes: [(String, String?)],
            _ purpose: TokenVerifier.Purpose, _ refusal: TokenRefusal?
        ) {
            (testDescription, self.header, claims) = (name, header, TokenWorld.claims(changes))
            (self.purpose, self.refusal) = (purpose, refusal)
        }
    }

    private static let exchange = TokenVerifier.Purpose.exchange(nonce: "n")
    private static let accessHeader = #"{"alg":"EdDSA","kid":"k1","typ":"at+jwt"}"#

    private static let headers = [
        Case("a good one", nil),
        Case("with a type", header: #"{"alg":"EdDSA","kid":"k1","typ":"JWT"}"#, nil),
        Case("without kid, the only key", header: #"{"alg":"EdDSA"}"#, nil),
        Case("keys of its own are ignored", header: #"{"alg":"EdDSA","kid":"k1","jwk":{"kty":"oct","k":"AA"}}"#, nil),
        Case(
            "pointers to keys are ignored", header: #"{"alg":"EdDSA","kid":"k1","jku":"http://x","x5u":"http://x"}"#,
            nil),
        Case("none", header: #"{"alg":"none","kid":"k1"}"#, .algorithm("none")),
        Case("None", header: #"{"alg":"None","kid":"k1"}"#, .algorithm("None")),
        Case("HMAC", header: #"{"alg":"HS256","kid":"k1"}"#, .algorithm("HS256")),
        Case("RS512", header: #"{"alg":"RS512","kid":"k1"}"#, .algorithm("RS512")),
        Case("PS256", header: #"{"alg":"PS256","kid":"k1"}"#, .algorithm("PS256")),
        Case("eddsa", header: #"{"alg":"eddsa","kid":"k1"}"#, .algorithm("eddsa")),
        Case("no algorithm", header: #"{"kid":"k1"}"#, .algorithm("")),
        Case("an algorithm that is a number", header: #"{"alg":1}"#, .malformed("'alg' of the header is not a string")),
        Case("a key of another type", header: #"{"alg":"RS256","kid":"k1"}"#, .unsuitableKey),
        Case("a curve of another type", header: #"{"alg":"ES256","kid":"k1"}"#, .unsuitableKey),
        Case("unknown kid", header: #"{"alg":"EdDSA","kid":"k2"}"#, .unknownKey),
        Case("empty kid", header: #"{"alg":"EdDSA","kid":""}"#, .unknownKey),
        Case("kid in another case", header: #"{"alg":"EdDSA","kid":"K1"}"#, .unknownKey),
        Case("crit", header: #"{"alg":"EdDSA","kid":"k1","crit":["exp"]}"#, .critical),
        Case("empty crit", header: #"{"alg":"EdDSA","kid":"k1","crit":[]}"#, .critical),
        Case("crit with escapes", header: #"{"alg":"EdDSA","kid":"k1","cr\u0069t":["b64"],"b64":false}"#, .critical),
        Case(
            "the header names a member twice", header: #"{"alg":"EdDSA","kid":"k1","alg":"none"}"#,
            .malformed("the header: a key that was there before at byte 26")),
        Case(
            "another type", header: #"{"alg":"EdDSA","kid":"k1","typ":"logout+jwt"}"#,
            .kind("a token of the type 'logout+jwt'")),
        Case(
            "a proof", header: #"{"alg":"EdDSA","kid":"k1","typ":"dpop+jwt"}"#,
            .kind("a token of the type 'dpop+jwt'")),
    ]

    private static let claims = [
        Case("wrong iss", [("iss", #""https://evil.example.org""#)], .issuer),
        Case("iss with a slash more", [("iss", #""https://accounts.example.org/""#)], .issuer),
        Case("no iss", [("iss", nil)], .missing("iss")),
        Case("iss in an array", [("iss", #"["https://accounts.example.org"]"#)], .invalid("iss")),
        Case("wrong aud", [("aud", #""other""#)], .audience),
        Case("aud of access tokens in an ID token", [("aud", #""api""#)], .audience),
        Case("no aud", [("aud", nil)], .missing("aud")),
        Case("empty aud", [("aud", "[]")], .audience),
        Case("aud that is a number", [("aud", "1")], .invalid("aud")),
        Case("aud with a number", [("aud", #"["crowbar",1]"#)], .invalid("aud")),
        Case("one aud in an array", [("aud", #"["crowbar"]"#)], nil),
        Case("two aud and azp", [("aud", #"["x","crowbar"]"#), ("azp", #""crowbar""#)], nil),
        Case("two aud and another azp", [("aud", #"["x","crowbar"]"#), ("azp", #""x""#)], .authorizedParty),
        Case("two aud without azp", [("aud", #"["x","crowbar"]"#)], .missing("azp")),
        Case("expired within the leeway", [("exp", "1699999941")], nil),
        Case("expired", [("exp", "1699999940")], .expired),
        Case("no exp", [("exp", nil)], .missing("exp")),
        Case("exp that is a text", [("exp", #""1700000300""#)], .invalid("exp")),
        Case("exp that is null", [("exp", "null")], .invalid("exp")),
        Case("exp with a fraction", [("exp", "1700000300.5")], nil),
        Case("exp beyond all numbers", [("exp", "1e400")], .invalid("exp")),
        Case("exp below zero", [("exp", "-1")], .invalid("exp")),
        Case("nbf within the leeway", [("nbf", "1700000060")], nil),
        Case("nbf in the future", [("nbf", "1700000061")], .notYetValid),
        Case("iat within the leeway", [("iat", "1700000060")], nil),
        Case("iat in the future", [("iat", "1700000061")], .issuedInFuture),
        Case("no iat", [("iat", nil)], nil),
        Case("iat that is a text", [("iat", #""now""#)], .invalid("iat")),
        Case("no sub", [("sub", nil)], .missing("sub")),
        Case("empty sub", [("sub", #""""#)], .invalid("sub")),
        Case("sub of 255 bytes", [("sub", "\"\(String(repeating: "s", count: 255))\"")], nil),
        Case("sub of 256 bytes", [("sub", "\"\(String(repeating: "s", count: 256))\"")], .invalid("sub")),
        Case("sub that is a number", [("sub", "1")], .invalid("sub")),
        Case("a claim twice", [("sub\":\"u-1\",\"sub", #""u-2""#)], twice),
        Case("a claim twice, once with escapes", [("s\\u0075b", #""u-2""#)], twice),
        Case(
            "a member twice within a claim", [("x", #"[{"a":1,"a":2}]"#)], .malformed("the claims names a member twice")
        ),
        Case("63 levels", [("x", nested(62))], nil),
        Case("64 levels", [("x", nested(63))], .malformed("the claims: nested deeper than 63 at byte 178")),
        Case("a security event", [("events", "{}")], .kind("a security event token")),
    ]
    private static let twice = TokenRefusal.malformed("the claims: a key that was there before at byte 112")

    private static func nested(_ levels: Int) -> String {
        String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
    }

    private static let kinds = [
        Case("the nonce of the sign-in", [], exchange, nil),
        Case("another nonce", [("nonce", #""m""#)], exchange, .nonce),
        Case("no nonce", [("nonce", nil)], exchange, .missing("nonce")),
        Case("a bearer needs no nonce", [("nonce", nil)], nil),
        Case("an ID token of Cognito", [("token_use", #""id""#)], exchange, nil),
        Case("Cognito's access token", [("token_use", #""access""#), ("aud", nil), ("client_id", #""crowbar""#)], nil),
        Case(
            "it is no ID token", [("token_use", #""access""#), ("client_id", #""crowbar""#)], exchange,
            .kind("an access token")),
        Case("Cognito's for another client", [("token_use", #""access""#), ("client_id", #""x""#)], .audience),
        Case("Cognito's for an audience", [("token_use", #""access""#), ("client_id", #""api""#)], .audience),
        Case("Cognito's without client", [("token_use", #""access""#)], .missing("client_id")),
        Case("another use", [("token_use", #""refresh""#)], .kind("a token for the use 'refresh'")),
        Case("RFC 9068", header: accessHeader, [("aud", #""crowbar""#)], nil),
        Case("RFC 9068, long form", header: #"{"alg":"EdDSA","kid":"k1","typ":"application/AT+JWT"}"#, [], nil),
        Case("RFC 9068, a further audience", header: accessHeader, [("aud", #"["x","api"]"#)], nil),
        Case("RFC 9068, another audience", header: accessHeader, [("aud", #"["x"]"#)], .audience),
        Case(
            "RFC 9068 without aud", header: accessHeader, [("aud", nil), ("client_id", #""crowbar""#)],
            .missing("aud")),
        Case("RFC 9068 is no ID token", header: accessHeader, [], exchange, .kind("an access token")),
        Case(
            "RFC 9068 and an ID token", header: accessHeader, [("token_use", #""id""#)], .kind("a token of two kinds")),
    ]

    @Test(arguments: headers + claims + kinds) func aTokenIsVerified(_ one: Case) throws {
        let world = try TokenWorld()
        let token = try world.token(header: one.header, claims: one.claims)
        if let refusal = one.refusal {
            #expect(throws: refusal) { try world.verify(token, for: one.purpose) }
        } else {
            let verified = try world.verify(token, for: one.purpose)
            #expect(verified.issuer == TokenWorld.rules.issuer && verified.userId.hasPrefix("oidc:"))
        }
    }

    @Test func theTokenMustBeTheOneThatWasSigned() throws {
        let world = try TokenWorld()
        let good = String(decoding: try world.token(), as: UTF8.self).split(separator: ".").map(String.init)
        let other = Base64URL.encode(Array(TokenWorld.claims([("sub", #""u-2""#)]).utf8))
        let zeros = Base64URL.encode([UInt8](repeating: 0, count: 64))
        let cases: [(String, TokenRefusal)] = [
            ("\(good[0]).\(other).\(good[2])", .signature),
            ("\(good[0]).\(good[1]).\(zeros)", .signature),
            ("\(good[0]).\(good[1]).", .signature),
            ("\(good[0]).\(good[1]).\(good[2])AAAA", .signature),
            ("\(good[0]).\(good[1]).\(good[2])==", .malformed("the signature is not base64url")),
            ("\(good[0]).\(good[1])", .malformed("three parts with dots between them are expected")),
            ("\(good[0]).\(good[1]).\(good[2]).", .malformed("three parts with dots between them are expected")),
            ("..", .malformed("the header: an object is expected at byte 0")),
            ("\(good[0]) .\(good[1]).\(good[2])", .malformed("the header is not base64url")),
            ("e30.\(good[1]).\(good[2])", .algorithm("")),
            ("W10.\(good[1]).\(good[2])", .malformed("the header: an object is expected at byte 0")),
        ]
        for (token, refusal) in cases {
            #expect(throws: refusal, "\(token)") { try world.verify(Array(token.utf8)) }
        }
    }

    @Test func tokensHave8KiBAtMost() throws {
        let world = try TokenWorld()
        // Three bytes of padding are four characters.
        let base = try world.token(claims: TokenWorld.claims([("x", "\"\"")])).count
        let room = (JSONWebToken.maxLength - base) * 3 / 4
        let fits = try world.token(
            claims: TokenWorld.claims([("x", "\"\(String(repeating: "x", count: room))\"")]))
        #expect(fits.count <= JSONWebToken.maxLength && fits.count > JSONWebToken.maxLength - 4)
        _ = try world.verify(fits)
        let long = try world.token(
            claims: TokenWorld.claims([("x", "\"\(String(repeating: "x", count: room + 3))\"")]))
        #expect(throws: TokenRefusal.tooLarge) { try world.verify(long) }
    }

    @Test func aTokenEndsAtItsExpiry() throws {
        let world = try TokenWorld()
        #expect(try world.verify(try world.token()).expires == 1_700_000_300_000)
        let token = try world.token(claims: TokenWorld.claims([("exp", "1700000300.25")]))
        #expect(try world.verify(token).expires == 1_700_000_300_250)
    }

    @Test func whatHasTheFormOfAToken() throws {
        #expect(JSONWebToken.hasForm(try TokenWorld().token()))
        #expect(!JSONWebToken.hasForm(Array("cb_0123".utf8)))
    }
}
