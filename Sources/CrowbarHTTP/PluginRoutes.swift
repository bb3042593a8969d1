import CrowbarCore
import HTTPTypes
import HummingbirdCore
import JSONBytes

/// `/api/admin/plugins/…` behind the listing, and setting cursors.
struct PluginRoutes: Sendable {
    /// A body here is a word or two, in bytes.
    private static let maxBody = 4 << 10
    /// The ids of many events, in bytes.
    private static let maxEvents = 256 << 10

    let actions: PluginActions
    let bodies: BodyReader
    /// What the caller may read.
    let access: @Sendable () async throws -> Access

    /// Takes a request about one plugin, or `reload`.
    /// - Parameter parts: What follows `plugins`, decoded.
    func respond(_ request: Request, _ path: Substring, _ parts: [String], _ query: Query) async throws -> Response {
        if request.method == .post { try query.refuseUnknown(knowing: []) }
        if parts == ["reload"], request.method == .post { return .json(try await actions.reload()) }
        guard let plugin = parts.first, parts.count <= 2 else { throw APIResponder.unknown(path) }
        guard parts.count == 2 else {
            try APIResponder.expect(.get, request, path)
            try query.refuseUnknown(knowing: ["queue"])
            return .polled(try await actions.show(Self.name(plugin, query["queue"])), for: request)
        }
        switch parts[1] {
        case "logs":
            try APIResponder.expect(.get, request, path)
            try query.refuseUnknown(knowing: ["lines", "after", "queue"])
            let lines = try Self.number(query, "lines", upTo: PluginActions.maxLines) ?? PluginActions.lines
            let after = try Self.number(query, "after", upTo: .max) ?? 0
            return .json(try await actions.logs(Self.name(plugin, query["queue"]), Int64(after), lines))
        case "deliveries":
            try APIResponder.expect(.get, request, path)
            try query.refuseUnknown(knowing: ["endpoint", ReaderAuthenticator.all])
            return .json(try await actions.deliveries(plugin, query["endpoint"], try await access()))
        case "test-send":
            try APIResponder.expect(.post, request, path)
            guard let endpoint = try await fields(request, known: ["endpoint"])?.string("endpoint") else {
                throw APIFailure(.invalidCommand, "'endpoint' says to which endpoint", field: "endpoint")
            }
            return .json(try await actions.ask("test-send", plugin, endpoint))
        case "forget":
            try APIResponder.expect(.post, request, path)
            let body = try await fields(request, known: ["confirm", "queue"])
            let name = Self.name(plugin, try Self.queue(body))
            return .json(try await actions.forget(name, try body?.flag("confirm") ?? false))
        case let verb where PluginActions.verbs.contains(verb):
            try APIResponder.expect(.post, request, path)
            let body = try await fields(request, known: ["queue"])
            return .json(try await actions.act(verb, Self.name(plugin, try Self.queue(body))))
        default: throw APIResponder.unknown(path)
        }
    }

    /// The queue that a body names, if any.
    private static func queue(_ body: JSONObject?) throws(APIFailure) -> String? {
        guard body?.span("queue") != nil else { return nil }
        guard let queue = body?.string("queue"), !queue.isEmpty else {
            throw APIFailure(.invalidCommand, "'queue' is a queue's name", field: "queue")
        }
        return queue
    }

    /// `NAME`, or `NAME/QUEUE`.
    private static func name(_ plugin: String, _ queue: String?) -> String { plugin + (queue.map { "/" + $0 } ?? "") }

    /// Takes a request to set a cursor: `{"to": PLACE, "confirm": true}`; without the latter it is not set backwards.
    func setCursor(_ request: Request, _ name: String) async throws -> Response {
        let body = try await fields(request, known: ["to", "confirm"])
        guard let place = body?.string("to") else {
            throw APIFailure(
                .invalidCommand, "'to' says where: beginning, now, id:EVENTID or @2026-11-01T00:00:00Z", field: "to")
        }
        return .json(try await actions.setCursor(name, place, try body?.flag("confirm") ?? false))
    }

    /// Takes a request about dead letters: `{"do": "show"|"retry"|"drop", "eventIds": [ID…]}`, or `"all": true`.
    func deadLetters(_ request: Request, _ name: String) async throws -> Response {
        let body = try await fields(request, known: ["do", "eventIds", "all"], upTo: Self.maxEvents)
        guard let deed = body?.string("do").flatMap(PluginActions.Deed.init) else {
            throw APIFailure(.invalidCommand, "'do' is one of show, retry, drop", field: "do")
        }
        let ids = try body?.texts("eventIds")
        guard (ids != nil) != (try body?.flag("all") ?? false) else {
            throw APIFailure(
                .invalidCommand, "say which: 'eventIds' as an array of ids, or 'all': true", field: "eventIds")
        }
        return .json(try await actions.deadLetters(deed, name, ids, try await access()))
    }

    /// The body's object, or nil where there is no body.
    private func fields(_ request: Request, known: [String], upTo limit: Int = maxBody) async throws -> JSONObject? {
        let body = try await bodies.read(request, upTo: limit, tooLarge: "at most \(limit) bytes")
        if body.bytes.isEmpty { return nil }
        return try JSONObject(body: body.bytes, known: known)
    }

    private static func number(_ query: Query, _ name: String, upTo limit: Int) throws(APIFailure) -> Int? {
        guard let text = query[name] else { return nil }
        guard let number = Query.wholeNumber(text), (0...limit).contains(number) else {
            throw APIFailure(.invalidCommand, "'\(name)' is a number from 0 to \(limit)", field: name)
        }
        return number
    }
}
