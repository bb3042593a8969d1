import GRDB
import Glibc

/// The format of one database of a data folder: the one that it has, and the one that this version writes.
public struct DatabaseFormat: Sendable, Equatable {
    /// The database's path.
    public var path: String
    /// The number that it carries; 0 where it is empty.
    public var found: Int
    /// The number that this version writes.
    public var supported: Int

    /// Makes one.
    public init(path: String, found: Int, supported: Int) {
        self.path = path
        self.found = found
        self.supported = supported
    }

    /// The databases of a data folder, in the order in which a server makes them.
    public static let files = ["log.db", "host.db", "accounts.db"]

    /// The file's name.
    public var name: String { String(path.split(separator: "/").last ?? "") }
    /// Whether a version before this one wrote it, so that opening it upgrades it.
    public var isOlder: Bool { found > 0 && found < supported }
    /// Whether a later version wrote it.
    public var isNewer: Bool { found > supported }

    /// The formats of those databases of a data folder that can be read. Nothing is changed.
    public static func all(in folder: String) -> [DatabaseFormat] {
        files.compactMap { file in
            let path = folder + "/" + file
            guard access(path, F_OK) == 0, let format = DataReader.format(of: path) else { return nil }
            return DatabaseFormat(path: path, found: format.found, supported: format.supported)
        }
    }

    /// Makes sure that no database has a newer format, before opening any would upgrade it.
    /// - Throws: ``StoreError/newerFormat(path:found:supported:)``.
    public static func refuseNewer(_ formats: [DatabaseFormat]) throws(StoreError) {
        if let newer = formats.first(where: \.isNewer) {
            throw .newerFormat(path: newer.path, found: newer.found, supported: newer.supported)
        }
    }

    /// Makes sure that databases are there and have this version's format, so that opening them neither makes nor
    /// upgrades one: for verbs that only read.
    /// - Throws: ``StoreError``.
    public static func requireCurrent(_ files: [String] = files, in folder: String) throws(StoreError) {
        var formats: [DatabaseFormat] = []
        for file in files {
            let path = folder + "/" + file
            guard let format = DataReader.format(of: path) else {
                if access(path, F_OK) != 0, errno == ENOENT { throw .missing(path: path) }
                let cause = DataReader.problem(of: path)
                throw .cannotOpen(path: path, why: cause.map { "\($0)" } ?? "its format cannot be read")
            }
            if format.found == 0 { throw .missing(path: path) }
            formats.append(DatabaseFormat(path: path, found: format.found, supported: format.supported))
        }
        try refuseNewer(formats)
        let older = formats.filter(\.isOlder)
        if !older.isEmpty { throw .olderFormat(older) }
    }
}
