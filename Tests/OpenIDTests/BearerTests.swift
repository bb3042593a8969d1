import CrowbarCore
import CrowbarTesting
import Identity
import JSONBytes
import OpenSSL
import Testing

@testable import OpenID

/// Tokens that programs send, and the keys that they are verified by.
@Suite struct BearerTests {
    private static func authenticate(
        _ service: OpenIDService, _ token: [UInt8]
    ) async throws -> (token: VerifiedToken, principal: Principal) {
        try await service.authenticate(token, hash: SHA256.hash(token))
    }

    @Test func tokensOfEachKindAreAccepted() async throws {
        try await ServiceWorld.run { world in
            let service = try world.service()
            let rows = [
                ("an ID token", #"{"sub":"u-1"}"#, "{}"),
                (
                    "Cognito's access token", #"{"sub":"u-1","aud":null,"token_use":"access","client_id":"crowbar"}"#,
                    "{}"
                ),
                ("an access token of RFC 9068", #"{"sub":"u-1","aud":"api"}"#, #"{"typ":"at+jwt"}"#),
            ]
            for (name, claims, header) in rows {
                let token = try await world.sign(claims, header: header)
                let principal = try await Self.authenticate(service, token).principal
                #expect(principal.userId == "oidc:u-1", "\(name)")
                #expect(principal.kind == .machineToken)
                #expect(principal.scopes == [.commands, .read])
                #expect(abs((principal.expires ?? 0) - world.now - 300_000) < 60_000)
            }
            #expect(try await world.registrations(of: "oidc:u-1") == 1)
        }
    }

    @Test func aTokenIsRefused() async throws {
        try await ServiceWorld.run { world in
            let service = try world.service { $0.rules.groupsClaim = "groups" }
            let past = ServiceWorld.realTime() / 1_000 - 100
            let rows = [
                ("another issuer", #"{"sub":"u-1","iss":"https://x"}"#, "{}"),
                ("another audience", #"{"sub":"u-1","aud":"x"}"#, "{}"),
                ("expired", #"{"sub":"u-1","exp":\#(past)}"#, "{}"), ("no exp", #"{"sub":"u-1","exp":null}"#, "{}"),
                ("an unknown key", #"{"sub":"u-1"}"#, #"{"kid":"nobody"}"#), ("no sub", "{}", "{}"),
                ("another party", #"{"sub":"u-1","aud":["x","crowbar"],"azp":"x"}"#, "{}"),
                ("a logout token", #"{"sub":"u-1","events":{}}"#, "{}"),
            ]
            for (name, claims, header) in rows {
                let token = try await world.sign(claims, header: header)
                #expect(
                    await refusal { _ = try await Self.authenticate(service, token) }?.code == .unauthorized, "\(name)")
            }
            for text in ["a.b.c", "..", String(repeating: "e", count: 8_193) + ".a.b"] {
                let error = await refusal { _ = try await Self.authenticate(service, Array(text.utf8)) }
                #expect(error?.code == .unauthorized, "\(text.prefix(8))")
            }
            #expect(try await world.registrations(of: "oidc:u-1") == 0)
            // The unknown key had the keys fetched once, the others did not.
            #expect(try await world.count("/keys") <= 2)
        }
    }

    @Test func keysRotate() async throws {
        try await ServiceWorld.run { world in
            let service = try world.service()
            let old = try await world.sign(#"{"sub":"u-1"}"#)
            _ = try await Self.authenticate(service, old)
            try await world.ask(#"{"rotate":true}"#)
            let new = try await world.sign(#"{"sub":"u-1","x":1}"#)
            // The keys were fetched less than a minute ago.
            #expect(await refusal { _ = try await Self.authenticate(service, new) }?.code == .unauthorized)
            #expect(try await world.count("/keys") == 1)
            world.pass(60_000)
            _ = try await Self.authenticate(service, new)
            #expect(try await world.count("/keys") == 2)
            // The old key is withdrawn, and its token no longer remembered.
            #expect(await refusal { _ = try await Self.authenticate(service, old) }?.code == .unauthorized)
        }
    }

    @Test func manyTokensAtOnceFetchTheKeysOnce() async throws {
        try await ServiceWorld.run { world in
            let service = try world.service()
            var tokens: [[UInt8]] = []
            for index in 0..<20 { tokens.append(try await world.sign(#"{"sub":"u-\#(index)"}"#)) }
            let users = try await withThrowingTaskGroup(of: String.self) { group in
                for token in tokens { group.addTask { try await Self.authenticate(service, token).principal.userId } }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }
            #expect(users.count == 20)
            #expect(try await world.count("/keys") == 1)
            #expect(try await world.count("/.well-known/openid-configuration") == 1)
        }
    }

    @Test func keysAreKeptWhereAFetchFails() async throws {
        try await ServiceWorld.run { world in
            let service = try world.service()
            _ = try await Self.authenticate(service, try await world.sign(#"{"sub":"u-1"}"#))
            try await world.ask(#"{"faults":{"/keys":{"status":500}}}"#)
            world.pass(KeyCache.lifetime)
            // The tokens are of the service's time, not of the provider's.
            let exp = world.now / 1_000 + 300
            _ = try await Self.authenticate(service, try await world.sign(#"{"sub":"u-1","exp":\#(exp)}"#))
            #expect(try await world.count("/keys") == 2)
            // And only one try a minute.
            _ = try await Self.authenticate(service, try await world.sign(#"{"sub":"u-2","exp":\#(exp)}"#))
            #expect(try await world.count("/keys") == 2)
        }
    }

    @Test(arguments: [
        #"{"/keys":{"status":500}}"#, #"{"/keys":{"size":1048577}}"#, #"{"/keys":{"size":10}}"#,
        #"{"/keys":{"status":302,"location":"http://localhost:1/keys"}}"#,
        #"{"/.well-known/openid-configuration":{"status":404}}"#,
        #"{"/.well-known/openid-configuration":{"size":1048577}}"#,
    ])
    func withoutKeysNobodyIsBelieved(faults: String) async throws {
        try await ServiceWorld.run { world in
            let service = try world.service()
            try await world.ask(#"{"faults":\#(faults)}"#)
            let token = try await world.sign(#"{"sub":"u-1"}"#)
            #expect(await refusal { _ = try await Self.authenticate(service, token) }?.code == .unavailable)
            #expect(try await world.registrations(of: "oidc:u-1") == 0)
            // The provider is well again, and is asked again after a minute.
            try await world.ask(#"{"faults":{}}"#)
            world.pass(60_000)
            #expect(try await Self.authenticate(service, token).principal.userId == "oidc:u-1")
        }
    }

    /// A document has 5 seconds: whoever waits for keys that do not come is refused, and does not wait on.
    @Test func aProviderThatHangsIsGivenUp() async throws {
        #expect(DocumentFetch.timeout == 5_000)
        try await ServiceWorld.run { world in
            let service = try world.service()
            try await world.ask(#"{"faults":{"/keys":{"hold":true}}}"#)
            let token = try await world.sign(#"{"sub":"u-1"}"#)
            let error = await refusal { _ = try await Self.authenticate(service, token) }
            #expect(error?.code == .unavailable, "\(error?.message ?? "")")
            try await world.ask(#"{"faults":{}}"#)
            world.pass(60_000)
            #expect(try await Self.authenticate(service, token).principal.userId == "oidc:u-1")
        }
    }

    @Test func aRedirectOnTheSameHostIsFollowed() async throws {
        try await ServiceWorld.run { world in
            let service = try world.service()
            try await world.ask(#"{"faults":{"/keys":{"status":302,"location":"/moved-keys"}}}"#)
            let token = try await world.sign(#"{"sub":"u-1"}"#)
            #expect(try await Self.authenticate(service, token).principal.userId == "oidc:u-1")
        }
    }

    @Test func aProviderThatIsNotThereIsToldSo() async throws {
        try await ServiceWorld.run { world in
            let service = try world.service {
                $0.endpoints = .init(
                    authorize: $0.issuer, token: ProviderURL("http://127.0.0.1:1/token") ?? $0.issuer,
                    keys: .url(ProviderURL("http://127.0.0.1:1/keys") ?? $0.issuer))
            }
            let code = try await world.code()
            let error = await refusal { _ = try await service.signIn(code, from: ServiceWorld.caller("a")) }
            #expect(error?.code == .unavailable)
            #expect(error?.message.contains("did not answer (connect") == true, "\(error?.message ?? "")")
        }
    }

    @Test func aTriggerAndASignInRegisterOnce() async throws {
        try await ServiceWorld.run { world in
            let pool = try #require(world.issuer.split(separator: "/").last)
            let trigger = CognitoTriggerTests.sample(pool: String(pool), attributes: #""sub":"u-1","nickname":"T""#)
            let service = try world.service()
            for _ in 0..<2 { try await service.register(try CognitoTrigger(parsing: Array(trigger.utf8))) }
            #expect(try await world.registrations(of: "oidc:u-1") == 1)
            #expect(try await service.signIn(try await world.code(), from: ServiceWorld.caller("a")).name == "T")
            let other = CognitoTriggerTests.sample(source: "PostConfirmation_ConfirmForgotPassword", pool: String(pool))
            try await service.register(try CognitoTrigger(parsing: Array(other.utf8)))
            #expect(try await world.registrations(of: "oidc:5f2e1d3c") == 0)
        }
    }

    @Test func thePageIsToldWhereToGo() async throws {
        try await ServiceWorld.run { world in
            let service = try world.service()
            let about = try #require(await service.about())
            #expect(about.authorize == world.issuer + "/authorize")
            #expect(about.endSession == world.issuer + "/end")
            #expect(about.clientId == "crowbar" && about.scopes == "openid profile" && about.label == "Single sign-on")
            let other = try world.service { $0.issuer = ProviderURL("http://127.0.0.1:1") ?? $0.issuer }
            #expect(await other.about() == nil)
        }
    }
}
