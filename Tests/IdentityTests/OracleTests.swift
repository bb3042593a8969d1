import CrowbarTesting
import JSONBytes
import Testing

@testable import Identity

/// Tokens of joserfc, a library of PyPI: it signs them, and both verify them.
@Suite struct OracleTests {
    private struct Case {
        var name: String
        var key: String
        var header: [(String, JSON)]
        var claims: [(String, JSON?)] = []
        /// What Crowbar says; nil: accepted.
        var refusal: TokenRefusal?
        /// What Crowbar refuses and joserfc leaves to its caller.
        var isOurRule = false
    }

    private static let cases: [Case] = [
        Case(name: "RS256", key: "rsa", header: [("alg", "RS256"), ("kid", "rsa")]),
        Case(name: "RS256, 3072 bits", key: "rsa2", header: [("alg", "RS256"), ("kid", "rsa2")]),
        Case(name: "ES256", key: "ec", header: [("alg", "ES256"), ("kid", "ec")]),
        Case(name: "EdDSA", key: "ed", header: [("alg", "EdDSA"), ("kid", "ed")]),
        Case(
            name: "several aud", key: "ec", header: [("alg", "ES256"), ("kid", "ec")],
            claims: [("aud", .array(["x", "crowbar"])), ("azp", "crowbar")]),
        Case(name: "none", key: "", header: [("alg", "none"), ("kid", "rsa")], refusal: .algorithm("none")),
        Case(
            name: "HMAC with the public key", key: "pem of rsa", header: [("alg", "HS256"), ("kid", "rsa")],
            refusal: .algorithm("HS256")),
        Case(name: "RS512", key: "rsa2", header: [("alg", "RS512"), ("kid", "rsa2")], refusal: .algorithm("RS512")),
        Case(name: "PS256", key: "rsa2", header: [("alg", "PS256"), ("kid", "rsa2")], refusal: .algorithm("PS256")),
        Case(
            name: "another RSA key", key: "other-rsa", header: [("alg", "RS256"), ("kid", "rsa")], refusal: .signature),
        Case(name: "another EC key", key: "other-ec", header: [("alg", "ES256"), ("kid", "ec")], refusal: .signature),
        Case(
            name: "another Ed25519 key", key: "other-ed", header: [("alg", "EdDSA"), ("kid", "ed")], refusal: .signature
        ),
        Case(name: "unknown kid", key: "rsa", header: [("alg", "RS256"), ("kid", "nobody")], refusal: .unknownKey),
        Case(
            name: "a key of another type", key: "rsa", header: [("alg", "RS256"), ("kid", "ec")],
            refusal: .unsuitableKey),
        Case(
            name: "a key for encryption", key: "encryption", header: [("alg", "RS256"), ("kid", "encryption")],
            refusal: .unsuitableKey),
        Case(
            name: "crit", key: "rsa", header: [("alg", "RS256"), ("kid", "rsa"), ("crit", .array(["x"])), ("x", 1)],
            refusal: .critical),
        Case(
            name: "jku, x5u and jwk", key: "rsa",
            header: [
                ("alg", "RS256"), ("kid", "rsa"), ("jku", "http://127.0.0.1:1/"), ("x5u", "http://127.0.0.1:1/"),
                ("jwk", .object([.init("kty", "oct"), .init("k", "AA")])),
            ]),
        Case(
            name: "wrong iss", key: "ec", header: [("alg", "ES256"), ("kid", "ec")], claims: [("iss", "https://x")],
            refusal: .issuer),
        Case(
            name: "wrong aud", key: "ec", header: [("alg", "ES256"), ("kid", "ec")], claims: [("aud", "x")],
            refusal: .audience),
        Case(
            name: "expired", key: "ec", header: [("alg", "ES256"), ("kid", "ec")], claims: [("exp", 1_699_999_900)],
            refusal: .expired),
        Case(
            name: "within the leeway", key: "ec", header: [("alg", "ES256"), ("kid", "ec")],
            claims: [("exp", 1_699_999_950)]),
        Case(
            name: "no exp", key: "ec", header: [("alg", "ES256"), ("kid", "ec")], claims: [("exp", nil)],
            refusal: .missing("exp")),
        Case(
            name: "nbf", key: "ed", header: [("alg", "EdDSA"), ("kid", "ed")], claims: [("nbf", 1_700_000_100)],
            refusal: .notYetValid),
        Case(
            name: "iat", key: "ed", header: [("alg", "EdDSA"), ("kid", "ed")], claims: [("iat", 1_700_000_100)],
            refusal: .issuedInFuture),
        Case(
            name: "no sub", key: "ed", header: [("alg", "EdDSA"), ("kid", "ed")], claims: [("sub", nil)],
            refusal: .missing("sub")),
        Case(
            name: "azp", key: "ed", header: [("alg", "EdDSA"), ("kid", "ed")],
            claims: [("aud", .array(["x", "crowbar"])), ("azp", "x")], refusal: .authorizedParty, isOurRule: true),
        Case(
            name: "a logout token", key: "ed", header: [("alg", "EdDSA"), ("kid", "ed"), ("typ", "logout+jwt")],
            refusal: .kind("a token of the type 'logout+jwt'"), isOurRule: true),
    ]

    private static let rules = TokenRules(issuer: "https://accounts.example.org", clientId: "crowbar")

    @Test func bothSayTheSame() async throws {
        let folder = String(#filePath.dropLast("OracleTests.swift".count))
        let oracle = try LineProcess(
            folder + "../../.build/test-python/bin/python", arguments: ["-I", "-W", "ignore", folder + "oracle.py"])
        let jwks: JSON = try await oracle.first(
            "the oracle (script/bootstrap --tests installs Tests/IdentityTests/requirements.txt)", within: .seconds(60)
        ) { try JSON(parsing: $0)["jwks"] }
        let keys = try KeySet(parsing: jwks.bytes)
        for one in Self.cases {
            let signing = JSON.object([
                .init("key", .string(one.key)), .init("header", .object(one.header.map { .init($0.0, $0.1) })),
                .init("claims", Self.claims(one.claims)),
            ])
            let signed = try await Self.ask(oracle, "sign", signing)
            let token = try #require(signed["token"]?.string, "\(one.name): \(signed)")
            let question = JSON.object([
                .init("token", .string(token)), .init("issuer", .string(Self.rules.issuer)),
                .init("audience", .string(Self.rules.clientId)), .init("now", .int(1_700_000_000)),
            ])
            let theirs = try await Self.ask(oracle, "verify", question)
            let isAccepted = try #require(theirs["accepted"]?.bool as Bool?, "\(one.name): \(theirs)")
            #expect(isAccepted == (one.refusal == nil || one.isOurRule), "joserfc on '\(one.name)': \(theirs)")
            #expect(Self.refusal(token, keys) == one.refusal, "\(one.name)")
        }
    }

    private static func refusal(_ token: String, _ keys: KeySet) -> TokenRefusal? {
        do throws(TokenRefusal) {
            let verifier = TokenVerifier(rules: rules)
            _ = try verifier.verify(
                JSONWebToken(parsing: Array(token.utf8)), keys: keys, for: .bearer, now: 1_700_000_000_000)
            return nil
        } catch {
            return error
        }
    }

    private static func ask(_ oracle: LineProcess, _ verb: String, _ question: JSON) async throws -> JSON {
        try await oracle.send(line: JSON.object([.init(verb, question)]).bytes)
        return try await oracle.first("the oracle's answer") { try JSON(parsing: $0) }
    }

    private static func claims(_ changes: [(String, JSON?)]) -> JSON {
        var claims: [(String, JSON)] = [
            ("iss", .string(rules.issuer)), ("aud", .string(rules.clientId)), ("sub", "u-1"), ("exp", 1_700_000_300),
            ("iat", 1_700_000_000),
        ]
        for (name, value) in changes {
            claims.removeAll { $0.0 == name }
            if let value { claims.append((name, value)) }
        }
        return .object(claims.map { .init($0.0, $0.1) })
    }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .int(value) }
}
