import Logging
import Synchronization

/// How the server logs: the format and the lowest level. All loggers share one, and it can be changed while they are in
/// use: a reload of the configuration sets ``values``.
final class LogSettings: Sendable {
    /// How a log line is written.
    enum Format: String, Sendable, CaseIterable {
        /// For people: time, level, message, then fields.
        case text
        /// For programs: one JSON object a line.
        case json
    }

    /// What `[log]` says.
    struct Values: Sendable, Equatable {
        var format = Format.text
        var level = Logger.Level.info
        /// The lowest levels of single plugins, by name.
        var plugins: [PluginLevel] = []

        /// The lowest level of what a plugin says, and of what the host says of it.
        func level(of plugin: String?) -> Logger.Level {
            guard let plugin, !plugins.isEmpty else { return level }
            return plugins.first { $0.plugin == plugin }?.level ?? level
        }
    }

    /// The level of a plugin.
    struct PluginLevel: Sendable, Equatable {
        var plugin: String
        var level: Logger.Level
    }

    private let current: Mutex<Values>

    init(_ values: Values = Values()) { current = Mutex(values) }

    /// The settings in effect. Setting them changes the next line of every logger.
    var values: Values {
        get { current.withLock { $0 } }
        set { current.withLock { $0 = newValue } }
    }
}
