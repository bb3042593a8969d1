import CrowbarCore
import CrowbarViews

/// A question to a view, with everything that the caller may choose.
enum ViewQuestion: Equatable, Sendable {
    case allChannels
    case allUsers(after: String?, limit: Int, isBridged: Bool)
    case channel(String, after: String?, limit: Int)
    case messages(String, MessagePlace, limit: Int)
    case allMessages(limit: Int)
    case search(SearchQuery, SearchFilter, limit: Int)
    case unread

    /// The id of the channel that it is about.
    var channel: String? {
        switch self {
        case .channel(let id, _, _), .messages(let id, _, _): id
        case .search(_, let filter, _): filter.channel
        case .allChannels, .allUsers, .allMessages, .unread: nil
        }
    }
}

/// Reads the parameters of views.
struct ViewParameters: Sendable {
    let query: Query
    let log: ReadableLog

    /// What is asked.
    /// - Throws: ``APIFailure``.
    func question(_ view: ViewPath) async throws -> ViewQuestion {
        switch view {
        case .allChannels: return .allChannels
        case .allUsers:
            return .allUsers(
                after: try user("after"), limit: try limit(1_000, most: 10_000), isBridged: try flag("bridged"))
        case .channel(let id): return .channel(id, after: try user("after"), limit: try limit(500, most: 500))
        case .messages(let id): return .messages(id, try await place(), limit: try limit(100, most: 500))
        case .allMessages: return .allMessages(limit: try limit(100, most: 100))
        case .search: return try await search()
        case .unread: return .unread
        }
    }

    /// The position that a view must have reached, and how long that is waited for; nil where nothing is asked for.
    func least() async throws -> (position: Int64, time: Duration)? {
        let wait = query["wait"]
        guard query["min"] != nil else {
            if wait == nil { return nil }
            throw APIFailure(
                .invalidCommand, "'wait' says how long to wait for the event of 'min', which is missing", field: "wait")
        }
        let time = try wait.map(Self.milliseconds) ?? APIConfiguration.Limit.usualViewWait
        guard let position = try await event("min") else { return nil }
        return (position, .milliseconds(time))
    }

    /// `500ms` or `2s`.
    private static func milliseconds(_ text: String) throws(APIFailure) -> Int64 {
        let (digits, factor): (Substring, Int64) =
            text.hasSuffix("ms") ? (text.dropLast(2), 1) : text.hasSuffix("s") ? (text.dropLast(), 1_000) : ("", 1)
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int64(digits),
            number <= APIConfiguration.Limit.viewWait / factor
        else {
            throw APIFailure(
                .invalidCommand,
                "'wait' is a time from 0s to \(APIConfiguration.Limit.viewWait / 1_000)s, as 2s or 500ms", field: "wait"
            )
        }
        return number * factor
    }

    private func search() async throws -> ViewQuestion {
        let text = query["q"] ?? ""
        let words = SearchQuery(text)
        // SQLite ends a query at a NUL.
        guard !words.isEmpty, !text.utf8.contains(0), text.unicodeScalars.count <= APIConfiguration.Limit.searchQuery
        else {
            throw APIFailure(
                .invalidCommand,
                "'q' has the words to look for, in 1 to \(APIConfiguration.Limit.searchQuery) characters without NUL",
                field: "q")
        }
        var filter = SearchFilter(channel: query["channel"], from: try user("from"))
        switch try query["before"].map(Self.searchPlace) {
        case nil: break
        case .position(let position): filter.before = position
        case .event: filter.before = try await event("before") ?? .max
        }
        return .search(words, filter, limit: try limit(50, most: 100))
    }

    private static func searchPlace(_ text: String) throws(APIFailure) -> SearchPlace {
        if let place = SearchPlace(text) { return place }
        throw APIFailure(.invalidCommand, "'before' is an event's id, or what 'more' gave", field: "before")
    }

    private func place() async throws -> MessagePlace {
        let given = ["before", "after", "around"].filter { query[$0] != nil }
        guard let name = given.first else { return .newest }
        if given.count > 1 {
            throw APIFailure(
                .invalidCommand, "'\(given[0])' and '\(given[1])' cannot be combined; give one of them", field: given[1]
            )
        }
        guard let position = try await event(name) else { return .newest }
        switch name {
        case "before": return .before(position)
        case "after": return .after(position)
        default: return .around(position)
        }
    }

    /// The position of the event that a parameter names; nil where it is not given.
    private func event(_ name: String) async throws -> Int64? {
        guard let id = query[name] else { return nil }
        guard Identifier.isEvent(id), let position = try await log.position(of: id) else {
            throw APIFailure(
                .eventNotFound, "the log has no event '\(id.prefix(Identifier.maxLength))'", field: name)
        }
        return position
    }

    private func user(_ name: String) throws(APIFailure) -> String? {
        guard let id = query[name] else { return nil }
        guard Identifier.isUser(id) else {
            throw APIFailure(.invalidCommand, "'\(name)' is no user's id", field: name)
        }
        return id
    }

    private func limit(_ usual: Int, most: Int) throws(APIFailure) -> Int {
        guard let text = query["limit"] else { return usual }
        guard let limit = Query.wholeNumber(text), (1...most).contains(limit) else {
            throw APIFailure(.invalidCommand, "'limit' must be a whole number from 1 to \(most)", field: "limit")
        }
        return limit
    }

    private func flag(_ name: String) throws(APIFailure) -> Bool {
        switch query[name] {
        case nil, "false": return false
        case "true": return true
        default: throw APIFailure(.invalidCommand, "'\(name)' is true or false", field: name)
        }
    }
}
