import CrowbarCore
import Glibc
import HTTPTypes
import HummingbirdCore
import Identity
import JSONBytes
import NIOCore
import OpenID
import Synchronization

/// `POST /api/commands`: one command as JSON, or many as NDJSON.
struct CommandsRoute: Sendable {
    let ingest: Ingest
    let bodies: BodyReader
    let door: Door
    let authenticator: Authenticator
    let limiter: RateLimiter
    /// Sign-in by an OpenID provider, which may own the names of its users.
    let openID: OpenIDService?

    /// Takes a request whose caller is known.
    func respond(_ request: Request, _ credential: Credential) async throws -> Response {
        var credential = credential
        try Self.authorize(credential)
        if Self.isLines(request.headers[.contentType]) { return try await respondToLines(request, credential) }
        try limiter.admit(.command, credential)
        let body = try await bodies.read(
            request, upTo: APIConfiguration.Limit.command, for: holder(credential),
            tooLarge: "a command is at most 1 MiB long")
        try await reauthorize(&credential)
        let command: Ingest.Request
        do throws(CommandError) {
            command = try await accepted(body.bytes, credential.principal, Submission.Origin(request.headers))
        } catch {
            throw Self.isProbablyLines(body.bytes, error) ? Self.linesWithoutType(error) : error
        }
        let receipt = try await ingest.submit(command)
        var json = JSONWriter(capacity: 128)
        Self.write(receipt, to: &json)
        return .json(json.bytes)
    }

    /// Whose share of all bodies a body counts against; the command line shares with nobody.
    private func holder(_ credential: Credential) -> String? {
        door.isCommandLine ? nil : "user:" + credential.principal.userId
    }

    private static func authorize(_ credential: Credential) throws(APIFailure) {
        try credential.require(.commands, "the token does not allow commands; make one with the scope 'commands'")
    }

    /// After what may have taken long: whether the caller still may.
    private func reauthorize(_ credential: inout Credential) async throws {
        try await authenticator.refresh(&credential)
        try Self.authorize(credential)
    }

    static func isLines(_ contentType: String?) -> Bool {
        guard let contentType else { return false }
        return contentType.prefix { $0 != ";" && $0 != " " }.lowercased() == "application/x-ndjson"
    }

    /// Whether what is no command may be many: it has an object and another one in the next line.
    private static func isProbablyLines(_ bytes: [UInt8], _ error: CommandError) -> Bool {
        guard error.code == .malformed, let end = bytes.firstIndex(of: 0x0A),
            (try? JSONObject(parsing: Array(bytes[..<end]))) != nil
        else { return false }
        return bytes[end...].first { $0 > 0x20 } == 0x7B
    }

    private static func linesWithoutType(_ error: CommandError) -> CommandError {
        CommandError(
            .malformed,
            "\(error.message); to send several commands, one a line, say 'Content-Type: application/x-ndjson'")
    }

    /// Reads the whole body first: a body that is too long changes nothing, and a client that reads answers only after
    /// it has sent all cannot block itself. The answers then leave batch by batch.
    private func respondToLines(_ request: Request, _ credential: Credential) async throws -> Response {
        try limiter.require(.command, credential)
        let body = try await bodies.read(
            request, upTo: APIConfiguration.Limit.commands, for: holder(credential),
            tooLarge: "many commands are at most 16 MiB long; send them in parts")
        // Lines that are refused cost no command of the rate, so they have a limit of their own.
        if LineBatches.hasMoreLines(than: APIConfiguration.Limit.commandLines, body.bytes) {
            throw APIFailure(
                .tooLarge,
                "a body of commands has at most \(APIConfiguration.Limit.commandLines) lines; send it in parts")
        }
        var credential = credential
        try await reauthorize(&credential)
        let held = HeldBody(body)
        let (route, caller) = (self, Caller(credential: credential, origin: Submission.Origin(request.headers)))
        return Response(
            status: .ok, headers: [.contentType: "application/x-ndjson"],
            body: ResponseBody { writer in
                var lines = LineBatches(held.bytes)
                var caller = caller
                // A batch is decoded while the one before is stored, and waits behind it in the log's queue.
                var stored: StoredBatch?
                while let batch = lines.next() {
                    let next = await StoredBatch(route.decode(batch, &caller), route.ingest, after: stored)
                    if let stored { try await writer.write(await stored.answers()) }
                    stored = next
                }
                if let stored { try await writer.write(await stored.answers()) }
                try await writer.finish(nil)
            })
    }

    /// Whose lines are submitted.
    private struct Caller: Sendable {
        var credential: Credential
        /// The trace that the call is part of.
        var origin: Submission.Origin?
        /// Why no further line of the body is accepted: the caller's rate was exceeded. A client can then send all from
        /// the first refused line again, and no line is stored that came after a refused one.
        var refusal: RateLimiter.Refusal?
    }

    /// Decodes the lines of a batch that the caller may submit, and refuses the others.
    private func decode(_ lines: [ArraySlice<UInt8>], _ caller: inout Caller) async -> CommandBatch {
        do {
            try await reauthorize(&caller.credential)
        } catch let failure as APIFailure {
            return CommandBatch(refusals: Self.refuse(lines.count, failure.error))
        } catch {
            let refusal = CommandError(
                .unavailable, "the token could not be looked up again; send this command again")
            return CommandBatch(refusals: Self.refuse(lines.count, refusal))
        }
        var count = 0
        if caller.refusal == nil { (count, caller.refusal) = limiter.take(lines.count, .command, caller.credential) }
        var batch = CommandBatch()
        for line in lines[..<count] {
            do throws(CommandError) {
                if line.count > APIConfiguration.Limit.command {
                    throw CommandError(.tooLarge, "a command is at most 1 MiB long")
                }
                let request = try await accepted(Array(line), caller.credential.principal, caller.origin)
                batch.append(.success(request))
            } catch {
                batch.append(.failure(error))
            }
        }
        if let refusal = caller.refusal {
            batch.refusals = Self.refuse(lines.count - count, refusal.error, retryAfter: refusal.retryAfter)
        }
        return batch
    }

    /// The same refusal for a number of lines.
    private static func refuse(_ count: Int, _ refusal: CommandError, retryAfter: Int? = nil) -> ByteBuffer {
        var json = JSONWriter(capacity: 112)
        APIFailure.write(refusal, retryAfter: retryAfter, to: &json)
        var answers = ByteBuffer()
        for _ in 0..<count {
            answers.writeBytes(json.bytes)
            answers.writeInteger(UInt8(0x0A))
        }
        return answers
    }

    /// A command's request to ingest. A name that the OpenID provider gives is changed there.
    private func accepted(
        _ bytes: [UInt8], _ principal: Principal, _ origin: Submission.Origin?
    ) async throws(CommandError) -> Ingest.Request {
        let request = try Self.request(bytes, principal, door, origin: origin)
        guard let openID, openID.settings.syncsNames, case .renameUser = request.command.body else { return request }
        let isOwned: Bool
        do { isOwned = try await openID.ownsName(of: request.actor) } catch {
            throw CommandError(.unavailable, "the accounts cannot be read now; send the command again")
        }
        if isOwned {
            throw CommandError(
                .forbidden, "the name of '\(request.actor)' comes from the OpenID provider; change it there")
        }
        return request
    }

    /// Why a person cannot be shown by the name that a command gives; nil if it gives none, or a good one. What bridges
    /// bring is as it is elsewhere, and is cleaned where it is shown.
    private static func problem(ofName body: Command.Body) -> String? {
        switch body {
        case .registerUser(let name), .renameUser(let name): DisplayName.problem(name)
        default: nil
        }
    }

    /// A command's request to ingest: who acts, and whether they may.
    /// - Parameter origin: The trace that the call is part of.
    static func request(
        _ bytes: [UInt8], _ principal: Principal, _ door: Door, origin: Submission.Origin?
    ) throws(CommandError) -> Ingest.Request {
        let command = try Command(parsing: bytes)
        let actor = command.userId ?? principal.userId
        if actor.isEmpty { throw CommandError(.invalidCommand, "'userId' is missing", field: "userId") }
        if actor.utf8.contains(0x2F), !(door.isCommandLine && actor.hasPrefix("cli/")) {
            throw CommandError(
                .invalidCommand, "ids with '/' belong to plugins and the command line", field: "userId")
        }
        if case .registerUser = command.body, !door.isCommandLine,
            UserIdRule.folded(actor).hasPrefix(UserIdRule.oidcPrefix)
        {
            throw CommandError(
                .invalidCommand, "ids that start with '\(UserIdRule.oidcPrefix)' belong to the OpenID provider's users",
                field: "userId")
        }
        if !door.isCommandLine, let problem = Self.problem(ofName: command.body) {
            throw CommandError(.invalidCommand, problem, field: "name")
        }
        guard actor == principal.userId || principal.isAdmin else {
            throw CommandError(
                .forbidden, "only an admin can act for '\(actor)'; leave 'userId' out to act as '\(principal.userId)'",
                field: "userId")
        }
        return Ingest.Request(command, actor: actor, isAdmin: principal.isAdmin, origin: origin)
    }

    static func write(_ receipt: Receipt, to json: inout JSONWriter) {
        json.beginObject()
        json.member("eventId", receipt.eventId)
        json.member("position", receipt.position)
        json.member("timestamp", receipt.timestamp)
        if receipt.isDuplicate { json.member("duplicate", true) }
        json.endObject()
    }
}

/// Decoded lines of a body, and the refusals of lines that were not looked at.
struct CommandBatch: Sendable {
    fileprivate private(set) var requests: [Ingest.Request] = []
    /// For each line that was looked at, why it is no command; nil where it is one.
    fileprivate private(set) var errors: [CommandError?] = []
    /// The answers of the lines behind them.
    fileprivate var refusals = ByteBuffer()

    init(refusals: ByteBuffer = ByteBuffer()) { self.refusals = refusals }

    /// Adds a line.
    fileprivate mutating func append(_ line: Result<Ingest.Request, CommandError>) {
        switch line {
        case .success(let request):
            requests.append(request)
            errors.append(nil)
        case .failure(let error): errors.append(error)
        }
    }
}

/// A batch on its way into the log.
private final class StoredBatch: Sendable {
    private typealias Outcomes = [Result<Receipt, CommandError>]

    private struct State {
        var outcomes: Outcomes?
        var waiter: CheckedContinuation<Outcomes, Never>?
    }

    private let errors: [CommandError?]
    private let refusals: ByteBuffer
    private let state = Mutex(State())

    /// Submits a batch. It returns at once, unless somebody is asked about its commands: that waits until the batch
    /// before is stored, as its commands can decide who is asked.
    init(_ batch: CommandBatch, _ ingest: Ingest, after other: StoredBatch?) async {
        (errors, refusals) = (batch.errors, batch.refusals)
        if ingest.submit(batch.requests, then: { [self] in end($0) }) { return }
        _ = await other?.outcomes()
        end(await ingest.submit(batch.requests))
    }

    private func end(_ outcomes: Outcomes) {
        let waiter = state.withLock { state in
            state.outcomes = outcomes
            return state.waiter
        }
        waiter?.resume(returning: outcomes)
    }

    private func outcomes() async -> Outcomes {
        await withCheckedContinuation { continuation in
            let outcomes = state.withLock { state in
                if state.outcomes == nil { state.waiter = continuation }
                return state.outcomes
            }
            if let outcomes { continuation.resume(returning: outcomes) }
        }
    }

    /// One line for each line of the batch, in their order, once they are stored.
    func answers() async -> ByteBuffer {
        var outcomes = await outcomes()[...]
        var answers = ByteBuffer()
        answers.reserveCapacity(errors.count * 112 + refusals.readableBytes)
        for error in errors {
            var json = JSONWriter(capacity: 112)
            switch error.map({ .failure($0) }) ?? outcomes.popFirst() {
            case .success(let receipt): CommandsRoute.write(receipt, to: &json)
            case .failure(let error): APIFailure.write(error, to: &json)
            // One outcome a request is Ingest's promise.
            case nil: APIFailure.write(CommandError(.unavailable, "the command got no answer"), to: &json)
            }
            answers.writeBytes(json.bytes)
            answers.writeInteger(UInt8(0x0A))
        }
        answers.writeImmutableBuffer(refusals)
        return answers
    }
}

/// Keeps a body, and its share of the limit of all bodies, until the last answer has left.
private final class HeldBody: Sendable {
    private let body: BodyReader.Body

    init(_ body: consuming BodyReader.Body) { self.body = body }

    var bytes: [UInt8] { body.bytes }
}

/// The lines of a body in batches; empty lines are skipped, and the last one needs no LF.
struct LineBatches {
    private let bytes: [UInt8]
    private var at = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Whether a body has more lines than a number, empty ones among them. It looks no further than that.
    static func hasMoreLines(than limit: Int, _ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { buffer in
            var (count, at) = (0, 0)
            while at < buffer.count {
                if count == limit { return true }
                count += 1
                // memchr(3): the library's search, as 16 MiB are looked through.
                guard let start = buffer.baseAddress?.advanced(by: at),
                    let found = memchr(start, 0x0A, buffer.count - at)
                else { return false }
                at += UnsafeRawPointer(found) - start + 1
            }
            return false
        }
    }

    mutating func next() -> [ArraySlice<UInt8>]? {
        var batch: [ArraySlice<UInt8>] = []
        while at < bytes.count, batch.count < APIConfiguration.Limit.batch {
            let end = bytes[at...].firstIndex(of: 0x0A) ?? bytes.count
            let line = bytes[at..<end]
            at = end + 1
            if line.contains(where: { $0 > 0x20 }) { batch.append(line) }
        }
        return batch.isEmpty ? nil : batch
    }
}
