import Basics
import OpenSSL

/// AWS Signature Version 4 in a request's headers
/// (docs.aws.amazon.com, "Create a signed AWS API request").
package struct SigV4: Sendable {
    /// What is signed of a request.
    package struct Request: Sendable {
        /// A header's name and value.
        package typealias Header = (name: String, value: String)

        /// As `POST`.
        package var method: String
        /// As it goes over the wire; each segment is encoded once more for the signature: `%3A` becomes `%253A`.
        package var path: String
        /// What follows the `?`, as it goes over the wire.
        package var query = ""
        /// All headers that are to be signed; `host` must be among them.
        package var headers: [Header]
        /// The body.
        package var body: [UInt8] = []

        package init(method: String, path: String, query: String = "", headers: [Header], body: [UInt8] = []) {
            self.method = method
            self.path = path
            self.query = query
            self.headers = headers
            self.body = body
        }
    }

    /// The one service whose paths are not encoded once more.
    private static let storage = "s3"
    private static let algorithm = "AWS4-HMAC-SHA256"

    /// Who signs.
    package var credentials: AWSCredentials
    /// As `eu-central-1`.
    package var region: String
    /// As `lambda`.
    package var service: String

    package init(credentials: AWSCredentials, region: String, service: String) {
        self.credentials = credentials
        self.region = region
        self.service = service
    }

    /// The headers that a request needs beside its own: the date, the token of temporary credentials, the signature.
    /// - Parameter time: Unix time in seconds.
    package func headers(for request: Request, at time: Int64) -> [Request.Header] {
        var added: [Request.Header] = [("x-amz-date", Timestamp.basic(time))]
        if let token = credentials.sessionToken { added.append(("x-amz-security-token", token)) }
        var signed = request
        signed.headers += added
        let text = stringToSign(Self.canonical(signed, isPathEncoded: service == Self.storage), at: time)
        let signature = Self.hex(HMACSHA256.authenticate(key: key(at: time), Array(text.utf8)))
        let authorization =
            "\(Self.algorithm) Credential=\(credentials.accessKeyId)/\(scope(at: time)), "
            + "SignedHeaders=\(Self.signedNames(signed)), Signature=\(signature)"
        return added + [("authorization", authorization)]
    }

    /// The string to sign for a canonical request.
    package func stringToSign(_ canonical: String, at time: Int64) -> String {
        [Self.algorithm, Timestamp.basic(time), scope(at: time), Self.hex(SHA256.hash(Array(canonical.utf8)))]
            .joined(separator: "\n")
    }

    /// The canonical form of a request.
    /// - Parameter isPathEncoded: Whether the path is signed as it goes over the wire, as S3 has it.
    package static func canonical(_ request: Request, isPathEncoded: Bool = false) -> String {
        let headers = grouped(request).map { "\($0.name):\($0.value)\n" }.joined()
        return [
            request.method, isPathEncoded ? request.path : path(request.path), query(request.query), headers,
            signedNames(request),
            hex(SHA256.hash(request.body)),
        ].joined(separator: "\n")
    }

    private func scope(at time: Int64) -> String {
        "\(Timestamp.basic(time).prefix(8))/\(region)/\(service)/aws4_request"
    }

    private func key(at time: Int64) -> [UInt8] {
        var key = Array("AWS4\(credentials.secretAccessKey)".utf8)
        for part in [String(Timestamp.basic(time).prefix(8)), region, service, "aws4_request"] {
            key = HMACSHA256.authenticate(key: key, Array(part.utf8))
        }
        return key
    }

    private static func signedNames(_ request: Request) -> String {
        grouped(request).map(\.name).joined(separator: ";")
    }

    /// Names in lower case and in order, values of one name joined, spaces made single.
    private static func grouped(_ request: Request) -> [Request.Header] {
        var values: [String: [String]] = [:]
        for header in request.headers {
            let value = header.value.split { $0 == " " || $0 == "\t" || $0.isNewline }.joined(separator: " ")
            values[header.name.lowercased(), default: []].append(value)
        }
        return values.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            .map { (name: $0.key, value: $0.value.joined(separator: ",")) }
    }

    /// Without `.`, `..` and empty segments, and encoded.
    private static func path(_ path: String) -> String {
        var segments: [Substring] = []
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        for part in parts where !part.isEmpty && part != "." {
            if part == ".." { _ = segments.popLast() } else { segments.append(part) }
        }
        if segments.isEmpty { return "/" }
        let isFolder = parts.last.map { $0.isEmpty || $0 == "." || $0 == ".." } ?? false
        return "/" + PercentEncoding.encode(segments.joined(separator: "/"), slash: false) + (isFolder ? "/" : "")
    }

    private static func query(_ query: String) -> String {
        var pairs: [(String, String)] = []
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            func encoded(_ part: Substring) -> String { PercentEncoding.encode(PercentEncoding.decode(part)) }
            pairs.append((encoded(parts[0]), parts.count > 1 ? encoded(parts[1]) : ""))
        }
        return pairs.sorted { $0.0 == $1.0 ? $0.1 < $1.1 : $0.0 < $1.0 }.map { "\($0.0)=\($0.1)" }
            .joined(separator: "&")
    }

    /// Lower-case hexadecimal digits.
    package static func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
