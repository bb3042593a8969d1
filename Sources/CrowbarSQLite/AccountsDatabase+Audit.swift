import CrowbarCore
import GRDB

// The audit log: a line for each call of an admin.
extension AccountsDatabase: AuditLog {
    public func begin(_ line: AuditLine) async throws -> Int64 {
        try await transact(keepsCache: true) { db in
            let put = try RawStatement(
                cached: """
                    INSERT INTO audit (time, userId, address, action, target, result, requestId)
                    VALUES (?, ?, ?, ?, ?, ?, ?)
                    """, db)
            put.bind(1, line.time)
            put.bind(2, line.userId)
            put.bind(3, line.address)
            put.bind(4, line.action)
            put.bind(5, line.target)
            put.bind(6, line.result)
            put.bind(7, line.requestId)
            try put.run()
            return db.lastInsertedRowID
        }
    }

    public func end(_ id: Int64, result: String) async throws {
        try await transact(keepsCache: true) { db in
            let put = try RawStatement(cached: "UPDATE audit SET result = ? WHERE id = ?", db)
            put.bind(1, result)
            put.bind(2, id)
            try put.run()
        }
    }

    public func lines(before: Int64?, limit: Int) async throws -> [AuditLine] {
        try await fetch { db in
            let rows = try RawStatement(
                cached: """
                    SELECT id, time, userId, address, action, target, result, requestId FROM audit
                    WHERE ?1 IS NULL OR id < ?1 ORDER BY id DESC LIMIT ?2
                    """, db)
            defer { rows.reset() }
            rows.bind(1, before)
            rows.bind(2, Int64(min(limit, Limit.page)))
            var lines: [AuditLine] = []
            while try rows.step() {
                lines.append(
                    AuditLine(
                        id: rows.int(0), time: rows.int(1), userId: rows.text(2), address: rows.text(3),
                        action: rows.text(4), target: rows.isNull(5) ? nil : rows.text(5), result: rows.text(6),
                        requestId: rows.isNull(7) ? nil : rows.text(7)))
            }
            return lines
        }
    }
}
