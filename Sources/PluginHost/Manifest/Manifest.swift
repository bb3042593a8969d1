import CrowbarCore
import JSONBytes
import PluginWire

/// A file of plugins.d, read and validated: which program runs, what it may see and do (docs/protocol.md, "Manifest").
public struct Manifest: Sendable, Equatable {
    /// Resources the plugin may use (docs/sandbox.md).
    public struct Limits: Sendable, Equatable {
        /// Bytes of data memory, each process.
        public var memory: Int64?
        /// Processors. Not enforced by this version on any machine; the operator is told.
        public var cpu: Double?
        /// Open files, each process.
        public var files: Int64?
        /// Processes and threads, all together; nil: ``Manifest/defaultProcesses``.
        public var processes: Int64?
        /// Bytes of the disk that its own folder may take; nil: ``Manifest/defaultDisk``.
        public var disk: Int64?
    }

    /// What of the machine the plugin may reach (docs/sandbox.md).
    public struct Sandbox: Sendable, Equatable {
        /// Whether it may use the network.
        public var network = false
        /// Paths it may read.
        public var read: [String] = []
        /// Paths it may write, its own folder aside.
        public var write: [String] = []
        /// Whether it must not run where any of this, or of the limits, cannot be enforced.
        public var require = false
    }

    /// When the plugin has its say.
    public enum Phase: String, Sendable {
        /// It gets events after they are stored.
        case event
        /// It is asked about commands before they are stored.
        case command
    }

    /// What holds where a plugin of the command phase does not say.
    public enum OnFailure: String, Sendable { case allow, refuse }

    /// The plugin's name: the file's without `.toml`.
    public var name: String
    /// The file it was read from.
    public var file: String
    /// The program and its arguments, as written.
    public var command: [String]
    /// When it has its say.
    public var phase = Phase.event
    /// Whether it is to run.
    public var isEnabled = true
    /// In phase `command`: which commands it is asked about; nil: all.
    public var commandTypes: [CommandType]?
    /// In phase `command`: who is asked first, the lowest number being the first; then by name.
    public var priority: Int64 = 0
    /// In phase `command`: what holds where it does not answer.
    public var onFailure = OnFailure.allow
    /// In phase `event`: event types it may see; nil: all.
    public var types: [EventType]?
    /// Channels it may see, or patterns that end in `*`; nil: all.
    public var channels: [String]?
    /// Whether it may see private channels: in phase `event` those that ``channels`` lists by their ids.
    public var isPrivate = false
    /// Where a new queue begins.
    public var start = StartPoint.now
    /// How order is kept: `channel`, `total` or `none`.
    public var order = "channel"
    /// Unsettled events a queue.
    public var window: Int64 = 256
    /// Commands it may emit.
    public var commands: [CommandType] = []
    /// Users it may act for besides those under its own name; `*` for all.
    public var actAs: [String] = []
    /// Whether it gets the events that its own commands became.
    public var ownEvents = false
    /// Whether it may emit commands in answer to events older than their queue.
    public var commandsInHistory = false
    /// Whether it is sent `ping`.
    public var ping = true
    /// Whether messages and fields that the protocol does not know are errors, as a plugin's author wants to have it.
    public var isStrict = false
    /// Whether it may be replayed to.
    public var replay = true
    /// Counted attempts before the dead letter.
    public var maxAttempts: Int64 = 8
    /// Whether the manifest says so itself: then no queue gets more, whatever the plugin asks for.
    public var limitsAttempts = false
    /// Milliseconds without progress after which it counts as hung.
    public var ackDeadline: Int64 = 60_000
    /// Resources it may use.
    public var limits: Limits?
    /// What it may reach; nil: all files, but no network.
    public var sandbox: Sandbox?
    /// Environment variables it is given.
    public var environment: [String: String] = [:]
    /// Environment variables passed on from the host's.
    public var passedEnvironment: [String] = []
    /// Its own configuration, secrets as references.
    public var config: JSON = .object([])

    /// Bytes of the disk that a plugin's own folder may take where its manifest says nothing.
    public static let defaultDisk: Int64 = 1 << 30

    /// The private channels that it may see, by their ids: a pattern never matches one.
    public var privateChannels: Set<String> {
        isPrivate ? Set((channels ?? []).filter { !$0.hasSuffix("*") }) : []
    }

    /// What the operator is told where `channels` lists nothing but private channels: their listing leaves out what is
    /// public, which somebody may have meant to add to.
    /// - Parameter found: Those of the listed channels that are private.
    func onlyPrivateNote(_ found: [String]) -> String? {
        guard let channels, !channels.isEmpty, channels.allSatisfy({ privateChannels.contains($0) }),
            Set(found).isSuperset(of: channels)
        else { return nil }
        let listed = (["*"] + channels).map { "\"\($0)\"" }.joined(separator: ", ")
        return "channels lists private channels only, so this plugin sees no public channel; to add all public ones, "
            + "write channels = [\(listed)]"
    }

    /// What the operator is told of a plugin of the command phase that is not asked about private channels.
    var uncheckedNote: String? {
        if phase == .event || isPrivate { return nil }
        return "commands in private channels are not checked by '\(name)'; private = true in its manifest changes that"
    }

    /// Processes and threads that a plugin may have where its manifest says nothing.
    public static let defaultProcesses: Int64 = 512

    /// Bytes of the disk that its own folder may take.
    public var diskLimit: Int64 { limits?.disk ?? Self.defaultDisk }

    /// Makes a manifest with the defaults.
    public init(name: String, file: String, command: [String]) {
        self.name = name
        self.file = file
        self.command = command
    }
}

/// Where a new queue begins.
public enum StartPoint: Sendable, Equatable {
    /// At the head of the log.
    case now
    /// At its first event.
    case beginning
    /// Behind an event.
    case after(eventId: String)
    /// At the first event of a time, Unix milliseconds.
    case at(milliseconds: Int64)

    /// Reads `now`, `beginning`, `id:EVENTID` or `@TIME` (RFC 3339); nil where it is none of these.
    public init?(_ text: String) {
        if text == "now" {
            self = .now
        } else if text == "beginning" {
            self = .beginning
        } else if text.hasPrefix("id:"), Identifier.isEvent(String(text.dropFirst(3))) {
            self = .after(eventId: String(text.dropFirst(3)))
        } else if text.hasPrefix("@"), let time = Timestamp.milliseconds(rfc3339: String(text.dropFirst())) {
            self = .at(milliseconds: time)
        } else {
            return nil
        }
    }
}
