import HTTPClient

/// The request that exchanges a code for tokens (RFC 6749, section 4.1.3; RFC 7636, section 4.5).
struct TokenRequest: Sendable, Equatable {
    var url: ProviderURL
    var form: [String: String]
    /// `client_secret_basic`; nil for a public client.
    private var authorization: String?

    init(_ request: CodeExchange.Request, to url: ProviderURL, clientId: String, secret: ClientSecret?) {
        self.url = url
        form = [
            "grant_type": "authorization_code", "code": request.code, "redirect_uri": request.redirectUri,
            "client_id": clientId, "code_verifier": request.verifier,
        ]
        authorization = secret.map { secret in
            // Both are encoded as in a form first (RFC 6749, section 2.3.1).
            let pair = PercentEncoding.encode(clientId) + ":" + PercentEncoding.encode(secret.value)
            return "Basic " + Self.base64(Array(pair.utf8))
        }
    }

    var headers: [SigV4.Request.Header] {
        [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")]
            + (authorization.map { [("authorization", $0)] } ?? [])
    }

    var body: [UInt8] { PercentEncoding.form(form.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }) }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// RFC 4648, section 4.
    static func base64(_ bytes: [UInt8]) -> String {
        var out: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let part = bytes[start..<min(start + 3, bytes.count)]
            let bits = part.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - part.count))
            for index in 0..<4 {
                out.append(index <= part.count ? alphabet[Int(bits >> UInt32(18 - 6 * index)) & 63] : 0x3D)
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
