import Basics
import CCurl
import HTTPClient
import PluginKit

/// The HTTP proxy that an endpoint is reached through.
struct ProxyURL: Hashable, Sendable {
    /// The longest URL of a proxy, in bytes.
    static let maxLength = 1024

    /// Why a text is refused. No text quotes a credential.
    enum Refusal: Error, Equatable, CustomStringConvertible {
        case malformed
        case padded
        case scheme(String)
        case denied(host: String)

        var description: String {
            switch self {
            case .malformed: "a proxy's URL such as http://proxy.example.org:3128 is expected"
            case .padded: PaddedText.problem
            case .scheme(let scheme): "the scheme '\(scheme)' is not supported for a proxy; use http"
            case .denied(let host):
                "the proxy '\(host)' has a private or local address, which is denied; name it in allow_private"
            }
        }
    }

    /// The URL as given, credentials included.
    let text: String
    /// Its port; 80 where it says none.
    let port: Int

    /// Reads `http://[USER:PASSWORD@]HOST[:PORT]`.
    /// - Parameter filter: The endpoint's, which judges the proxy as it would the endpoint: it is the proxy that is
    ///   connected to.
    init(_ text: String, filter: AddressFilter) throws(Refusal) {
        if PaddedText.isPadded(text) { throw .padded }
        // libcurl guesses at what stands before the scheme, and takes spaces in places.
        guard text.utf8.count <= Self.maxLength, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw .malformed
        }
        var url = ccurl_url()
        guard ccurl_url_read(text, &url), text.contains("://") else { throw .malformed }
        let scheme = withUnsafeBytes(of: url.scheme, Self.string)
        let host = withUnsafeBytes(of: url.host, Self.string)
        guard scheme == "http" else { throw .scheme(scheme) }
        guard let port = Int(withUnsafeBytes(of: url.port, Self.string)) else { throw .malformed }
        guard filter.allows(host: host) else { throw .denied(host: host) }
        (self.text, self.port) = (text, port)
    }

    private static func string(_ bytes: UnsafeRawBufferPointer) -> String {
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
}
