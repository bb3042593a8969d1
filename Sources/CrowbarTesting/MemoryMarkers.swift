import CrowbarCore
import Synchronization

/// Read markers in memory.
public final class MemoryMarkers: Markers {
    private let users = Mutex<[String: UserMarkers]>([:])

    /// Makes none.
    public init() {}

    public func markers(of user: String) async throws -> UserMarkers { users.withLock { $0[user] ?? UserMarkers() } }

    public func set(_ marker: ReadMarker, of user: String, in channel: String, onlyForward: Bool) async throws -> Bool {
        users.withLock { users in
            if let old = users[user]?.channels[channel]?.position,
                onlyForward ? old >= marker.position : old == marker.position
            {
                return false
            }
            users[user, default: UserMarkers()].channels[channel] = marker
            users[user, default: UserMarkers()].revision += 1
            return true
        }
    }
}
