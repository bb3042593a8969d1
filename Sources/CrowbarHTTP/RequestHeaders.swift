import CrowbarCore
import HTTPTypes
import HummingbirdCore

extension HTTPField.Name {
    /// The id of the request, in every answer.
    static let requestID = HTTPField.Name("Crowbar-Request-Id") ?? .range
    /// The id that a proxy gave a request.
    static let xRequestID = HTTPField.Name("X-Request-Id") ?? .range
    /// The trace that a request belongs to (W3C Trace Context).
    static let traceParent = HTTPField.Name("traceparent") ?? .range
}

extension RequestID {
    /// The id of a request: the one in `X-Request-Id` where a trusted proxy sent the request and the id has the right
    /// form, else a new one. Callers choose no ids, as they could pass for other requests in the logs.
    /// - Parameter peer: The address of the connection's other end; nil on a Unix socket.
    static func of(_ headers: HTTPFields, peer: String?, _ proxies: TrustedProxies) -> String {
        let given = headers[values: .xRequestID]
        if given.count == 1, isValid(given[0]), let peer, proxies.trusts(peer: peer) { return given[0] }
        return new()
    }

    /// A new id.
    static func new() -> String { make(UInt64.random(in: 0 ... .max)) }
}

extension Submission.Origin {
    /// The origin of a command that comes with these headers; nil where they name no trace. A malformed `traceparent`,
    /// or more than one, is as good as none.
    init?(_ headers: HTTPFields) {
        let given = headers[values: .traceParent]
        guard given.count == 1, let traceParent = TraceParent(given[0]) else { return nil }
        self.init(traceParent: traceParent)
    }
}
