import CrowbarCore
import CrowbarViews

/// What a path below `/views/` names.
enum ViewPath: Equatable, Sendable {
    case allChannels, allUsers, allMessages, search, unread
    case channel(String), messages(String)

    private static let prefix = "/views/"
    private static let suffix = ".json"

    /// Reads a path; nil where it names no view.
    /// - Throws: ``APIFailure`` where an escape is broken.
    init?(_ path: Substring) throws(APIFailure) {
        guard path.hasPrefix(Self.prefix), path.hasSuffix(Self.suffix) else { return nil }
        let parts = path.dropFirst(Self.prefix.count).dropLast(Self.suffix.count)
            .split(separator: "/", omittingEmptySubsequences: false)
        switch (parts.first, parts.count) {
        case ("allchannels", 1): self = .allChannels
        case ("allusers", 1): self = .allUsers
        case ("allmessages", 1): self = .allMessages
        case ("search", 1): self = .search
        case ("unread", 1): self = .unread
        case ("channel", 2): self = .channel(try Query.decode(parts[1]))
        case ("messages", 2): self = .messages(try Query.decode(parts[1]))
        default: return nil
        }
    }

    /// Whether a path would be that of a view with `.json` at its end.
    static func isWithoutSuffix(_ path: Substring) -> Bool {
        guard path.hasPrefix(prefix), !path.hasSuffix("/"), let view = try? ViewPath(path + suffix) else {
            return false
        }
        return view != .channel("") && view != .messages("")
    }

    /// The view that `/views/NAME.json` or `/views/NAME/ID.json` is answered from; nil where there is no such path.
    static func rows(of name: String) -> ViewName? {
        let paths = [allChannels, allUsers, allMessages, search, unread, channel(""), messages("")]
        return paths.first { $0.name == name }?.view
    }

    private var name: String {
        switch self {
        case .allChannels: "allchannels"
        case .allUsers: "allusers"
        case .allMessages: "allmessages"
        case .search: "search"
        case .unread: "unread"
        case .channel: "channel"
        case .messages: "messages"
        }
    }

    /// The view that is read.
    var view: ViewName {
        switch self {
        case .allUsers: .users
        case .allChannels, .channel: .channels
        case .allMessages, .messages, .unread: .messages
        case .search: .search
        }
    }

    /// Whether it can be read without a token where `anonymous_read` is on.
    var isPublic: Bool {
        switch self {
        case .allChannels, .channel, .allMessages, .messages: true
        case .allUsers, .search, .unread: false
        }
    }

    /// Its parameters.
    var parameters: [String] {
        let own =
            switch self {
            case .allChannels: [ReaderAuthenticator.all]
            case .allUsers: ["after", "limit", "bridged"]
            case .channel: ["after", "limit", ReaderAuthenticator.all]
            case .messages: ["before", "after", "around", "limit", ReaderAuthenticator.all]
            case .allMessages: ["limit", ReaderAuthenticator.all]
            case .search: ["q", "channel", "from", "before", "limit", ReaderAuthenticator.all]
            case .unread: [String]()
            }
        return own + ["min", "wait"]
    }

    /// Whether no row tells which event changed it last.
    var hasNoPosition: Bool {
        switch self {
        case .search, .unread: true
        case .allChannels, .allUsers, .channel, .messages, .allMessages: false
        }
    }

    /// Whether all who may read it get the same answer.
    var isSameForEverybody: Bool {
        switch self {
        case .allUsers, .channel: true
        // `member`, `mine`, and which channels there are.
        case .allChannels, .allMessages, .messages, .search, .unread: false
        }
    }
}
