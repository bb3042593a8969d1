import CrowbarCore
import Logging
import Synchronization

/// Writes log lines to standard error in the format of ``LogSettings``, each in one piece.
struct ServerLogHandler: LogHandler {
    /// One line at a time: a write of over 4 KiB to a pipe may be divided.
    private static let writing = Mutex(())

    let settings: LogSettings
    /// A level of this logger's own; nil: that of the settings, also after they change.
    private var ownLevel: Logger.Level?
    /// The plugin that the lines are about.
    private var plugin: String?
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    init(settings: LogSettings) { self.settings = settings }

    var logLevel: Logger.Level {
        get { ownLevel ?? settings.values.level(of: plugin) }
        set { ownLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set {
            metadata[key] = newValue
            if key == "plugin" { plugin = newValue.map { "\($0)" } }
        }
    }

    func log(event: LogEvent) {
        var fields = metadata
        if let requestID = RequestID.current { fields["requestId"] = .string(requestID) }
        if let provided = metadataProvider?.get() { fields.merge(provided) { _, new in new } }
        if let own = event.metadata { fields.merge(own) { _, new in new } }
        if let error = event.error, fields["error"] == nil { fields["error"] = .string("\(error)") }
        let line = LogLine(
            time: Clock.milliseconds(), level: event.level, message: event.message.description,
            fields: fields.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
        let priority = JournalPriority.isWanted ? JournalPriority.prefix(event.level) : ""
        let bytes = Array(priority.utf8) + line.bytes(settings.values.format)
        Self.writing.withLock { _ in StandardStream.error.write(bytes) }
    }
}

extension Logger {
    /// A logger of the server or of a verb.
    /// - Parameter level: A level of its own; nil: that of the settings.
    init(_ label: String, _ settings: LogSettings, level: Logger.Level? = nil) {
        self.init(label: label) { _ in ServerLogHandler(settings: settings) }
        if let level { logLevel = level }
    }
}
