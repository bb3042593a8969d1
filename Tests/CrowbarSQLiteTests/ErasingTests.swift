import CrowbarCore
import CrowbarTesting
import Foundation
import Testing

@testable import CrowbarSQLite

/// What erasing reaches in the log, and what it leaves.
@Suite struct ErasingTests {
    /// A log whose clock the test sets.
    private struct World {
        let folder: TemporaryFolder
        let log: SQLiteLog
        let driver: LogDriver
        let clock = ManualClock()

        init() async throws {
            folder = try TemporaryFolder()
            let clock = clock
            log = try SQLiteLog(
                path: folder.file("log.db"), now: { clock.milliseconds }, random32: { Array(repeating: 7, count: 32) })
            driver = LogDriver(log, clock: clock)
            try await driver.settle()
        }

        @discardableResult
        func send(_ text: String, id: String? = nil, in channel: String = "general", as actor: String = "ann")
            async throws -> Receipt
        {
            let id = id.map { #","messageId":"\#($0)""# } ?? ""
            return try await driver.store(
                #"{"type":"SEND_MESSAGE","channelId":"\#(channel)","message":"\#(text)"\#(id)}"#, as: actor)
        }

        @discardableResult
        func edit(_ id: String, to text: String) async throws -> Receipt {
            try await driver.store(
                #"{"type":"EDIT_MESSAGE","channelId":"general","messageId":"\#(id)","message":"\#(text)"}"#)
        }

        @discardableResult
        func delete(_ id: String) async throws -> Receipt {
            try await driver.store(#"{"type":"DELETE_MESSAGE","channelId":"general","messageId":"\#(id)"}"#)
        }

        func isErased(_ receipt: Receipt) async throws -> Bool {
            let event = try await driver.event(receipt.position)
            let isMarked = event.contains(#""message":"","#) && event.contains(#""erased":true"#)
            #expect(isMarked || !event.contains("erased"))
            return isMarked
        }
    }

    @Test func textsOfDeletedMessagesGoWhenTheyAreDue() async throws {
        let world = try await World()
        let plain = try await world.send("alpha")
        let named = try await world.send("beta", id: "m2")
        let edits = [try await world.edit("m2", to: "gamma"), try await world.edit("m2", to: "delta")]
        let kept = try await world.send("epsilon", id: "m3")
        try await world.delete(plain.eventId)
        try await world.delete("m2")
        let due = world.clock.milliseconds + 1
        world.clock.advance(by: 1_000)
        let later = try await world.send("zeta", id: "m4")
        try await world.delete("m4")
        let result = try await world.log.eraseDeleted(before: due, limit: 100)
        #expect(result == DeletedErasure(events: 4, hasMore: false))
        for receipt in [plain, named] + edits { #expect(try await world.isErased(receipt)) }
        for receipt in [kept, later] { #expect(try await !world.isErased(receipt)) }
        // What is done is not looked at again; what becomes due is.
        #expect(try await world.log.eraseDeleted(before: due, limit: 100).events == 0)
        let next = try await world.log.eraseDeleted(before: world.clock.milliseconds + 1, limit: 100)
        #expect(next.events == 1)
        #expect(try await world.isErased(later))
    }

    @Test func whatAnEventIsStaysAsItWas() async throws {
        let world = try await World()
        let command = #"""
            {"type":"SEND_MESSAGE","channelId":"general","message":"alpha","messageId":"m1","eventId":"e1",\#
            "meta":{"a":1}}
            """#
        let sent = try await world.driver.store(command)
        try await world.delete("m1")
        let before = try await world.driver.event(sent.position)
        _ = try await world.log.eraseMessage("m1", in: "general")
        let page = try await world.log.read(positions: [sent.position])
        let entry = try #require(page.entries.first)
        #expect(entry.position == sent.position && entry.timestamp == sent.timestamp && entry.type == .messageSent)
        #expect(page.name(entry.channel) == "general" && page.name(entry.user) == "ann")
        let expected = before.replacing(#""message":"alpha""#, with: #""message":"""#)
            .replacing(#","meta":{"a":1}}"#, with: #","erased":true}"#)
        #expect(try await world.driver.event(sent.position) == expected)
        // The same command again is the same event, not a second one.
        let again = try await world.driver.store(command)
        #expect(again.isDuplicate && again.position == sent.position)
    }

    @Test func manyDeletionsComeInParts() async throws {
        let world = try await World()
        for number in 0..<25 {
            try await world.send("text \(number)", id: "m\(number)")
            try await world.delete("m\(number)")
        }
        var (calls, events) = (0, 0)
        while true {
            let result = try await world.log.eraseDeleted(before: world.clock.milliseconds + 1, limit: 10)
            (calls, events) = (calls + 1, events + result.events)
            if !result.hasMore { break }
        }
        #expect(events == 25)
        #expect(calls == 3)
    }

    @Test func aMessageIsErasedInAllLivesOfItsChannel() async throws {
        let world = try await World()
        let first = try await world.send("alpha", id: "m1")
        try await world.driver.store(#"{"type":"DESTROY_CHANNEL","channelId":"general"}"#)
        try await world.driver.store(#"{"type":"CREATE_CHANNEL","channelId":"general"}"#)
        let second = try await world.send("beta", id: "m1")
        let other = try await world.send("gamma", id: "m2")
        #expect(
            try await world.log.eraseMessage("m1", in: "general") == ErasedEvents(changed: 2, found: 2))
        #expect(try await world.isErased(first))
        #expect(try await world.isErased(second))
        #expect(try await !world.isErased(other))
        #expect(
            try await world.log.eraseMessage("m1", in: "general") == ErasedEvents(changed: 0, found: 2))
        #expect(
            try await world.log.eraseMessage("m1", in: "nowhere") == ErasedEvents(changed: 0, found: 0))
    }

    /// A deletion is of the life that it was made in.
    @Test func aDeletionDoesNotReachTheLifeBefore() async throws {
        let world = try await World()
        let first = try await world.send("alpha", id: "m1")
        try await world.driver.store(#"{"type":"DESTROY_CHANNEL","channelId":"general"}"#)
        try await world.driver.store(#"{"type":"CREATE_CHANNEL","channelId":"general"}"#)
        let second = try await world.send("beta", id: "m1")
        try await world.delete("m1")
        #expect(try await world.log.eraseDeleted(before: .max, limit: 10).events == 1)
        #expect(try await world.isErased(second))
        #expect(try await !world.isErased(first))
    }

    /// A client's `meta` with the same bytes is not taken for the message's id.
    @Test func theIdIsTheEventsOwn() async throws {
        let world = try await World()
        let other = try await world.driver.store(
            #"""
            {"type":"SEND_MESSAGE","channelId":"general","message":"alpha","messageId":"m2",\#
            "meta":{"messageId":"m1"}}
            """#)
        try await world.send("beta", id: "m1")
        #expect(try await world.log.eraseMessage("m1", in: "general").found == 1)
        #expect(try await !world.isErased(other))
    }

    @Test func aUsersTextsAndNamesGo() async throws {
        let world = try await World()
        try await world.driver.store(#"{"type":"JOIN_CHANNEL","channelId":"general"}"#, as: "bob")
        let ann = [try await world.send("alpha", id: "m1"), try await world.edit("m1", to: "beta")]
        let bob = try await world.send("gamma", as: "bob")
        try await world.driver.store(#"{"type":"RENAME_USER","name":"Anna"}"#)
        #expect(
            try await world.log.messages(of: "ann", limit: 10)
                == [StoredMessage(channel: "general", messageId: "m1", author: "ann")])
        #expect(try await world.log.userName("ann") == "Anna")
        #expect(try await world.log.userName("eve") == nil)
        var (position, events): (Int64, Int) = (0, 0)
        while true {
            let part = try await world.log.eraseUser("ann", after: position, limit: 3)
            (position, events) = (part.position, events + part.events)
            if part.position >= part.end { break }
        }
        // USER_REGISTERED, the two texts, USER_RENAMED; CHANNEL_CREATED has no user's name.
        #expect(events == 4)
        for receipt in ann { #expect(try await world.isErased(receipt)) }
        #expect(try await !world.isErased(bob))
        let head = try await world.log.head()?.position ?? 0
        for position in 1...head {
            let event = try await world.driver.event(position)
            #expect(!event.contains("Ann") && !event.contains("alpha") && !event.contains("beta"), "\(event)")
        }
    }

    /// Each transaction that erases something counts as an erasure of its own.
    @Test func manyTextsAreErasedAThousandAtATime() async throws {
        let world = try await World()
        let commands = try (0..<2_001).map {
            try world.driver.submission(#"{"type":"SEND_MESSAGE","channelId":"general","message":"m\#($0)"}"#)
        }
        for outcome in try await world.log.append(commands) { _ = try outcome.get() }
        let part = try await world.log.eraseUser("ann", after: 0, limit: 20_000)
        // The messages, and the name in USER_REGISTERED.
        #expect(part.events == 2_002 && part.position == part.end)
        #expect(try await world.log.unpurgedErasure() == 3)
        #expect(SQLiteLog.ErasureLimit.rows == 1_000)
    }

    @Test func anErasedUserIsNotInvitedAndJoinsNothing() async throws {
        let world = try await World()
        for (json, user) in [
            (#"{"type":"CREATE_CHANNEL","channelId":"vault","private":true}"#, "ann"),
            (#"{"type":"CREATE_CHANNEL","channelId":"den","private":true}"#, "ann"),
            (#"{"type":"INVITE_USER","channelId":"vault","invitee":"bob"}"#, "ann"),
            (#"{"type":"JOIN_CHANNEL","channelId":"vault"}"#, "bob"),
            (#"{"type":"JOIN_CHANNEL","channelId":"general"}"#, "bob"),
            (#"{"type":"INVITE_USER","channelId":"den","invitee":"bob"}"#, "ann"),
            (#"{"type":"REGISTER_USER","userId":"erasedUser:ann","name":"e"}"#, "erasedUser:ann"),
        ] { try await world.driver.store(json, as: user) }
        let found = try await world.log.memberships(of: "bob", limit: 10).sorted { $0.channel < $1.channel }
        #expect(
            found == [
                StoredMembership(channel: "den", isMember: false), StoredMembership(channel: "general", isMember: true),
                StoredMembership(channel: "vault", isMember: true),
            ])
        #expect(try await world.log.memberships(of: "bob", limit: 2).count == 2)
        #expect(try await !world.log.isErased("bob"))
        try await world.log.markErased("bob")
        try await world.log.markErased("bob")
        #expect(try await world.log.isErased("bob"))
        func code(_ json: String, _ user: String) async throws -> CommandError.Code? {
            if case .failure(let error) = try await world.driver.send(json, as: user) { error.code } else { nil }
        }
        for (json, user) in [
            (#"{"type":"INVITE_USER","channelId":"vault","invitee":"bob"}"#, "ann"),
            (#"{"type":"JOIN_CHANNEL","channelId":"den"}"#, "bob"),
            (#"{"type":"CREATE_CHANNEL","channelId":"own"}"#, "bob"),
            (#"{"type":"RENAME_USER","name":"Bob again"}"#, "bob"),
        ] { #expect(try await code(json, user) == .userNotFound, "\(json)") }
        // What erasing itself does is not refused, nor what others do.
        for (json, user) in [
            (#"{"type":"RENAME_USER","name":"erased"}"#, "bob"),
            (#"{"type":"LEAVE_CHANNEL","channelId":"vault"}"#, "bob"),
            (#"{"type":"CREATE_CHANNEL","channelId":"own"}"#, "ann"),
        ] { #expect(try await code(json, user) == nil, "\(json)") }
        #expect(try await !world.log.isErased("ann"))
    }

    /// Whether copies may be left is stored with the erasure.
    @Test func copiesAreRemembered() async throws {
        let world = try await World()
        try await world.send("alpha", id: "m1")
        try await world.send("beta", id: "m2")
        #expect(try await world.log.unpurgedErasure() == nil)
        _ = try await world.log.eraseMessage("m1", in: "general")
        let first = try #require(try await world.log.unpurgedErasure())
        _ = try await world.log.eraseMessage("m1", in: "general")
        #expect(try await world.log.unpurgedErasure() == first, "nothing was erased")
        _ = try await world.log.eraseMessage("m2", in: "general")
        try await world.log.notePurged(first)
        let second = try #require(try await world.log.unpurgedErasure())
        #expect(second > first)
        try await world.log.notePurged(second)
        try await world.log.notePurged(first)
        #expect(try await world.log.unpurgedErasure() == nil)
    }

    /// No file of the log has the text afterwards.
    @Test func theFilesDoNotKeepTheText() async throws {
        let world = try await World()
        let secret = "correct horse battery staple"
        func holds() throws -> Bool {
            try ["log.db", "log.db-wal"].contains { name in
                let data = try Data(contentsOf: URL(fileURLWithPath: world.folder.file(name)))
                return data.range(of: Data(secret.utf8)) != nil
            }
        }
        for number in 0..<50 { try await world.send("filler \(number) \(String(repeating: "x", count: 300))") }
        // One that fits a page and one that needs pages of its own.
        try await world.send(secret, id: "m1")
        try await world.send(String(repeating: "y", count: 9_000) + secret, id: "m2")
        try await world.edit("m1", to: secret + " again")
        #expect(try holds())
        for id in ["m1", "m2"] {
            try await world.delete(id)
            _ = try await world.log.eraseMessage(id, in: "general")
        }
        #expect(try await world.log.purgeErased())
        #expect(try !holds())
    }

    /// Short texts become longer when they are erased, so that pages are full and their rows move.
    @Test(arguments: [3, 40, 300]) func rowsThatMoveLeaveNoText(_ count: Int) async throws {
        let world = try await World()
        for _ in 0..<count { try await world.send("swordfish") }
        var position: Int64 = 0
        while true {
            let part = try await world.log.eraseUser("ann", after: position, limit: 20_000)
            position = part.position
            if position >= part.end { break }
        }
        #expect(try await world.log.purgeErased())
        let data = try Data(contentsOf: URL(fileURLWithPath: world.folder.file("log.db")))
        #expect(data.range(of: Data("swordfish".utf8)) == nil)
    }

    /// A follower of the head does not get the former text from memory.
    @Test func theLastAppendIsForgotten() async throws {
        let world = try await World()
        let before = try await world.log.head()?.position ?? 0
        try await world.send("alpha", id: "m1")
        #expect(world.log.recent(after: before)?.entries.count == 1)
        _ = try await world.log.eraseMessage("m1", in: "general")
        #expect(world.log.recent(after: before) == nil)
    }
}
