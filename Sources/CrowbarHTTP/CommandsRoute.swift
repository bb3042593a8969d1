import CrowbarCore
import HTTPTypes
import HummingbirdCore
import JSONBytes
import NIOCore

/// `POST /api/commands`: one command as JSON, or many as NDJSON.
struct CommandsRoute: Sendable {
    let ingest: Ingest
    let bodies: BodyReader
    let door: Door

    /// Takes a request whose principal is known.
    func respond(_ request: Request, _ principal: Principal) async throws -> Response {
        guard principal.scopes.contains(.commands) else {
            throw APIFailure(.forbidden, "the token does not allow commands; make one with the scope 'commands'")
        }
        if Self.isLines(request.headers[.contentType]) { return try await respondToLines(request, principal) }
        let body = try await bodies.read(
            request, upTo: APIConfiguration.Limit.command, tooLarge: "a command is at most 1 MiB long")
        let receipt = try await ingest.submit(try Self.request(body.bytes, principal, door))
        var json = JSONWriter(capacity: 128)
        Self.write(receipt, to: &json)
        return .json(json.bytes)
    }

    private static func isLines(_ contentType: String?) -> Bool {
        guard let contentType else { return false }
        return contentType.prefix { $0 != ";" && $0 != " " }.lowercased() == "application/x-ndjson"
    }

    /// Reads the whole body first: a body that is too long changes nothing, and a client that reads answers only after
    /// it has sent all cannot block itself. The answers then leave batch by batch.
    private func respondToLines(_ request: Request, _ principal: Principal) async throws -> Response {
        let body = try await bodies.read(
            request, upTo: APIConfiguration.Limit.commands,
            tooLarge: "many commands are at most 16 MiB long; send them in parts")
        let held = HeldBody(body)
        let (ingest, door) = (ingest, door)
        return Response(
            status: .ok, headers: [.contentType: "application/x-ndjson"],
            body: ResponseBody { writer in
                var lines = LineBatches(held.bytes)
                while let batch = lines.next() {
                    try await writer.write(await Self.submit(batch, ingest, principal, door))
                }
                try await writer.finish(nil)
            })
    }

    /// Submits a batch and gives one line for each of its lines, in their order.
    private static func submit(
        _ lines: [ArraySlice<UInt8>], _ ingest: Ingest, _ principal: Principal, _ door: Door
    ) async -> ByteBuffer {
        var requests: [Ingest.Request] = []
        let parsed = lines.map { line -> CommandError? in
            do throws(CommandError) {
                if line.count > APIConfiguration.Limit.command {
                    throw CommandError(.tooLarge, "a command is at most 1 MiB long")
                }
                requests.append(try request(Array(line), principal, door))
                return nil
            } catch {
                return error
            }
        }
        var outcomes = await ingest.submit(requests)[...]
        var answers = ByteBuffer()
        answers.reserveCapacity(lines.count * 112)
        for refusal in parsed {
            var json = JSONWriter(capacity: 112)
            switch refusal.map({ .failure($0) }) ?? outcomes.popFirst() {
            case .success(let receipt): write(receipt, to: &json)
            case .failure(let error): APIFailure.write(error, to: &json)
            // One outcome a request is Ingest's promise.
            case nil: APIFailure.write(CommandError(.unavailable, "the command got no answer"), to: &json)
            }
            answers.writeBytes(json.bytes)
            answers.writeInteger(UInt8(0x0A))
        }
        return answers
    }

    /// A command's request to ingest: who acts, and whether they may.
    static func request(
        _ bytes: [UInt8], _ principal: Principal, _ door: Door
    ) throws(CommandError) -> Ingest.Request {
        let command = try Command(parsing: bytes)
        let actor = command.userId ?? principal.userId
        if actor.isEmpty { throw CommandError(.invalidCommand, "'userId' is missing", field: "userId") }
        if actor.utf8.contains(0x2F), !(door.isCommandLine && actor.hasPrefix("cli/")) {
            throw CommandError(
                .invalidCommand, "ids with '/' belong to plugins and the command line", field: "userId")
        }
        guard actor == principal.userId || principal.isAdmin else {
            throw CommandError(
                .forbidden, "only an admin can act for '\(actor)'; leave 'userId' out to act as '\(principal.userId)'",
                field: "userId")
        }
        return Ingest.Request(command, actor: actor, isAdmin: principal.isAdmin)
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
