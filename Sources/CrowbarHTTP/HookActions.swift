import JSONBytes

/// A door for messages of one program into one channel.
public struct IncomingHook: Sendable, Equatable {
    /// Its name; it speaks as `incoming/NAME`.
    public var name: String
    /// Where it speaks.
    public var channelId: String
    /// Unix milliseconds.
    public var created: Int64

    /// Makes one.
    public init(name: String, channelId: String, created: Int64) {
        self.name = name
        self.channelId = channelId
        self.created = created
    }

    /// The user that it speaks as.
    public var userId: String { "incoming/\(name)" }

    /// Writes it as the listing has it.
    public func write(to json: inout JSONWriter) {
        json.beginObject()
        json.member("name", name)
        json.member("channelId", channelId)
        json.member("created", created)
        json.endObject()
    }
}

/// What the command line does to incoming hooks.
public struct HookActions: Sendable {
    /// Makes a hook of a name in a channel and gives its token's text, which is kept nowhere.
    public var add: @Sendable (_ name: String, _ channel: String) async throws -> String
    /// All hooks.
    public var list: @Sendable () async throws -> [IncomingHook]
    /// Ends a hook.
    public var revoke: @Sendable (_ name: String) async throws -> Void

    /// Makes the actions.
    public init(
        add: @escaping @Sendable (_ name: String, _ channel: String) async throws -> String,
        list: @escaping @Sendable () async throws -> [IncomingHook],
        revoke: @escaping @Sendable (_ name: String) async throws -> Void
    ) {
        self.add = add
        self.list = list
        self.revoke = revoke
    }
}
