import OpenSSL
import PluginKit

/// The key that an endpoint's requests are signed with, as Standard Webhooks 1.0 has it ("Symmetric signatures").
struct SigningSecret: Sendable, CustomStringConvertible {
    /// How a secret's text begins.
    static let prefix = "whsec_"
    /// The key's length in bytes.
    static let lengths = 24...64

    private let key: HMACSHA256

    /// Reads `whsec_` and base 64 of 24 to 64 bytes.
    init?(_ text: String) {
        guard text.hasPrefix(Self.prefix), let key = Base64.decode(String(text.dropFirst(Self.prefix.count))),
            Self.lengths.contains(key.count)
        else { return nil }
        self.key = HMACSHA256(key: key)
    }

    /// The value of `webhook-signature`: `v1,` and the base 64 of HMAC-SHA256 over `id.timestamp.body`.
    /// - Parameters:
    ///   - id: `webhook-id`, the same for all tries.
    ///   - timestamp: `webhook-timestamp`, this try's Unix time in seconds.
    ///   - body: The body, as it goes out.
    func signature(id: String, timestamp: Int64, body: [UInt8]) -> String {
        "v1," + Base64.encode(key.authenticate(Array("\(id).\(timestamp).".utf8), body))
    }

    /// Hides the key, wherever the value is printed.
    var description: String { Self.prefix + "…" }
}
