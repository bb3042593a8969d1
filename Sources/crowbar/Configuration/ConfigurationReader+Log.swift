import JSONBytes
import Logging
import Settings

// `log`: where the events are kept, and how the server logs.
extension ConfigurationReader {
    /// Reads `log = "sqlite"`, the short form of a table that has `store` alone, or the table `[log]`.
    func log(_ root: SettingsReader) throws -> LogSettings.Values {
        var table: SettingsReader?
        if let value = root["log"], value.string != nil {
            if environment["CROWBAR_LOG"] == nil { try checkStore(value.string) { root.error("log", $0) } }
        } else if root["log"] != nil {
            guard root["log"]?.members != nil else {
                throw root.error(
                    "log", "must be \"sqlite\", or a table with store, format, level, plugins and keep_deleted")
            }
            table = try root.table("log")
        }
        try table?.refuseUnknown(knowing: ["store", "format", "level", "plugins", "keep_deleted"])
        if let store = environment["CROWBAR_LOG"] {
            try checkStore(store) { variable("CROWBAR_LOG", $0) }
        } else if let table {
            try checkStore(try table.string("store")) { table.error("store", $0) }
        }
        var values = LogSettings.Values()
        let formats = LogSettings.Format.allCases.map(\.rawValue)
        if let name = try choice(table, "format", "CROWBAR_LOG_FORMAT", formats) {
            values.format = LogSettings.Format(rawValue: name) ?? values.format
        }
        let levels = Logger.Level.allCases.map(\.rawValue)
        if let name = try choice(table, "level", "CROWBAR_LOG_LEVEL", levels) {
            values.level = Logger.Level(rawValue: name) ?? values.level
        }
        values.plugins = try pluginLevels(table)
        return values
    }

    /// The levels of plugins: `[log.plugins]`, in the order of their names, so that equal tables are equal values.
    private func pluginLevels(_ table: SettingsReader?) throws -> [LogSettings.PluginLevel] {
        guard let plugins = try table?.table("plugins") else { return [] }
        let levels = Logger.Level.allCases.map(\.rawValue)
        return try plugins.keys.sorted().compactMap { name in
            try plugins.string(name, oneOf: levels).flatMap { Logger.Level(rawValue: $0) }.map {
                LogSettings.PluginLevel(plugin: name, level: $0)
            }
        }
    }

    /// How long the log keeps the texts of deleted messages.
    func keepDeleted(_ root: SettingsReader) throws -> KeepDeleted {
        let name = "CROWBAR_LOG_KEEP_DELETED"
        if let value = environment[name] {
            guard let keep = KeepDeleted(value) else { throw variable(name, KeepDeleted.shape) }
            return keep
        }
        guard root["log"]?.members != nil, let table = try root.table("log"),
            let value = try table.string("keep_deleted")
        else { return .standard }
        guard let keep = KeepDeleted(value) else { throw table.error("keep_deleted", KeepDeleted.shape) }
        return keep
    }

    private func checkStore(_ store: String?, _ error: (String) -> SettingsError) throws {
        guard let store, store != "sqlite" else { return }
        if store.hasPrefix("nats://") {
            throw error("a log on NATS is not supported by this version yet; use \"sqlite\"")
        }
        throw error("must be \"sqlite\"")
    }

    /// One of a few words, the variable's before the file's.
    private func choice(
        _ table: SettingsReader?, _ key: String, _ name: String, _ choices: [String]
    ) throws -> String? {
        guard let value = environment[name] else { return try table?.string(key, oneOf: choices) }
        if choices.contains(value) { return value }
        let hint = NearestName.to(value, among: choices).map { "; did you mean '\($0)'?" } ?? ""
        throw variable(name, "must be one of \(choices.joined(separator: ", "))\(hint)")
    }
}
