import CrowbarCore
import HTTPTypes
import HummingbirdCore
import JSONBytes

/// `/api/admin/nodes`, `replays`, `plugins/NAME/history`, and pages of dead letters.
struct ConsoleRoutes: Sendable {
    private static let maxBody = 16 << 10

    let actions: ConsoleActions
    let bodies: BodyReader

    /// Answers a request.
    /// - Parameter parts: The path after `/api/admin/`.
    /// - Returns: nil if the path is not one of these.
    func respond(
        _ request: Request, _ path: Substring, _ parts: [Substring], _ query: () throws -> Query
    ) async throws -> Response? {
        switch (parts.first, parts.count) {
        case ("nodes", 1):
            try APIResponder.expect(.get, request, path)
            try query().refuseUnknown(knowing: [])
            return .json(try await actions.nodes())
        case ("replays", 1...2):
            try query().refuseUnknown(knowing: [])
            return try await replays(request, path, parts)
        case ("plugins", 3) where parts[2] == "history":
            try APIResponder.expect(.get, request, path)
            try query().refuseUnknown(knowing: [])
            return .polled(try await actions.history(try Query.decode(parts[1])), for: request)
        case ("dead-letters", 2...3) where request.method == .get:
            let query = try query()
            try query.refuseUnknown(knowing: ["after", "limit"])
            let after = query["after"]
            guard let limit = try Self.limit(query) ?? after.map({ _ in ConsoleActions.letters }) else { return nil }
            var name = try Query.decode(parts[1])
            if parts.count == 3 { name += "/" + (try Query.decode(parts[2])) }
            return .polled(try await actions.deadLetters(name, after, limit), for: request)
        default: return nil
        }
    }

    private static func limit(_ query: Query) throws(APIFailure) -> Int? {
        guard let text = query["limit"] else { return nil }
        guard let limit = Query.wholeNumber(text), (1...ConsoleActions.letters).contains(limit) else {
            throw APIFailure(
                .invalidCommand, "'limit' must be a whole number from 1 to \(ConsoleActions.letters)", field: "limit")
        }
        return limit
    }

    private func replays(_ request: Request, _ path: Substring, _ parts: [Substring]) async throws -> Response {
        if parts.count == 2 {
            try APIResponder.expect(.delete, request, path)
            return .json(try await actions.cancelReplay(try Query.decode(parts[1])))
        }
        if request.method == .get { return .polled(try await actions.listReplays(), for: request) }
        try APIResponder.expect(.post, request, path)
        let body = try await bodies.read(request, upTo: Self.maxBody, tooLarge: "at most \(Self.maxBody) bytes")
        return .json(try await actions.startReplay(try Self.replay(body.bytes)))
    }

    /// Reads `{"plugin","queue"?,"from","until"?,"rate"?,"channels"?,"restart"?}`.
    static func replay(_ bytes: [UInt8]) throws(APIFailure) -> ConsoleActions.ReplayRequest {
        typealias Replay = ConsoleActions.ReplayRequest
        let known = ["plugin", "queue", "from", "until", "rate", "channels", "restart"]
        let body = try JSONObject(body: bytes, known: known)
        func text(_ key: StaticString, needed: Bool) throws(APIFailure) -> String? {
            guard needed || body.span(key) != nil else { return nil }
            guard let text = body.string(key), !text.isEmpty, text.utf8.count <= 256, !text.utf8.contains(0) else {
                throw APIFailure(.invalidCommand, "'\(key)' must be a text", field: "\(key)")
            }
            return text
        }
        guard let plugin = try text("plugin", needed: true), let from = try text("from", needed: true) else {
            throw APIFailure(.invalidCommand, "'plugin' and 'from' are needed", field: "plugin")
        }
        var replay = Replay(
            plugin: plugin, queue: try text("queue", needed: false), from: from,
            until: try text("until", needed: false), channels: try body.texts("channels") ?? [],
            restart: try body.flag("restart") ?? false)
        if body.span("rate") != nil {
            guard let rate = (try? JSON(parsing: bytes))?["rate"]?.double, Replay.rates.contains(rate) else {
                throw APIFailure(
                    .invalidCommand,
                    "'rate' must be a number from \(Replay.rates.lowerBound) to \(Int(Replay.rates.upperBound))",
                    field: "rate")
            }
            replay.rate = rate
        }
        let isTooMuch = replay.channels.count > Replay.channels
        if isTooMuch || replay.channels.contains(where: { $0.isEmpty || $0.utf8.count > 256 || $0.utf8.contains(0) }) {
            throw APIFailure(
                .invalidCommand, "'channels' must be up to \(Replay.channels) ids of channels", field: "channels")
        }
        return replay
    }
}
