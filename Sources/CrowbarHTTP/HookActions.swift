import JSONBytes

/// A secret address that one program posts to: messages for one channel, or what an identity provider tells.
public struct IncomingHook: Sendable, Equatable {
    /// What it accepts.
    public enum Kind: String, Sendable, CaseIterable {
        /// Messages for a channel.
        case message
        /// The PostConfirmation trigger of Amazon Cognito, which registers a user.
        case cognito
    }

    /// Its name; it speaks as `incoming/NAME`.
    public var name: String
    /// What it accepts.
    public var kind: Kind
    /// Where it speaks; empty for a hook of the kind `cognito`.
    public var channelId: String
    /// Unix milliseconds.
    public var created: Int64

    /// Makes one.
    public init(name: String, kind: Kind = .message, channelId: String, created: Int64) {
        self.name = name
        self.kind = kind
        self.channelId = channelId
        self.created = created
    }

    /// The user that it speaks as.
    public var userId: String { "incoming/\(name)" }

    /// Writes it as the listing has it.
    public func write(to json: inout JSONWriter) {
        json.beginObject()
        json.member("name", name)
        json.member("kind", kind.rawValue)
        if kind == .message { json.member("channelId", channelId) }
        json.member("created", created)
        json.endObject()
    }
}

/// What the command line does to incoming hooks.
public struct HookActions: Sendable {
    /// Makes a hook and gives its token's text, which is kept nowhere.
    /// - Parameter channel: The channel of a hook for messages; empty for another one.
    public var add: @Sendable (_ name: String, _ kind: IncomingHook.Kind, _ channel: String) async throws -> String
    /// All hooks.
    public var list: @Sendable () async throws -> [IncomingHook]
    /// Ends a hook.
    public var revoke: @Sendable (_ name: String) async throws -> Void

    /// Makes the actions.
    public init(
        add: @escaping @Sendable (_ name: String, _ kind: IncomingHook.Kind, _ channel: String) async throws -> String,
        list: @escaping @Sendable () async throws -> [IncomingHook],
        revoke: @escaping @Sendable (_ name: String) async throws -> Void
    ) {
        self.add = add
        self.list = list
        self.revoke = revoke
    }
}
