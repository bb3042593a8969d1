import CrowbarCore
import CrowbarViews
import JSONBytes
import Logging
import NIOCore

/// Tells the streams of a user that one of the user's read markers moved: `event: read`. The counts are made once for
/// all of the user's streams, and only where there is one.
final class ReadMarkFeed: Sendable {
    private let markers: ReadMarkers
    private let views: Views?
    private let rights: ReadAccess
    private let broadcaster: EventBroadcaster
    private let logger: Logger
    private let dispatcher = MarkDispatcher()

    init(
        markers: ReadMarkers, views: Views?, rights: ReadAccess, broadcaster: EventBroadcaster, logger: Logger
    ) {
        self.markers = markers
        self.views = views
        self.rights = rights
        self.broadcaster = broadcaster
        self.logger = logger
    }

    /// Reports markers until the task is cancelled.
    func run() async {
        let token = markers.moves.subscribe { [broadcaster, dispatcher] move in
            if broadcaster.hasMarkReader(move.userId) { dispatcher.add(move) }
        }
        defer { markers.moves.cancel(token) }
        await dispatcher.run { [self] user, channels in
            do {
                try await report(channels, of: user)
            } catch {
                logger.error(
                    "read markers could not be reported to event streams",
                    metadata: ["user": "\(user)", "error": "\(error)"])
            }
        }
    }

    private func report(_ channels: [String], of user: String) async throws {
        let own = try await markers.markers(of: user).channels
        let access = try await rights.access(for: .user(user))
        let reader = await reader(at: access.head)
        for channel in channels {
            guard let marker = own[channel] else { continue }
            let json =
                if let reader {
                    try await reader.readMark(marker, of: channel, for: access)
                } else {
                    Self.json(marker, channel)
                }
            guard let json else { continue }
            broadcaster.send(StreamFrame.read(json), about: MovedMarker(userId: user, channelId: channel))
        }
    }

    /// What counts up to a position; nil where no view can in time.
    private func reader(at position: Int64) async -> ViewReader? {
        let time = Duration.milliseconds(APIConfiguration.Limit.markWait)
        guard let views, await views.wait(for: .messages, position: position, timeout: time) else { return nil }
        return try? views.reader()
    }

    /// Without counts: the client learns that the marker moved.
    private static func json(_ marker: ReadMarker, _ channel: String) -> [UInt8] {
        var json = JSONWriter(capacity: 96)
        json.beginObject()
        json.member("channelId", channel)
        json.member("eventId", ifPresent: marker.eventId)
        json.endObject()
        return json.bytes
    }
}
