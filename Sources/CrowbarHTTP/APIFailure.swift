import CrowbarCore
import HTTPTypes
import HummingbirdCore
import JSONBytes
import NIOCore

/// A call that was refused, as the answer tells it: status, code, words.
struct APIFailure: Error, Sendable {
    /// Seconds after which a call is worth another try, where the reason passes by itself.
    static let retryAfter = 1

    var status: HTTPResponse.Status
    var error: CommandError
    /// How much of the log a view that is behind has applied, from 0 to 1.
    var progress: Double?
    var headers: HTTPFields = [:]

    /// A refusal whose status follows from its code.
    init(_ error: CommandError) {
        self.error = error
        status = Self.status(of: error.code)
        switch error.code {
        case .unauthorized: headers[.wwwAuthenticate] = "Bearer"
        case .rateLimited, .unavailable, .viewBehind: headers[.retryAfter] = "\(Self.retryAfter)"
        default: break
        }
    }

    init(_ code: CommandError.Code, _ message: String, field: String? = nil) {
        self.init(CommandError(code, message, field: field))
    }

    /// A path that is there, but not for this method (RFC 9110, section 15.5.6).
    static func methodNotAllowed(_ path: String, allowed: [HTTPRequest.Method]) -> APIFailure {
        let methods = allowed.map(\.rawValue)
        var failure = APIFailure(.notFound, "\(path) takes \(methods.joined(separator: " and ")) only")
        failure.status = .methodNotAllowed
        failure.headers[.allow] = methods.joined(separator: ", ")
        return failure
    }

    /// The status of a code (docs/api.md, "Errors").
    static func status(of code: CommandError.Code) -> HTTPResponse.Status {
        switch code {
        case .malformed: .badRequest
        case .unauthorized: .unauthorized
        case .forbidden: .forbidden
        case .userNotFound, .channelNotFound, .messageNotFound, .eventNotFound, .notFound: .notFound
        case .userExists, .channelExists, .messageExists, .alreadyAMember, .notAMember, .eventIdConflict,
            .alreadyInvited, .alreadyReacted, .notReacted, .idempotencyKeyConflict:
            .conflict
        case .tooLarge: .contentTooLarge
        case .tooSlow: .requestTimeout
        case .misdirected: .misdirectedRequest
        case .invalidCommand, .emptyMessage, .messageTooLong, .tooManyReactions, .refused, .replay, .loop:
            .unprocessableContent
        case .rateLimited: .tooManyRequests
        case .unavailable, .viewBehind: .serviceUnavailable
        }
    }

    /// The answer.
    var response: Response {
        var json = JSONWriter()
        let (status, headers) = write(to: &json)
        return .json(json.bytes, status: status, headers: headers)
    }

    /// Writes the body of the answer.
    /// - Returns: Its status, and the headers that are its own.
    func write(to json: inout JSONWriter) -> (HTTPResponse.Status, HTTPFields) {
        Self.write(error, progress: progress, to: &json)
        // What was refused now need not be the next time, or for the next caller.
        var headers = headers
        headers[.cacheControl] = "no-store"
        return (status, headers)
    }

    /// A number from 0 to 1 with two decimals, cut off, so that only what is complete is `1.00`.
    static func hundredths(_ number: Double) -> String {
        let hundredths = Int(min(max(0, number), 1) * 100)
        return "\(hundredths / 100).\(hundredths % 100 / 10)\(hundredths % 10)"
    }

    /// Writes `{"error": {"code", "message", "field"?, "progress"?, "retryAfter"?}}`.
    /// - Parameter retryAfter: What a line of an answer says in place of the header `Retry-After`, in seconds.
    static func write(
        _ error: CommandError, progress: Double? = nil, retryAfter: Int? = nil, to json: inout JSONWriter
    ) {
        json.beginObject()
        json.key("error")
        json.beginObject()
        json.member("code", error.code.rawValue)
        json.member("message", error.message)
        json.member("field", ifPresent: error.field)
        if let progress {
            json.key("progress")
            json.raw(Array(Self.hundredths(progress).utf8))
        }
        if let retryAfter { json.member("retryAfter", Int64(retryAfter)) }
        json.endObject()
        json.endObject()
    }
}

extension Response {
    /// An answer that is one JSON text and a line's end, so that it reads well in a terminal too.
    static func json(
        _ bytes: [UInt8], status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]
    ) -> Response {
        var headers = headers
        headers[.contentType] = "application/json"
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: line(bytes)))
    }

    /// A JSON text and a line's end.
    static func line(_ bytes: [UInt8]) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(bytes.count + 1)
        buffer.writeBytes(bytes)
        buffer.writeInteger(UInt8(0x0A))
        return buffer
    }
}

extension HTTPField.Name {
    /// `Last-Event-ID`, by which a client of an event stream resumes (WHATWG HTML, "Server-sent events").
    static let lastEventID = HTTPField.Name("Last-Event-ID") ?? .range
}
