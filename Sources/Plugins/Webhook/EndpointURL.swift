import Basics
import CCurl
import HTTPClient
import PluginKit

/// An endpoint's URL, read by the library that connects by it, so that the two can never differ about its host.
struct EndpointURL: Hashable, Sendable {
    /// The longest URL, in bytes.
    static let maxLength = 4096

    /// Why a text is refused. Prose only; no text quotes a path, a query or a credential.
    enum Refusal: Error, Equatable, CustomStringConvertible {
        case malformed
        case padded
        case tooLong
        case scheme(String)
        case credentials
        case denied(host: String)

        var description: String {
            switch self {
            case .malformed: "this is no URL; give one such as https://hooks.example.org/path"
            case .padded: PaddedText.problem
            case .tooLong: "a URL is at most \(EndpointURL.maxLength) bytes long"
            case .scheme(let scheme): "the scheme '\(scheme)' is not supported; use https or http"
            case .credentials: "credentials do not belong in a URL; put them in 'headers' as authorization"
            case .denied(let host):
                "'\(host)' is a private or local address, which is denied; to reach it, set allow_private = true or "
                    + "a list of address blocks"
            }
        }
    }

    /// The URL as given.
    let text: String
    /// Its scheme, `http` or `https`.
    let scheme: String
    /// Its host, decoded, odd spellings of IPv4 made plain.
    let host: String
    /// Its port, the scheme's own included.
    let port: String

    /// Reads a URL and refuses what may not be posted to.
    init(_ text: String, filter: AddressFilter) throws(Refusal) {
        guard text.utf8.count <= Self.maxLength else { throw .tooLong }
        if PaddedText.isPadded(text) { throw .padded }
        guard let url = Self.read(text) else { throw .malformed }
        guard url.scheme == "http" || url.scheme == "https" else { throw .scheme(url.scheme) }
        guard !url.hasCredentials else { throw .credentials }
        guard filter.allows(host: url.host) else { throw .denied(host: url.host) }
        self.text = text
        (scheme, host, port) = (url.scheme, url.host, url.port)
    }

    /// The URL without what may be secret in it.
    var masked: String { Self.masked(scheme, host, port) }

    /// A text in which the path and the query, wherever they are quoted, are left out.
    func mask(_ text: String) -> String {
        guard let start = self.text.firstRange(of: "://")?.upperBound else { return text }
        let rest = self.text[start...]
        guard let path = rest.firstIndex(where: { $0 == "/" || $0 == "?" }) else { return text }
        let secret = rest[path...].prefix { $0 != "#" }
        var masked = text
        // The whole, the path and the query; what is as short as "/" or "/in" hides nothing.
        let parts = [secret] + secret.split(separator: "?", maxSplits: 1)
        for part in parts where part.utf8.count > 4 { masked = masked.replacing(part, with: "…") }
        return masked
    }

    /// The host of any URL, for messages.
    static func host(_ text: String) -> String? { read(text)?.host }

    private static func masked(_ scheme: String, _ host: String, _ port: String) -> String {
        let isUsual = port.isEmpty || (scheme == "https" && port == "443") || (scheme == "http" && port == "80")
        return "\(scheme)://\(host)\(isUsual ? "" : ":\(port)")/…"
    }

    private static func read(_ text: String) -> (scheme: String, host: String, port: String, hasCredentials: Bool)? {
        // libcurl guesses at what stands before the scheme, and takes spaces in places.
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        var url = ccurl_url()
        guard ccurl_url_read(text, &url) else { return nil }
        return (
            withUnsafeBytes(of: url.scheme, string), withUnsafeBytes(of: url.host, string),
            withUnsafeBytes(of: url.port, string), url.has_credentials
        )
    }

    private static func string(_ bytes: UnsafeRawBufferPointer) -> String {
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
}
