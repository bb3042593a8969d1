import CrowbarSQLite
import GRDB
import Glibc

extension ViewsDatabase {
    /// What this version will do to `views.db` when it opens it. Nothing is changed to find out.
    /// - Parameter folder: The data folder.
    public static func upgradePlan(in folder: String) -> UpgradePlan {
        let path = folder + "/views.db"
        let events = DataReader.lastPosition(inLog: folder + "/log.db") ?? 0
        var plan = UpgradePlan(
            name: "views.db", path: path, change: .created, found: nil, supported: format,
            bytes: UpgradePlan.bytes(of: path), rows: events)
        var info = stat()
        guard stat(path, &info) == 0, info.st_size > 0 else { return plan }
        guard info.st_uid == geteuid() else {
            plan.change = .unreadable
            plan.detail = "it belongs to user \(info.st_uid); run this as that user"
            return plan
        }
        guard let found = DataReader.format(of: path, others: ["views.db": format])?.found, found <= format,
            let versions = liveVersions(path)
        else {
            plan.found = DataReader.format(of: path, others: ["views.db": format])?.found
            plan.change = .rebuilt
            plan.detail = "the server replaces it, and serves no views until they are rebuilt"
            return plan
        }
        plan.found = found
        let current = ViewVersions.current
        let older = ViewName.allCases.filter { name in versions[name].map { $0 != current.version(of: name) } ?? true }
        if older.isEmpty {
            plan.change = .unchanged
            plan.rows = 0
            return plan
        }
        plan.change = .rebuilt
        let unserved = older.filter { name in !(versions[name].map { current.isReadable(name, $0) } ?? false) }
        let names = older.map(\.rawValue).joined(separator: ", ")
        plan.detail =
            unserved.isEmpty
            ? "\(names); the old rows are served meanwhile"
            : "\(names); not served meanwhile: \(unserved.map(\.rawValue).joined(separator: ", "))"
        return plan
    }

    /// The versions of the rows that are served; nil where they cannot be read.
    private static func liveVersions(_ path: String) -> [ViewName: Int]? {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(busySeconds)
        guard let database = try? DatabaseQueue(path: path, configuration: configuration) else { return nil }
        defer { try? database.close() }
        return try? database.read { db in
            var versions: [ViewName: Int] = [:]
            for row in try Row.fetchAll(db, sql: "SELECT name, version FROM views WHERE isLive = 1") {
                if let name = ViewName(rawValue: row["name"]) { versions[name] = row["version"] }
            }
            return versions
        }
    }
}
