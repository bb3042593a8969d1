import HTTPTypes
import HummingbirdCore

/// Which other origins' pages may call the API from a browser (`[http] cors`; WHATWG Fetch, "CORS protocol").
///
/// There are no cookies, so a listed page can do nothing but what the tokens allow that it has.
public struct CORSRule: Sendable, Equatable {
    /// No other origin.
    public static let none = CORSRule(origins: [])

    /// The origins, as browsers write them in `Origin`.
    public let origins: [String]

    /// Makes a rule.
    /// - Parameter origins: Texts without a ``problem(_:)``.
    public init(origins: [String]) { self.origins = origins }

    /// Why a text is not an origin as a browser writes it; nil if it is one.
    public static func problem(_ text: String) -> String? {
        let shape = "is not an origin; write it as \"https://page.example.org\", with its port where it has another one"
        if text == "*" { return "allows every page; list the origins one by one, as \"https://page.example.org\"" }
        guard let scheme = ["https://", "http://"].first(where: { text.hasPrefix($0) }) else { return shape }
        var host = text.dropFirst(scheme.count)
        if host.hasSuffix("/") { return "must not end in '/': an origin has no path" }
        if let colon = host.lastIndex(of: ":"), !host.hasSuffix("]") {
            let port = host[host.index(after: colon)...]
            guard !port.isEmpty, HostRule.isPort(port) else { return shape }
            if port == (scheme == "https://" ? "443" : "80") {
                return "names the usual port, which browsers leave out; leave ':\(port)' out"
            }
            host = host[..<colon]
        }
        let isAddress = host.hasPrefix("[") && host.hasSuffix("]") && IPAddress(host.dropFirst().dropLast()) != nil
        guard isAddress || HostRule.isName(String(host)) else { return shape }
        return host.contains(where: \.isUppercase) ? "must be in lower case, as browsers write it" : nil
    }

    private static let methods = "GET, POST, PUT, PATCH, DELETE"
    private static let requestHeaders = "authorization, content-type, last-event-id, if-none-match, traceparent"
    private static let exposed = "etag, retry-after, crowbar-after, crowbar-request-id"
    /// How long a browser remembers what a preflight allows, in seconds.
    private static let maxAge = "7200"

    /// The origin of a request if it is listed.
    private func origin(_ request: HTTPFields) -> String? {
        guard let origin = request[.origin], origins.contains(where: { $0.utf8.elementsEqual(origin.utf8) }) else {
            return nil
        }
        return origin
    }

    /// The answer to a preflight of a listed origin; nil where the request is none.
    func preflight(_ method: HTTPRequest.Method, _ request: HTTPFields) -> Response? {
        guard method == .options, origin(request) != nil, request[.accessControlRequestMethod] != nil else {
            return nil
        }
        return Response(
            status: .noContent,
            headers: [
                .accessControlAllowMethods: Self.methods, .accessControlAllowHeaders: Self.requestHeaders,
                .accessControlMaxAge: Self.maxAge,
            ])
    }

    /// Adds what a browser needs to an answer, whatever its status.
    func apply(to answer: inout HTTPFields, of request: HTTPFields) {
        if origins.isEmpty { return }
        // Also for other origins and none: a cache must not give one origin's answer to another.
        let vary = answer[.vary]
        answer[.vary] = vary.map { $0.isEmpty ? "Origin" : $0 + ", Origin" } ?? "Origin"
        guard let origin = origin(request) else { return }
        answer[.accessControlAllowOrigin] = origin
        answer[.accessControlExposeHeaders] = Self.exposed
    }
}
