import CrowbarCore
import GRDB

/// Looks something up in the databases of a data folder without changing them, beside a server or without one: for
/// checks, which must neither bring a database to a new format nor own it.
public struct DataReader: Sendable {
    private let log: DatabaseQueue
    private let accounts: DatabaseQueue?

    /// Opens the databases to read.
    /// - Parameters:
    ///   - log: The path of the log.
    ///   - accounts: The path of the accounts; nil where there are none.
    /// - Throws: ``LogError`` where one cannot be opened.
    public init(log: String, accounts: String?) throws {
        let configuration = Self.configuration
        do {
            self.log = try DatabaseQueue(path: log, configuration: configuration)
            self.accounts = try accounts.map { try DatabaseQueue(path: $0, configuration: configuration) }
            // Only now SQLite looks into the file.
            try self.log.read { db in
                let rows = try RawStatement(cached: "SELECT 1 FROM channels LIMIT 1", db)
                defer { rows.reset() }
                _ = try rows.step()
            }
        } catch {
            throw LogError.unavailable(StorageCause(error, path: log)?.summary ?? "\(error)")
        }
    }

    private static var configuration: Configuration {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(StoreDatabase.busySeconds)
        return configuration
    }

    /// Why a database cannot be read, as far as its head and its tables' definitions tell; nil where it can.
    public static func problem(of path: String) -> StorageCause? {
        do {
            let database = try DatabaseQueue(path: path, configuration: configuration)
            defer { try? database.close() }
            _ = try database.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM sqlite_master") }
            return nil
        } catch {
            return StorageCause(error, path: path) ?? .other("\(error)")
        }
    }

    /// The format of a database of a data folder, and the one that this version writes; nil where it cannot be read, or
    /// is none of them.
    /// - Parameter others: The formats of databases that other targets keep, by file name.
    public static func format(of path: String, others: [String: Int] = [:]) -> (found: Int, supported: Int)? {
        guard let name = path.split(separator: "/").last.map(String.init),
            let supported = supportedFormat(of: name) ?? others[name],
            let database = try? DatabaseQueue(path: path, configuration: configuration)
        else { return nil }
        defer { try? database.close() }
        guard let found = try? database.read({ try Int.fetchOne($0, sql: "PRAGMA user_version") }) else { return nil }
        return (found, supported)
    }

    /// The format that this version writes into a file of a data folder; nil for files that other targets keep.
    static func supportedFormat(of name: String) -> Int? {
        switch name {
        case "log.db": LogSchema.version
        case "host.db": SQLiteHostStore.formats.count
        case "accounts.db": AccountsDatabase.formats.count
        case "markers.db": SQLiteMarkers.formats.count
        default: nil
        }
    }

    /// How many rows a table has; nil where it cannot be read.
    static func count(of table: String, in path: String) -> Int64? {
        guard let database = try? DatabaseQueue(path: path, configuration: configuration) else { return nil }
        defer { try? database.close() }
        return try? database.read { try Int64.fetchOne($0, sql: "SELECT count(*) FROM \(table)") }
    }

    /// The position of the last event of a log, of whatever format; nil where it cannot be read.
    public static func lastPosition(inLog path: String) -> Int64? {
        guard let database = try? DatabaseQueue(path: path, configuration: configuration) else { return nil }
        defer { try? database.close() }
        return try? database.read { try Int64.fetchOne($0, sql: "SELECT ifnull(max(position), 0) FROM events") }
    }

    /// Which of these channels do not exist.
    /// - Throws: ``LogError`` where the log cannot be read.
    public func missing(channels: [String]) async throws -> [String] {
        try await LogReader.missing(channels, log)
    }

    /// Which of these channels are private.
    /// - Throws: ``LogError`` where the log cannot be read.
    public func privateChannels(among channels: [String]) async throws -> [String] {
        try await LogReader.privateChannels(channels, log)
    }

    /// The incoming hooks by name, each with its channel.
    /// - Throws: ``LogError`` where the accounts cannot be read.
    public func hooks() async throws -> [(name: String, channel: String)] {
        guard let accounts else { return [] }
        do {
            return try await accounts.read { db in
                let rows = try RawStatement(cached: "SELECT name, channelId FROM hooks ORDER BY name", db)
                defer { rows.reset() }
                var hooks: [(name: String, channel: String)] = []
                while try rows.step() { hooks.append((rows.text(0), rows.text(1))) }
                return hooks
            }
        } catch {
            throw LogError.unavailable(StorageCause(error, path: accounts.path)?.summary ?? "\(error)")
        }
    }
}

extension SQLiteLog {
    /// Which of these channels do not exist now.
    /// - Throws: ``LogError``.
    public func missing(channels: [String]) async throws -> [String] { try await LogReader.missing(channels, pool) }

    /// Which of these channels are private.
    /// - Throws: ``LogError``.
    public func privateChannels(among channels: [String]) async throws -> [String] {
        try await LogReader.privateChannels(channels, pool)
    }
}

extension LogReader {
    fileprivate static func privateChannels(
        _ channels: [String], _ database: any DatabaseReader
    ) async throws -> [String] {
        do {
            return try await database.read { db in
                // A log that no server of this version has opened yet has none.
                if try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0 < 2 { return [] }
                let rows = try RawStatement(cached: "SELECT 1 FROM channels WHERE channelId = ? AND private = 1", db)
                return try channels.filter { name in
                    defer { rows.reset() }
                    rows.bind(1, name)
                    return try rows.step()
                }
            }
        } catch {
            throw LogError.unavailable("\(error)")
        }
    }

    fileprivate static func missing(_ channels: [String], _ database: any DatabaseReader) async throws -> [String] {
        do {
            return try await database.read { db in
                let rows = try RawStatement(cached: "SELECT 1 FROM channels WHERE channelId = ?", db)
                return try channels.filter { name in
                    defer { rows.reset() }
                    rows.bind(1, name)
                    return try !rows.step()
                }
            }
        } catch {
            throw LogError.unavailable("\(error)")
        }
    }
}
