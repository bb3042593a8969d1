import HTTPTypes
import HummingbirdCore

/// `GET /api/openapi.json`: the description of the API (OpenAPI 3.1), the file `openapi.json` of this target.
enum OpenAPIRoute {
    static let path = "/api/openapi.json"

    /// The document. The build embeds the file in the binary.
    static let document: [UInt8] = text.withUTF8Buffer { Array($0) }
    private static let tag = "\"" + EntityTag.digest(document) + "\""

    /// Answers a `GET`. The document is the same for everybody and has no secrets, so it needs no token.
    static func respond(_ request: Request) -> Response {
        let headers: HTTPFields = [.eTag: tag, .cacheControl: "public, no-cache"]
        if EntityTag.isNamed(tag, by: request.headers[values: .ifNoneMatch]) {
            // As in ViewsRoute: without the length of this answer.
            var response = Response(status: .notModified, headers: headers)
            response.headers[.contentLength] = nil
            return response
        }
        return .json(document, headers: headers)
    }
}
