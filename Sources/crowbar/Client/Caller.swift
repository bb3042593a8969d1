import CrowbarCore
import Glibc
import JSONBytes
import NIOHTTP1

/// Commands that the command line sends through a running server.
struct Caller {
    /// A command's own fields.
    typealias Fields = KeyValuePairs<StaticString, String>

    let client: ControlClient

    /// The user that the command line speaks as where no other is named: `cli/LOGIN`.
    static func login() -> (id: String, name: String) {
        let environment = ProcessEnvironment.all
        var login = environment["LOGNAME"] ?? environment["USER"] ?? ""
        if login.isEmpty, let account = getpwuid(getuid()) { login = String(cString: account.pointee.pw_name) }
        var name = String(login.filter { Identifier.isEvent(String($0)) }.prefix(64))
        if name.isEmpty { name = "uid\(getuid())" }
        return ("cli/\(name)", name)
    }

    /// Makes the id of an event before its command is first sent, so that a repeated command is stored once.
    static func newEventId() -> String {
        EventIDSource(now: Clock.milliseconds, random: { UInt64.random(in: 0 ... .max) }).next()
    }

    /// Sends one command; a lost connection is retried under the same event id.
    /// - Returns: The event's id, or the refusal's code and message.
    func send(
        _ type: CommandType, as user: String, eventId: String = newEventId(), isPrivate: Bool = false, _ fields: Fields
    ) async throws -> Outcome {
        var json = JSONWriter()
        json.beginObject()
        json.member("type", type.rawValue)
        json.member("userId", user)
        json.member("eventId", eventId)
        for (name, value) in fields { json.member(name, value) }
        if isPrivate { json.member("private", true) }
        json.endObject()
        let answer = try await client.request(
            .POST, "/api/commands", body: json.bytes, advice: "if it was stored, the event's id is \(eventId)")
        if let refusal = answer.refusal { return .refused(refusal.code, refusal.message, field: refusal.field) }
        return .done(eventId: (try? JSONObject(parsing: answer.body))?.string("eventId") ?? eventId)
    }

    /// What became of a command.
    enum Outcome {
        case done(eventId: String)
        case refused(_ code: String, _ message: String, field: String?)

        var eventId: String {
            if case .done(let eventId) = self { return eventId }
            return ""
        }
    }

    /// Sends a command and, the first time a user speaks here, registers the command line's own and joins the channel.
    /// - Parameters:
    ///   - eventId: The id that the event gets; the same id again stores nothing twice.
    ///   - isPrivate: Whether the channel that is created is private.
    /// - Returns: The event's id.
    func sendJoined(
        _ type: CommandType, channel: String?, as user: String?, eventId: String = newEventId(),
        isPrivate: Bool = false,
        _ fields: Fields
    ) async throws -> String {
        let login = Self.login()
        let actor = user ?? login.id
        var hasJoined = false
        // Three tries: as it is, after registering, after joining.
        for _ in 0..<3 {
            let outcome = try await send(type, as: actor, eventId: eventId, isPrivate: isPrivate, fields)
            guard case .refused(let code, let message, let field) = outcome else { return outcome.eventId }
            // Of who acts, and not of somebody whom the command is about.
            let isActor = field == "userId" || field == "channelId"
            if code == "user_not_found", isActor, user == nil {
                try accept(try await send(.registerUser, as: actor, ["name": login.name]))
            } else if code == "user_not_found", isActor {
                throw Refusal("there is no user '\(actor)'; 'crowbar user add \(actor)' registers one")
            } else if code == "not_a_member", isActor, let channel {
                let outcome = try await send(.joinChannel, as: actor, ["channelId": channel])
                try accept(outcome)
                if case .refused = outcome {} else { hasJoined = true }
            } else if code == "channel_not_found", let channel {
                throw Refusal("there is no channel '\(channel)'; 'crowbar channel add \(channel)' makes one")
            } else {
                // What is refused changes nothing: a private channel must not stay open to who joined for it.
                if hasJoined, let channel {
                    try accept(try await send(.leaveChannel, as: actor, ["channelId": channel]))
                }
                // The command line's usage calls it so.
                throw Refusal(message.replacing("'channelId'", with: channel == nil ? "NAME" : "CHANNEL"))
            }
        }
        throw Refusal("'\(actor)' could not be made a member; try again")
    }

    /// Another process may have been quicker to register or join: that is as good.
    private func accept(_ outcome: Outcome) throws {
        if case .refused(let code, let message, _) = outcome, code != "user_exists", code != "already_a_member" {
            throw Refusal(message)
        }
    }
}
