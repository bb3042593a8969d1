import JSONBytes

/// What decides who may read an entry, looked up once for all readers.
struct FollowedEntry: Sendable {
    let position: Int64
    let audience: Int64
    let type: EventType
    let channel: String?
    let user: String
    /// Who was invited or removed; nil in other events.
    let subject: String?

    init(_ entry: LogPage.Entry, of page: LogPage) {
        position = entry.position
        audience = entry.audience
        type = entry.type
        channel = page.name(entry.channel)
        user = page.name(entry.user) ?? ""
        switch entry.type {
        case .userInvited: subject = Self.name("invitee", page.json(entry))
        case .userRemoved: subject = Self.name("member", page.json(entry))
        default: subject = nil
        }
    }

    private static func name(_ field: StaticString, _ json: ArraySlice<UInt8>) -> String? {
        (try? JSONObject(parsing: Array(json)))?.string(field)
    }
}

/// A part of the log for all who follow it, rendered once. What it shows of it to each, only an ``Access`` decides.
public struct SharedPage<Frame: Sendable>: Sendable {
    private let entries: [FollowedEntry]
    private let frames: [Frame]
    /// The position of its last entry.
    public let through: Int64

    init(_ page: LogPage, _ frames: [Frame]) {
        entries = page.entries.map { FollowedEntry($0, of: page) }
        self.frames = frames
        through = entries.last?.position ?? 0
    }

    /// Gives the frames behind a position that a reader may read and wants, in order.
    /// - Parameters:
    ///   - access: The rights of a reader who follows the log; see ``Access/follow(_:of:)``.
    ///   - own: Which events concern the reader; nil where that does not matter.
    ///   - isWanted: Whether the reader wants events of a type and channel.
    ///   - body: Gets each frame.
    public func select(
        after position: Int64, for access: inout Access, own: inout OwnEvents?,
        where isWanted: (_ type: EventType, _ channel: String?) -> Bool, _ body: (Frame) -> Void
    ) {
        for (entry, frame) in zip(entries, frames) where entry.position > position {
            guard access.follow(entry) else { continue }
            if own?.follow(entry) == false { continue }
            if isWanted(entry.type, entry.channel) { body(frame) }
        }
    }
}

/// Which events that a user may read concern the user: those of channels of which the user is a member, what everybody
/// has to know of channels and accounts, and invitations.
///
/// It decides nothing about rights: it is asked only about events that ``Access`` allows.
public struct OwnEvents: Sendable, Equatable {
    /// The user.
    public let userId: String
    private let head: Int64
    /// The public channels of which the user is a member. Of private ones ``Access`` allows nothing else but an
    /// invitation.
    private var channels: Set<String>

    init(_ userId: String, _ rights: ReadRights) {
        self.userId = userId
        head = rights.head
        channels = rights.publicChannels
    }

    /// Whether an event concerns the user, for a reader who follows the log: each event once, in order. Up to the
    /// moment of the rights the memberships of that moment count; behind it the events themselves change them. The
    /// event that ends the membership is the last one of its channel.
    public mutating func follow(_ entry: LogPage.Entry, of page: LogPage) -> Bool {
        follow(FollowedEntry(entry, of: page))
    }

    mutating func follow(_ event: FollowedEntry) -> Bool {
        if event.audience != 0 { return true }
        guard let channel = event.channel else { return !event.user.contains("/") }
        let wasMember = channels.contains(channel)
        let isNew = event.position > head
        switch event.type {
        case .channelCreated:
            if isNew, event.user == userId { channels.insert(channel) }
            return true
        case .channelDestroyed:
            if isNew { channels.remove(channel) }
            return true
        case .channelTopicSet: return true
        case .userJoinedChannel:
            if isNew, event.user == userId { channels.insert(channel) }
            return channels.contains(channel)
        case .userLeftChannel:
            if isNew, event.user == userId { channels.remove(channel) }
            return wasMember
        case .userRemoved:
            if isNew, event.subject == userId { channels.remove(channel) }
            return wasMember
        case .userInvited: return wasMember || event.subject == userId
        case .userRegistered, .userRenamed: return !event.user.contains("/")
        case .messageSent, .messageEdited, .messageDeleted, .reactionAdded, .reactionRemoved: return wasMember
        }
    }
}
