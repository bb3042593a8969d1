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
    private static let members: [StaticString] = [
        "role", "disabled", "admin", "uses", "expires", "kind", "channel", "scopes", "lifetime",
    ]
    /// Members of bodies that say what a call is about, where the path does not.
    private static let targets: [StaticString] = ["userId", "user", "name", "messageId"]

    let action: String
    let target: String?

    /// - Parameter path: A path below `/api/admin/`.
    init(_ method: HTTPRequest.Method, _ path: Substring, body: [UInt8]) {
        let parts = path.split(separator: "/").dropFirst(2).map { part in
            (try? Query.decode(part)) ?? String(part)
        }
        let object = try? JSONObject(parsing: body)
        // Of these the second part says what is done, and the body to what.
        let isNamedInBody = parts.first == "erase" || (parts.count == 2 && parts[0] == "views")
        let template = isNamedInBody ? parts : Array([parts.first ?? ""] + parts.dropFirst(2))
        var words = ["\(method.rawValue) \(template.joined(separator: "/"))"]
        for key in Self.members {
            if let text = object.flatMap({ Self.scalar($0, key) }) { words.append("\(key)=\(Self.word(text))") }
        }
        action = Self.cut(words.joined(separator: " "))
        let named = Self.targets.lazy.compactMap { object?.string($0) }.first
        target = (parts.count > 1 && !isNamedInBody ? parts[1] : named).map { Self.cut($0) }
    }

    private static func scalar(_ object: JSONObject, _ key: StaticString) -> String? {
        object.string(key) ?? object.int(key).map { "\($0)" } ?? object.bool(key).map { "\($0)" }
            ?? object.strings(key).map { $0.joined(separator: "+") }
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

    /// Does a call, and notes how it ended.
    static func noting(
        _ line: Int64, in audit: any AuditLog, logger: Logger, _ call: () async throws -> Response
    ) async throws -> Response {
        func note(_ result: String) async {
            do { try await audit.end(line, result: result) } catch {
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
