import CrowbarCore
import CrowbarSQLite

/// The audit log, whose failures tell the caller that nothing was done, and why.
struct ExplainedAudit: AuditLog {
    let accounts: AccountsDatabase

    func begin(_ line: AuditLine) async throws -> Int64 {
        do { return try await accounts.begin(line) } catch let error as StoreError {
            return try Stores.explaining("nothing was done, because the audit log cannot be written") { throw error }
        }
    }

    func end(_ id: Int64, result: String) async throws { try await accounts.end(id, result: result) }

    func lines(before: Int64?, limit: Int) async throws -> [AuditLine] {
        do { return try await accounts.lines(before: before, limit: limit) } catch let error as StoreError {
            return try Stores.explaining("the audit log cannot be read") { throw error }
        }
    }
}
