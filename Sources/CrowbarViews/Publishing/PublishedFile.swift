import CrowbarCore

/// A file of a published folder or bucket.
enum PublishedFile: Hashable, Sendable {
    case allChannels
    case allMessages
    case channel(String)
    case messages(String)

    private static let suffix = ".json"

    /// The folders of files, each of which has a file for each channel.
    static let folders = ["channel", "messages"]

    /// The file's path below the target, which is its path below `/views/`. A channel's id has no character that is
    /// encoded in a path or that a file's name cannot have (``Identifier/isChannel(_:)``).
    var path: String {
        switch self {
        case .allChannels: "allchannels\(Self.suffix)"
        case .allMessages: "allmessages\(Self.suffix)"
        case .channel(let id): "channel/\(id)\(Self.suffix)"
        case .messages(let id): "messages/\(id)\(Self.suffix)"
        }
    }

    /// Reads a path; nil where it is none of a published file.
    init?(_ path: some StringProtocol) {
        guard path.hasSuffix(Self.suffix) else { return nil }
        let parts = path.dropLast(Self.suffix.count).split(separator: "/", omittingEmptySubsequences: false)
        switch (parts.first, parts.count) {
        case ("allchannels", 1): self = .allChannels
        case ("allmessages", 1): self = .allMessages
        case ("channel", 2) where Identifier.isChannel(String(parts[1])): self = .channel(String(parts[1]))
        case ("messages", 2) where Identifier.isChannel(String(parts[1])): self = .messages(String(parts[1]))
        default: return nil
        }
    }

    /// The channel that it is about; nil where it is about all.
    var channel: String? {
        switch self {
        case .allChannels, .allMessages: nil
        case .channel(let id), .messages(let id): id
        }
    }

    /// The view of the configuration that it belongs to.
    var view: PublishTarget.View {
        switch self {
        case .allChannels: .allChannels
        case .allMessages: .allMessages
        case .channel: .channel
        case .messages: .messages
        }
    }

    /// The projection that it is read from.
    var projection: ViewName { view.projection }
}

/// What a published file says: two different contents never have the same.
struct PublishStamp: Hashable, Sendable {
    /// The version of the view's rows.
    var version: Int
    /// The position of the last event that changed it.
    var position: Int64
}

/// How an attempt to write or delete a file ended.
enum PublishResult: Equatable, Sendable {
    /// It is there.
    /// - Parameter tag: What the store knows it by.
    case written(tag: String?)
    /// It is not there.
    case gone
    /// The store has a later one, of this position.
    case newer(Int64)
    /// Nothing can be published to the target now.
    case targetFailed(PublishFailure)
    /// This file cannot be published now.
    case fileFailed(PublishFailure)
}
