import OpenSSL
import Testing

@testable import Identity

@Suite struct TokenClaimsTests {
    @Test(
        arguments: [
            ([("nickname", #""Ann""#), ("preferred_username", #""ann1""#), ("name", #""Ann E""#)], "Ann"),
            ([("preferred_username", #""ann1""#), ("name", #""Ann E""#)], "ann1"),
            ([("name", #""Ann E""#)], "Ann E"),
            ([], "u-1"),
            ([("nickname", #"" ""#), ("name", #""Ann E""#)], "Ann E"),
            ([("nickname", "1"), ("name", "[]")], "u-1"),
            ([("nickname", #""\u202eA\u0000n\nn ""#)], "Ann"),
            ([("sub", #""\u0000""#)], "oidc:~00"),
        ] as [([(String, String?)], String)]) func theName(_ claims: [(String, String?)], _ name: String) throws
    {
        let world = try TokenWorld()
        #expect(try world.verify(try world.token(claims: TokenWorld.claims(claims))).name == name)
    }

    @Test(
        arguments: [
            (nil, [], false), (#"["a","crowbar-admins"]"#, ["a", "crowbar-admins"], true),
            (#""crowbar-admins""#, ["crowbar-admins"], true),
            (#"["Crowbar-Admins","crowbar-admins "]"#, ["Crowbar-Admins", "crowbar-admins "], false), ("[]", [], false),
        ] as [(String?, [String], Bool)]) func groupsGiveTheRole(_ claim: String?, _ groups: [String], _ isAdmin: Bool)
        throws
    {
        let world = try TokenWorld()
        let token = try world.token(claims: TokenWorld.claims([("cognito:groups", claim)]))
        let verified = try world.verify(token)
        #expect(verified.groups == groups && verified.isAdmin == isAdmin)
        var rules = TokenWorld.rules
        rules.adminGroup = nil
        #expect(try world.verify(token, rules: rules).isAdmin == nil, "nothing is said about the role")
    }

    @Test(arguments: ["1", "{}", "[1]", "null"]) func groupsOfAnotherTypeAreRefused(_ claim: String) throws {
        let world = try TokenWorld()
        let token = try world.token(claims: TokenWorld.claims([("cognito:groups", claim)]))
        #expect(throws: TokenRefusal.invalid("cognito:groups")) { try world.verify(token) }
    }

    @Test func onlyTheRequiredGroupMaySignIn() throws {
        let world = try TokenWorld()
        var rules = TokenWorld.rules
        rules.requiredGroup = "staff"
        for claim in [nil, "[]", #"["Staff"]"#, #""staffs""#] {
            let token = try world.token(claims: TokenWorld.claims([("cognito:groups", claim)]))
            #expect(throws: TokenRefusal.group) { try world.verify(token, rules: rules) }
        }
        let token = try world.token(claims: TokenWorld.claims([("cognito:groups", #"["staff"]"#)]))
        #expect(try world.verify(token, rules: rules).isAdmin == false)
        // Without a claim for groups nobody is in one.
        rules.groupsClaim = nil
        #expect(throws: TokenRefusal.group) { try world.verify(token, rules: rules) }
    }

    @Test func theUserIdIsThatOfTheSubject() throws {
        let world = try TokenWorld()
        let verified = try world.verify(try world.token(claims: TokenWorld.claims([("sub", #""auth0|é""#)])))
        #expect(verified.subject == "auth0|é" && verified.userId == "oidc:auth0~7C~C3~A9")
    }
}

@Suite struct KeySetTests {
    private static func set(_ keys: String...) -> [UInt8] {
        Array("{\"keys\":[\(keys.joined(separator: ","))]}".utf8)
    }

    @Test(
        arguments: [
            ("", nil), (#","use":"sig""#, nil), (#","key_ops":["sign","verify"]"#, nil), (#","alg":"EdDSA""#, nil),
            (#","use":"enc""#, .unsuitableKey), (#","use":1"#, .unsuitableKey),
            (#","key_ops":["sign"]"#, .unsuitableKey),
            (#","key_ops":"verify""#, .unsuitableKey), (#","alg":"ES256""#, .unsuitableKey),
            (#","alg":1"#, .unsuitableKey),
        ] as [(String, TokenRefusal?)]) func aKeyIsForOneUse(_ more: String, _ refusal: TokenRefusal?) throws
    {
        let world = try TokenWorld()
        let other = TokenWorld.jwk([UInt8](repeating: 5, count: 32), id: "other")
        let key = TokenWorld.jwk(try #require(world.key.publicKey), more: more)
        let keys = try KeySet(parsing: Self.set(other, key))
        let token = try JSONWebToken(parsing: try world.token())
        if let refusal {
            #expect(throws: refusal) { try keys.verify(token) }
        } else {
            try keys.verify(token)
        }
    }

    @Test func aTokenWithoutKidNeedsAnOnlyKey() throws {
        let world = try TokenWorld()
        let key = try #require(world.key.publicKey)
        let token = try JSONWebToken(parsing: try world.token(header: #"{"alg":"EdDSA"}"#))
        let two = try KeySet(parsing: Self.set(TokenWorld.jwk(key), TokenWorld.jwk(key, id: "k2")))
        #expect(throws: TokenRefusal.unsuitableKey) { try two.verify(token) }
        let one = try KeySet(parsing: Self.set(TokenWorld.jwk(key), #"{"kty":"oct","kid":"o","k":"AA"}"#, "{}"))
        try one.verify(token)
    }

    @Test func keysOfOneIdAreAllTried() throws {
        let world = try TokenWorld()
        let keys = try KeySet(
            parsing: Self.set(
                TokenWorld.jwk([UInt8](repeating: 5, count: 32)), TokenWorld.jwk(try #require(world.key.publicKey))))
        try keys.verify(JSONWebToken(parsing: try world.token()))
    }

    @Test(arguments: [
        ("", "a value"), ("[]", "object"), ("{}", "'keys'"), (#"{"keys":{}}"#, "'keys'"), (#"{"keys":[1]}"#, "'keys'"),
        (#"{"keys":[]}"#, "no key"), (#"{"keys":[{"kty":"oct","kid":"k1","k":"AAAA"}]}"#, "no key"),
        (#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AAAA"}]}"#, "no key"),
        (#"{"keys":[{"kty":"OKP","crv":"X25519","x":"\#(String(repeating: "A", count: 43))"}]}"#, "no key"),
        (#"{"keys":[{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}]}"#, "no key"),
        (#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}"#, "no key"),
        (#"{"keys":[],"keys":[]}"#, "before"),
        (String(repeating: " ", count: 1 << 20) + "{}", "bytes"),
    ]) func noKeySet(_ text: String, _ reason: String) {
        let error = #expect(throws: KeySet.Malformed.self) { try KeySet(parsing: Array(text.utf8)) }
        #expect(text.isEmpty || error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
    }
}

@Suite struct KeyCacheTests {
    private static func keys(_ id: String) throws -> KeySet {
        try KeySet(parsing: Array("{\"keys\":[\(TokenWorld.jwk([UInt8](repeating: 5, count: 32), id: id))]}".utf8))
    }

    private static func word(_ decision: KeyCache.Decision) -> String {
        switch decision {
        case .use(let keys): keys.hasKey(id: "a") ? "use a" : "use b"
        case .fetch: "fetch"
        case .join: "join"
        case .unavailable(let wait): "unavailable \(wait)"
        }
    }

    /// Each step: at a time, what is asked or happened, and the decision.
    private static let stories: [[(at: Int64, what: String, then: String)]] = [
        // Fetched once, used for an hour, then fetched again.
        [
            (0, "a", "fetch"), (10, "a", "join"), (20, "fetched a", ""), (20, "a", "use a"), (3_600_019, "a", "use a"),
            (3_600_020, "a", "fetch"), (3_600_021, "a", "join"), (3_600_030, "fetched a", ""),
            (3_600_030, "a", "use a"),
        ],
        // An unknown kid has them fetched, once a minute; the rest are served meanwhile.
        [
            (0, "a", "fetch"), (0, "fetched a", ""), (59_999, "b", "use a"), (60_000, "b", "fetch"),
            (60_001, "b", "join"),
            (60_001, "a", "use a"), (60_500, "fetched a", ""), (60_500, "b", "use a"), (119_999, "b", "use a"),
            (120_000, "b", "fetch"), (120_100, "fetched b", ""), (120_100, "b", "use b"),
        ],
        // Kept when a fetch fails, also after the hour; tried again after a minute.
        [
            (0, "a", "fetch"), (0, "fetched a", ""), (3_600_000, "a", "fetch"), (3_605_000, "failed", ""),
            (3_605_000, "a", "use a"), (3_659_999, "a", "use a"), (3_660_000, "a", "fetch"), (3_660_001, "failed", ""),
            (9_000_000, "a", "fetch"), (9_000_000, "fetched a", ""), (9_000_000, "a", "use a"),
        ],
        // Never any.
        [(0, "a", "fetch"), (5_000, "failed", ""), (5_000, "a", "unavailable 55000"), (60_000, "a", "fetch")],
        // The clock was set back.
        [
            (9_000_000, "a", "fetch"), (9_000_000, "fetched a", ""), (8_000_000, "a", "fetch"),
            (8_000_001, "failed", ""), (8_000_001, "a", "use a"),
        ],
    ]

    @Test(arguments: stories.indices) func keysAreFetched(_ story: Int) throws {
        var cache = KeyCache()
        for (index, step) in Self.stories[story].enumerated() {
            switch step.what {
            case "fetched a", "fetched b": cache.fetched(try Self.keys(String(step.what.suffix(1))), now: step.at)
            case "failed": cache.failed()
            default:
                let decision = Self.word(cache.decide(keyId: step.what, now: step.at))
                #expect(decision == step.then, "step \(index) of story \(story)")
            }
        }
    }
}
