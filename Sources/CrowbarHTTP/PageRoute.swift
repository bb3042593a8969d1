import CrowbarCore
import CrowbarPage
import HTTPTypes
import HummingbirdCore
import NIOCore

/// The web page: `/`, `/index.html`, `/config.json`, and the page's other files under `/p/RELEASE/`. It needs no token:
/// the files say nothing about the server's users or channels.
final class PageRoute: Sendable {
    /// The files never change while the server runs.
    static let shared = PageRoute()

    private struct Entry: Sendable {
        var headers: HTTPFields
        var tag: String
        var body: ByteBuffer
    }

    /// The files by the paths under which they are served.
    private let entries: [String: Entry]

    private init() {
        var entries: [String: Entry] = [:]
        for file in PageFiles.all {
            let text = file.text
            let body = ByteBuffer(bytes: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
            let tag = "\"\(file.sha256.prefix(32))\""
            if file.path == "index.html" {
                let entry = Self.entry(file.path, tag, "no-cache", body)
                entries["/"] = entry
                entries["/index.html"] = entry
            } else {
                entries["/p/\(PageFiles.release)/\(file.path)"] = Self.entry(
                    file.path, tag, "public, max-age=31536000, immutable", body)
            }
        }
        // The page calls the API of its own origin.
        entries["/config.json"] = Self.entry(
            "config.json", "\"\(PageFiles.release)-config\"", "no-cache", ByteBuffer(string: "{\"api\":\"\"}\n"))
        self.entries = entries
    }

    /// The answer, or nil if the page has nothing at this path.
    func respond(_ request: Request, _ path: Substring) throws(APIFailure) -> Response? {
        guard let entry = entries[String(path)] else {
            guard path.hasPrefix("/p/") else { return nil }
            throw APIFailure(.notFound, "the page has no file \(path.prefix(128)); reload the page")
        }
        guard request.method == .get || request.method == .head else {
            throw APIFailure.methodNotAllowed(String(path), allowed: [.get, .head])
        }
        if EntityTag.isNamed(entry.tag, by: request.headers[values: .ifNoneMatch]) {
            var response = Response(status: .notModified, headers: entry.headers)
            response.headers[.contentLength] = nil
            return response
        }
        return Response(status: .ok, headers: entry.headers, body: ResponseBody(byteBuffer: entry.body))
    }

    private static func entry(_ path: String, _ tag: String, _ caching: String, _ body: ByteBuffer) -> Entry {
        var headers: HTTPFields = [
            .contentType: contentType(path), .eTag: tag, .cacheControl: caching, .xContentTypeOptions: "nosniff",
            .contentSecurityPolicy: policy,
        ]
        if let name = HTTPField.Name("Referrer-Policy") { headers[name] = "no-referrer" }
        return Entry(headers: headers, tag: tag, body: body)
    }

    /// What the page may do: everything is its own, and no other page may frame it.
    private static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    private static func contentType(_ path: String) -> String {
        switch path.split(separator: ".").last {
        case "html": "text/html; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "js": "text/javascript; charset=utf-8"
        case "json": "application/json"
        case "svg": "image/svg+xml"
        case "txt": "text/plain; charset=utf-8"
        default: "application/octet-stream"
        }
    }
}
