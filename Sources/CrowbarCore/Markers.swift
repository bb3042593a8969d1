/// Up to where users have read channels: the port behind ``ReadMarkers``.
///
/// Markers are no events: they are a user's own, change often, and losing the last of them loses nothing but where
/// somebody was reading.
public protocol Markers: Sendable {
    /// All markers of a user.
    func markers(of user: String) async throws -> UserMarkers

    /// Sets a marker.
    /// - Parameter onlyForward: Whether a marker that is at the position or behind it stays as it is.
    /// - Returns: Whether it is another one than before.
    func set(_ marker: ReadMarker, of user: String, in channel: String, onlyForward: Bool) async throws -> Bool
}

/// Up to where a user has read a channel.
public struct ReadMarker: Sendable, Equatable {
    /// The last position that counts as read.
    public var position: Int64
    /// The event at that position; nil where the marker was set before an event, so that the position is anybody's.
    public var eventId: String?

    /// Makes one.
    public init(position: Int64, eventId: String?) {
        self.position = position
        self.eventId = eventId
    }
}

/// The markers of a user.
public struct UserMarkers: Sendable, Equatable {
    /// A number that is another one after each change of any of them.
    public var revision: Int64
    /// The markers, by the channels' ids. A channel's id can be used again, and a user can leave and join again: a
    /// marker before the present membership says nothing.
    public var channels: [String: ReadMarker]

    /// Makes some.
    public init(revision: Int64 = 0, channels: [String: ReadMarker] = [:]) {
        self.revision = revision
        self.channels = channels
    }
}

/// Decides who may set which read marker, and sets it.
public struct ReadMarkers: Sendable {
    private let log: any EventLog
    private let markers: any Markers
    /// Reports each marker that was moved here.
    public let moves = MarkerSignal()

    /// Makes the read markers of a log.
    public init(log: any EventLog, markers: any Markers) {
        self.log = log
        self.markers = markers
    }

    /// All markers of a user.
    public func markers(of user: String) async throws -> UserMarkers { try await markers.markers(of: user) }

    /// Notes that a user has read a channel up to an event, or wants to read it again from that event on.
    /// - Parameters:
    ///   - user: The user, who must be a member of the channel.
    ///   - isAdmin: Whether the user may know of every channel.
    ///   - isUnread: Whether the marker is set to just before the event, wherever it was; else it only moves forward.
    /// - Throws: `CommandError` with `channel_not_found`, `not_a_member` or `event_not_found`; the port's errors.
    public func mark(
        _ channelId: String, at eventId: String, by user: String, isAdmin: Bool, isUnread: Bool
    ) async throws {
        let found = Identifier.isChannel(channelId) ? try await log.channel(channelId, for: user) : nil
        guard let found, !found.channel.isPrivate || found.isMember || found.isInvited || isAdmin else {
            throw CommandError.channelNotFound(String(channelId.prefix(Identifier.maxChannelLength)))
        }
        guard found.isMember else {
            throw CommandError(
                .notAMember, "'\(user)' is not in '\(channelId)'; JOIN_CHANNEL first", field: "channelId")
        }
        guard let position = try await position(of: eventId, in: channelId, found.channel) else {
            throw CommandError(
                .eventNotFound, "'\(channelId)' has no event '\(eventId.prefix(Identifier.maxLength))'",
                field: "eventId")
        }
        let marker =
            isUnread
            ? ReadMarker(position: position - 1, eventId: nil) : ReadMarker(position: position, eventId: eventId)
        if try await markers.set(marker, of: user, in: channelId, onlyForward: !isUnread) {
            moves.notify(MovedMarker(userId: user, channelId: channelId))
        }
    }

    /// The position of an event of a channel; nil for those of other channels, and of a channel that had the id before
    /// and was not for the same readers.
    private func position(of eventId: String, in channelId: String, _ channel: ChannelState) async throws -> Int64? {
        guard Identifier.isEvent(eventId), let position = try await log.position(of: eventId) else { return nil }
        let page = try await log.read(positions: [position])
        guard let entry = page.entries.first, page.name(entry.channel) == channelId,
            entry.audience == channel.audience
        else { return nil }
        return position
    }
}
