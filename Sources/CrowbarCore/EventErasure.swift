import JSONBytes

/// What is removed from a stored event.
public struct EventErasure: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// A message's text: `message` becomes empty, `previous` and `meta` are dropped, `"erased":true` is added.
    public static let text = EventErasure(rawValue: 1)
    /// The name of the event's user: `userName`, and `name` in `USER_REGISTERED` and `USER_RENAMED`, become
    /// ``replacedName``.
    public static let name = EventErasure(rawValue: 2)

    /// What stands where a name was.
    public static let replacedName = "erased"

    /// An event's JSON without what is erased. All other members keep their bytes and their order.
    /// - Parameters:
    ///   - json: The event as the log stores it.
    ///   - type: The event's type. A text is erased in `MESSAGE_SENT` and `MESSAGE_EDITED` only.
    /// - Returns: The new JSON, or nil if nothing changes, as when it was erased before.
    /// - Throws: `JSONError` if the stored event is not a JSON object.
    public func apply(to json: [UInt8], type: EventType) throws(JSONError) -> [UInt8]? {
        let object = try JSONObject(parsing: json)
        let hasText = type == .messageSent || type == .messageEdited
        let erasesText = contains(.text) && hasText && object.bool("erased") != true
        let namesUser = type == .userRegistered || type == .userRenamed
        var result = JSONWriter(capacity: json.count + 16)
        var isChanged = erasesText
        result.beginObject()
        for member in object.members {
            let key = object.key(member)
            if erasesText, key == "previous" || key == "meta" { continue }
            result.key(key)
            if erasesText, key == "message" {
                result.string("")
            } else if contains(.name), key == "userName" || namesUser && key == "name",
                object.string(member.value) != Self.replacedName
            {
                result.string(Self.replacedName)
                isChanged = true
            } else {
                result.raw(json[member.value.range])
            }
        }
        if erasesText { result.member("erased", true) }
        result.endObject()
        return isChanged ? result.bytes : nil
    }
}
