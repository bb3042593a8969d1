import JSONBytes

/// A stored event as views read it: what the log keeps beside the event's JSON, and the JSON's members.
public struct ViewEvent: Sendable {
    /// The event's place in the log.
    public let position: Int64
    /// Unix time in milliseconds.
    public let timestamp: Int64
    /// What happened.
    public let type: EventType
    /// Who may read the event: 0 for everybody, else the key of a private channel's life.
    public let audience: Int64
    /// The event's id.
    public let eventId: String
    /// Who acted; for a registration, who was registered.
    public let userId: String
    /// The channel; empty for events without one.
    public let channelId: String
    /// The event's JSON.
    public let json: JSONObject

    /// Decodes an entry of a log page.
    /// - Throws: ``ViewError/unreadable(position:reason:)`` where the JSON is not an event's.
    public init(_ entry: LogPage.Entry, of page: LogPage) throws(ViewError) {
        let object: JSONObject
        do throws(JSONError) {
            object = try JSONObject(parsing: page.json(entry))
        } catch {
            throw .unreadable(position: entry.position, reason: "\(error)")
        }
        guard let eventId = object.string("eventId"), let user = page.name(entry.user) else {
            throw .unreadable(position: entry.position, reason: "it has no eventId or no userId")
        }
        position = entry.position
        timestamp = entry.timestamp
        type = entry.type
        audience = entry.audience
        self.eventId = eventId
        userId = user
        channelId = page.name(entry.channel) ?? ""
        json = object
    }

    /// The string under `key`.
    /// - Throws: ``ViewError/unreadable(position:reason:)`` where there is none.
    func required(_ key: StaticString) throws(ViewError) -> String {
        guard let text = json.string(key) else {
            throw .unreadable(position: position, reason: "\(type.name) has no \(key)")
        }
        return text
    }
}

/// Why a view cannot be computed or read.
public enum ViewError: Error, Sendable, Equatable, CustomStringConvertible {
    /// An event's JSON lacks what its type demands.
    case unreadable(position: Int64, reason: String)
    /// An event names something that the view does not have, such as a channel that was never created.
    case inconsistent(position: Int64, reason: String)

    public var description: String {
        switch self {
        case .unreadable(let position, let reason): "the event at position \(position) cannot be read: \(reason)"
        case .inconsistent(let position, let reason):
            "the event at position \(position) does not fit the view: \(reason)"
        }
    }
}
