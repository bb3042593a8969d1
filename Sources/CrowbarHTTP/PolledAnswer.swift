import HTTPTypes
import HummingbirdCore

extension Response {
    /// JSON that callers ask for again and again, as the console does every two seconds: 304 if the caller has it.
    static func polled(_ bytes: [UInt8], for request: Request) -> Response {
        let tag = "\"\(EntityTag.digest(bytes))\""
        let headers: HTTPFields = [.eTag: tag, .cacheControl: "private, no-cache", .vary: "Authorization"]
        if EntityTag.isNamed(tag, by: request.headers[values: .ifNoneMatch]) {
            return Response(status: .notModified, headers: headers)
        }
        return .json(bytes, headers: headers)
    }
}
