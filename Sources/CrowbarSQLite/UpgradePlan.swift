import GRDB
import Glibc

/// What this version will do to one database of a data folder when it opens it. Nothing is changed to find out.
public struct UpgradePlan: Sendable, Equatable {
    /// What happens to the database.
    public enum Change: String, Sendable, CaseIterable {
        /// It has the format of this version.
        case unchanged
        /// It is not there or empty, and is made.
        case created
        /// Its format is older and becomes the one of this version.
        case upgraded
        /// It is computed from the log again, in the background.
        case rebuilt
        /// Its format is newer: the server does not start.
        case refused
        /// It cannot be read.
        case unreadable
    }

    /// The file's name.
    public var name: String
    /// Its path.
    public var path: String
    public var change: Change
    /// The format that it has; nil where there is none.
    public var found: Int?
    /// The format that this version writes.
    public var supported: Int
    /// Bytes of the file and of its write-ahead log.
    public var bytes: Int64
    /// Rows that the change has to read.
    public var rows: Int64 = 0
    /// Why it cannot be read, or what is rebuilt.
    public var detail: String?

    /// Rows that a format's change reads in a second, on a slow machine.
    public static let rowsPerSecond: Int64 = 200_000
    /// Events that a rebuild of a view applies in a second, on a slow machine.
    public static let eventsPerSecond: Int64 = 20_000

    /// Makes a plan.
    public init(
        name: String, path: String, change: Change, found: Int?, supported: Int, bytes: Int64, rows: Int64 = 0,
        detail: String? = nil
    ) {
        (self.name, self.path, self.change) = (name, path, change)
        (self.found, self.supported, self.bytes) = (found, supported, bytes)
        (self.rows, self.detail) = (rows, detail)
    }

    /// The estimated time in whole seconds, rounded up; 0 where nothing is to be done.
    public var seconds: Int64 {
        switch change {
        case .upgraded: max(1, (rows + Self.rowsPerSecond - 1) / Self.rowsPerSecond)
        case .rebuilt: max(1, (rows + Self.eventsPerSecond - 1) / Self.eventsPerSecond)
        case .unchanged, .created, .refused, .unreadable: 0
        }
    }

    /// Whether the version before can be started again without a backup; nil where nothing changes.
    public var isReversible: Bool? {
        switch change {
        case .upgraded: false
        case .rebuilt: true
        case .unchanged, .created, .refused, .unreadable: nil
        }
    }

    /// The table whose rows the change from a format on reads; nil where it only changes the tables' definitions, which
    /// takes the same short time however large the database is.
    private static func table(_ name: String, from found: Int) -> String? {
        switch name {
        // The index of private members.
        case "log.db" where found < 2: "members"
        // The index of folded ids.
        case "accounts.db" where found < 4: "accounts"
        default: nil
        }
    }

    /// The plans for the databases of a data folder that are not computed from others, in the order in which a server
    /// opens them.
    public static func all(in folder: String) -> [UpgradePlan] {
        (DatabaseFormat.files + ["markers.db"]).compactMap { plan(for: $0, in: folder) }
    }

    private static func plan(for name: String, in folder: String) -> UpgradePlan? {
        let path = folder + "/" + name
        guard let supported = DataReader.supportedFormat(of: name) else { return nil }
        var plan = UpgradePlan(
            name: name, path: path, change: .created, found: nil, supported: supported, bytes: bytes(of: path))
        var info = stat()
        guard stat(path, &info) == 0, info.st_size > 0 else { return plan }
        guard info.st_uid == geteuid() else {
            // SQLite may make files beside it. Made by another user they would keep the server out.
            plan.change = .unreadable
            plan.detail = "it belongs to user \(info.st_uid); run this as that user"
            return plan
        }
        guard let format = DataReader.format(of: path) else {
            plan.change = .unreadable
            plan.detail = DataReader.problem(of: path).map { "\($0)" } ?? "its format cannot be read"
            return plan
        }
        if format.found == 0 { return plan }
        plan.found = format.found
        plan.change = format.found == supported ? .unchanged : format.found > supported ? .refused : .upgraded
        if plan.change == .upgraded, let table = table(name, from: format.found) {
            plan.rows = DataReader.count(of: table, in: path) ?? 0
        }
        return plan
    }

    /// The bytes of a database with its write-ahead log.
    public static func bytes(of path: String) -> Int64 {
        ["", "-wal"].reduce(0) { sum, suffix in
            var info = stat()
            return stat(path + suffix, &info) == 0 ? sum + Int64(info.st_size) : sum
        }
    }
}
