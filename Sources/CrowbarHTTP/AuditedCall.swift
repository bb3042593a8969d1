import CrowbarCore
import HTTPTypes
import HummingbirdCore
import JSONBytes
import Logging

/// An admin's call as a line of the audit log has it. No secret is in it: tokens and passwords are in no path and no
/// member that is named here.
struct AuditedCall: Equatable {
    /// Bytes of each text at most.
    private static let maxText = 256
    /// Members of bodies that say what a call changes.
    private static let members: [StaticString] = ["role", "disabled", "admin", "uses", "expires", "kind", "channel"]
    /// Members of bodies that say what a call is about, where the path does not.
    private static let targets: [StaticString] = ["userId", "user", "name", "messageId"]

    let action: String
    let target: String?

    /// What the action of a call that reads all channels ends with.
    private static let readsAll = "all=true"

    /// - Parameters:
    ///   - path: A path below `/api/admin/`.
    ///   - readsAll: Whether the call has the parameter `all=true`.
    init(_ method: HTTPRequest.Method, _ path: Substring, body: [UInt8], readsAll: Bool = false) {
        let parts = path.split(separator: "/").dropFirst(2).map { part in
            (try? Query.decode(part)) ?? String(part)
        }
        let object = try? JSONObject(parsing: body)
        var words = ["\(method.rawValue) \(([parts.first ?? ""] + parts.dropFirst(2)).joined(separator: "/"))"]
        for key in Self.members {
            if let text = object.flatMap({ Self.scalar($0, key) }) { words.append("\(key)=\(Self.word(text))") }
        }
        if readsAll { words.append(Self.readsAll) }
        action = Self.cut(words.joined(separator: " "))
        let named = Self.targets.lazy.compactMap { object?.string($0) }.first
        target = (parts.count > 1 ? parts[1] : named).map { Self.cut($0) }
    }

    /// A call of `/api/events`, a stream or a view with `all=true`.
    /// - Parameter channel: The channel that the call asks for by a parameter; nil if the path names it, or none.
    init(readingAll path: Substring, channel: String?) {
        var parts = path.split(separator: "/").map { part in (try? Query.decode(part)) ?? String(part) }
        if parts.first == "api" { parts.removeFirst() }
        if let last = parts.last, last.hasSuffix(".json") { parts[parts.count - 1] = String(last.dropLast(5)) }
        action = Self.cut("GET \(parts.prefix(2).joined(separator: "/")) \(Self.readsAll)")
        target = (parts.count > 2 ? parts[2] : channel).map { Self.cut($0) }
    }

    private static func scalar(_ object: JSONObject, _ key: StaticString) -> String? {
        object.string(key) ?? object.int(key).map { "\($0)" } ?? object.bool(key).map { "\($0)" }
    }

    /// A value that cannot pass for another word: in quotes unless it is plain.
    private static func word(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            (0x30...0x3A).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || byte == 0x2D || byte == 0x2E || byte == 0x5F
        }
        if isPlain, !text.isEmpty { return text }
        var json = JSONWriter()
        json.string(text)
        return String(decoding: json.bytes, as: UTF8.self)
    }

    private static func cut(_ text: String) -> String { String(decoding: text.utf8.prefix(maxText), as: UTF8.self) }
}

/// Writes what admins do to the audit log.
struct AuditWriter: Sendable {
    let log: any AuditLog
    let door: Door
    /// The Unix time in milliseconds.
    let now: @Sendable () -> Int64
    let logger: Logger

    /// Notes that a call starts.
    /// - Returns: The line's number.
    /// - Throws: ``APIFailure`` or ``ActionFailure`` if the line cannot be written; the call must then not be done.
    func begin(_ call: AuditedCall, user: String, address: String) async throws -> Int64 {
        do {
            return try await log.begin(
                AuditLine(
                    time: now(), userId: door.isCommandLine ? AuditLine.commandLine : user,
                    address: door.isCommandLine ? "local" : address, action: call.action, target: call.target))
        } catch let failure as ActionFailure {
            throw failure
        } catch {
            logger.error("the audit log cannot be written", metadata: ["error": "\(error)"])
            throw APIFailure(.unavailable, "the audit log cannot be written, so nothing was done; see the server's log")
        }
    }

    /// Does a call, and notes how it ended.
    /// - Parameter line: What ``begin(_:user:address:)`` gave.
    func noting(_ line: Int64, _ call: () async throws -> Response) async throws -> Response {
        func note(_ result: String) async {
            do { try await log.end(line, result: result) } catch {
                logger.error("the audit log cannot be written", metadata: ["line": "\(line)", "error": "\(error)"])
            }
        }
        do {
            let response = try await call()
            await note(response.status.code < 400 ? AuditLine.ok : "\(response.status.code)")
            return response
        } catch {
            let code = (error as? APIFailure)?.error.code ?? (error as? CommandError)?.code
            await note(code?.rawValue ?? CommandError.Code.unavailable.rawValue)
            throw error
        }
    }
}
