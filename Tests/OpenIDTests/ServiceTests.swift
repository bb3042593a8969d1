import CrowbarCore
import CrowbarSQLite
import CrowbarTesting
import Identity
import JSONBytes
import OpenSSL
import Testing

@testable import OpenID

private let here = ServiceWorld.caller("192.0.2.1")

/// Sign-in by a provider that runs: codes, keys, roles, names, and what fails.
@Suite struct ServiceTests {
    @Test func aCodeBecomesASession() async throws {
        try await ServiceWorld.run { world in
            let service = try world.service()
            let request = try await world.code()
            let session = try await service.signIn(request, from: here)
            #expect(session.userId == "oidc:u-1")
            #expect(session.name == "Ann")
            #expect(!session.isAdmin)
            #expect(abs(session.expires - world.now - 12 * 3_600_000) < 60_000)
            let principal = try world.accounts.principal(forTokenHash: SHA256.hash(session.token.utf8), now: world.now)
            #expect(principal?.userId == "oidc:u-1")
            #expect(principal?.kind == .session)
            #expect(try await world.registrations(of: "oidc:u-1") == 1)
            // A code works once.
            #expect(
                await refusal { _ = try await service.signIn(request, from: here) }?.code == .unauthorized)
            // Again, without another registration.
            let again = try await service.signIn(try await world.code(), from: here)
            #expect(again.token != session.token)
            #expect(try await world.registrations(of: "oidc:u-1") == 1)
            #expect(try await world.count("/.well-known/openid-configuration") == 1)
            #expect(try await world.count("/keys") == 1)
        }
    }

    @Test func twoTabsAtFirstSightRegisterOnce() async throws {
        try await ServiceWorld.run { world in
            // Two nodes: each has a service of its own.
            let services = [try world.service(), try world.service()]
            var requests: [CodeExchange.Request] = []
            for _ in 0..<6 { requests.append(try await world.code()) }
            let sessions = try await withThrowingTaskGroup(of: OpenIDService.SignedIn.self) { group in
                for (index, request) in requests.enumerated() {
                    group.addTask { try await services[index % 2].signIn(request, from: here) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(sessions.map(\.userId)) == ["oidc:u-1"])
            #expect(sessions.count == 6)
            #expect(try await world.registrations(of: "oidc:u-1") == 1)
            let event = UserIdRule.registrationEvent(issuer: world.issuer, subject: "u-1")
            #expect(try await world.log.position(of: event) != nil)
        }
    }

    @Test func aWrongExchangeIsRefused() async throws {
        try await ServiceWorld.run { world in
            let service = try world.service()
            var request = try await world.code()
            request.verifier = String(repeating: "w", count: 50)
            #expect(await refusal { _ = try await service.signIn(request, from: here) }?.code == .unauthorized)
            request = try await world.code()
            request.nonce = "other"
            let error = await refusal { _ = try await service.signIn(request, from: here) }
            #expect(error?.code == .unauthorized)
            #expect(error?.message.contains("nonce") == true)
            let other = try world.service { $0.clientSecret = ClientSecret("wrong") }
            let code = try await world.code()
            let refused = await refusal { _ = try await other.signIn(code, from: here) }
            #expect(refused?.code == .unavailable)
            #expect(refused?.message.contains("'invalid_client'") == true)
            #expect(try await world.registrations(of: "oidc:u-1") == 0)
        }
    }

    @Test func aSubjectsIdIsEscaped() async throws {
        try await ServiceWorld.run { world in
            let service = try world.service()
            let rows = [
                (#""a b/ä""#, "oidc:a~20b~2F~C3~A4"), (#""~""#, "oidc:~7E"), (#""A""#, "oidc:A"), (#""a""#, "oidc:a"),
                (
                    "\"\(String(repeating: "x", count: 200))\"",
                    UserIdRule.id(ofSubject: String(repeating: "x", count: 200))
                ),
            ]
            for (subject, id) in rows {
                try await world.ask(#"{"user":{"sub":\#(subject),"nickname":"N"}}"#)
                let session = try await service.signIn(try await world.code(), from: here)
                #expect(session.userId == id)
                #expect(try await world.registrations(of: id) == 1)
            }
        }
    }

    @Test func groupsGiveAndTakeRoles() async throws {
        try await ServiceWorld.run { world in
            let service = try world.service {
                $0.rules.groupsClaim = "groups"
                $0.rules.adminGroup = "admins"
                $0.rules.requiredGroup = "staff"
            }
            func signIn(_ user: String) async throws -> OpenIDService.SignedIn {
                try await world.ask(#"{"user":\#(user)}"#)
                return try await service.signIn(try await world.code(), from: here)
            }
            let outside = await refusal { _ = try await signIn(#"{"sub":"u-1","groups":["admins"]}"#) }
            #expect(outside?.code == .forbidden)
            #expect(try await world.registrations(of: "oidc:u-1") == 0)
            #expect(try await signIn(#"{"sub":"u-1","groups":["staff","admins"]}"#).isAdmin)
            #expect(try await world.accounts.account(of: "oidc:u-1")?.roleSource == .oidc)
            // The last admin loses the role, too.
            #expect(try await !signIn(#"{"sub":"u-1","groups":"staff"}"#).isAdmin)
            #expect(try await world.accounts.account(of: "oidc:u-1")?.isAdmin == false)
            try world.accounts.changeUser("oidc:u-1", isAdmin: true)
            #expect(try await signIn(#"{"sub":"u-1","groups":["staff"]}"#).isAdmin, "a local role stays")
            #expect(await refusal { _ = try await signIn(#"{"sub":"u-1"}"#) }?.code == .forbidden)
            #expect(try await signIn(#"{"sub":"u-2","groups":["staff"]}"#).isAdmin == false)
            let token = try await world.sign(#"{"sub":"u-2","groups":["staff","admins"]}"#)
            #expect(try await service.authenticate(token, hash: SHA256.hash(token)).principal.isAdmin)
            // The audit log has each change, and nothing else.
            let lines = try await world.accounts.lines(before: nil, limit: 100).reversed() as [AuditLine]
            #expect(
                lines.map { "\($0.userId) \($0.action) \($0.target ?? "-") \($0.result)" } == [
                    "oidc groups role=admin oidc:u-1 ok", "oidc groups role=member oidc:u-1 ok",
                    "oidc groups role=admin oidc:u-2 ok",
                ])
        }
    }

    /// A session does not start from a code that was exchanged before all sessions of its user ended.
    @Test func aSignOutEndsAnExchangeThatIsUnderWay() async throws {
        try await ServiceWorld.run { world in
            let service = try world.service()
            for (user, code) in [("oidc:u-1", CommandError.Code.unauthorized), ("oidc:u-2", nil)] {
                _ = try await service.signIn(try await world.code(), from: here)
                let (request, count) = (try await world.code(), try await world.count("/token"))
                try await world.ask(#"{"faults":{"/token":{"hold":true}}}"#)
                async let error = refusal { _ = try await service.signIn(request, from: here) }
                try await world.wait("/token", for: count + 1)
                _ = try await world.accounts.endSessions(of: user, except: nil)
                try await world.ask(#"{"faults":{}}"#)
                let refused = await error
                #expect(refused?.code == code, "\(user): \(refused?.message ?? "")")
            }
            #expect(try await world.accounts.validTokens(of: "oidc:u-1", now: world.now).count == 2)
        }
    }

    /// While the provider is slow, one network has no more than its share, and documents are fetched all the same.
    @Test func oneNetworkDoesNotOccupyTheProvider() async throws {
        try await ServiceWorld.run { world in
            let service = try world.service()
            let token = try await world.sign(#"{"sub":"u-9","exp":\#(world.now / 1_000 + 10_000)}"#)
            _ = try await service.signIn(try await world.code(), from: here)
            var requests: [CodeExchange.Request] = []
            for _ in 0..<16 { requests.append(try await world.code()) }
            let late = try await world.code()
            try await world.ask(#"{"faults":{"/token":{"hold":true}}}"#)
            try await withThrowingTaskGroup(of: CommandError?.self) { group in
                for (index, request) in requests.enumerated() {
                    let caller = ServiceWorld.caller("n\(index / SignInShares.each)")
                    group.addTask { await refusal { _ = try await service.signIn(request, from: caller) } }
                    // As many as can run at once.
                    try await world.wait("/token", for: Int64(index) + 2)
                    if index != SignInShares.each - 1 { continue }
                    let refused = await refusal { _ = try await service.signIn(late, from: ServiceWorld.caller("n0")) }
                    #expect(refused?.code == .rateLimited, "\(refused?.message ?? "")")
                }
                world.pass(KeyCache.lifetime)
                #expect(await service.about() != nil)
                #expect(try await service.authenticate(token, hash: SHA256.hash(token)).principal.userId == "oidc:u-9")
                #expect(try await world.count("/.well-known/openid-configuration") == 2)
                #expect(try await world.count("/keys") == 2)
                // Else the provider's next tokens have expired.
                world.pass(-KeyCache.lifetime)
                try await world.ask(#"{"faults":{}}"#)
                for try await _ in group {}
            }
            // The share is free again.
            _ = try await service.signIn(try await world.code(), from: ServiceWorld.caller("n0"))
        }
    }

    @Test func sharesOfSignInsAreGivenBack() {
        var shares = SignInShares()
        func take(_ network: String) -> SignInShares.Full? { shares.take(network) }
        for network in 0..<SignInShares.all / SignInShares.each {
            for _ in 0..<SignInShares.each { #expect(take("n\(network)") == nil) }
            #expect(take("n\(network)") == .network)
        }
        #expect(take("other") == .all)
        shares.give("n0")
        #expect(take("other") == nil)
        #expect(take("n0") == .all)
        shares.give("other")
        for network in 0..<SignInShares.all / SignInShares.each {
            for _ in 0..<(network == 0 ? SignInShares.each - 1 : SignInShares.each) { shares.give("n\(network)") }
        }
        #expect(shares.isEmpty)
    }

    @Test func namesAreSynchronized() async throws {
        try await ServiceWorld.run { world in
            let service = try world.service { $0.syncsNames = true }
            #expect(try await service.signIn(try await world.code(), from: here).name == "Ann")
            try await world.ask(#"{"user":{"sub":"u-1","nickname":"Anna","name":"x"}}"#)
            #expect(try await service.signIn(try await world.code(), from: here).name == "Anna")
            #expect(try await world.log.userName("oidc:u-1") == "Anna")
            let head = try await world.log.head()
            _ = try await service.signIn(try await world.code(), from: here)
            #expect(try await world.log.head()?.position == head?.position, "the same name makes no event")
            #expect(try await service.ownsName(of: "oidc:u-1"))
            #expect(try await !service.ownsName(of: "bob"))
            #expect(try await !world.service().ownsName(of: "oidc:u-1"))
            // Without it the name of the first sight stays.
            try await world.ask(#"{"user":{"sub":"u-1","nickname":"Bea"}}"#)
            #expect(try await world.service().signIn(try await world.code(), from: here).name == "Anna")
        }
    }

    @Test func aSubjectOfAnotherIssuerIsRefusedUntilItIsLinked() async throws {
        try await ServiceWorld.run { world in
            let service = try world.service()
            try world.accounts.add(Account(userId: "oidc:u-1", isAdmin: false, created: 1))
            try await world.accounts.link("oidc:u-1", to: .init(issuer: "https://old.example", subject: "u-1"))
            let code = try await world.code()
            let error = await refusal { _ = try await service.signIn(code, from: here) }
            #expect(error?.code == .forbidden)
            #expect(error?.message == "this subject is linked to https://old.example; run 'crowbar user link'")
            try await world.accounts.link("oidc:u-1", to: .init(issuer: world.issuer, subject: "u-1"))
            #expect(try await service.signIn(try await world.code(), from: here).userId == "oidc:u-1")
            // A local account of another id.
            try world.accounts.add(Account(userId: "bob", isAdmin: true, created: 1))
            try await world.accounts.link("bob", to: .init(issuer: world.issuer, subject: "u-2"))
            try await world.ask(#"{"user":{"sub":"u-2"}}"#)
            let session = try await service.signIn(try await world.code(), from: here)
            #expect(session.userId == "bob")
            #expect(session.isAdmin)
        }
    }

    @Test func anErasedUserStaysErased() async throws {
        try await ServiceWorld.run { world in
            let service = try world.service()
            _ = try await service.signIn(try await world.code(), from: here)
            let token = try await world.sign(#"{"sub":"u-1"}"#)
            _ = try world.accounts.eraseAccount(of: "oidc:u-1")
            let code = try await world.code()
            let error = await refusal { _ = try await service.signIn(code, from: here) }
            #expect(error?.code == .forbidden)
            #expect(error?.message.contains("was erased") == true, "\(error?.message ?? "")")
            let bearer = await refusal { _ = try await service.authenticate(token, hash: SHA256.hash(token)) }
            #expect(bearer?.code == .forbidden)
            await #expect(throws: AccountFailure.accountErased("oidc:u-1")) {
                try await world.accounts.link("oidc:u-1", to: .init(issuer: world.issuer, subject: "u-1"))
            }
            #expect(try await world.registrations(of: "oidc:u-1") == 1)
        }
    }

    @Test func aDisabledAccountIsRefused() async throws {
        try await ServiceWorld.run { world in
            let service = try world.service()
            _ = try await service.signIn(try await world.code(), from: here)
            let token = try await world.sign(#"{"sub":"u-1"}"#)
            let found = try await service.authenticate(token, hash: SHA256.hash(token))
            #expect(found.principal.userId == "oidc:u-1")
            try world.accounts.changeUser("oidc:u-1", isDisabled: true)
            #expect(try await service.principal(of: found.token) == nil)
            let code = try await world.code()
            #expect(await refusal { _ = try await service.signIn(code, from: here) }?.code == .forbidden)
            let bearer = await refusal { _ = try await service.authenticate(token, hash: SHA256.hash(token)) }
            #expect(bearer?.code == .unauthorized)
        }
    }
}
