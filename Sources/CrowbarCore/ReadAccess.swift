import JSONBytes

/// The private channels that a user has a part in, by ``ChannelState/key``, at one moment of the log.
public struct ReadRights: Sendable, Equatable {
    /// The log's head at that moment.
    public var head: Int64
    /// The private channels that the user is a member of.
    public var member: Set<Int64>
    /// The private channels that the user is invited to.
    public var invited: Set<Int64>
    /// The ids of the public channels that the user is a member of; empty unless they were asked for.
    public var publicChannels: Set<String>

    /// Makes rights.
    public init(
        head: Int64, member: Set<Int64> = [], invited: Set<Int64> = [], publicChannels: Set<String> = []
    ) {
        self.head = head
        self.member = member
        self.invited = invited
        self.publicChannels = publicChannels
    }
}

/// Who reads.
public enum Reader: Sendable, Equatable {
    /// A caller without a token.
    case anonymous
    /// A user with a token, admins included.
    case user(String)
    /// Reads everything: the operator on the Unix socket, or an admin who asked for all.
    case all
}

/// The one place where it is decided who may read which events. It asks the decision tables, so that a right that was
/// taken away is gone for everything that is asked for after the answer.
public struct ReadAccess: Sendable {
    private let log: any EventLog

    /// Makes the decisions of a log.
    public init(_ log: any EventLog) { self.log = log }

    /// What a reader may read now.
    /// - Throws: ``LogError``.
    public func access(for reader: Reader) async throws -> Access {
        switch reader {
        case .user(let id): Access(reader, try await log.readRights(of: id))
        case .anonymous, .all: Access(reader, ReadRights(head: try await log.head()?.position ?? 0))
        }
    }

    /// What a user may read now, and which of it concerns the user, both as of the same moment of the log.
    /// - Throws: ``LogError``.
    public func ownAccess(of user: String) async throws -> (access: Access, own: OwnEvents) {
        let rights = try await log.readRights(of: user, withPublic: true)
        return (Access(.user(user), rights), OwnEvents(user, rights))
    }
}

/// What one reader may read, as of one moment of the log. Only ``ReadAccess`` makes it, and what gives out events or
/// views takes it: a route without it does not compile.
public struct Access: Sendable, Equatable {
    /// Who reads.
    public let reader: Reader
    /// The log's head when the rights were looked up.
    public let head: Int64
    /// The private channels whose events may be read, by ``ChannelState/key``.
    public private(set) var audiences: Set<Int64>
    private let invited: Set<Int64>

    init(_ reader: Reader, _ rights: ReadRights) {
        self.reader = reader
        head = rights.head
        audiences = rights.member
        invited = rights.invited
    }

    /// The user who reads; nil without a token, and for who reads everything.
    public var userId: String? { if case .user(let id) = reader { id } else { nil } }

    /// Whether everything of an audience may be read: all of a private channel's history, also from before the user
    /// joined.
    public func mayRead(audience: Int64) -> Bool {
        audience == 0 || audiences.contains(audience) || reader == .all
    }

    /// Whether an event may be read by the rights of that moment: for pages of what was stored before.
    public func mayRead(_ entry: LogPage.Entry, of page: LogPage) -> Bool {
        if mayRead(audience: entry.audience) { return true }
        return invited.contains(entry.audience) && isInvitation(entry, of: page)
    }

    /// Whether an event may be read, for a reader who follows the log: each event once, in order. Up to ``head`` the
    /// rights of that moment count; behind it the events themselves give and take rights. The event that ends the
    /// membership is the last one of its channel that may be read.
    public mutating func follow(_ entry: LogPage.Entry, of page: LogPage) -> Bool {
        if entry.audience == 0 { return true }
        return follow(FollowedEntry(entry, of: page))
    }

    /// As ``follow(_:of:)``, with the names looked up before.
    mutating func follow(_ event: FollowedEntry) -> Bool {
        let audience = event.audience
        guard audience != 0, let userId else { return mayRead(audience: audience) }
        guard event.position > head else {
            return mayRead(audience: audience)
                || (invited.contains(audience) && event.type == .userInvited && event.subject == userId)
        }
        let wasMember = audiences.contains(audience)
        switch event.type {
        case .channelCreated, .userJoinedChannel:
            if event.user == userId { audiences.insert(audience) }
            return audiences.contains(audience)
        case .userLeftChannel:
            if event.user == userId { audiences.remove(audience) }
            return wasMember
        case .userRemoved:
            if event.subject == userId { audiences.remove(audience) }
            return wasMember
        case .channelDestroyed:
            audiences.remove(audience)
            return wasMember
        case .userInvited: return wasMember || event.subject == userId
        case .userRegistered, .userRenamed, .channelTopicSet, .messageSent, .messageEdited, .messageDeleted,
            .reactionAdded, .reactionRemoved:
            return wasMember
        }
    }

    /// Whether an event ends the reader's membership in its channel. A reader who was a member gets it as the last one.
    fileprivate func isEnd(_ event: FollowedEntry) -> Bool {
        switch event.type {
        case .userLeftChannel: event.user == userId
        case .userRemoved: event.subject == userId
        case .channelDestroyed: true
        default: false
        }
    }

    private func isInvitation(_ entry: LogPage.Entry, of page: LogPage) -> Bool {
        entry.type == .userInvited && userId != nil && FollowedEntry(entry, of: page).subject == userId
    }
}

/// The log for readers who see only what they may.
public struct ReadableLog: Sendable {
    private let log: any EventLog

    /// Makes the readers' side of a log.
    public init(_ log: any EventLog) { self.log = log }

    /// Wakes readers after each append.
    public var growth: GrowthSignal { log.growth }

    /// The position of an event, also of one that the reader may not read: a client that was removed from a channel
    /// can resume behind its last event.
    public func position(of eventId: String) async throws -> Int64? { try await log.position(of: eventId) }

    /// A page of entries that the rights of one moment allow.
    public func page(after position: Int64, limit: Int, maxBytes: Int, for access: Access) async throws -> Readable {
        let page = try await log.read(after: position, limit: limit, maxBytes: maxBytes)
        if Self.isPublic(page) { return Readable(page, page.entries) }
        return Readable(page, page.entries.filter { access.mayRead($0, of: page) })
    }

    /// The next entries of a reader who follows the log; see ``Access/follow(_:of:)``. What the reader may not read any
    /// more is left out, but for the event that ended the membership.
    public func next(after position: Int64, limit: Int, maxBytes: Int, for access: inout Access) async throws
        -> Readable
    {
        let page = try await log.read(after: position, limit: limit, maxBytes: maxBytes)
        if Self.isPublic(page) { return Readable(page, page.entries) }
        // It can take long to read up to the head, and the reader can lose rights meanwhile.
        var (followed, current) = (access, try await ReadAccess(log).access(for: access.reader))
        let entries = page.entries.filter { entry in
            if entry.audience == 0 { return true }
            let event = FollowedEntry(entry, of: page)
            let (was, isNow) = (followed.follow(event), current.follow(event))
            return was && (isNow || access.isEnd(event))
        }
        access = followed
        return Readable(page, entries)
    }

    /// The next entries for all who follow the log, each rendered once; nil where nothing is behind the position.
    /// - Parameter render: Renders a page; one value for each of its entries, in order.
    public func shared<Frame: Sendable>(
        after position: Int64, limit: Int, maxBytes: Int, render: (LogPage) -> [Frame]
    ) async throws -> SharedPage<Frame>? {
        let page: LogPage
        if let recent = log.recent(after: position) {
            page = recent
        } else {
            page = try await log.read(after: position, limit: limit, maxBytes: maxBytes)
        }
        return page.entries.isEmpty ? nil : SharedPage(page, render(page))
    }

    /// Whether no more than the last append is behind a position, as far as that is known without a look at the log.
    public func isNearHead(_ position: Int64) -> Bool { log.recent(after: position) != nil }

    /// The last event up to a position that a reader may read, among the few before it; nil where none of them may be.
    /// Nothing that the reader may read is between it and the position.
    public func lastReadable(through position: Int64, for access: Access) async throws -> LogEntryID? {
        let (count, maxBytes) = (Int64(100), 4 << 20)
        let page = try await log.read(after: max(0, position - count), limit: Int(count), maxBytes: maxBytes)
        // A page that ends by its bytes says nothing of the entries behind it.
        guard let end = page.entries.last, end.position >= position || page.entries.count == Int(count),
            let last = page.entries.last(where: { $0.position <= position && access.mayRead($0, of: page) })
        else { return nil }
        return try await log.entry(atOrBefore: last.position)
    }

    /// The id of an event; nil if the reader may not read it.
    public func eventId(at position: Int64, for access: Access) async throws -> String? {
        let page = try await log.read(positions: [position])
        guard let entry = page.entries.first, access.mayRead(entry, of: page) else { return nil }
        return try await log.entry(atOrBefore: position)?.eventId
    }

    /// Whether a page has nothing but what everybody may read, which is most pages: they are not copied.
    private static func isPublic(_ page: LogPage) -> Bool { page.entries.allSatisfy { $0.audience == 0 } }

    /// A page of the log and those of its entries that a reader may read.
    public struct Readable: Sendable {
        /// The page, for ``LogPage/json(_:)`` and ``LogPage/name(_:)`` of ``entries``.
        public let page: LogPage
        /// What may be read.
        public let entries: [LogPage.Entry]
        /// The position through which the log was read; nil if nothing is behind the position asked for.
        public let through: Int64?

        init(_ page: LogPage, _ entries: [LogPage.Entry]) {
            self.page = page
            self.entries = entries
            through = page.entries.last?.position
        }
    }
}
