import ArgumentParser
import CrowbarCore
import CrowbarHTTP
import CrowbarViews
import Glibc
import JSONBytes
import NIOHTTP1

/// `crowbar erase …`.
struct Erase: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Remove texts and names from stored events for good.",
        discussion: """
            A deleted message disappears from views at once, but the log keeps its text for [log] keep_deleted. These \
            commands erase now. Positions, event ids and times stay.
            """,
        subcommands: [Message.self, User.self])

    /// What no command here can erase.
    static let unreachable = [
        "what plugins have passed on: IRC networks, webhook receivers, AWS, and their own files",
        "reasons and receivers' answers in dead letters ('crowbar dead-letters drop')",
        "backups",
        "topics and channels' descriptions; a plugin's user, whom the plugin registers again when they speak",
        "the hash of each command, by which a guessed text can be confirmed",
        "for up to ten minutes, or until a server runs again: copies in views.db and in WAL files",
        "what was published to folders and buckets that [[views.publish]] does not name any more",
        "copies that web servers, caches and mirrors made of published files",
        "what people and programs have read and kept",
        "texts of others that quote the message or name the user",
    ]

    /// `crowbar erase message CHANNEL MESSAGEID`.
    struct Message: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete a message and erase its text; works without a running server too.",
            discussion: """
                Every message of that id in the channel is erased, also of channels with the same id that were \
                destroyed before. Afterwards the command prints what it cannot reach.
                """)

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The channel's id.") var channel: String
        @Argument(help: "The message's id; without one of its own it is that of its event.") var messageId: String
        @Flag(help: "Do not ask.") var yes = false
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let caller = try await ErasureCaller(settings)
            if !yes {
                try Confirmation.ask(
                    "the text of message '\(messageId)' in '\(channel)' will be erased for good",
                    before: "erase message")
            }
            let answer = try await caller.call("message", ["channel": channel, "messageId": messageId])
            let copies = PublishedCopies(caller)
            if json { return Erase.print(answer, copies) }
            let events = answer["events"]?.int ?? 0
            let before = answer["erasedBefore"]?.int ?? 0
            let deleted = answer["deleted"]?.bool == true ? "deleted, " : ""
            StandardStream.output.write(
                line: events == 0 && before > 0
                    ? "message '\(messageId)' was erased before"
                    : "message '\(messageId)' \(deleted)erased in \(events) event\(events == 1 ? "" : "s")")
            Erase.printCopies(copies)
        }
    }

    /// `crowbar erase user USER`.
    struct User: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Disable a user, delete and erase all the user's messages and names; "
                + "works without a running server too.",
            discussion: """
                The account is disabled, its password and tokens are deleted, and 'erased' stands where the name \
                stood. The id stays, so that nobody can take it. An interrupted run can be repeated. Afterwards the \
                command prints what it cannot reach.
                """)

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The user's id.") var user: String
        @Flag(help: "Do not ask.") var yes = false
        @Flag(help: "Print JSON.") var json = false

        func run() async throws { try await Self.erase(user, asks: !yes, json: json, settings) }

        /// Erases a user, and prints what cannot be reached.
        /// - Parameter asks: Whether the person at the terminal must confirm it.
        static func erase(_ user: String, asks: Bool, json: Bool, _ settings: ConfigurationOption) async throws {
            // All that this user says by the command line later would be said by an erased user.
            if user == Caller.login().id {
                throw Refusal("'\(user)' is who the command line speaks as; run it as another user of this machine")
            }
            let caller = try await ErasureCaller(settings)
            if asks {
                try Confirmation.ask(
                    "the account, all messages and all names of user '\(user)' will be erased for good",
                    before: "erase user")
            }
            var run = UserErasureRun(user: user, isTerminal: !json && (isatty(STDERR_FILENO) == 1))
            while let body = run.next {
                let answer = try await caller.call("user", body)
                let line = try run.note(answer)
                if let line, !json { StandardStream.error.write(Array(line.utf8)) }
                if caller.isServerRunning, let pause = run.pause { try await Task.sleep(for: .milliseconds(pause)) }
            }
            let copies = PublishedCopies(caller)
            if json {
                return Erase.print(
                    .object([
                        .init("deleted", .int(run.deleted)), .init("events", .int(run.events)),
                        .init("filesPurged", .bool(run.isPurged)),
                    ]), copies)
            }
            StandardStream.output.write(
                line: "user '\(user)' erased: messages deleted: \(run.deleted), events changed: \(run.events)")
            if !run.isPurged {
                StandardStream.output.write(
                    line: "readers kept the log's WAL open; former texts leave log.db-wal with a later checkpoint")
            }
            Erase.printCopies(copies)
        }
    }

    private static func print(_ answer: JSON, _ copies: PublishedCopies) {
        guard case .object(var members) = answer else { return }
        if !copies.targets.isEmpty { members.append(.init("published", .array(copies.targets.map { .string($0) }))) }
        members.append(.init("notReached", .array((copies.unreachable + unreachable).map { .string($0) })))
        StandardStream.output.write(JSON.object(members).bytes + [0x0A])
    }

    private static func printCopies(_ copies: PublishedCopies) {
        if !copies.targets.isEmpty {
            StandardStream.output.write(line: copies.isServerRunning ? copiesNow : copiesLater)
            for target in copies.targets { StandardStream.output.write(line: "  \(target)") }
        }
        StandardStream.output.write(line: "not reached:")
        for line in copies.unreachable + unreachable { StandardStream.output.write(line: "  \(line)") }
    }

    private static let copiesNow =
        "published copies, which the server replaces now ('crowbar views' says when PUBLISHING is current):"
    private static let copiesLater = "published copies, which the server replaces when it runs again:"
}

/// What was published of erased texts, by `[[views.publish]]`.
struct PublishedCopies {
    /// The names of the folders and buckets.
    let targets: [String]
    /// What stays in them although the server writes their files again.
    let unreachable: [String]
    /// Whether a server runs that writes the files again.
    let isServerRunning: Bool

    fileprivate init(_ caller: ErasureCaller) {
        self.init(caller.published, isServerRunning: caller.isServerRunning)
    }

    init(_ published: [PublishTarget], isServerRunning: Bool) {
        self.isServerRunning = isServerRunning
        targets = published.map(\.name)
        unreachable = published.compactMap { target in
            guard case .bucket = target.destination else { return nil }
            return "earlier versions of objects below \(target.name), if the bucket keeps versions"
        }
    }
}

/// The calls of `crowbar erase user`, as a value: what to send next, and what to tell people.
struct UserErasureRun {
    /// The messages that were deleted.
    private(set) var deleted: Int64 = 0
    /// The events that were changed.
    private(set) var events: Int64 = 0
    /// Whether the former bytes left the files.
    private(set) var isPurged = false
    /// Milliseconds to wait before the next call to a running server.
    private(set) var pause: Int64?
    /// The body of the next call; nil at the end.
    private(set) var next: [String: JSON]?

    /// Calls that try to purge the files.
    private static let purges = 20

    private let user: String
    private let isTerminal: Bool
    private var step = "account"
    private var purgesLeft = purges
    private var told: Int64 = -1

    init(user: String, isTerminal: Bool) {
        self.user = user
        self.isTerminal = isTerminal
        next = ["user": .string(user)]
    }

    /// Takes the answer of a call.
    /// - Returns: What to write to the terminal or log, or nil.
    mutating func note(_ answer: JSON) throws -> String? {
        guard let following = answer["step"]?.string else { throw Refusal("the server's answer names no step") }
        let changed = answer["changed"]?.int ?? 0
        var line: String?
        pause = answer["pauseMs"]?.int.map { min(max(0, $0), 60_000) }
        if pause != nil { line = "waiting until the user's tokens have ended everywhere\n" }
        if step == "messages" {
            deleted += changed
            line = isTerminal ? "\r\(deleted) messages deleted\u{1B}[K" : nil
        }
        if step == "log" {
            events += changed
            let end = answer["end"]?.int ?? 0
            let percent = following == "log" ? (answer["position"]?.int ?? 0) * 100 / max(1, end) : 100
            if isTerminal {
                line = "\r\(percent) % of the log, \(events) events changed\u{1B}[K" + (percent == 100 ? "\n" : "")
            } else if percent / 10 > told / 10 || told < 0 {
                line = "\(percent) % of the log, \(events) events changed\n"
            }
            told = percent
        }
        if step == "files" { purgesLeft -= 1 }
        isPurged = following == "done"
        step = following
        let isOver = following == "done" || following == "files" && purgesLeft <= 0
        next = isOver ? nil : ["user": .string(user), "step": .string(following)]
        if !isOver, let position = answer["position"]?.int { next?["position"] = .int(position) }
        return line
    }
}

/// Asks a running server to erase, or does it under the data folder's lock where none runs.
private struct ErasureCaller {
    private let caller: AccountCaller
    /// Whether the calls go to a server, and not to the data folder.
    let isServerRunning: Bool
    /// Where views are published.
    var published: [PublishTarget] { caller.published }

    init(_ settings: ConfigurationOption) async throws {
        caller = try AccountCaller(settings)
        isServerRunning = await caller.isServerRunning
    }

    func call(_ kind: String, _ fields: [String: JSON]) async throws -> JSON {
        let body = JSON.object(fields.sorted { $0.key < $1.key }.map { .init($0.key, $0.value) }).bytes
        let answer = try await caller.call(.POST, "erase/" + kind, body: body) { stores in
            var answer: [UInt8] = []
            try await stores.withIngest { ingest in
                answer = try await ErasureRoute(service: stores.erasure(ingest)).respond(
                    kind, try JSONObject(parsing: body))
            }
            return answer
        }
        return try JSON(parsing: answer)
    }

    func call(_ kind: String, _ fields: [String: String]) async throws -> JSON {
        try await call(kind, fields.mapValues { .string($0) })
    }
}
