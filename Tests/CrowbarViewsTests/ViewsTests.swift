import CrowbarCore
import CrowbarTesting
import GRDB
import JSONBytes
import Logging
import Synchronization
import Testing

@testable import CrowbarViews

/// The views as the server runs them, and what they answer to readers with different rights.
struct ViewsTests {
    /// Runs views on a log while `body` does its work.
    private static func running<T: Sendable>(
        _ views: Views, _ body: @Sendable () async throws -> T
    ) async throws -> T {
        try await withThrowingTaskGroup(of: T?.self) { group in
            group.addTask {
                await views.run()
                return nil
            }
            let result = try await body()
            group.cancelAll()
            return result
        }
    }

    private static func until(_ what: String, _ condition: () async throws -> Bool) async throws {
        for _ in 0..<4_000 {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        throw ConformanceFailure("\(what) has not come about", line: #line)
    }

    private static func views(_ path: String, _ driver: LogDriver, _ lines: KeptLines = KeptLines()) -> Views {
        Views(
            path: path, log: driver.log, logger: Logger(label: "views") { _ in lines },
            clock: { driver.clock.milliseconds })
    }

    @Test func questionsBeforeTheFileIsOpenAreRefused() async throws {
        let world = try ViewWorld()
        let views = Self.views(world.folder.file("other.db"), world.driver)
        #expect(throws: ViewRefusal.notOpen) { try views.reader() }
        #expect(await !views.wait(for: .users, position: 1, timeout: .zero))
        #expect(await views.progress(of: .users) == nil)
    }

    @Test func viewsFollowTheLogAndSayHowFarTheyAre() async throws {
        let world = try ViewWorld()
        let views = Self.views(world.folder.file("other.db"), world.driver)
        try await world.driver.settle()
        let head = try #require(try await world.driver.log.head())
        try await Self.running(views) {
            // Also before the file is open, as it may be here.
            #expect(await views.wait(for: .messages, position: head.position, timeout: .seconds(10)))
            // Nobody sends the next event.
            #expect(await !views.wait(for: .messages, position: head.position + 1, timeout: .milliseconds(1)))
            let answer = try await views.reader().users(after: nil, limit: 1, isBridged: false, for: world.access())
            #expect(answer.checkpoint == ViewCheckpoint(position: head.position, eventId: head.eventId))
            #expect(answer.resume == head.eventId)
        }
    }

    @Test func aFileThatIsDamagedWhileItIsInUseIsReplaced() async throws {
        let world = try ViewWorld()
        let (path, lines) = (world.folder.file("other.db"), KeptLines())
        let views = Self.views(path, world.driver, lines)
        try await world.driver.settle()
        try await Self.running(views) {
            try await Self.until("the views are complete") { await views.progress(of: .search) == 1 }
            // What SQLite finds where a page was overwritten: a table that is not one any more.
            let other = try DatabaseQueue(path: path)
            try await other.writeWithoutTransaction { db in
                try db.execute(
                    sql: """
                        PRAGMA writable_schema = ON;
                        UPDATE sqlite_schema SET rootpage = 1 WHERE name LIKE 'users_%' AND type = 'table';
                        UPDATE sqlite_schema SET sql = 'CREATE TABLE' WHERE name LIKE 'users_%' AND type = 'table';
                        PRAGMA writable_schema = OFF; PRAGMA schema_version = 9999;
                        """)
            }
            try other.close()
            try await world.driver.store(#"{"type":"REGISTER_USER","userId":"zoe","name":"Zoë"}"#)
            let head = try #require(try await world.driver.log.head())
            try await Self.until("the file is replaced") { lines.all.contains { $0.contains("is replaced") } }
            try await Self.until("the views are complete") { await views.progress(of: .search) == 1 }
            #expect(await views.wait(for: .users, position: head.position, timeout: .seconds(10)))
            let users = try await views.reader().users(after: "bob", limit: 9, isBridged: false, for: world.access())
            #expect(users.text == #"{"zoe":{"name":"Zoë"}}"#)
        }
    }

    /// A log that was restored from a backup: the views are of events that it does not have.
    @Test func viewsOfALogThatWasRestoredAreRebuiltAndTheLogSaysSo() async throws {
        let world = try ViewWorld()
        let (path, lines) = (world.folder.file("other.db"), KeptLines())
        try await world.driver.settle()
        try await world.driver.store(#"{"type":"REGISTER_USER","userId":"zoe","name":"Zoë"}"#)
        let ahead = Self.views(path, world.driver)
        try await Self.running(ahead) {
            try await Self.until("the views are complete") { await ahead.progress(of: .search) == 1 }
        }
        // Another event is at the position where the views ended.
        let restored = try ViewWorld()
        try await restored.driver.settle()
        try await restored.driver.store(
            #"{"type":"REGISTER_USER","userId":"eve","name":"Eve","eventId":"another"}"#)
        let views = Self.views(path, restored.driver, lines)
        try await Self.running(views) {
            let access = try await restored.access()
            try await Self.until("the users are those of this log") {
                let users = try? await views.reader().users(after: "bob", limit: 9, isBridged: false, for: access)
                return users?.text == #"{"eve":{"name":"Eve"}}"#
            }
        }
        let told = lines.whole.filter { $0.contains("does not fit the log, which was probably restored") }
        #expect(Set(told.compactMap { $0.split(separator: "view=").last }) == ["channels", "messages", "users"])
    }

    @Test func aFolderThatIsNotThereIsToldOnceAndNothingFails() async throws {
        let world = try ViewWorld()
        let lines = KeptLines()
        let views = Self.views(world.folder.file("no/such/views.db"), world.driver, lines)
        try await Self.running(views) {
            try await Self.until("it is logged") { !lines.all.isEmpty }
            #expect(throws: ViewRefusal.notOpen) { try views.reader() }
        }
        #expect(lines.all.count == 1 && lines.all[0].contains("everything else goes on"))
    }

    // MARK: What answers tell of private channels

    private static func say(_ id: String, _ text: String, in channel: String) -> String {
        #"{"type":"SEND_MESSAGE","channelId":"\#(channel)","messageId":"\#(id)","eventId":"e-\#(id)","#
            + #""message":"\#(text)"}"#
    }

    @Test func theEventToResumeAtIsOneThatTheReaderMayKnow() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            try await world.driver.store(Self.say("open", "word", in: "general"))
            try await world.driver.store(
                #"{"type":"CREATE_CHANNEL","channelId":"den","private":true,"eventId":"e-den"}"#)
            for number in 0..<3 { try await world.driver.store(Self.say("s\(number)", "word", in: "den")) }
            try await world.settle()
            for (user, resume) in [("ann", "e-s2"), ("bob", "e-open"), (nil, "e-open")] {
                let access = try await world.access(user)
                let reader = world.reader
                #expect(try await reader.channels(for: access).resume == resume)
                #expect(try await reader.users(after: nil, limit: 9, isBridged: true, for: access).resume == resume)
                #expect(try await reader.allMessages(limit: 1, for: access).resume == resume)
            }
        }
    }

    @Test func everyChangeOfAnAnswerChangesItsPosition() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            // The same channels with other rows must not have the same position, whoever reads.
            var seen: [String: [String: String]] = [:]
            for command in Self.changes {
                try await world.driver.store(command.json, as: command.user)
                try await world.settle()
                for user in ["ann", "bob", "*", ""] {
                    let access = try await ReadAccess(world.driver.log).access(
                        for: user == "*" ? .all : user.isEmpty ? .anonymous : .user(user))
                    let reader = world.reader
                    let answers = [
                        "channels": try await reader.channels(for: access),
                        "all": try await reader.allMessages(limit: 2, for: access),
                        "general": try await reader.messages("general", .newest, limit: 2, for: access),
                        "members": try await reader.channel("general", after: nil, limit: 1, for: access),
                        "search": try await reader.search(
                            SearchQuery("word"), SearchFilter(), limit: 9, for: access, clock: { 0 }),
                    ]
                    for (name, answer) in answers {
                        let rights = access.audiences.sorted().map(String.init).joined(separator: ",")
                        let tag = "\(user) \(rights) \(answer.changed)"
                        let before = seen[name, default: [:]][tag] ?? answer.text
                        #expect(before == answer.text, "\(name) of '\(user)' after \(command.json)")
                        seen[name, default: [:]][tag] = answer.text
                    }
                }
            }
        }
    }

    private static let changes: [(json: String, user: String)] = [
        (#"{"type":"JOIN_CHANNEL","channelId":"general"}"#, "bob"),
        (say("m1", "word", in: "general"), "ann"),
        (#"{"type":"CREATE_CHANNEL","channelId":"den"}"#, "bob"),
        (say("m2", "word", in: "den"), "bob"),
        (#"{"type":"CREATE_CHANNEL","channelId":"attic","private":true}"#, "ann"),
        (#"{"type":"CREATE_CHANNEL","channelId":"vault","private":true}"#, "ann"),
        (say("m3", "word", in: "attic"), "ann"),
        (say("m4", "word", in: "vault"), "ann"),
        // Of two private and two public channels the one that was used last stays.
        (#"{"type":"DESTROY_CHANNEL","channelId":"attic"}"#, "ann"),
        (say("m5", "word", in: "general"), "ann"),
        (#"{"type":"DESTROY_CHANNEL","channelId":"den"}"#, "bob"),
        (#"{"type":"ADD_REACTION","channelId":"general","messageId":"m5","reaction":":ok:"}"#, "bob"),
        (#"{"type":"EDIT_MESSAGE","channelId":"general","messageId":"m5","message":"word two"}"#, "ann"),
        (#"{"type":"REMOVE_REACTION","channelId":"general","messageId":"m5","reaction":":ok:"}"#, "bob"),
        (#"{"type":"RENAME_USER","name":"Annabel"}"#, "ann"),
        (#"{"type":"SET_TOPIC","channelId":"general","topic":"t"}"#, "ann"),
        (#"{"type":"INVITE_USER","channelId":"vault","invitee":"bob"}"#, "ann"),
        (#"{"type":"JOIN_CHANNEL","channelId":"vault"}"#, "bob"),
        (#"{"type":"LEAVE_CHANNEL","channelId":"general"}"#, "bob"),
        (#"{"type":"DELETE_MESSAGE","channelId":"general","messageId":"m5"}"#, "ann"),
        (#"{"type":"REMOVE_USER","channelId":"vault","member":"bob"}"#, "ann"),
        (#"{"type":"DESTROY_CHANNEL","channelId":"vault"}"#, "ann"),
    ]

    @Test func aPageOfLongMessagesEndsEarly() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            let long = String(repeating: "x", count: 16_000)
            for number in 0..<300 { try await world.driver.store(Self.say("m\(number)", long, in: "general")) }
            try await world.settle()
            let newest = try JSONObject(
                parsing: try await world.reader.messages("general", .newest, limit: 500, for: world.access()).body)
            let ids = newest.objects("messages")?.compactMap { $0.string("messageId") }
            #expect(ids?.last == "m299" && ids?.count == 258 + 1 && newest.bool("older") == true)
            let after = try JSONObject(
                parsing: try await world.reader.messages("general", .after(4), limit: 500, for: world.access()).body)
            #expect(after.objects("messages")?.count == 258 + 1 && after.bool("newer") == true)
        }
    }

    private static let places: [(text: String, place: SearchPlace?)] = [
        ("e1", .event("e1")), ("@7", .position(7)), ("@", nil), ("@0", nil), ("@-1", nil), ("@+1", nil), ("@x", nil),
        ("@99999999999999999999", nil), ("", .event("")),
    ]

    @Test(arguments: places.indices) func aPlaceOfASearchIsRead(_ row: Int) {
        let place = SearchPlace(Self.places[row].text)
        #expect(place == Self.places[row].place)
        if let place { #expect("\(place)" == Self.places[row].text) }
    }
}

/// Keeps what is logged from level `info` on.
struct KeptLines: LogHandler {
    private final class Kept: Sendable {
        let lines = Mutex<[(message: String, metadata: Logger.Metadata)]>([])
    }

    private let kept = Kept()
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .warning

    var all: [String] { kept.lines.withLock { $0.map(\.message) } }
    /// The lines with their metadata behind them, by name.
    var whole: [String] {
        kept.lines.withLock { lines in
            lines.map { line in
                line.metadata.sorted { $0.key < $1.key }.reduce(line.message) { "\($0) \($1.key)=\($1.value)" }
            }
        }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { kept.lines.withLock { $0.append(("\(event.message)", event.metadata ?? [:])) } }
}
