import CrowbarCore
import CrowbarSQLite
import CrowbarTesting
import JSONBytes
import OpenSSL
import Synchronization
import Testing

@testable import Identity

/// Registration through both stores, which are opened again after a crash.
@Suite struct RegistrationCrashTests {
    private static let now: Int64 = 1_700_000_000_000
    private static let identity = PendingRegistration.Identity(issuer: "https://i", subject: "1")

    /// The stores of a server, from its start to a crash.
    private struct Server {
        /// Lives as long as the stores.
        let folder: TemporaryFolder
        let accounts: AccountsDatabase
        let log: SQLiteLog
        let ingest: Ingest
        let registrar: Registrar

        init(_ folder: TemporaryFolder, _ ids: EventIDSource) throws {
            self.folder = folder
            accounts = try AccountsDatabase(path: folder.file("accounts.db"))
            log = try SQLiteLog(
                path: folder.file("log.db"), now: { RegistrationCrashTests.now },
                random32: { Array(repeating: 7, count: 32) })
            ingest = Ingest(log: log, newEventID: { ids.next() }, hash: { SHA256.hash($0) })
            registrar = Registrar(
                store: accounts, log: RegistrationLog(ingest: ingest, log: log), now: { RegistrationCrashTests.now },
                newEventId: { ids.next() })
        }

        /// The ids of the events that register a user.
        func registrations(of user: String) async throws -> [String] {
            let page = try await log.read(after: 0, limit: 1_000, maxBytes: 1 << 20)
            return try page.entries.filter { $0.type == .userRegistered && page.name($0.user) == user }.map {
                try #require(try JSONEvent.id(page.json($0)))
            }
        }

        func register(user: String, name: String) async throws {
            let command = Command(.registerUser, .registerUser(name: name), userId: user)
            _ = try await ingest.submit(Ingest.Request(command, actor: user))
        }
    }

    enum Kind: String, CaseIterable, CustomTestStringConvertible {
        case open, invite, setup, oidc, adopting
        var testDescription: String { rawValue }

        var admission: Admission {
            switch self {
            case .invite: .invite([1])
            case .setup: .setup([2])
            default: .free
            }
        }
    }

    private static func ids() -> EventIDSource {
        let counter = Mutex<UInt64>(1)
        return EventIDSource(now: { now }) {
            counter.withLock {
                $0 = $0 &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return $0
            }
        }
    }

    private static func registration(_ kind: Kind, _ ids: EventIDSource) -> PendingRegistration {
        let identity = kind == .oidc ? Self.identity : nil
        let event = identity.map { UserIdRule.registrationEvent(issuer: $0.issuer, subject: $0.subject) }
        return PendingRegistration(
            account: Account(
                userId: kind == .oidc ? "oidc:1" : "ann", isAdmin: kind == .setup,
                roleSource: kind == .oidc ? .oidc : .local, created: now), name: "Ann", eventId: event ?? ids.next(),
            identity: identity, mayAdopt: kind == .adopting)
    }

    private static func admit(_ accounts: AccountsDatabase) async throws {
        try await accounts.add(
            AccountInvite(hash: [1], uses: 1, expires: now + 1, created: now, creator: "root"))
        try await accounts.add(AccountLink(hash: [2], purpose: .setup, expires: now + 1))
    }

    /// A crash after each step, with the log knowing the user by another event or not. Afterwards there are both, the
    /// account and the user of its event, or there is neither.
    @Test(arguments: Kind.allCases, [false, true]) func aCrashLeavesBothOrNeither(
        _ kind: Kind, _ isKnown: Bool
    ) async throws {
        for steps in 0...4 {
            let folder = try TemporaryFolder()
            let ids = Self.ids()
            let registration = Self.registration(kind, ids)
            let user = registration.account.userId
            do {
                let server = try Server(folder, ids)
                try await Self.admit(server.accounts)
                if isKnown { try await server.register(user: user, name: "Somebody") }
                var run = Registrar.Run(registration: registration, admission: kind.admission, session: nil)
                for _ in 0..<steps { await server.registrar.step(&run) }
            }
            let server = try Server(folder, ids)
            let outcomes = try await server.registrar.endPending()
            let account = try await server.accounts.account(of: user)
            let events = try await server.registrations(of: user)
            let context: Comment = "\(kind) after \(steps) steps, known \(isKnown): \(outcomes)"
            #expect(account?.isPending != true, context)
            #expect(try await server.accounts.pendingRegistrations().isEmpty, context)
            let isThere = steps > 0 && (!isKnown || kind == .adopting)
            #expect((account != nil) == isThere, context)
            if isKnown {
                #expect(events.count == 1 && events != [registration.eventId], context)
            } else {
                #expect(events == (isThere ? [registration.eventId] : []), context)
            }
            let used = try await server.accounts.invites(now: Self.now).map(\.used)
            #expect(used == [kind == .invite && isThere ? 1 : 0], context)
            let setup = try await server.accounts.link(hash: [2], now: Self.now)
            #expect((setup == nil) == (kind == .setup && isThere), context)
            let found = try await server.accounts.account(of: Self.identity)
            #expect((found != nil) == (kind == .oidc && isThere), context)
            // And a second start changes nothing.
            #expect(try await server.registrar.endPending().isEmpty, context)
        }
    }

    @Test func whatTheLogCannotTakeStaysPending() async throws {
        let folder = try TemporaryFolder()
        let ids = Self.ids()
        let accounts = try AccountsDatabase(path: folder.file("accounts.db"))
        let log = MemoryLog(now: { Self.now })
        let ingest = Ingest(log: log, newEventID: { ids.next() }, hash: { SHA256.hash($0) })
        let registrar = Registrar(
            store: accounts, log: RegistrationLog(ingest: ingest, log: log), now: { Self.now },
            newEventId: { ids.next() })
        let ann = Account(userId: "ann", isAdmin: false, created: Self.now)
        log.setOutage("full")
        guard case .unavailable = await registrar.register(ann, name: "Ann", by: .free) else {
            Issue.record("the log was written")
            return
        }
        #expect(try await registrar.endPending().count == 1)
        #expect(try await accounts.account(of: "ann")?.isPending == true)
        log.setOutage(nil)
        #expect(try await registrar.endPending().map(\.outcome) == [.active])
        #expect(try await accounts.account(of: "ann")?.isPending == false)
    }

    @Test func anIdThatTheLogKnowsCannotBeTakenOver() async throws {
        let server = try Server(try TemporaryFolder(), Self.ids())
        try await server.register(user: "ann", name: "Ann")
        let ann = Account(userId: "ann", isAdmin: false, created: Self.now)
        #expect(await server.registrar.register(ann, name: "Mallory", by: .free) == .userExists)
        #expect(try await server.accounts.account(of: "ann") == nil)
        #expect(await server.registrar.register(ann, name: "Ann", by: .free, mayAdopt: true) == .active)
    }

    @Test func aSessionStartsWithTheAccount() async throws {
        let server = try Server(try TemporaryFolder(), Self.ids())
        let session = AccountToken.session(
            hash: [9], userId: "ann", scopes: [.read], address: "a", now: Self.now)
        let ann = Account(userId: "ann", isAdmin: false, created: Self.now)
        #expect(await server.registrar.register(ann, name: "Ann", by: .free, session: session) == .active)
        #expect(try server.accounts.principal(forTokenHash: [9], now: Self.now)?.userId == "ann")
        #expect(await server.registrar.register(ann, name: "Ann", by: .free) == .refused(.accountExists("ann")))
    }

    /// Two nodes on the same stores and two tabs at each, whose tokens have different names.
    @Test func firstSightAtManyPlacesMakesOneEvent() async throws {
        let folder = try TemporaryFolder()
        let server = try Server(folder, Self.ids())
        let other = Registrar(
            store: try AccountsDatabase(path: folder.file("accounts.db")),
            log: RegistrationLog(ingest: server.ingest, log: server.log), now: { Self.now }, newEventId: { "unused" })
        let account = Account(userId: "oidc:1", isAdmin: false, roleSource: .oidc, created: Self.now)
        let outcomes = await withTaskGroup(of: RegistrationMachine.Outcome.self) { group in
            for index in 0..<8 {
                let registrar = index % 2 == 0 ? server.registrar : other
                group.addTask {
                    await registrar.register(
                        account, name: "Ann \(index)", identity: Self.identity, by: .free,
                        session: .session(
                            hash: [UInt8(index)], userId: "oidc:1", scopes: [.read], address: nil, now: Self.now))
                }
            }
            return await group.reduce(into: [RegistrationMachine.Outcome]()) { $0.append($1) }
        }
        #expect(outcomes == Array(repeating: .active, count: 8))
        let event = UserIdRule.registrationEvent(issuer: "https://i", subject: "1")
        #expect(try await server.registrations(of: "oidc:1") == [event])
        #expect(try server.accounts.tokens(of: "oidc:1").count == 8)
    }

    /// The accounts were restored from an older backup than the log: the event is there, under another name.
    @Test func aSubjectThatTheLogKnowsGetsItsAccountAgain() async throws {
        let ids = Self.ids()
        let server = try Server(try TemporaryFolder(), ids)
        let account = Account(userId: "oidc:1", isAdmin: false, roleSource: .oidc, created: Self.now)
        let first = await server.registrar.register(account, name: "Ann", identity: Self.identity, by: .free)
        #expect(first == .active)
        let empty = try TemporaryFolder()
        let restored = Registrar(
            store: try AccountsDatabase(path: empty.file("accounts.db")),
            log: RegistrationLog(ingest: server.ingest, log: server.log), now: { Self.now }, newEventId: { "unused" })
        let second = await restored.register(account, name: "Other", identity: Self.identity, by: .free)
        #expect(second == .active)
        #expect(try await server.registrations(of: "oidc:1").count == 1)
    }

    /// The id of a subject's event can be computed, and a client may choose the ids of its events.
    @Test func nobodyKeepsASubjectOutByTakingItsEventId() async throws {
        let server = try Server(try TemporaryFolder(), Self.ids())
        let event = UserIdRule.registrationEvent(issuer: "https://i", subject: "1")
        let command = Command(.registerUser, .registerUser(name: "Mallory"), userId: "mallory")
        _ = try await server.ingest.submit(
            Ingest.Request(command, actor: "mallory", derivedId: event))
        let account = Account(userId: "oidc:1", isAdmin: false, roleSource: .oidc, created: Self.now)
        #expect(await server.registrar.register(account, name: "Ann", identity: Self.identity, by: .free) == .active)
        #expect(try await server.registrations(of: "oidc:1").count == 1)
        #expect(try await server.accounts.account(of: Self.identity)?.isPending == false)
    }
}

private enum JSONEvent {
    /// The id of an event.
    static func id(_ json: ArraySlice<UInt8>) throws -> String? {
        try JSONObject(parsing: json).string("eventId")
    }
}
