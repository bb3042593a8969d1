import CrowbarCore
import Logging

/// Writes lines of the audit log. What cannot be noted is not done.
struct AuditWriter: Sendable {
    let log: any AuditLog
    let logger: Logger
    /// The Unix time in milliseconds.
    let now: @Sendable () -> Int64

    /// Writes a line.
    /// - Returns: Its number.
    /// - Throws: ``APIFailure`` with `unavailable`, or what the log throws for callers.
    func begin(
        user: String, address: String, action: String, target: String?, result: String = AuditLine.started
    ) async throws -> Int64 {
        do {
            return try await log.begin(
                AuditLine(
                    time: now(), userId: user, address: address, action: action, target: target, result: result))
        } catch let failure as ActionFailure {
            throw failure
        } catch {
            logger.error("the audit log cannot be written", metadata: ["error": "\(error)"])
            throw APIFailure(.unavailable, "the audit log cannot be written, so nothing was done; see the server's log")
        }
    }
}
