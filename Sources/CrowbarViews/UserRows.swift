import CrowbarCore
import CrowbarSQLite
import GRDB

/// The rows of ``UsersView``.
final class UserRows: ViewRows {
    static let name = ViewName.users

    private let put: RawStatement

    static func tables(_ generation: Int64) -> [String] { ["users_\(generation)"] }

    static func create(_ db: Database, _ generation: Int64) throws {
        try db.execute(
            sql: """
                CREATE TABLE users_\(generation) (
                    id TEXT PRIMARY KEY, name TEXT NOT NULL, changed INTEGER NOT NULL) WITHOUT ROWID
                """)
    }

    init(_ db: Database, _ generation: Int64) throws {
        put = RawStatement(
            try db.makeStatement(
                sql: """
                    INSERT INTO users_\(generation) (id, name, changed) VALUES (?, ?, ?)
                    ON CONFLICT (id) DO UPDATE SET name = excluded.name, changed = excluded.changed
                    """))
    }

    func apply(_ event: ViewEvent) throws {
        for change in try UsersView.changes(for: event) {
            switch change {
            case .named(let id, let name):
                put.bind(1, id)
                put.bind(2, name)
                put.bind(3, event.position)
                try put.run()
            }
        }
    }
}
