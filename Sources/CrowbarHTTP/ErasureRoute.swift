import CrowbarCore
import JSONBytes

/// `POST /api/admin/erase/message` and `/api/admin/erase/user`, for the command line alone.
///
/// A user is erased step by step: each answer names the next step, which the caller sends back, so that a call is short
/// and an interrupted run goes on where it was.
public struct ErasureRoute: Sendable {
    /// The members that a body may have.
    static let fields = ["channel", "messageId", "user", "step", "position"]

    private let service: ErasureService

    /// Makes the route.
    public init(service: ErasureService) { self.service = service }

    /// Answers a call.
    /// - Parameters:
    ///   - kind: `message` or `user`.
    ///   - body: `{"channel","messageId"}`, or `{"user","step","position"}` with the step and position of the answer
    ///     before; without a step it begins.
    /// - Returns: `{"deleted":BOOL,"events":N,"erasedBefore":N}`, or `{"step":NEXT,"position":N,"end":N,"changed":N}`,
    ///   with `pauseMs` if the caller has to wait before the next step.
    /// - Throws: ``APIFailure``, or as ``ErasureService``.
    public func respond(_ kind: String, _ body: JSONObject) async throws -> [UInt8] {
        var json = JSONWriter()
        switch kind {
        case "message":
            let channel = try Self.text(body, "channel")
            let result = try await service.eraseMessage(try Self.text(body, "messageId"), in: channel)
            json.beginObject()
            json.member("deleted", result.wasDeletedNow)
            json.member("events", result.events.changed)
            json.member("erasedBefore", result.events.found - result.events.changed)
            json.endObject()
        case "user":
            let progress = try await service.eraseUser(try Self.text(body, "user"), try Self.step(body))
            json.beginObject()
            switch progress.next {
            case .account: json.member("step", "account")
            case .channels: json.member("step", "channels")
            case .messages: json.member("step", "messages")
            case .log(let position):
                json.member("step", "log")
                json.member("position", position)
            case .files: json.member("step", "files")
            case .done: json.member("step", "done")
            }
            if let end = progress.end { json.member("end", end) }
            json.member("changed", progress.changed)
            if progress.pause > 0 { json.member("pauseMs", progress.pause) }
            json.endObject()
        default: throw APIFailure(.notFound, "only 'message' and 'user' can be erased")
        }
        return json.bytes
    }

    private static func text(_ body: JSONObject, _ key: StaticString) throws(APIFailure) -> String {
        guard let text = body.string(key), !text.isEmpty else {
            throw APIFailure(.invalidCommand, "'\(key)' must be a text that is not empty", field: key.description)
        }
        return text
    }

    private static func step(_ body: JSONObject) throws(APIFailure) -> ErasureService.UserStep {
        switch body.string("step") {
        case nil where body.span("step") == nil: return .account
        case "account": return .account
        case "channels": return .channels
        case "messages": return .messages
        case "log": return .log(after: max(0, body.int("position") ?? 0))
        case "files": return .files
        case "done": return .done
        default: throw APIFailure(.invalidCommand, "'step' is not a step", field: "step")
        }
    }
}
